"""Erasure: a subject leaves every place, in the states of `privacy.erasure.request_journal`, and a certificate says so.

Each step can be done again: it finds what is left of its work and goes on. Keys reach the tables as frames.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from conf.errors import BadInput, LeftBehind, Pending
from lake import catalog, fault_points, spark_session
from lake.storage.folder import folder
from privacy import row_removal, tombstones
from privacy.desk import Desk
from privacy.erasure import (
    certificate,
    file_removal,
    landing_objects,
    model_refits,
    request_journal,
    verification,
)
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import IMMEDIATE, ErasureRequest, ErasureState
from privacy.erasure.subject_data import SubjectData


def erase(desk: Desk, *, subject: str, request: str, mode: str) -> ErasureRequest:
    """Takes a request as far as it can go now, from wherever it stands; returns it.

    Raises BadInput (the request is another subject's), Pending (files are due later), LeftBehind (something
    could not be deleted, or was found), Busy.
    """
    lake = desk.lake
    pseudonym = desk.keys.subject(subject)
    tombstone = desk.keys.tombstone(pseudonym)
    found = request_journal.last(lake).get(request)
    if found is not None and found.subject != tombstone:
        raise BadInput(
            f"The request {request} was made for another subject; give this one an id of its own."
        )
    if found is None:
        found = ErasureRequest(
            request, ErasureState.REQUESTED, mode, tombstone, secrets.token_hex(16), desk.now, 0
        )
        found = request_journal.reach(lake, found, ErasureState.REQUESTED, at=desk.now)
    elif mode == IMMEDIATE and not found.has_reached(ErasureState.CERTIFIED):
        due = found.due_at and min(found.due_at, desk.now)
        found = replace(found, mode=mode, due_at=due)
    if not found.has_reached(ErasureState.LOGICAL):
        found = _fence(desk, found, pseudonym)
        found = _leave(desk, found, pseudonym)
    return go_on(desk, found)


def go_on(desk: Desk, erasure: ErasureRequest) -> ErasureRequest:
    """A request whose rows are gone: files, verification, certificate. Raises as `erase`."""
    if not erasure.has_reached(ErasureState.CERTIFIED) and not erasure.is_due(desk.now):
        assert erasure.due_at is not None
        place = certificate.write(desk.lake, erasure, None, places=_places(desk))
        raise Pending(
            f"The rows are gone; files of earlier versions hold them until "
            f"{certificate.told(erasure.due_at)}: run again after that, with any command that writes, to "
            f"finish. What is due stands in {place}."
        )
    if not erasure.has_reached(ErasureState.CERTIFIED):
        model_refits.fit_anew_and_wipe(desk, erasure)
        file_removal.free(desk, erasure)
        after = {table.name: desk.lake.version(table) for table in catalog.TABLES}
        erasure = request_journal.reach(
            desk.lake, erasure, ErasureState.PHYSICAL, at=desk.now, versions_after=after
        )
        looked = _verified(desk, erasure)
        erasure = request_journal.reach(desk.lake, erasure, ErasureState.VERIFIED, at=desk.now)
        certificate.write(desk.lake, erasure, looked, places=_places(desk))
        fault_points.at("erase: certificate written")
        erasure = request_journal.reach(desk.lake, erasure, ErasureState.CERTIFIED, at=desk.now)
    return erasure


def finish_due(desk: Desk) -> list[ErasureRequest]:
    """Finishes every request whose files may go by now. Raises as `erase`, but for Pending."""
    return [go_on(desk, erasure) for erasure in request_journal.due(desk.lake, now=desk.now)]


# REQUESTED → FENCED


def _fence(desk: Desk, erasure: ErasureRequest, pseudonym: str) -> ErasureRequest:
    """Tombstones of the subject and of every photo's bytes, after what is half published is whole."""
    lake = desk.lake
    desk.finish_half_published()
    held = SubjectData.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids)
    hashes = held.hashes(desk.keys.originals)
    photos = {desk.keys.tombstone(original) for original in hashes}
    fault_points.at("erase: before tombstones")
    tombstones.make(
        lake,
        erasure.request,
        subject=erasure.subject,
        photos=photos,
        now=desk.now,
        expires_at=desk.tombstones_expire,
    )
    fault_points.at("erase: tombstones made")
    wanted = desk.wanted(replace(erasure, photo_ids=held.photo_ids))
    landed = landing_objects.count(
        desk.settings.paths.landing, wanted, KnownObjects.of(lake, wanted)
    )
    versions = {table.name: lake.version(table) for table in catalog.TABLES}
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.FENCED,
        at=desk.now,
        photo_ids=held.photo_ids,
        counts=_most(erasure.counts, held.rows() | held.fitted() | {"landing": landed}),
        versions_before=erasure.versions_before or versions,
    )


def _most(*found: Mapping[str, int]) -> dict[str, int]:
    """Of each count the largest: a step that is done again finds less."""
    most: Counter[str] = Counter()
    for each in found:
        most |= Counter(each)
    return dict(most)


# FENCED → LOGICAL


def _leave(desk: Desk, erasure: ErasureRequest, pseudonym: str) -> ErasureRequest:
    """Landing objects go first, as bronze/objects tells which are copies; then rows, table by table."""
    lake = desk.lake
    wanted = desk.wanted(erasure)
    landing_objects.sweep(desk.settings.paths.landing, wanted, KnownObjects.of(lake, wanted))
    fault_points.at("erase: landing objects gone")
    row_removal.remove(lake, SubjectData.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids))
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.LOGICAL,
        at=desk.now,
        versions_after={table.name: lake.version(table) for table in catalog.TABLES},
        due_at=desk.now if _is_due_at_once(desk, erasure) else desk.files_due,
    )


def _is_due_at_once(desk: Desk, erasure: ErasureRequest) -> bool:
    """Where nothing was held, nothing is left for a later date, unless an earlier request left it."""
    if erasure.mode == IMMEDIATE:
        return True
    if erasure.photo_ids:
        return False
    wanted = desk.wanted(erasure)
    return not verification.verify(desk.lake, desk.settings, erasure, wanted).residues


# PHYSICAL → VERIFIED


def _verified(desk: Desk, erasure: ErasureRequest) -> verification.SearchResult:
    looked = verification.verify(desk.lake, desk.settings, erasure, desk.wanted(erasure))
    check(looked)
    return looked


def check(looked: verification.SearchResult) -> None:
    """Raises LeftBehind where something was found."""
    if looked.residues:
        raise LeftBehind(
            f"{len(looked.residues):,} things of the erased subject were found: "
            f"{'; '.join(map(str, looked.residues))}. Nothing is certified: remove them, and run the same "
            f"command again."
        )


def _places(desk: Desk) -> dict[str, str]:
    paths = desk.settings.paths
    return {
        "landing": folder(paths.landing).root,
        "lake": desk.lake.files.root,
        "docs": folder(paths.docs_folder).root,
        "working files": str(spark_session.working_folder().parent),
    }
