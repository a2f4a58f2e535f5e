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
from lake.column_values import ERASE, ErasureMode, ErasureState
from lake.context import Context
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from privacy import due_dates, row_removal, tombstones
from privacy.erasure import (
    certificate,
    file_removal,
    landing_objects,
    model_refits,
    request_journal,
    verification,
)
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_data import SubjectData
from privacy.erasure.subject_search import search_for
from privacy.unfinished_chunks import finish_half_published


def erase(context: Context, *, subject: str, request: str, mode: str) -> ErasureRequest:
    """Takes a request as far as it can go now, from wherever it stands; returns it.

    Raises BadInput (the request is another subject's), Pending (files are due later), LeftBehind (something
    could not be deleted, or was found), Busy.
    """
    lake = context.lake
    pseudonym = context.pseudonyms.subject(subject)
    tombstone = context.pseudonyms.tombstone(pseudonym)
    found = request_journal.last(lake).get(request)
    if found is not None and found.subject != tombstone:
        raise BadInput(
            f"The request {request} was made for another subject; give this one an id of its own."
        )
    if found is None:
        found = ErasureRequest(
            request, ErasureState.REQUESTED, mode, tombstone, secrets.token_hex(16), context.now, 0
        )
        found = request_journal.reach(lake, found, ErasureState.REQUESTED, at=context.now)
    elif mode == ErasureMode.IMMEDIATE and not found.has_reached(ErasureState.CERTIFIED):
        due = found.due_at and min(found.due_at, context.now)
        found = replace(found, mode=mode, due_at=due)
    if not found.has_reached(ErasureState.LOGICAL):
        found = _fence(context, found, pseudonym)
        found = _leave(context, found, pseudonym)
    return go_on(context, found)


def go_on(context: Context, erasure: ErasureRequest) -> ErasureRequest:
    """A request whose rows are gone: files, verification, certificate. Raises as `erase`."""
    if not erasure.has_reached(ErasureState.CERTIFIED) and not erasure.is_due(context.now):
        assert erasure.due_at is not None
        place = certificate.write(context.lake, erasure, None, places=_places(context))
        raise Pending(
            f"The rows are gone; files of earlier versions hold them until "
            f"{certificate.told(erasure.due_at)}: run again after that, with any command that writes, to "
            f"finish. What is due stands in {place}."
        )
    if not erasure.has_reached(ErasureState.CERTIFIED):
        model_refits.fit_anew_and_wipe(context, erasure)
        file_removal.free(context, erasure)
        after = {table.name: context.lake.version(table) for table in catalog.TABLES}
        erasure = request_journal.reach(
            context.lake, erasure, ErasureState.PHYSICAL, at=context.now, versions_after=after
        )
        looked = _verified(context, erasure)
        erasure = request_journal.reach(
            context.lake, erasure, ErasureState.VERIFIED, at=context.now
        )
        certificate.write(context.lake, erasure, looked, places=_places(context))
        fault_points.at("erase: certificate written")
        erasure = request_journal.reach(
            context.lake, erasure, ErasureState.CERTIFIED, at=context.now
        )
    return erasure


def finish_due(context: Context) -> list[ErasureRequest]:
    """Finishes every request whose files may go by now. Raises as `erase`, but for Pending."""
    return [
        go_on(context, erasure) for erasure in request_journal.due(context.lake, now=context.now)
    ]


# REQUESTED → FENCED


def _fence(context: Context, erasure: ErasureRequest, pseudonym: str) -> ErasureRequest:
    """Tombstones of the subject and of every photo's bytes, after what is half published is whole."""
    lake = context.lake
    finish_half_published(context)
    held = SubjectData.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids)
    hashes = held.hashes(context.pseudonyms.originals)
    photos = {context.pseudonyms.tombstone(original) for original in hashes}
    fault_points.at("erase: before tombstones")
    tombstones.make(
        lake,
        erasure.request,
        subject=erasure.subject,
        photos=photos,
        now=context.now,
        expires_at=due_dates.tombstones_expire(context),
    )
    fault_points.at("erase: tombstones made")
    wanted = search_for(context, replace(erasure, photo_ids=held.photo_ids))
    landed = landing_objects.count(
        context.settings.paths.landing, wanted, KnownObjects.of(lake, wanted)
    )
    versions = {table.name: lake.version(table) for table in catalog.TABLES}
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.FENCED,
        at=context.now,
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


def _leave(context: Context, erasure: ErasureRequest, pseudonym: str) -> ErasureRequest:
    """Landing objects go first, as bronze/objects tells which are copies; then rows, table by table."""
    lake = context.lake
    wanted = search_for(context, erasure)
    landing_objects.sweep(context.settings.paths.landing, wanted, KnownObjects.of(lake, wanted))
    fault_points.at("erase: landing objects gone")
    _remove_rows(lake, SubjectData.of(lake, pseudonym=pseudonym, photo_ids=erasure.photo_ids))
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.LOGICAL,
        at=context.now,
        versions_after={table.name: lake.version(table) for table in catalog.TABLES},
        due_at=context.now if _is_due_at_once(context, erasure) else due_dates.files_due(context),
    )


def _remove_rows(lake: WritableLake, data: SubjectData) -> None:
    """Removes the rows of a subject, in an order that lets the same call go on wherever one died.

    No chunk may be half published. Raises BadInput where one is; Busy.
    """
    row_removal.leave(lake, data.keys("photo_id"), layer=ERASE)
    for table, column in data.TABLES:
        row_removal.take_out(lake, table, data.keys(column), on=[column], layer=ERASE)
    row_removal.recount(lake, catalog.PHOTOS)
    fault_points.at("erase: chunks counted")


def _is_due_at_once(context: Context, erasure: ErasureRequest) -> bool:
    """Where nothing was held, nothing is left for a later date, unless an earlier request left it."""
    if erasure.mode == ErasureMode.IMMEDIATE:
        return True
    if erasure.photo_ids:
        return False
    wanted = search_for(context, erasure)
    return not verification.verify(context.lake, context.settings, erasure, wanted).residues


# PHYSICAL → VERIFIED


def _verified(context: Context, erasure: ErasureRequest) -> verification.SearchResult:
    looked = verification.verify(
        context.lake, context.settings, erasure, search_for(context, erasure)
    )
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


def _places(context: Context) -> dict[str, str]:
    paths = context.settings.paths
    return {
        "landing": folder(paths.landing).root,
        "lake": context.lake.files.root,
        "docs": folder(paths.docs_folder).root,
        "working files": str(spark_session.working_folder().parent),
    }
