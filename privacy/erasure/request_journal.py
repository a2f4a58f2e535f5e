"""The journal of erasures: the table privacy/erasures, which records how far each request has come.

REQUESTED → FENCED (tombstones) → LOGICAL (rows gone) → PHYSICAL (files gone) → VERIFIED → CERTIFIED. A
request whose process died in any state continues from that state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.enums import ERASE, FITTED_PREFIX, ErasureState
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class ErasureRequest:
    """One request for erasure in one state, which it reached at the time `at`.

    `subject` is the tombstone of the subject. `counts` has the number of rows by table, the number of landing
    objects (`landing`), and by model version (`FITTED_PREFIX`) the number of erased photos that it was fitted
    on. `due_at` is when old files may be removed. `certificate` is the id of the request's certificate.
    `entry` numbers the rows of the journal.
    """

    request: str
    state: ErasureState
    mode: str
    subject: str
    certificate: str
    at: datetime
    entry: int
    photo_ids: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    versions_before: Mapping[str, int] = field(default_factory=dict)
    versions_after: Mapping[str, int] = field(default_factory=dict)
    due_at: datetime | None = None

    @property
    def fitted(self) -> list[str]:
        """The names of the model versions that were fitted on the erased photos."""
        return sorted(
            name.removeprefix(FITTED_PREFIX)
            for name in self.counts
            if name.startswith(FITTED_PREFIX)
        )

    @property
    def is_of_nothing(self) -> bool:
        """True where the lake and the landing folder held nothing of the subject."""
        return not self.photo_ids and not any(self.counts.values())

    def has_reached(self, state: ErasureState) -> bool:
        """Return whether the request has reached a state, or a later one."""
        order = list(ErasureState)
        return order.index(self.state) >= order.index(state)

    def is_due(self, now: datetime) -> bool:
        """Return whether the rows are gone and, at the time `now`, the old files may be removed."""
        has_old_files = self.state in (
            ErasureState.LOGICAL,
            ErasureState.PHYSICAL,
            ErasureState.VERIFIED,
        )
        return has_old_files and self.due_at is not None and self.due_at <= now

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Make a request from a row of privacy/erasures."""
        return cls(
            request=row["request"],
            state=ErasureState(row["state"]),
            mode=row["mode"],
            subject=row["subject"],
            certificate=row["certificate"],
            at=row["at"],
            entry=row["entry"],
            photo_ids=frozenset(row["photo_ids"] or []),
            counts=dict(row["counts"] or []),
            versions_before=dict(row["versions_before"] or []),
            versions_after=dict(row["versions_after"] or []),
            due_at=row["due_at"],
        )


def last(lake: Lake) -> Mapping[str, ErasureRequest]:
    """Return every request in its last state, by the id of the request."""
    if not lake.version(catalog.ERASURES):
        return {}
    rows = sorted(lake.records(catalog.ERASURES), key=lambda row: row["entry"])
    return {row["request"]: ErasureRequest.of(row) for row in rows}


def due(lake: Lake, *, now: datetime) -> list[ErasureRequest]:
    """Return the requests whose old files may be removed at the time `now`, oldest first."""
    return [erasure for erasure in last(lake).values() if erasure.is_due(now)]


def reach(
    lake: WritableLake,
    erasure: ErasureRequest,
    state: ErasureState,
    *,
    at: datetime,
    **changes: Any,
) -> ErasureRequest:
    """Record that a request reached a state at the time `at`, and return it in that state. Raises Busy.

    `changes` are new values of further fields.
    """
    entry = max((each.entry for each in last(lake).values()), default=0) + 1
    changed = replace(erasure, state=state, at=at, entry=entry, **changes)
    row = {
        **vars(changed),
        "state": state.value,
        "photo_ids": sorted(changed.photo_ids),
        "counts": dict(changed.counts),
        "versions_before": dict(changed.versions_before),
        "versions_after": dict(changed.versions_after),
    }
    fault_points.at(f"erase: before {state}")
    lake.put(catalog.ERASURES, [row], keys=["request", "entry"], chunk=NoChunk(ERASE))
    fault_points.at(f"erase: {state}")
    return changed
