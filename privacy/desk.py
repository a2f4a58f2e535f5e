"""What the commands of privacy that write work with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import functions as F
from rich.console import Console

import bronze.ingest
import gold.project
import gold.training
import silver.embed
from conf.settings import Settings
from expectations.gate import SuiteGate
from lake.lake import Lake
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from privacy import tombstones
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_search import SubjectSearch


@dataclass(frozen=True)
class Desk:
    """`now` is the time by which things are due."""

    lake: Lake
    settings: Settings
    keys: Pseudonyms
    console: Console
    did: LayerRun
    now: datetime

    @property
    def gate(self) -> SuiteGate:
        """The gate for what is fitted anew."""
        return SuiteGate(self.lake, self.settings.gates, self.did)

    def wanted(self, erasure: ErasureRequest) -> SubjectSearch:
        """What a request looks for."""
        held = tombstones.holding(self.lake, now=self.now)
        return SubjectSearch.of(erasure, keys=self.keys, tombstones=held)

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
        bronze.ingest.finish(lake, did=did)
        silver.embed.finish(lake, weights_id="", gate=self.gate, did=did)
        gold.project.finish(lake, "", gate=self.gate, did=did)
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
