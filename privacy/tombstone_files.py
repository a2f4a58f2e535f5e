"""Tombstones that leave a lake with it: a file of them, and their import into another lake.

A file names nobody. It has the tombstones that held when it was written, and an HMAC under a key that is
derived from the exporting lake's. A lake that makes the same tombstones, by the same key and rule for names,
takes them as they are. Any other lake keeps the tombstone of each, and asks for it whenever photos arrive:
therefore it needs the exporting lake's key for as long as it has the tombstones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from conf.errors import BadInput, Inconsistent
from conf.settings import SubjectSettings
from lake import catalog, fault_points, lake_format, secret_places
from lake.chunks import NoChunk
from lake.enums import ERASE
from lake.pseudonyms import Pseudonyms, halves
from lake.readable_lake import Lake
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from privacy import tombstones
from privacy.erasure import certificate
from privacy.moved_rows import moved_tombstone

KIND = "tombstones_file"
FORM, FORMS = 2, (1, 2)
"""The key that tells a file of tombstones, the number of the form that is written, and those that are read. A
file of form 1 has no tombstones of one photo of a subject."""

TIMES = ("made_at", "expires_at")
COLUMNS = ("tombstone", "of", "request", "reason", *TIMES)
"""The columns of privacy/tombstones that a file has. One that was lifted, or has expired, is in no file."""


@dataclass(frozen=True)
class Imported:
    """How many tombstones an import added, and how many the lake had already, or has lifted since."""

    added: int
    known: int


@dataclass(frozen=True, repr=False)
class TombstoneFile:
    """A file of tombstones that is authentic: its rows, and the pseudonyms of the lake that they are of."""

    exporter: Pseudonyms
    rows: list[dict[str, Any]]


def exported(lake: Lake, known: Pseudonyms, *, now: datetime) -> tuple[bytes, int]:
    """Return the file of the tombstones of a lake that hold at the time `now`, and their number."""
    holding = tombstones.holding_rows(lake, now=now)
    rows = [
        {name: row[name] for name in COLUMNS} | {name: _text(row[name]) for name in TIMES}
        for row in sorted(holding, key=_key)
    ]
    body = {KIND: FORM, "exported_at": _text(now), **lake_format.record_of(known)}
    return certificate.sealed({**body, "tombstones": rows}, known.exports), len(rows)


def opened(content: bytes, *, name: str, files: Folder, subjects: SubjectSettings) -> TombstoneFile:
    """Return the file `name` with these bytes, for the lake under `files`, which may not be made yet.

    Raises BadInput where it is no such file, Refused where no setting names the key that it was written
    under, and Inconsistent where it isn't what was written under that key.
    """
    body = certificate.read(content)
    if body is None or KIND not in body:
        raise BadInput(f"{name} is no file of tombstones; name one that tombstones export wrote.")
    if body[KIND] not in FORMS:
        raise BadInput(f"{name} was written by a later version of this product; update the code.")
    by_key = lake_format.others_by_key(subjects, lake=files.root)
    own = _own(files, subjects)
    if own is not None:
        by_key[own.fingerprint] = own
    try:
        [exporter] = lake_format.of_records([body], by_key)
        is_authentic = certificate.is_authentic(content, exporter.exports)
        rows = [{**row, **{each: _time(row[each]) for each in TIMES}} for row in body["tombstones"]]
    except (KeyError, TypeError, ValueError):
        is_authentic = False
    if not is_authentic:
        raise Inconsistent(
            f"{name} was cut off or changed since it was exported; export the tombstones again."
        )
    return TombstoneFile(exporter, rows)


def take_in(
    lake: WritableLake, known: Pseudonyms, file: TombstoneFile, *, now: datetime
) -> Imported:
    """Import tombstones into a lake, which has the pseudonyms `known`. The same file twice changes nothing.

    A tombstone that the lake lifted stays lifted, unless its person was erased again after that. What a lift
    of a subject ended is also what other requests made before. A tombstone that has expired by `now` is left
    out. Raises Busy.
    """
    exporter = file.exporter
    others: Sequence[Pseudonyms] = ()
    if not known.has_taken(exporter):
        others = exporter.imported if known.makes_tombstones_of(exporter) else [exporter]
    records = lake.records(catalog.TOMBSTONES)
    held = {_key(row): row for row in records}
    lifts = _lifts(records)
    rows = [
        {**row, "tombstone": _of_tombstone(known, exporter, row["of"], row["tombstone"])}
        for row in file.rows
        if row["expires_at"] is None or row["expires_at"] > now
    ]
    new = [
        row
        for row in rows
        if _is_new(row, held.get(_key(row)), lifts.get(row["tombstone"]), now=now)
    ]
    # First the record: from then on, nobody ingests without the key that tells who is kept out.
    lake.check_lease()
    lake_format.with_imported(lake.files, known, others)
    fault_points.at("import: recorded")
    if new:
        lake.put(catalog.TOMBSTONES, new, keys=tombstones.KEYS, chunk=NoChunk(ERASE))
    return Imported(len(new), len(rows) - len(new))


def _of_tombstone(known: Pseudonyms, exporter: Pseudonyms, of: str, tombstone: str) -> str | None:
    """Return what a lake keeps of the tombstone of another lake: the same where it makes the same; what it
    got under an earlier key, moved since; or else its own tombstone of each half."""
    if known.makes_tombstones_of(exporter):
        return tombstone
    if exporter not in known.imported and known.earlier and known.earlier.has_taken(exporter):
        taken = _of_tombstone(known.earlier, exporter, of, tombstone)
        return moved_tombstone(known, of, taken)
    return "".join(known.tombstone(half) for half in halves(tombstone) if half)


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a row is known by, of the lake or of a file."""
    return tuple(row[name] for name in tombstones.KEYS)


def _lifts(rows: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """Return when the tombstone of each subject was lifted last."""
    lifted = [row for row in rows if row["of"] == tombstones.SUBJECT and row["lifted_at"]]
    return {
        row["tombstone"]: row["lifted_at"] for row in sorted(lifted, key=itemgetter("lifted_at"))
    }


def _is_new(
    row: Mapping[str, Any],
    held: Mapping[str, Any] | None,
    lifted_at: datetime | None,
    *,
    now: datetime,
) -> bool:
    """Return whether a row is not among those of the lake, or was made after `held` came to its end; and was
    made after its subject's tombstone was lifted, if it was."""
    if lifted_at is not None and row["made_at"] <= lifted_at:
        return False
    if held is None:
        return True
    ends = [each for each in (held["lifted_at"], held["expires_at"]) if each is not None]
    return any(end <= now and end < row["made_at"] for end in ends)


def _own(files: Folder, subjects: SubjectSettings) -> Pseudonyms | None:
    """Return the pseudonyms of the lake itself; None where it isn't made and has no key yet."""
    if lake_format.is_made(files):
        return lake_format.pseudonyms_of(files, subjects)
    try:
        return secret_places.load(subjects.key, lake=files.root, make=False)
    except BadInput:
        return None


def _text(time: datetime | None) -> str | None:
    """Return a time as JSON writes it, in UTC and to the microsecond."""
    return None if time is None else time.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    """Return the time that `_text` wrote. Raises ValueError for another text."""
    return None if text is None else datetime.fromisoformat(text)
