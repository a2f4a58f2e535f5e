"""What ops/runs tells of how earlier runs looked for new objects: from when on this run has to look.

A run that looks at a part of the landing folder relies on those before it: that they looked in the same way,
and that the lake still knows what they took in. Where that isn't sure, the whole folder is listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from lake import catalog, metric_names
from lake.enums import BRONZE, LABELLING, RETAIN, RunStatus
from lake.readable_lake import Lake

REMEMBER = (BRONZE, LABELLING, RETAIN)
"""The layers whose commits change rows of bronze/objects and forget none: objects that were tried again,
other labels, photos past their age. A restore or a withdrawn chunk forgets objects, and so may others."""


@dataclass(frozen=True)
class EarlierRuns:
    """Since when a run has to look for new objects: the start of the last run that looked for them in the
    same way. It is None where the whole landing folder has to be listed. `is_first`: no run of bronze has
    ended well yet."""

    since: datetime | None
    is_first: bool = False

    @classmethod
    def of(
        cls,
        lake: Lake,
        *,
        rule: float,
        now: datetime,
        whole_after: timedelta,
    ) -> EarlierRuns:
        """Read what earlier runs did by ops/runs. `rule` is what runs that look in the same way have in
        common (`metric_names.LISTING_RULE`).

        The whole folder is listed where the last run looked in another way; where the last whole listing is
        older than `whole_after`; where a clock was ahead, so that nobody can say; and where the lake forgot
        objects since, as by a restore. Only runs of bronze that ended well count.
        """
        runs = _runs(lake)
        if not runs:
            return cls(None, is_first=True)
        since, last = runs[-1]
        whole = [at for at, numbers in runs if _is_whole(numbers, rule)]
        is_due = (
            last.get(metric_names.LISTING_RULE) != rule
            or not whole
            or not timedelta() <= now - whole[-1] <= whole_after
            or since > now
            or not lake.only_added_to(
                catalog.OBJECTS, since=int(last[metric_names.OBJECTS_VERSION]), except_by=REMEMBER
            )
        )
        return cls(None if is_due else since)


def _runs(lake: Lake) -> list[tuple[datetime, dict[str, Any]]]:
    """Return the start and the metrics of each run of bronze that ended well, in their order."""
    ended_well = (pc.field("layer") == BRONZE) & (pc.field("status") == RunStatus.DONE.value)
    rows = lake.records(catalog.RUNS, columns=["started_at", "metrics"], where=ended_well)
    found = [(row["started_at"], dict(row["metrics"] or [])) for row in rows]
    return sorted(found, key=lambda each: each[0])


def _is_whole(numbers: dict[str, Any], rule: float) -> bool:
    """Return whether a run listed the whole landing folder, and is one of a rule."""
    return metric_names.LISTED in numbers and numbers.get(metric_names.LISTING_RULE) == rule
