"""Erasure: a subject or a photo is removed from every store, state by state, and a certificate confirms it.

`privacy.erasure.request_journal` records the states. Each step can be repeated: it finds what is left to do
and continues. Keys reach the tables as frames, so that none stands in a log.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace

from conf.errors import BadInput
from gold import moments_table
from lake import catalog, fault_points, known_keys
from lake.context import Context
from lake.enums import ERASE, ErasureMode, ErasureState
from lake.writable_lake import WritableLake
from privacy import near_names, photo_removal, retention_dates, tombstones
from privacy.erasure import (
    certificate_check,
    completion,
    landing_objects,
    request_journal,
    verification,
)
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import Journal
from privacy.erasure.subject_data import SubjectData
from privacy.erasure.subject_matcher import SubjectMatcher, matcher_for
from privacy.finish_chunks import finish_half_published


def erase(
    context: Context,
    *,
    request: str,
    mode: str,
    subject: str | None = None,
    photo: str | None = None,
    is_exact: bool = False,
    acknowledges: bool = False,
) -> ErasureRequest:
    """Take a request as far as it can go now, from the state that it is in, and return it.

    `subject` is the name in clear; or else one photo is erased, and `photo` is its photo_id. `request` is the
    id of the request, and `mode` an `ErasureMode`. Raises BadInput where the request was made for something
    else, and where a new one is for a photo that the lake doesn't hold; Pending where old files may only be
    removed later; LeftBehind where something could not be deleted or is still found; and Busy. Before
    anything is done, it raises NearName where a new request finds something near the name, not with
    `is_exact`, and Inconsistent where another program wrote of the request in the journal, not with
    `acknowledges`: that is recorded.
    """
    own = photo or context.pseudonyms.subject(subject or "")
    journal = request_journal.read(context.lake, context.pseudonyms.certificates)
    if not acknowledges:
        certificate_check.refuse(journal, request)
    tombstone = context.pseudonyms.tombstone(own)
    erasure = journal.last.get(request) or _new(context, request, mode, tombstone)
    if erasure.subject != tombstone:
        raise BadInput(
            f"The request {request} was made for another subject or photo; give this one an id of its own."
        )
    if not erasure.entry:
        _check_new(context, journal, subject=subject, photo=photo, is_exact=is_exact)
        erasure = replace(erasure, exact=is_exact, of_photo=photo is not None)
    erasure = _recorded(context, erasure, acknowledges=acknowledges)
    if mode == ErasureMode.IMMEDIATE and not erasure.has_reached(ErasureState.CERTIFIED):
        due = erasure.due_at and min(erasure.due_at, context.now)
        erasure = replace(erasure, mode=mode, due_at=due)
    erasure = replace(erasure, exact=erasure.exact or is_exact)
    if not erasure.has_reached(ErasureState.LOGICAL):
        erasure = _fence(context, erasure, own)
        erasure = _remove_objects_and_rows(context, erasure, own)
    return completion.complete(context, erasure, name=subject)


def _new(context: Context, request: str, mode: str, tombstone: str) -> ErasureRequest:
    """Return a request that is in no journal yet. Its certificate has a random id."""
    name = secrets.token_hex(16)
    return ErasureRequest(
        request, ErasureState.REQUESTED, mode, tombstone, name, context.now, entry=0
    )


def _recorded(context: Context, erasure: ErasureRequest, *, acknowledges: bool) -> ErasureRequest:
    """Record a new request, and with `acknowledges` what another program wrote; return the request."""
    lake, key = context.lake, context.pseudonyms.certificates
    faults = certificate_check.to_acknowledge(lake, key, now=context.now) if acknowledges else []
    if erasure.entry and not faults:
        return erasure
    return request_journal.reach(
        lake, erasure, erasure.state, at=erasure.at, key=key, acknowledged=faults
    )


def _check_new(
    context: Context,
    journal: Journal,
    *,
    subject: str | None,
    photo: str | None,
    is_exact: bool,
) -> None:
    """Raise NearName where something stands near the name of a subject, not with `is_exact`; and BadInput
    where neither a table nor a staged chunk holds a row of a photo, and it doesn't lie in the landing folder.
    """
    if photo is None:
        if not is_exact:
            near_names.refuse(context, subject or "")
        return
    data = SubjectData.of_photo(context.lake, photo)
    is_held = data.rows() or photo_removal.staged_with(context.lake, data.keys("photo_id"))
    if not is_held and not _has_landed(context, journal, photo):
        raise BadInput(
            "The lake doesn't hold that photo, so nothing was erased: it never had it, or it has left. "
            "audit --photo ID says what was held when; to go on with a request, give the id of that request."
        )


def _has_landed(context: Context, journal: Journal, photo: str) -> bool:
    """Return whether a photo that no row tells of lies in the landing folder: it is not taken in yet, or was
    erased and sent again."""
    tombstone = context.pseudonyms.tombstone(photo)
    requests = {each.request for each in journal.last.values() if each.subject == tombstone}
    made = tombstones.made_by(context.lake.records(catalog.TOMBSTONES), requests, now=context.now)
    search = SubjectMatcher(
        context.pseudonyms, tombstone, frozenset([photo]), made | {tombstone}, of_photo=True
    )
    known = KnownObjects.of(context.lake, search)
    landed = landing_objects.found(context.settings.paths.landing, search, known)
    return any(each.has_content for each in landed)


def _fence(context: Context, erasure: ErasureRequest, key: str) -> ErasureRequest:
    """Take a request from REQUESTED to FENCED: make the tombstones of what was asked for and of every photo.

    `key` is the pseudonym of the subject, or the photo_id where the request is of one photo. Chunks that are
    half published are finished first, so that no photo is missed.
    """
    lake = context.lake
    finish_half_published(context)
    data = _data(context, erasure, key)
    hashes = data.hashes(context.pseudonyms.originals)
    asked = tombstones.PHOTO_ID if erasure.of_photo else tombstones.SUBJECT
    fault_points.at("erase: before tombstones")
    _make_tombstones(context, erasure, hashes, asked={erasure.subject: asked})
    fault_points.at("erase: tombstones made")
    search = matcher_for(context, replace(erasure, photo_ids=data.photo_ids))
    place, known = context.settings.paths.landing, KnownObjects.of(lake, search)
    landed = landing_objects.count(place, search, known)
    if erasure.of_photo and not hashes:
        _make_tombstones(context, erasure, landing_objects.hashes(place, search, known))
    versions = {table.name: lake.version(table) for table in catalog.TABLES}
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.FENCED,
        at=context.now,
        key=context.pseudonyms.certificates,
        photo_ids=data.photo_ids,
        counts=request_journal.largest(
            erasure.counts, data.rows() | data.fitted() | {"landing": landed}
        ),
        versions_before=erasure.versions_before or versions,
    )


def _make_tombstones(
    context: Context,
    erasure: ErasureRequest,
    hashes: Iterable[tuple[str | None, str]],
    *,
    asked: Mapping[str, str] | None = None,
) -> None:
    """Make the tombstones of photos, by the keyed hashes of their bytes, each behind the pseudonym of its
    subject, if any; and those of what was `asked` for, each with its kind."""
    photos = tombstones.of_photos(context.pseudonyms, hashes, with_subjects=erasure.of_photo)
    tombstones.make(
        context.lake,
        erasure.request,
        kinds={**photos, **(asked or {})},
        now=context.now,
        expires_at=retention_dates.tombstone_expiry(context),
    )


def _remove_objects_and_rows(context: Context, erasure: ErasureRequest, key: str) -> ErasureRequest:
    """Take a request from FENCED to LOGICAL: remove the landing objects, and then the rows of every table.

    Landing objects are removed first, because bronze/objects is needed to tell which of them are copies.
    """
    lake = context.lake
    search = matcher_for(context, erasure)
    landing_objects.sweep(
        context.settings.paths.landing,
        search,
        KnownObjects.of(lake, search),
        check_lease=lake.check_lease,
    )
    fault_points.at("erase: landing objects gone")
    _remove_rows(lake, _data(context, erasure, key))
    if erasure.photo_ids or any(erasure.counts.values()):
        known_keys.forget(lake, layer=ERASE)
        fault_points.at("erase: index of keys gone")
    return request_journal.reach(
        lake,
        erasure,
        ErasureState.LOGICAL,
        at=context.now,
        key=context.pseudonyms.certificates,
        versions_after={table.name: lake.version(table) for table in catalog.TABLES},
        due_at=(
            context.now
            if _is_due_at_once(context, erasure)
            else retention_dates.old_files_due(context)
        ),
    )


def _data(context: Context, erasure: ErasureRequest, key: str) -> SubjectData:
    """Return what the lake holds now of what is erased, with the photos that the request knows of."""
    if erasure.of_photo:
        return SubjectData.of_photo(context.lake, key, photo_ids=erasure.photo_ids)
    return SubjectData.of(
        context.lake, context.pseudonyms, pseudonym=key, photo_ids=erasure.photo_ids
    )


def _remove_rows(lake: WritableLake, data: SubjectData) -> None:
    """Remove the rows of a subject, in an order that lets the same call continue after a crash.

    No chunk may be half published. Raises BadInput where one is, and Busy.
    """
    photo_removal.remove_photos(lake, data.keys("photo_id"), layer=ERASE)
    if data.photo_ids:
        moments_table.leave_shifts(lake)
    for table, column in data.bronze_keys:
        photo_removal.remove_rows(lake, table, data.keys(column), on=[column], layer=ERASE)
    photo_removal.recount(lake, catalog.PHOTOS)
    fault_points.at("erase: chunks counted")


def _is_due_at_once(context: Context, erasure: ErasureRequest) -> bool:
    """Return whether the old files of a request may be removed at once.

    They may in mode IMMEDIATE. They also may where the lake held no photo of the subject and the verification
    finds nothing: an earlier request of the same subject may have left old files.
    """
    if erasure.mode == ErasureMode.IMMEDIATE:
        return True
    if erasure.photo_ids:
        return False
    search = matcher_for(context, erasure)
    return not verification.verify(context.lake, context.settings, erasure, search).residues
