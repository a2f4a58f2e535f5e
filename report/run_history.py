"""The runs of a lake, from ops/runs, and the periods in which a page can show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from conf.arguments import LAYERS
from lake import catalog, delta_rs_reader
from lake.run_journal import begun

REFUSED = "refused:"
PERIODS = 60
"""Bars, at most, in a plot over time."""

WORST = ("failed", "blocked", "pending", "running", "done")
"""States of a layer, the one that says most of a run first."""


@dataclass(frozen=True)
class RecordedLayer:
    """One layer of one run: a row of ops/runs. Counts are of photos, but of bronze's `photos_in`: objects."""

    layer: str
    status: str
    started_at: datetime
    seconds: float
    photos_in: int
    kept: int
    refused: Mapping[str, int]
    error: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of ops/runs."""
        counts = dict(row["counts"] or [])
        finished = row["finished_at"] or row["started_at"]
        return cls(
            row["layer"],
            row["status"],
            row["started_at"].astimezone(UTC),
            (finished - row["started_at"]).total_seconds(),
            counts.get("in", 0),
            counts.get("kept", 0),
            {k.removeprefix(REFUSED): n for k, n in counts.items() if k.startswith(REFUSED)},
            row["error"],
        )

    @property
    def refusals(self) -> int:
        """Photos, or objects, that it refused."""
        return sum(self.refused.values())


@dataclass(frozen=True)
class RecordedRun:
    """One run that left rows in ops/runs. `layers` in the order in which they ran."""

    run_id: str
    code_revision: str
    layers: Sequence[RecordedLayer]

    @property
    def begun(self) -> datetime:
        """When, in UTC."""
        return begun(self.run_id)

    @property
    def seconds(self) -> float:
        """Of its layers together; Spark's start is not among them."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def status(self) -> str:
        """The one of its layers that says most."""
        states = [layer.status for layer in self.layers]
        return next((state for state in WORST if state in states), states[-1])

    @property
    def error(self) -> str | None:
        """What ended it."""
        return next((layer.error for layer in self.layers if layer.error), None)

    @property
    def others(self) -> list[str]:
        """What it did beside the layers, such as `train` or `erase`."""
        return [layer.layer for layer in self.layers if layer.layer not in LAYERS]

    @property
    def refusals(self) -> int:
        """Objects and photos that bronze and silver refused."""
        return sum(layer.refusals for layer in self.layers)

    @property
    def photos(self) -> int:
        """The most that one layer of the flow took in."""
        return max((layer.photos_in for layer in self.layers if layer.layer in LAYERS), default=0)

    @property
    def photos_per_second(self) -> float | None:
        """Through all its layers; None where nothing came in."""
        return self.photos / self.seconds if self.photos and self.seconds else None

    def kept(self, name: str) -> int | None:
        """Photos that a layer kept; None where the run had no such layer."""
        found = [layer.kept for layer in self.layers if layer.layer == name]
        return sum(found) if found else None

    def taken_in(self, name: str) -> int | None:
        """As `kept`, of what came in."""
        found = [layer.photos_in for layer in self.layers if layer.layer == name]
        return sum(found) if found else None


def recorded(root: str) -> list[RecordedRun]:
    """Every run, the last one first. Raises BadInput where there is no lake."""
    held: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(delta_rs_reader.rows(root, catalog.RUNS), key=lambda row: row["started_at"]):
        held.setdefault(row["run_id"], []).append(row)
    runs = [
        RecordedRun(
            run_id, rows[0]["code_revision"] or "unknown", [RecordedLayer.of(row) for row in rows]
        )
        for run_id, rows in held.items()
    ]
    return sorted(runs, key=lambda run: run.begun, reverse=True)


@dataclass(frozen=True)
class Periods:
    """What plots over time are drawn by: `unit` is `run`, `day`, `week`, `month` or `year`; their names in
    order, and that of each run."""

    unit: str
    names: Sequence[str]
    of: Mapping[str, str]

    @classmethod
    def over(cls, run_ids: Iterable[str]) -> Self:
        """The finest unit that leaves a plot readable."""
        known = sorted(set(run_ids))
        for unit in UNITS:
            of = {run_id: UNITS[unit](begun(run_id)) for run_id in known}
            if len(set(of.values())) <= PERIODS:
                break
        return cls(unit, list(dict.fromkeys(of.values())), of)


def _week(moment: datetime) -> str:
    return f"{moment - timedelta(days=moment.weekday()):%Y-%m-%d}"


UNITS: Mapping[str, Callable[[datetime], str]] = {
    "run": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
    "day": lambda moment: f"{moment:%Y-%m-%d}",
    "week": _week,
    "month": lambda moment: f"{moment:%Y-%m}",
    "year": lambda moment: f"{moment:%Y}",
}
"""How a moment's period is named. A week by its Monday."""
