"""The landing objects of an erased subject: found by their paths and their bytes, and removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pyspark.sql import functions as F

from bronze.landing import Arrival, Gone, LandingObject, LocalLanding, Unreadable, arrival
from bronze.photos import EXPIRED, TOMBSTONED
from lake import catalog
from lake.lake import Lake
from privacy import storage
from privacy.wanted import Wanted


@dataclass(frozen=True)
class Known:
    """What bronze/objects tells of objects without a subject: `copies` are keys of those that hold an erased
    photo, `settled` the versions that were read and are none."""

    copies: frozenset[str]
    settled: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, lake: Lake, wanted: Wanted) -> Known:
        """From the table as it is; once the erased rows are gone, their copies are only not settled."""
        rows = (
            lake.read(catalog.OBJECTS)
            .where(F.col("subject").isNull() & ~F.col("outcome").isin(TOMBSTONED, EXPIRED))
            .select("object", "etag", "photo_id")
            .toArrow()
            .to_pylist()
        )
        copies = {row["object"] for row in rows if row["photo_id"] in wanted.photo_ids}
        settled = {
            (row["object"], row["etag"]) for row in rows if row["photo_id"] not in wanted.photo_ids
        }
        return cls(frozenset(copies), frozenset(settled))


def found(root: str, wanted: Wanted, known: Known, *, deep: bool = False) -> Iterator[str]:
    """The paths of the subject's objects and folders under the landing root, folders after what they hold.

    Objects without a subject are read where bronze doesn't know them, and all of them with `deep`. A folder
    that can't be listed is among them: nobody knows what it holds.
    """
    closed: list[str] = []
    for folder, folders, files in os.walk(root, topdown=False, onerror=storage.note_in(closed)):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in [*files, *links]:
            path = os.path.join(folder, name)
            if _is_wanted(root, path, wanted, known, deep=deep):
                yield path
        inside = _arrival(root, os.path.join(folder, "x"), wanted)
        if folder != root and inside is not None and wanted.is_subject(inside.subject):
            yield folder
    yield from closed


def count(root: str, wanted: Wanted, known: Known) -> int:
    """How many objects `found` tells of, folders apart."""
    return sum(not _is_folder(path) for path in found(root, wanted, known))


def sweep(root: str, wanted: Wanted, known: Known) -> list[str]:
    """Removes what `found` tells of; a folder that holds something of another subject stays. Returns the
    paths of what could not be removed."""
    left = []
    for path in found(root, wanted, known):
        try:
            if not _is_folder(path):
                os.unlink(path)
            elif not os.listdir(path):
                os.rmdir(path)
        except FileNotFoundError:
            continue
        except OSError:
            left.append(path)
    return left


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def is_of_others(path: str) -> bool:
    """Whether a folder of the subject's holds something all the same: another subject's folders."""
    return os.path.isdir(path) and any(files for _, _, files in os.walk(path))


def _arrival(root: str, path: str, wanted: Wanted) -> Arrival | None:
    with suppress(OSError):
        facts = os.lstat(path) if os.path.lexists(path) else None
        size, modified = (facts.st_size, facts.st_mtime_ns) if facts else (0, 0)
        listed = LandingObject(os.path.relpath(path, root), size, modified)
        return arrival(listed, position=0, keys=wanted.keys)
    return None


def _is_wanted(root: str, path: str, wanted: Wanted, known: Known, *, deep: bool) -> bool:
    arrived = _arrival(root, path, wanted)
    if arrived is None:
        return False
    if arrived.subject is not None:
        return wanted.is_subject(arrived.subject)
    if arrived.key in known.copies:
        return True
    if not deep and (arrived.key, arrived.landing.etag) in known.settled:
        return False
    try:
        content = LocalLanding(root).read(arrived.landing)
    except (Gone, Unreadable):
        return False
    return wanted.is_erased(wanted.keys.originals(content), None)
