"""What the commands of privacy that write work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import functions as F
from rich.console import Console

import bronze.layer
import gold.layer
import gold.training
import silver.layer
from conf.settings import Settings
from expectations.gate import SuiteGate
from lake.journal import LayerRun
from lake.keys import Keys
from lake.lake import Lake
from privacy import tombstones
from privacy.erasures import Erasure
from privacy.wanted import Wanted


@dataclass(frozen=True)
class Desk:
    """`now` is the time by which things are due."""

    lake: Lake
    settings: Settings
    keys: Keys
    console: Console
    did: LayerRun
    now: datetime

    @property
    def gate(self) -> SuiteGate:
        """The gate for what is fitted anew."""
        return SuiteGate(self.lake, self.settings.gates, self.did)

    def wanted(self, erasure: Erasure) -> Wanted:
        """What a request looks for."""
        held = tombstones.holding(self.lake, now=self.now)
        return Wanted.of(erasure, keys=self.keys, tombstones=held)

    @property
    def tombstones_expire(self) -> datetime | None:
        """When a tombstone that is made `now` ends; None: never."""
        age = self.settings.retention.tombstones
        return moved(self.lake, self.now, age) if age else None

    @property
    def files_due(self) -> datetime:
        """When the files that a commit of `now` removes are older than the retention."""
        return moved(self.lake, self.now, self.settings.delta.deleted_file_retention)

    def finish_half_published(self) -> None:
        """Of such a chunk one table may have the rows and another not: no later number may go before them.

        Raises Blocked.
        """
        lake, did = self.lake, self.did
        bronze.layer.finish(lake, did=did)
        silver.layer.finish(lake, weights_id="", gate=self.gate, did=did)
        gold.layer.finish(lake, "", gate=self.gate, did=did)
        for weights_id in sorted({c.model for c in lake.ledger.chunks().values() if c.weights_id}):
            gold.training.finish(lake, weights_id, did=did)


def hours_to_keep(lake: Lake, settings: Settings, *, now: datetime) -> float:
    """What VACUUM is to keep: what is younger, by its own clock, than the retention by `now`."""
    before = moved(lake, now, settings.delta.deleted_file_retention, back=True)
    return max(0.0, (datetime.now(UTC) - before).total_seconds() / 3600)


def moved(lake: Lake, at: datetime, interval: str, *, back: bool = False) -> datetime:
    """A time moved by an interval as SQL writes it, such as `3 years`, by the calendar of UTC."""
    by = F.expr(f"interval {interval}")
    time = F.lit(at) - by if back else F.lit(at) + by
    row = lake.spark.range(1).select(time.alias("time")).collect()[0]
    found: datetime = row["time"]
    return found.astimezone(UTC)
