"""The landing objects of an erased subject: found by their paths and their bytes, and removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import functions as F

from bronze.landing import Arrival, LandingObject, arrival
from lake import catalog
from lake.column_values import Outcome
from lake.readable_lake import Lake
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.locate import folder
from privacy.erasure import unreferenced_files
from privacy.erasure.subject_search import SubjectSearch


@dataclass(frozen=True)
class KnownObjects:
    """What bronze/objects tells of objects without a subject: `copies` are keys of those that hold an erased
    photo, `settled` the versions that were read and are none."""

    copies: frozenset[str]
    settled: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, lake: Lake, wanted: SubjectSearch) -> KnownObjects:
        """From the table as it is; once the erased rows are gone, their copies are only not settled."""
        rows = (
            lake.read(catalog.OBJECTS)
            .where(
                F.col("subject").isNull()
                & ~F.col("outcome").isin(Outcome.TOMBSTONED, Outcome.EXPIRED)
            )
            .select("object", "etag", "photo_id")
            .toArrow()
            .to_pylist()
        )
        copies = {row["object"] for row in rows if row["photo_id"] in wanted.photo_ids}
        settled = {
            (row["object"], row["etag"]) for row in rows if row["photo_id"] not in wanted.photo_ids
        }
        return cls(frozenset(copies), frozenset(settled))


def found(
    root: str, wanted: SubjectSearch, known: KnownObjects, *, deep: bool = False
) -> Iterator[StoredObject]:
    """The subject's objects and folders under the landing root, folders after what they hold; of a bucket all
    versions, what marks that they were deleted, and uploads that were never completed.

    Objects without a subject are read where bronze doesn't know them, and all of them with `deep`. A folder
    that can't be listed is among them: nobody knows what it holds.
    """
    for each in folder(root).stored(folders=True):
        if each.kind is StoredKind.CLOSED or _is_wanted(each, wanted, known, deep=deep):
            yield each


def count(root: str, wanted: SubjectSearch, known: KnownObjects) -> int:
    """How many objects `found` tells of, folders apart."""
    return sum(each.kind is not StoredKind.FOLDER for each in found(root, wanted, known))


def sweep(root: str, wanted: SubjectSearch, known: KnownObjects) -> list[StoredObject]:
    """Removes what `found` tells of; a folder that holds something of another subject stays. Returns what
    could not be removed."""
    return unreferenced_files.removed(found(root, wanted, known))


def is_of_others(stored: StoredObject) -> bool:
    """Whether a folder of the subject's holds something all the same: another subject's folders."""
    return stored.kind is StoredKind.FOLDER and any(
        each.has_content for each in stored.folder.stored(stored.name)
    )


def _is_wanted(
    stored: StoredObject, wanted: SubjectSearch, known: KnownObjects, *, deep: bool
) -> bool:
    arrived = _arrival(stored, wanted)
    if arrived.subject is not None:
        return wanted.is_subject(arrived.subject)
    if not stored.has_content:
        return False
    if arrived.key in known.copies:
        return True
    if not deep and (arrived.key, arrived.landing.etag) in known.settled:
        return False
    try:
        with stored.open() as file:
            content = file.read()
    except OSError:
        return False
    return wanted.is_erased(wanted.pseudonyms.originals(content), None)


def _arrival(stored: StoredObject, wanted: SubjectSearch) -> Arrival:
    """What the path says; of a folder what it would say of a file in it."""
    path = f"{stored.name}/x" if stored.kind is StoredKind.FOLDER else stored.name
    listed = LandingObject(path, stored.size, stored.modified_ns, stored.tag)
    return arrival(listed, position=0, pseudonyms=wanted.pseudonyms)
