"""Writes the photos that are similar to one as an HTML file that loads nothing from elsewhere.

No photo of a person is in it, no copy of one, and nothing of the photo in question, which may be of a person.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from conf.errors import BadInput
from page.similar_photos import Neighbourhood
from report import thumbnails
from report.svg_plots import STYLE
from report.thumbnails import FreePhotos
from silver.pixels import Limits

HERE = Path(__file__).parent


@dataclass(frozen=True)
class SheetPhoto:
    """A photo of the sheet: `picture` is a JPEG in base64, or None where none may be shown or can be made."""

    name: str
    label: str | None
    similarity: float
    words: str
    picture: str | None


def html(found: Neighbourhood, free: FreePhotos, *, model: str, limits: Limits) -> str:
    """Return the sheet of the photos that were found by the extractor `model`, of which `free` may be shown.

    Raises OSError where no process can be started to decode them.
    """
    # Imported here: only this function needs a template engine.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pictures = _pictures(free, limits)
    photos = [
        SheetPhoto(
            free.paths.get(each.photo_id, each.photo_id[:12]),
            each.label,
            each.similarity,
            found.words(each.similarity),
            pictures.get(each.photo_id),
        )
        for each in found.nearest
    ]
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("contact_sheet.html").render(
        style=STYLE.read_text() + (HERE / "page.css").read_text(),
        photos=photos,
        model=model,
        average=found.average,
        at=datetime.now(UTC).isoformat(" ", "minutes")[:16],
    )


def _pictures(free: FreePhotos, limits: Limits) -> dict[str, str]:
    """Return a small JPEG in base64 of each photo that can be decoded, by its id."""
    contents = free.contents()
    if not contents:
        return {}
    decoder = thumbnails.decoder(limits)
    try:
        made = thumbnails.pictures(list(contents.values()), by=decoder)
    finally:
        decoder.close()
    pairs = zip(contents, made, strict=True)
    return {photo: base64.b64encode(jpeg).decode() for photo, jpeg in pairs if jpeg}


def write(text: str, file: Path) -> None:
    """Write a sheet, which only this user may read. What stood in its place is replaced, as a whole.

    Raises BadInput where the file can't be written.
    """
    try:
        if file.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        # A file that mkstemp makes has the mode 0600 from its beginning.
        number, aside = tempfile.mkstemp(prefix=".similar-", suffix=".html", dir=file.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8", errors="replace") as made:
                made.write(text)
            os.replace(aside, file)
        except BaseException:
            with suppress(OSError):
                os.unlink(aside)
            raise
    except OSError as error:
        raise BadInput(
            f"{file} can't be written ({error.strerror}); name another file with --out."
        ) from None


def opened(file: Path, *, environment: Mapping[str, str], platform: str) -> bool:
    """Show a file in the user's browser; return False where there is none, or no display to show it on."""
    if not has_display(environment, platform=platform):
        return False
    # Imported here: it looks for browsers as it is loaded.
    import webbrowser

    show: Callable[[str], bool] = webbrowser.open
    return show(file.resolve().as_uri())


def has_display(environment: Mapping[str, str], *, platform: str) -> bool:
    """Return whether a browser has somewhere to show a page.

    Without a display, Python would start a browser of text in this terminal, and wait for its end.
    """
    if platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in environment
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
