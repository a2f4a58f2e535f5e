"""Landing objects of what is erased: how they are found, by their paths and bytes, and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pyarrow.compute as pc

from bronze.landing import Arrival, LandingObject, arrival
from lake import catalog, delta_rs_reader
from lake.enums import Outcome
from lake.readable_lake import Lake
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.locate import folder
from privacy.erasure import unreferenced_files
from privacy.erasure.subject_matcher import SubjectMatcher


@dataclass(frozen=True)
class KnownObjects:
    """What bronze/objects knows of landing objects without a subject; where one photo was erased, of all.

    Each is a version of an object: its key (the keyed hash of its path) and its etag. `copies` hold an erased
    photo, and `settled` were read and hold none. An object that was overwritten is in neither.
    """

    copies: frozenset[tuple[str, str]]
    settled: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, lake: Lake, search: SubjectMatcher) -> KnownObjects:
        """Read bronze/objects as it is now.

        Once the rows of the erased photos are gone, their copies are no longer in `copies`. They are not in
        `settled` either, so they are read again.
        """
        return cls.under(lake.files.root, search)

    @classmethod
    def under(cls, root: str, search: SubjectMatcher) -> KnownObjects:
        """Read bronze/objects of the lake under a root, as `of`, without a lease."""
        is_known = ~pc.field("outcome").isin([Outcome.TOMBSTONED.value, Outcome.EXPIRED.value])
        batches = delta_rs_reader.batches(
            delta_rs_reader.delta_table(root, catalog.OBJECTS),
            columns=["object", "etag", "photo_id"],
            where=is_known if search.of_photo else is_known & pc.field("subject").is_null(),
        )
        rows = [row for batch in batches for row in batch.to_pylist()]
        versions = {(row["object"], row["etag"]): row["photo_id"] for row in rows}
        copies = {each for each, photo_id in versions.items() if photo_id in search.photo_ids}
        return cls(frozenset(copies), frozenset(versions.keys() - copies))


def found(
    root: str,
    search: SubjectMatcher,
    known: KnownObjects,
    *,
    deep: bool = False,
    unread: list[StoredObject] | None = None,
) -> Iterator[StoredObject]:
    """Yield the subject's objects and folders under the landing root, each folder after what it holds.

    In a bucket these are all versions, delete markers and unfinished uploads. Objects without a subject are
    read and compared where bronze doesn't know them; with `deep` all of them are read. Folders that can't be
    listed are yielded too, because nobody knows what they hold. An object that can't be read may be
    anybody's: it is not yielded, but added to `unread`.
    """
    for each in folder(root).stored(folders=True):
        try:
            is_wanted = each.kind is StoredKind.CLOSED or _is_of_subject(
                each, search, known, deep=deep
            )
        except OSError:
            is_wanted = False
            if unread is not None:
                unread.append(each)
        if is_wanted:
            yield each


def count(root: str, search: SubjectMatcher, known: KnownObjects) -> int:
    """Return how many objects `found` yields, without folders."""
    return sum(each.kind is not StoredKind.FOLDER for each in found(root, search, known))


def hashes(
    root: str, search: SubjectMatcher, known: KnownObjects
) -> Iterator[tuple[str | None, str]]:
    """Yield the pseudonym of the subject, if any, and the keyed hash of the bytes of each object that `found`
    yields: a photo that lies in the landing folder alone has no row that tells them."""
    for stored in found(root, search, known):
        if stored.has_content:
            with (
                suppress(OSError),
                stored.open() as file,
            ):  # the verification tells what can't be read
                original = search.pseudonyms.originals(file.read())
                yield _arrival(stored, search).subject, original


def sweep(
    root: str, search: SubjectMatcher, known: KnownObjects, *, check_lease: Callable[[], None]
) -> list[StoredObject]:
    """Remove what `found` yields, and return what could not be removed.

    A folder that holds something of another subject can't be removed. `check_lease` is called before each
    batch. Raises Busy.
    """
    return unreferenced_files.remove_each(found(root, search, known), check_lease=check_lease)


def is_of_others(stored: StoredObject) -> bool:
    """Return whether this is a folder that still holds files, which are then of other subjects."""
    return stored.kind is StoredKind.FOLDER and any(
        each.has_content for each in stored.folder.stored(stored.name)
    )


def _is_of_subject(
    stored: StoredObject, search: SubjectMatcher, known: KnownObjects, *, deep: bool
) -> bool:
    """Return whether an object is the subject's, by its path, or a copy of an erased photo without a
    subject. Where one photo was erased, it is that photo by its bytes, from the same subject or from nobody.

    An object whose path only looks like a subject's is nobody's: it may be somebody else's copy. Raises
    OSError where the object has to be read, and can't be.
    """
    arrived = _arrival(stored, search)
    if arrived.subject is not None and not search.of_photo:
        return search.is_subject(arrived.subject)
    if search.is_hidden_in(arrived.landing.path):
        return True
    if arrived.is_uncertain or not stored.has_content:
        return False
    version = arrived.key, arrived.landing.etag
    if version in known.copies:
        return True
    if not deep and version in known.settled:
        return False
    try:
        with stored.open() as file:
            content = file.read()
    except FileNotFoundError:
        return False
    return search.are_erased(content, arrived.subject)


def _arrival(stored: StoredObject, search: SubjectMatcher) -> Arrival:
    """Return what the path of an object says. A folder is treated as the path of a file in it."""
    path = f"{stored.name}/x" if stored.kind is StoredKind.FOLDER else stored.name
    listed = LandingObject(path, stored.size, stored.modified_ns, stored.tag)
    return arrival(listed, position=0, pseudonyms=search.pseudonyms)
