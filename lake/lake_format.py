"""lake.json: the file that makes a folder a lake.

It tells the format, the key that the lake has, the rule by which it reads names, and how the ids of photos
are made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conf.errors import BadInput, Busy, Inconsistent, Refused
from conf.secret_values import TOMBSTONE_KEYS
from lake import secret_places
from lake.pseudonyms import PhotoIdRule, Pseudonyms
from lake.storage.folder import PUT_BACK, Folder, decoded
from lake.subject_names import NameRule

if TYPE_CHECKING:  # a reader of a lake needs no settings, and not what checks them
    from conf.settings import SubjectSettings

NAME = "lake.json"

IMPORTED = "tombstones_of"
"""The key under which lake.json, and a file of tombstones, tell of which other lakes there are tombstones."""

FORMAT = 6
"""The format of a new lake's tables and files."""

EARLIEST = 4
"""The earliest format that is known, and was released. It has no rule for names, which stay as they are
written. A lake from here to FORMAT is read and written as it is, and `run.py upgrade` takes it to FORMAT."""

PHOTO_IDS = "photo_ids"
"""The key under which lake.json has the rule for ids of photos (`PhotoIdRule`). Format 4 doesn't say it."""

EARLIER = "earlier_key"
"""The key under which lake.json tells of the key that the lake had before, where it got a new one."""

REKEY = "rekey"
"""The key under which lake.json tells of a new key while the lake moves to it, and of how far it has come."""

MADE_AS = "made_as_format"
"""The key under which lake.json has the format that a lake was made with, where it has a later one now: by
an upgrade, or with a new key."""


def is_made(files: Folder) -> bool:
    """Whether there is a lake under the folder."""
    return files.exists(NAME)


def check_format(files: Folder) -> Mapping[str, Any] | None:
    """The values of lake.json; None where there is no lake yet. Raises BadInput for another format, and
    Refused while the lake moves to a new key: until then, its tables don't agree."""
    values = values_of(files)
    _refuse_half_way(files, values or {})
    return values


def _refuse_half_way(files: Folder, values: Mapping[str, Any]) -> None:
    if REKEY in values:
        raise Refused(
            f"The lake {files.root} is half way to a new key, and its tables don't agree until it is there; "
            f"run the same rekey command again."
        )


def values_of(files: Folder) -> Mapping[str, Any] | None:
    """The values of lake.json, also while the lake moves to a new key; None where there is no lake yet.
    Raises BadInput for another format, Inconsistent where the file is empty or holds something else."""
    content = files.read(NAME)
    if content is None:
        return None
    values = _read(files, content)
    if not EARLIEST <= values["format"] <= FORMAT:
        which, do = "a later version of this product", "update the code"
        if values["format"] < EARLIEST:
            which = "an earlier version of this product that was never released, and has no upgrade"
            do = "ingest the photos into a new lake"
        raise BadInput(
            f"The lake {files.root} was written by {which} (format {values['format']}, this one knows "
            f"{EARLIEST} to {FORMAT}); {do}."
        )
    return values


def _read(files: Folder, content: bytes) -> dict[str, Any]:
    """The values that the content of lake.json has. Raises Inconsistent where it has none."""
    values = decoded(content, files.uri(NAME))
    if isinstance(values, dict) and isinstance(values.get("format"), int):
        return values
    raise Inconsistent(f"{files.uri(NAME)} says nothing of a lake; {PUT_BACK}")


def name_rule(files: Folder) -> NameRule:
    """Return the rule by which a lake reads names. Raises BadInput for another format."""
    values = check_format(files)
    return NameRule() if values is None else NameRule.of_record(values.get("names"))


