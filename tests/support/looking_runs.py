"""Runs that look for new objects in a landing folder, and leave their rows in ops/runs, without Spark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from bronze.discovery.listings import listings
from bronze.landing import Landing, Listing, ListingCounts
from conf.settings import Settings
from lake import catalog, delta_rs_reader, metric_names, small_tables
from lake.enums import BRONZE, RunStatus
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from lake.writable_lake import WritableLake

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""The time of day 0."""


@dataclass
class LookingRuns:
    """Runs of bronze over a lake and a landing folder, with some settings. `names` are those that the last
    one looked at, `whole` says of each of its parts whether it was a whole listing."""

    lake: WritableLake
    root: str
    overrides: list[str]
    key: bytes = b"0123456789abcdef"
    names: list[str] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    did: LayerRun = field(default_factory=lambda: LayerRun(BRONZE))

    def look(
        self,
        day: float,
        *overrides: str,
        status: str = RunStatus.DONE,
        taking: Callable[[Listing], object] = lambda listing: None,
    ) -> set[str]:
        """Has a run look on a day, and returns the names that it met. `taking` is called where a run would
        take in what a part has. A run without a status was killed."""
        now = BEGIN + timedelta(days=day)
        known = [f"paths.landing={self.root}", *self.overrides, *overrides]
        settings = Settings.load("local", environment={}, overrides=known)
        context: Any = SimpleNamespace(
            settings=settings,
            lake=self.lake,
            pseudonyms=Pseudonyms(self.key),
            did=LayerRun(BRONZE),
            now=now,
        )
        self.names, self.whole, self.did = [], [], context.did
        for listing in listings(context, Landing.of(settings)):
            counts = ListingCounts()
            self.names += [each.path for each in listing.objects(counts)]
            self.whole.append(listing.is_whole)
            if listing.is_whole:
                context.did.measure(metric_names.LISTED, counts.objects)
            taking(listing)
        if status:
            self.record(BRONZE, now, context.did.numbers, status=status)
        return set(self.names)

    def record(
        self, layer: str, at: datetime, metrics: dict[str, float], *, status: str = RunStatus.DONE
    ) -> None:
        """Writes a row of ops/runs."""
        row = {"run_id": "r", "layer": layer, "status": status, "started_at": at}
        known = delta_rs_reader.delta_table(self.lake.files.root, catalog.RUNS)
        rows = [{**row, "metrics": metrics}]
        small_tables.append(known, None, table=catalog.RUNS, rows=rows)  # type: ignore[arg-type]
