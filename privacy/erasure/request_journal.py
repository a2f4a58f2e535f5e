"""The journal of erasures: how far each request has come, in privacy/erasures.

REQUESTED → FENCED (tombstones) → LOGICAL (rows gone) → PHYSICAL (files gone) → VERIFIED → CERTIFIED. A
request that died in any state goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.column_values import ERASE, FITTED_PREFIX, ErasureState
from lake.readable_lake import Lake
from lake.writable_lake import WritableLake


@dataclass(frozen=True)
class ErasureRequest:
    """One request, in a state that it reached `at`.

    `subject` is the tombstone of the subject. `counts`: rows by table, landing objects, and by model version
    (`FITTED_PREFIX`). `due_at`: when old files may go. `certificate`: the id of the one certificate.
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
        """The model versions that were fitted on what is erased."""
        return sorted(
            n.removeprefix(FITTED_PREFIX) for n in self.counts if n.startswith(FITTED_PREFIX)
        )

    @property
    def is_of_nothing(self) -> bool:
        """Whether nothing of the subject was held."""
        return not self.photo_ids and not any(self.counts.values())

    def has_reached(self, state: ErasureState) -> bool:
        """Whether it has come as far as that."""
        order = list(ErasureState)
        return order.index(self.state) >= order.index(state)

    def is_due(self, now: datetime) -> bool:
        """Whether its rows are gone, and its files may go."""
        waits = self.state in (ErasureState.LOGICAL, ErasureState.PHYSICAL, ErasureState.VERIFIED)
        return waits and self.due_at is not None and self.due_at <= now

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of privacy/erasures, whose times Spark gives in this machine's zone."""
        return cls(
            request=row["request"],
            state=ErasureState(row["state"]),
            mode=row["mode"],
            subject=row["subject"],
            certificate=row["certificate"],
            at=row["at"].astimezone(UTC),
            entry=row["entry"],
            photo_ids=frozenset(row["photo_ids"] or []),
            counts=dict(row["counts"] or []),
            versions_before=dict(row["versions_before"] or []),
            versions_after=dict(row["versions_after"] or []),
            due_at=row["due_at"] and row["due_at"].astimezone(UTC),
        )


def last(lake: Lake) -> Mapping[str, ErasureRequest]:
    """Every request in its last state, by its id."""
    if not lake.version(catalog.ERASURES):
        return {}
    rows = sorted(lake.read(catalog.ERASURES).collect(), key=lambda row: row["entry"])
    return {row["request"]: ErasureRequest.of(row.asDict()) for row in rows}


def due(lake: Lake, *, now: datetime) -> list[ErasureRequest]:
    """The requests whose files may go by now, oldest first."""
    return [erasure for erasure in last(lake).values() if erasure.is_due(now)]


def reach(
    lake: WritableLake,
    erasure: ErasureRequest,
    state: ErasureState,
    *,
    at: datetime,
    **changes: Any,
) -> ErasureRequest:
    """Records that a request came to a state, and returns it in that state. Raises Busy."""
    entry = max((e.entry for e in last(lake).values()), default=0) + 1
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
    rows = lake.rows(catalog.ERASURES, [row])
    lake.upsert(catalog.ERASURES, rows, keys=["request", "entry"], chunk=NoChunk(ERASE))
    fault_points.at(f"erase: {state}")
    return changed
