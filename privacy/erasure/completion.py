"""The end of an erasure: files and models of a request whose rows are gone, verification, certificate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from conf.errors import LeftBehind, Pending
from gold import moments_table
from lake import catalog, fault_points, working_files
from lake.context import Context
from lake.enums import ErasureState
from lake.storage.locate import folder
from privacy import model_lineage
from privacy.erasure import certificate, file_removal, model_refits, request_journal, verification
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.subject_matcher import matcher_for
from privacy.model_lineage import PhotoLineage


def finish_due(context: Context) -> Iterator[ErasureRequest]:
    """Complete the requests whose old files may be removed by now, and yield each.

    One that can't be completed keeps no other from it: LeftBehind is raised after the last. Raises as
    `erase`, except Pending and NearName.
    """
    failures = []
    key = context.pseudonyms.certificates
    for erasure in request_journal.due(context.lake, key, now=context.now):
        try:
            completed = complete(context, erasure)
        except LeftBehind as error:
            failures.append(f"{erasure.request}: {error}")
        else:
            yield completed
    if failures:
        raise LeftBehind(" ".join(failures))


def complete(
    context: Context, erasure: ErasureRequest, *, name: str | None = None
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
            f"{certificate.iso_time(erasure.due_at)}. The first run of a layer or of retain after that time "
            f"completes the erasure, or the same command again. {place} lists what is still due."
        )
    if not erasure.has_reached(ErasureState.CERTIFIED):
        if erasure.mentions and name is None and not erasure.exact:
            raise LeftBehind(
                f"The name itself stood in {erasure.mentions:,} files when the request was verified, and "
                f"only a command that knows the name can search again: run erase --subject NAME with the id "
                f"of this request, which says what to do."
            )
        erasure = _as_of_today(context, erasure)
        model_refits.fit_anew_and_wipe(context, erasure)
        file_removal.remove_files(context, erasure)
        after = {table.name: context.lake.version(table) for table in catalog.TABLES}
        reach = partial(request_journal.reach, context.lake, at=context.now, key=key)
        erasure = reach(erasure, ErasureState.PHYSICAL, versions_after=after)
        result = _verify(context, erasure, name=name)
        erasure = reach(erasure, ErasureState.VERIFIED, mentions=0)
        sha256 = certificate.write(context.lake, erasure, result, places=_places(context), key=key)
        fault_points.at("erase: certificate written")
        erasure = reach(erasure, ErasureState.CERTIFIED, certificate_sha256=sha256)
    return erasure


def _as_of_today(context: Context, erasure: ErasureRequest) -> ErasureRequest:
    """Do what earlier code left undone for a request whose rows it removed, and return the request.

    It left shifts of moments that were made of photos, and asked only rows which versions had seen them. What
    the lineage of chunks adds to its answer is that a chunk, or photos, were lost before.
    """
    lake = context.lake
    if erasure.photo_ids:
        moments_table.leave_shifts(lake)
    journal = request_journal.read(lake, context.pseudonyms.certificates)
    if not journal.was_fenced_before(erasure.request):
        return erasure
    fitted = model_lineage.fitted_on(lake, [PhotoLineage()] * len(erasure.photo_ids))
    return replace(erasure, counts=request_journal.largest(erasure.counts, fitted))


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


def _verify(
    context: Context, erasure: ErasureRequest, *, name: str | None
) -> verification.SearchResult:
    """Search every store for what is left of what was erased. Raises LeftBehind where something is found.

    The bare name is no reason where the request is `exact`, because it may be another word. Where it is one,
    the journal records it: a command that doesn't know the name may not certify the request.
    """
    search = matcher_for(context, erasure)
    result = verification.verify(context.lake, context.settings, erasure, search, name=name)
    check(result)
    if result.mentions and not erasure.exact:
        request_journal.reach(
            context.lake,
            erasure,
            erasure.state,
            at=erasure.at,
            key=context.pseudonyms.certificates,
            mentions=len(result.mentions),
        )
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
            f"{len(result.residues):,} traces of what was erased were found: "
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
        "working files": str(working_files.place()),
    }
