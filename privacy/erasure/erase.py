"""Erasure: a subject is removed from every store, state by state, and a certificate confirms it.

`privacy.erasure.request_journal` records the states. Each step can be repeated: it finds what is left to do
and continues. Keys reach the tables as frames, so that none stands in a log.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from conf.errors import BadInput, LeftBehind, Pending
from gold import moments_table
from lake import catalog, fault_points, spark_session
from lake.context import Context
from lake.enums import ERASE, ErasureMode, ErasureState
from lake.storage.locate import folder
from lake.writable_lake import WritableLake
from privacy import near_names, photo_removal, retention_dates, tombstones
from privacy.erasure import (
    certificate,
    certificate_check,
    file_removal,
    landing_objects,
    model_refits,
    request_journal,
    verification,
)
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_data import SubjectData
from privacy.erasure.subject_matcher import matcher_for
from privacy.finish_chunks import finish_half_published


def erase(
    context: Context,
    *,
    subject: str,
    request: str,
    mode: str,
    is_exact: bool = False,
    acknowledges: bool = False,
) -> ErasureRequest:
    """Take a request as far as it can go now, from the state that it is in, and return it.

    `subject` is the name in clear, `request` the id of the request, and `mode` an `ErasureMode`. Raises
    BadInput where the request belongs to another subject, Pending where old files may only be removed later,
    LeftBehind where something could not be deleted or is still found, and Busy. Before anything is done, it
    raises NearName where a new request finds something near the name, not with `is_exact`, and Inconsistent
    where another program wrote of the request in the journal, not with `acknowledges`: that is recorded.
    """
    lake, key = context.lake, context.pseudonyms.certificates
    pseudonym = context.pseudonyms.subject(subject)
    tombstone = context.pseudonyms.tombstone(pseudonym)
    journal = request_journal.read(lake, key)
    if not acknowledges:
        certificate_check.refuse(journal, request)
    faults = certificate_check.to_acknowledge(lake, key, now=context.now) if acknowledges else []
    erasure = journal.last.get(request)
    if erasure is not None and erasure.subject != tombstone:
        raise BadInput(
            f"The request {request} was made for another subject; give this one an id of its own."
        )
    if erasure is None:
        if not is_exact:
            near_names.refuse(context, subject)
        erasure = ErasureRequest(
            request, ErasureState.REQUESTED, mode, tombstone, secrets.token_hex(16), context.now, 0
        )
    if not erasure.entry or faults:
        erasure = request_journal.reach(
            lake, erasure, erasure.state, at=erasure.at, key=key, acknowledged=faults
        )
    if mode == ErasureMode.IMMEDIATE and not erasure.has_reached(ErasureState.CERTIFIED):
        due = erasure.due_at and min(erasure.due_at, context.now)
        erasure = replace(erasure, mode=mode, due_at=due)
    if not erasure.has_reached(ErasureState.LOGICAL):
        erasure = _fence(context, erasure, pseudonym)
        erasure = _remove_objects_and_rows(context, erasure, pseudonym)
    return _complete(context, erasure, name=subject, is_exact=is_exact)


def finish_due(context: Context) -> list[ErasureRequest]:
    """Complete every request whose old files may be removed by now, and return them.

    Raises as `erase`, except Pending.
    """
    due = request_journal.due(context.lake, context.pseudonyms.certificates, now=context.now)
    return [_complete(context, erasure) for erasure in due]


def _complete(
    context: Context, erasure: ErasureRequest, *, name: str | None = None, is_exact: bool = False
) -> ErasureRequest:
    """Remove the files of a request whose rows are gone, verify the result, and write the certificate.

    `name` is the subject's name in clear, where the command knows it. Raises as `erase`.
    """
    key = context.pseudonyms.certificates
    if not erasure.has_reached(ErasureState.CERTIFIED) and not erasure.is_due(context.now):
        assert erasure.due_at is not None
        place = _write_first_part(context, erasure)
        raise Pending(
            f"The rows are gone; files of earlier versions hold them until "
            f"{certificate.iso_time(erasure.due_at)}. Run any command that writes after that time, and it "
            f"completes the erasure. {place} lists what is still due."
        )
    if not erasure.has_reached(ErasureState.CERTIFIED):
        model_refits.fit_anew_and_wipe(context, erasure)
        file_removal.remove_files(context, erasure)
        after = {table.name: context.lake.version(table) for table in catalog.TABLES}
        erasure = request_journal.reach(
            context.lake,
            erasure,
            ErasureState.PHYSICAL,
            at=context.now,
            key=key,
            versions_after=after,
        )
        result = _verify(context, erasure, name=name, is_exact=is_exact)
        erasure = request_journal.reach(
            context.lake, erasure, ErasureState.VERIFIED, at=context.now, key=key
        )
        sha256 = certificate.write(context.lake, erasure, result, places=_places(context), key=key)
        fault_points.at("erase: certificate written")
        erasure = request_journal.reach(
            context.lake,
            erasure,
            ErasureState.CERTIFIED,
            at=context.now,
            key=key,
            certificate_sha256=sha256,
        )
    return erasure


def _write_first_part(context: Context, erasure: ErasureRequest) -> str:
    """Write and record the first part of a certificate, unless that is done; return the file's address.

    The row that records it has the state and the time of the row before it.
    """
    lake, key = context.lake, context.pseudonyms.certificates
    name = certificate.file_name(erasure, is_whole=False)
    place = lake.files.uri(f"{certificate.FOLDER}/{name}")
    journal = request_journal.read(lake, key)
    is_there = lake.files.exists(f"{certificate.FOLDER}/{name}")
    if is_there and certificate.is_of_before(name, journal):
        return place
    if journal.has_certificate(erasure.request):
        return place
    sha256 = certificate.write(lake, erasure, None, places=_places(context), key=key)
    request_journal.reach(
        lake, erasure, erasure.state, at=erasure.at, key=key, certificate_sha256=sha256
    )
    return place


def _fence(context: Context, erasure: ErasureRequest, pseudonym: str) -> ErasureRequest:
    """Take a request from REQUESTED to FENCED: make tombstones of the subject and of every photo's bytes.

    Chunks that are half published are finished first, so that no photo of the subject is missed.
    """
    lake = context.lake
    finish_half_published(context)
    data = _data(context, erasure, pseudonym)
    hashes = data.hashes(context.pseudonyms.originals)
    photos = {context.pseudonyms.tombstone(original) for original in hashes}
    fault_points.at("erase: before tombstones")
    tombstones.make(
        lake,
        erasure.request,
        subject=erasure.subject,
        photos=photos,
        now=context.now,
        expires_at=retention_dates.tombstone_expiry(context),
    )
    fault_points.at("erase: tombstones made")
    search = matcher_for(context, replace(erasure, photo_ids=data.photo_ids))
    landed = landing_objects.count(
        context.settings.paths.landing, search, KnownObjects.of(lake, search)
    )
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


def _remove_objects_and_rows(
    context: Context, erasure: ErasureRequest, pseudonym: str
) -> ErasureRequest:
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
    _remove_rows(lake, _data(context, erasure, pseudonym))
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


def _data(context: Context, erasure: ErasureRequest, pseudonym: str) -> SubjectData:
    """Return what the lake holds of the subject now, with the photos that the request knows of."""
    return SubjectData.of(
        context.lake, context.pseudonyms, pseudonym=pseudonym, photo_ids=erasure.photo_ids
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


def _verify(
    context: Context, erasure: ErasureRequest, *, name: str | None, is_exact: bool
) -> verification.SearchResult:
    """Search every store for what is left of the subject. Raises LeftBehind where something is found; with
    `is_exact` the bare name is no reason, because it may be another word."""
    search = matcher_for(context, erasure)
    result = verification.verify(context.lake, context.settings, erasure, search, name=name)
    check(result)
    if result.mentions and not is_exact:
        raise LeftBehind(
            f"The name itself stands in {len(result.mentions):,} files: {'; '.join(result.mentions)}. Nobody "
            f"can tell from bytes whether the person is meant. Nothing is certified: remove what is the "
            f"person's, and run the same command again; where it is another word, give --exact."
        )
    return result


def check(result: verification.SearchResult) -> None:
    """Raise LeftBehind, naming what was found, where a verification found anything."""
    if result.residues:
        raise LeftBehind(
            f"{len(result.residues):,} traces of the erased subject were found: "
            f"{'; '.join(map(str, result.residues))}. Nothing is certified: remove them, and run the same "
            f"command again."
        )


def _places(context: Context) -> dict[str, str]:
    """Return the address of each store that a verification searches, by the name of the store."""
    paths = context.settings.paths
    return {
        "landing": folder(paths.landing).root,
        "lake": context.lake.files.root,
        "docs": folder(paths.docs_folder).root,
        "working files": str(spark_session.working_folder().parent),
    }