def pseudonyms_of(
    files: Folder, subjects: SubjectSettings, *, is_moving: bool = False
) -> Pseudonyms:
    """Return the pseudonyms of a lake, under its key and its rule for names.

    Those of a folder that is no lake yet are under the rule of the settings, and a missing key file is made.
    With `is_moving` the lake may be on its way to a new key, and these are those under the one before. Raises
    as `check_format`, BadInput for a missing key, Refused for another key and where a
    key is not named that the lake had before, or of a lake whose tombstones were imported, BadSettings.
    """
    values = values_of(files) if is_moving else check_format(files)
    known = secret_places.load(subjects.key, lake=files.root, make=values is None)
    if values is None:
        names = NameRule.of_settings(case=subjects.case, plain_keys=subjects.plain_keys)
        return replace(known, names=names)
    has_moved = EARLIER in values
    if not has_moved:
        _check_key(files, values, known)
    needs_others = has_moved or values.get(IMPORTED)
    others = others_by_key(subjects, lake=files.root) if needs_others else {}
    own = {IMPORTED: (), **values, "key": known.fingerprint, "names": values.get("names")}
    [found] = of_records([own], {known.fingerprint: known} | others)
    _check_key(files, values, found)
    return replace(found, photo_id_rule=PhotoIdRule(values.get(PHOTO_IDS, PhotoIdRule.PLAIN)))


def check_key(files: Folder, known: Pseudonyms) -> None:
    """Raise Refused where a lake has another key than that of the pseudonyms `known`, or is on its way to
    one: whoever reads without a lease asks once more when the reading is over."""
    values = check_format(files)
    if values is not None:
        _check_key(files, values, known)


def _check_key(files: Folder, values: Mapping[str, Any], known: Pseudonyms) -> None:
    if values["key"] != fingerprint(known):
        raise Refused(
            f"The lake {files.root} was made with another key than subjects.key names, or has got a new one "
            f"since (rekey): pseudonyms would not match; give the key that it has."
        )


def fingerprint(known: Pseudonyms) -> str:
    """Return the fingerprint that lake.json has of a lake's key. Where the lake had another key before, it is
    also one of what lake.json says of that, so that nothing of it can get lost."""
    if known.earlier is None:
        return known.fingerprint
    return known.fingerprint_with(json.dumps(record_of(known.earlier), sort_keys=True))


def others_by_key(subjects: SubjectSettings, *, lake: str) -> dict[str, Pseudonyms]:
    """Return pseudonyms under the secrets that `subjects.tombstone_keys` names, by their fingerprints.

    Raises as `lake.secret_places.load`.
    """
    places = subjects.tombstone_keys
    known = (
        secret_places.load(each, lake=lake, make=False, setting=TOMBSTONE_KEYS) for each in places
    )
    return {each.fingerprint: each for each in known}


def of_records(
    records: Iterable[Mapping[str, Any]], by_key: Mapping[str, Pseudonyms]
) -> tuple[Pseudonyms, ...]:
    """Return the pseudonyms of lakes of which `record_of` made a record. `by_key` has pseudonyms under all
    secrets that are known, by their fingerprints. Raises Refused where one is not among them."""
    found = []
    for record in records:
        if record["key"] not in by_key:
            raise Refused(
                f"There are tombstones of another key (its fingerprint begins with {record['key'][:8]}), an "
                f"earlier one or another lake's, which is named neither by subjects.key nor by "
                f"subjects.tombstone_keys: without it, nobody would be kept out by them; name it in "
                f"subjects.tombstone_keys."
            )
        names = NameRule.of_record(record["names"])
        imported = of_records(record[IMPORTED], by_key)
        earlier = of_records([record[EARLIER]], by_key) if record.get(EARLIER) else (None,)
        known = by_key[record["key"]]
        found.append(replace(known, names=names, imported=imported, earlier=earlier[0]))
    return tuple(found)


def record_of(known: Pseudonyms) -> dict[str, Any]:
    """Return what tells of a lake's pseudonyms where its tombstones are: fingerprint, rule, and the same of
    the key that it had before, if any, and of the lakes whose tombstones it has imported."""
    earlier = {EARLIER: record_of(known.earlier)} if known.earlier else {}
    return {
        "key": known.fingerprint,
        "names": known.names.record(),
        IMPORTED: list(map(record_of, known.imported)),
    } | earlier


