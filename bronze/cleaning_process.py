"""Removal of metadata in an isolated process, so that a file that a parser fails on costs one row only."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

from bronze.formats.cleaning_results import CleanPhoto, NotAPhoto, RejectionReason
from bronze.formats.exif import EARLIEST_YEAR
from bronze.formats.metadata_removal import clean
from lake import isolated_process
from lake.dated_names import DAY
from lake.enums import BRONZE
from lake.isolated_process import AHEAD_BYTES, Failure, FailureKind, ProcessLimits, WorkDone
from lake.isolated_work import AHEAD

REASONS = {
    FailureKind.CRASHED: RejectionReason.PARSER_CRASHED,
    FailureKind.TIMEOUT: RejectionReason.PARSER_TIMEOUT,
    FailureKind.MEMORY: RejectionReason.TOO_LARGE,
}

INTS = range(1 << 31)
"""The widths and heights that bronze/photos can hold. Another one would fail the task, and not the photo."""

ADDED_BYTES = 1 << 16
"""The most bytes that a clean photo has more than the original, such as the smallest EXIF, and a colour
profile that is packed anew. A photo that grows by more is too large."""


def cleaning(content: bytes) -> tuple[str, bytes]:
    """Clean one photo: the work of the child. The text is that of `_photo`."""
    try:
        photo = clean(content)
    except NotAPhoto as refused:
        return f"{refused.reason}\n{refused.detail}", b""
    days = " ".join(day.isoformat() for day in photo.days)
    return f"\n{photo.format}\n{photo.width}\n{photo.height}\n{days}", photo.content


def cleaned(contents: Iterable[bytes], limits: ProcessLimits) -> Generator[CleanPhoto | NotAPhoto]:
    """Yield each photo without its private metadata, or its refusal, in order.

    A file is refused for the reasons of `metadata_removal.clean`, and also as `parser_crashed`, as
    `parser_timeout` after `limits.seconds`, and as `too_large` where it takes more than `limits.memory`. The
    caller closes the generator where it doesn't exhaust it. Raises OSError where no process can be started.
    """
    most_bytes = AHEAD_BYTES + limits.max_bytes + AHEAD * ADDED_BYTES
    process = isolated_process.kept(BRONZE, cleaning, limits=limits, most_made=most_bytes)
    with closing(process.answers(contents, _photo)) as answers:
        for answer in answers:
            if isinstance(answer, Failure):
                yield NotAPhoto(REASONS[answer.kind], answer.detail)
            else:
                yield answer


def cleaned_rows(
    rows: Iterable[dict[str, Any] | None], limits: ProcessLimits
) -> Iterator[dict[str, Any]]:
    """Yield the rows (`bronze_rows.ARRIVED`) that there are, in order, with bytes as rows of clean photos.

    A file that is no photo, or that the process fails on, becomes the row of a refusal.
    """
    waiting = deque[dict[str, Any]]()

    def contents() -> Iterator[bytes]:
        for row in rows:
            if row is not None:
                waiting.append(row)
                if row["content"] is not None:
                    yield row["content"]

    with closing(cleaned(contents(), limits)) as photos:
        for photo in photos:
            while waiting[0]["content"] is None:
                yield waiting.popleft()
            yield _judged(waiting.popleft(), photo)
    yield from waiting


def _judged(row: dict[str, Any], photo: CleanPhoto | NotAPhoto) -> dict[str, Any]:
    """Return the row of a clean photo, or of a refusal. The day in the name of its file, which the row has,
    counts where the photo itself says none."""
    if isinstance(photo, NotAPhoto):
        of_photos = dict.fromkeys(("photo_id", "original", "content", "taken_on"))
        return row | of_photos | {"reason": photo.reason.value, "detail": photo.detail}
    in_name = row.get("taken_on")
    days = [*photo.days, in_name] if in_name else photo.days
    return row | {
        "format": photo.format,
        "width": photo.width,
        "height": photo.height,
        "taken_on": taken_on(days, uploaded_at=row["uploaded_at"]),
        "content": photo.content,
    }


def taken_on(days: Iterable[date], *, uploaded_at: datetime) -> date | None:
    """Return the first of the days that is none of the future; None where there is none.

    Nobody uploads a photo before it is taken, but a phone's date may be a day ahead of UTC. A modification
    time from before there were such photos says nothing: some archives leave out the times of their files.
    """
    has_time = uploaded_at.year >= EARLIEST_YEAR
    arrived = (uploaded_at if has_time else datetime.now(UTC)).date()
    return next((day for day in days if day - DAY <= arrived), None)


def _photo(done: WorkDone) -> CleanPhoto | NotAPhoto:
    """Return the clean photo, or its refusal. Raises ValueError where a file has taken over the child."""
    reason, *facts = done.text.split("\n")
    if reason:
        return NotAPhoto(RejectionReason(reason), "\n".join(facts))
    photo_format, *sides, days = facts
    width, height = map(int, sides)
    if not (width in INTS and height in INTS):
        raise ValueError("no table holds such a number")
    return CleanPhoto(
        done.made, photo_format, width, height, tuple(map(date.fromisoformat, days.split()))
    )
