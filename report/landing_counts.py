"""What became of the objects of the landing folder in the last run that listed all of it, from ops/runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from lake import catalog, delta_rs_reader, metric_names
from lake.enums import BRONZE

WORDS: Mapping[str, str] = {
    metric_names.NEW: "new",
    metric_names.KNOWN: "known",
    metric_names.STILL_UNREADABLE: "still unreadable",
    metric_names.PASSED_OVER: "passed over",
    metric_names.LINKS: "links",
}
"""What became of an object, by the name of its number in ops/runs."""


@dataclass(frozen=True)
class LandingCounts:
    """The objects that the run `run_id` listed in the landing folder, and what became of them in words.
    `found_since` is the number of new ones that it and later runs found in another way (docs/discovery.md).
    """

    run_id: str
    listed: int
    parts: Mapping[str, int]
    found_since: int = 0

    @classmethod
    def of(cls, root: str) -> LandingCounts | None:
        """Read the counts of the last run that listed the landing folder of the lake under `root`; None where
        there is none, or only one of earlier code, which did not count."""
        runs = delta_rs_reader.read(
            delta_rs_reader.delta_table(root, catalog.RUNS),
            columns=["run_id", "layer", "started_at", "metrics"],
        )
        found = 0
        newest = pc.array_sort_indices(runs["started_at"], order="descending")
        for place in newest.to_pylist():  # the rows before the one that is looked for stay in Arrow
            [row] = runs.slice(place, 1).to_pylist()
            numbers = _numbers(row["metrics"]) if row["layer"] == BRONZE else {}
            found += numbers.get(metric_names.FOUND_NEW, 0)
            if metric_names.LISTED in numbers:
                parts = {WORDS[name]: numbers.get(name, 0) for name in metric_names.OF_LANDING}
                return cls(row["run_id"], numbers[metric_names.LISTED], parts, found)
        return None

    @property
    def has_others(self) -> bool:
        """Whether some objects were neither new nor known, or came since: people want to know what became of
        these."""
        seen = sum(self.parts.get(word, 0) for word in ("new", "known"))
        return bool(self.found_since) or self.listed > seen

    def __str__(self) -> str:
        parts = " + ".join(f"{n:,} {word}" for word, n in self.parts.items() if n) or "none"
        since = f"; {self.found_since:,} more were found since" if self.found_since else ""
        return (
            f"{self.listed:,} objects in the landing folder, at its last listing = {parts}{since}"
        )

    def disagreements(self) -> list[str]:
        """Return a sentence where the parts don't add up to what was listed."""
        total = sum(self.parts.values())
        if total == self.listed:
            return []
        return [f"landing folder: {self.listed:,} objects were listed, but {total:,} are told of"]


def _numbers(metrics: Any) -> dict[str, int]:
    """Return the counts of objects in the metrics of a row of ops/runs, by their names."""
    names = (metric_names.LISTED, *metric_names.OF_LANDING, metric_names.FOUND_NEW)
    return {name: int(value) for name, value in metrics or () if name in names}
