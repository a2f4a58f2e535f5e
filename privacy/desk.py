"""What every step of an erasure works with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import functions as F
from rich.console import Console

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
    """What an erasure works with; `now` is the time by which things are due."""

    lake: Lake
    settings: Settings
    keys: Keys
    console: Console
    did: LayerRun
    now: datetime

    @property
    def gate(self) -> SuiteGate:
        """The gate for what is fitted anew."""
        return SuiteGate(self.lake, self.settings.gates)

    def wanted(self, erasure: Erasure) -> Wanted:
        """What a request looks for."""
        held = tombstones.holding(self.lake, now=self.now)
        return Wanted.of(erasure, keys=self.keys, tombstones=held)

    def after_retention(self, at: datetime) -> datetime:
        """When the files that a commit of now removed are older than the retention."""
        retention = self.settings.delta.deleted_file_retention
        moment = F.lit(at) + F.expr(f"interval {retention}")
        row = self.lake.spark.range(1).select(moment.alias("due")).collect()[0]
        due: datetime = row["due"]
        return due.astimezone(UTC)
