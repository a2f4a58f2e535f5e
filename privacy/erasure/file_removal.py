"""The physical step of an erasure: landing objects, old files and files outside the tables are removed."""

from __future__ import annotations

from collections.abc import Sequence

from conf.errors import LeftBehind
from lake import catalog, fault_points, spark_session
from lake.context import Context
from lake.enums import ErasureMode
from lake.publication import drop_abandoned
from lake.storage.folder import StoredObject
from lake.writable_lake import WritableLake
from privacy.audit import audit_log
from privacy.erasure import landing_objects, unreferenced_files, verification
from privacy.erasure.file_search import residue_in
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_matcher import SubjectMatcher, matcher_for
from privacy.retention_dates import hours_to_keep


def remove_files(context: Context, erasure: ErasureRequest) -> None:
    """Remove landing objects, old files of the tables, and files of the subject outside the tables.

    Raises LeftBehind where something could not be deleted; the message names it.
    """
    lake = context.lake
    search = matcher_for(context, erasure)
    swept = landing_objects.sweep(
        context.settings.paths.landing,
        search,
        KnownObjects.of(lake, search),
        check_lease=lake.check_lease,
    )
    left = [str(each) for each in swept if not landing_objects.is_of_others(each)]
    drop_abandoned(lake)
    _redact_audits(lake, search)
    lake.spark.catalog.clearCache()
    left += map(str, spark_session.sweep())
    fault_points.at("erase: before vacuum")
    if (
        not erasure.is_of_nothing
        or verification.verify(lake, context.settings, erasure, search).residues
    ):
        left += map(str, _remove_old_files(context, erasure, search))
    superseded = unreferenced_files.remove_each(
        lake.files.superseded(), check_lease=lake.check_lease
    )
    left += map(str, superseded)
    fault_points.at("erase: vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} files could not be deleted: {', '.join(sorted(left))}. Give this process the "
            f"right to delete them, and run the same command again: nothing is certified until then."
        )


def _remove_old_files(
    context: Context, erasure: ErasureRequest, search: SubjectMatcher
) -> Sequence[StoredObject]:
    """Remove old files of every table, and return those that could not be deleted.

    In mode DEFERRED a file that is younger than the retention is removed only if it holds something of the
    subject, or was made of the photos.
    """

    def is_of_subject(stored: StoredObject) -> bool:
        try:
            return residue_in(stored, search) is not None
        except OSError:
            return False  # nobody knows whose it is; the verification names it

    lake = context.lake
    left: list[StoredObject] = []
    hours = hours_to_keep(context.settings, now=context.now)
    for table in catalog.TABLES:
        if erasure.mode == ErasureMode.IMMEDIATE or table in erasure.tables_made_of_photos:
            left += unreferenced_files.remove_strays(lake, table)
        elif unreferenced_files.strays(lake, table):
            unneeded = lake.unneeded_files(table, hours=hours)
            left += unreferenced_files.remove_unneeded(lake, table, unneeded)
            left += unreferenced_files.remove_strays(lake, table, among=is_of_subject)
        fault_points.at("erase: a table vacuumed")
    return left


def _redact_audits(lake: WritableLake, search: SubjectMatcher) -> None:
    """Cut the subject's ids out of the records of audits. The records themselves stay."""
    for name in lake.files.names(audit_log.FOLDER, suffix=".json"):
        content = lake.files.read(f"{audit_log.FOLDER}/{name}") or b""
        redacted = search.redacted(content)
        if redacted != content:
            lake.check_lease()
            lake.files.write(f"{audit_log.FOLDER}/{name}", redacted)