def _change(
    files: Folder,
    change: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    is_moving: bool = False,
) -> None:
    """Put what a function makes of the values of lake.json in their place. Raises Busy where another process
    changed them meanwhile, and, not with `is_moving`, Refused while the lake moves to a new key."""
    known = files.read(NAME)
    assert known is not None
    values = _read(files, known)
    if not is_moving:
        _refuse_half_way(files, values)
    if not files.swap(NAME, json.dumps(change(values)).encode(), expected=known):
        raise Busy(f"Another process changed {NAME} of the lake {files.root} meanwhile; run again.")


def with_imported(files: Folder, known: Pseudonyms, others: Iterable[Pseudonyms]) -> Pseudonyms:
    """Return a lake's pseudonyms with those of further lakes whose tombstones it imports. lake.json records
    them, so that whoever opens the lake needs their keys. For the one writer alone."""
    new = tuple(each for each in others if each not in known.imported)
    if not new:
        return known
    changed = replace(known, imported=(*known.imported, *new))
    records = list(map(record_of, changed.imported))
    _change(files, lambda values: {**values, IMPORTED: records})
    return changed


def with_plain_keys(files: Folder, known: Pseudonyms, keys: Iterable[str]) -> Pseudonyms:
    """Return a lake's pseudonyms under a rule with further plain keys. lake.json records it for all readers.

    For the one writer alone. A key that was recorded stays: paths with it may be stored.
    """
    names = known.names.with_plain_keys(keys)
    if names == known.names:
        return known
    _change(files, lambda values: {**values, "names": names.record()})
    return replace(known, names=names)


def is_made_before_certificates(files: Folder) -> bool:
    """Return whether the lake may hold what code of format 4 wrote, which authenticated no certificates."""
    values = values_of(files) or {}
    return values.get(MADE_AS, values.get("format")) == EARLIEST


def format_of(files: Folder) -> int:
    """Return the format of the lake that is under the folder. Raises as `check_format`."""
    return int((check_format(files) or {"format": FORMAT})["format"])


def reach(files: Folder, number: int, lacking: Mapping[str, Any]) -> None:
    """Record that the lake is of the format `number` now, and the values that lake.json lacked. Raises Busy
    where another process changed it meanwhile, and Refused while the lake moves to a new key."""
    _change(files, lambda known: {**lacking, MADE_AS: known["format"], **known, "format": number})


def rekey_of(files: Folder) -> Mapping[str, Any] | None:
    """Return what `begin_rekey` recorded; None where the lake is on its way to no new key."""
    found: Mapping[str, Any] | None = (values_of(files) or {}).get(REKEY)
    return found


def begin_rekey(files: Folder, record: Mapping[str, Any]) -> None:
    """Record that the lake moves to a new key, and is of today's format, which earlier code refuses. From
    then on every other command refuses it. Raises Busy where another process changed lake.json meanwhile."""

    def begun(values: dict[str, Any]) -> dict[str, Any]:
        made_as = values.get(MADE_AS, values["format"])
        return {**values, "format": FORMAT, MADE_AS: made_as, REKEY: dict(record)}

    _change(files, begun)


def finish_rekey(files: Folder, known: Pseudonyms, record: Mapping[str, Any]) -> None:
    """Record that the lake has moved to a new key, with the pseudonyms `known`. Raises Busy where it is not
    on the way that `record` tells of."""

    def finished(values: dict[str, Any]) -> dict[str, Any]:
        if values.pop(REKEY, None) != dict(record):
            raise Busy(f"Another process moved the lake {files.root} on meanwhile; run again.")
        rule = {PHOTO_IDS: known.photo_id_rule.value}
        return {**values, **rule, **record_of(known), "key": fingerprint(known)}

    _change(files, finished, is_moving=True)


def write(files: Folder, *, pseudonyms: Pseudonyms) -> None:
    """Make the folder a lake, of today's format, with the key and the rule for names of `pseudonyms`."""
    values = {
        "format": FORMAT,
        "key": pseudonyms.fingerprint,
        "made_at": datetime.now(UTC).isoformat(),
        "names": pseudonyms.names.record(),
        PHOTO_IDS: pseudonyms.photo_id_rule.value,
    }
    files.write(NAME, json.dumps(values).encode())
