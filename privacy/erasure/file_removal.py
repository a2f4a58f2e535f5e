"""The physical step of an erasure: landing objects, old files, and what is left outside the tables."""

from __future__ import annotations

from collections.abc import Sequence

from conf.errors import LeftBehind
from lake import catalog, fault_points, spark_session
from lake.column_values import ErasureMode
from lake.context import Context
from lake.publication import drop_abandoned
from lake.readable_lake import Lake
from lake.storage.folder import StoredObject
from privacy.audit import audit_records
from privacy.due_dates import hours_to_keep
from privacy.erasure import landing_objects, unreferenced_files, verification
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_search import SubjectSearch, search_for

AT_ONCE = (catalog.MODELS, catalog.MOMENTS)
"""Tables whose older versions hold what was fitted on the erased rows: they go with the due date, whatever
the retention."""


def free(context: Context, erasure: ErasureRequest) -> None:
    """Removes what no current version needs, and everything outside the tables. Raises LeftBehind, naming
    what could not be deleted."""
    lake = context.lake
    wanted = search_for(context, erasure)
    swept = landing_objects.sweep(
        context.settings.paths.landing, wanted, KnownObjects.of(lake, wanted)
    )
    left = [str(each) for each in swept if not landing_objects.is_of_others(each)]
    drop_abandoned(lake)
    _redact_audits(lake, wanted)
    lake.spark.catalog.clearCache()
    left += map(str, spark_session.sweep())
    fault_points.at("erase: before vacuum")
    if (
        not erasure.is_of_nothing
        or verification.verify(lake, context.settings, erasure, wanted).residues
    ):
        left += map(str, _vacuumed(context, erasure, wanted))
    left += map(str, unreferenced_files.removed(lake.files.superseded()))
    fault_points.at("erase: vacuumed")
    if left:
        raise LeftBehind(
            f"{len(left):,} files could not be deleted: {', '.join(sorted(left))}. Give this process the "
            f"right to, and run the same command again: nothing is certified until then."
        )


def _vacuumed(
    context: Context, erasure: ErasureRequest, wanted: SubjectSearch
) -> Sequence[StoredObject]:
    """What could not be deleted."""

    def holds_something(stored: StoredObject) -> bool:
        return verification.residue_in(stored, wanted) is not None

    left: list[StoredObject] = []
    hours = hours_to_keep(context.lake, context.settings, now=context.now)
    for table in catalog.TABLES:
        if erasure.mode == ErasureMode.IMMEDIATE or (table in AT_ONCE and erasure.fitted):
            left += unreferenced_files.free(context.lake, table, hours=0.0)
        else:
            left += unreferenced_files.free(
                context.lake, table, hours=hours, but_for=holds_something
            )
        fault_points.at("erase: a table vacuumed")
    return left


def _redact_audits(lake: Lake, wanted: SubjectSearch) -> None:
    """Records of audits stay, but for what tells of the subject."""
    for name in lake.files.names(audit_records.FOLDER, suffix=".json"):
        content = lake.files.read(f"{audit_records.FOLDER}/{name}") or b""
        redacted = wanted.redacted(content)
        if redacted != content:
            lake.files.write(f"{audit_records.FOLDER}/{name}", redacted)
