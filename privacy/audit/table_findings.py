"""Findings: what an audit says of one table, and the question that it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from lake import catalog
from lake.catalog import Table
from lake.enums import ErasureState
from privacy.audit.table_history import Commit

TIMES: Mapping[Table, str | None] = {
    catalog.OBJECTS: "seen_at",
    catalog.PHOTOS: "ingested_at",
    catalog.REJECTED: "rejected_at",
    catalog.EMBEDDINGS: "embedded_at",
    catalog.QUARANTINE: "quarantined_at",
    catalog.FEATURES: None,
    catalog.HELD_OUT: None,
}
"""The tables with rows of photos, and the column with the time at which a row was written, if any."""


STAGED, LANDED = "staging", "landing"
"""The places that are no tables and that an audit of now looks into; a finding names them as its table."""


class HoldingStatus(StrEnum):
    """What an audit says about a table or another place. It never says NOT_HELD where history is gone, or
    where something can't be read (UNKNOWN, which only a place that is no table has)."""

    HELD = "HELD"
    NOT_HELD = "NOT_HELD"
    ERASED = "ERASED"
    OUT_OF_RETENTION = "OUT_OF_RETENTION"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class AuditQuestion:
    """A question: the `subject` or the `photo` that it is about, and the time that it is about.

    The time is `at`, that of a `version` of one `table`, the whole `history`, or else now.
    """

    subject: str | None = None
    photo: str | None = None
    at: datetime | None = None
    table: Table | None = None
    version: int | None = None
    history: bool = False


@dataclass(frozen=True)
class PastErasure:
    """An erasure of the subject or the photo, in its last state.

    `since` is when it was requested, and `certificate` the id of its certificate. `rows` has the number of
    rows that it removed, by table, and by model version the number of erased photos that the version was
    fitted on (`FITTED_PREFIX`) or may have been fitted on (`POSSIBLY_FITTED_PREFIX`).
    """

    request: str
    state: str
    since: datetime
    certificate: str
    rows: Mapping[str, int]

    @property
    def has_freed(self) -> bool:
        """True where the erasure removed old files and models too, and not only rows."""
        return self.state in (ErasureState.PHYSICAL, ErasureState.VERIFIED, ErasureState.CERTIFIED)


@dataclass(frozen=True)
class Span:
    """A number of rows that came with one commit and left with another; `left` is None if they are there."""

    rows: int
    came: Commit
    left: Commit | None


@dataclass(frozen=True)
class TableFinding:
    """What one table held, at the `version` that was made at the time `since`, or over its history (`spans`).

    Of a place that is no table it is what lies there now: staged rows, or landing objects. `rows` is a
    number, `photos` are the ids of the photos, and `models` has the number of rows by weights_id or model
    version. `written_by` are the commits that brought the rows. `note` says why the status is what it is,
    where the rows alone don't show it.
    """

    table: str
    status: HoldingStatus
    version: int | None = None
    since: datetime | None = None
    rows: int = 0
    photos: Sequence[str] = ()
    chunks: Sequence[int] = ()
    models: Mapping[str, int] = field(default_factory=dict)
    written_by: Sequence[Commit] = ()
    spans: Sequence[Span] = ()
    note: str = ""


def told(time: datetime) -> str:
    """Return a time as audits show it: in UTC and to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
