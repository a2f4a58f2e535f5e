"""The runs of a lake, from `ops/runs`, and the periods by which plots over time group them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from lake import catalog, delta_rs_reader
from lake.enums import LAYERS, REFUSED_PREFIX, RunStatus
from lake.run_journal import RATED_FROM, begun

"""The prefix of a reason among the counts of a row of `ops/runs`."""

PERIODS = 60
"""The most periods that a plot over time shows."""

WORST = (
    RunStatus.FAILED,
    RunStatus.BLOCKED,
    RunStatus.STOPPED,
    RunStatus.PENDING,
    RunStatus.RUNNING,
    RunStatus.DONE,
)
"""The states of a layer, the worst first. A run has the worst state of its layers."""


@dataclass(frozen=True)
class RecordedLayer:
    """One layer of one run: a row of `ops/runs`.

    All counts are of photos, with one exception: `photos_in` of bronze counts objects. `refused` counts by
    reason. `started_at` is in UTC.
    """

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
        """Make the layer from a row of `ops/runs`. A layer that did not finish has taken 0 seconds."""
        counts = dict(row["counts"] or [])
        finished = row["finished_at"] or row["started_at"]
        return cls(
            row["layer"],
            row["status"],
            row["started_at"].astimezone(UTC),
            (finished - row["started_at"]).total_seconds(),
            counts.get("in", 0),
            counts.get("kept", 0),
            {
                k.removeprefix(REFUSED_PREFIX): n
                for k, n in counts.items()
                if k.startswith(REFUSED_PREFIX)
            },
            row["error"],
        )

    @property
    def refusals(self) -> int:
        """The number of photos, or in bronze of objects, that the layer refused."""
        return sum(self.refused.values())


@dataclass(frozen=True)
class RecordedRun:
    """One run that left rows in `ops/runs`; `layers` are in the order in which they ran."""

    run_id: str
    code_revision: str
    layers: Sequence[RecordedLayer]

    @property
    def begun(self) -> datetime:
        """The time at which the run began, in UTC."""
        return begun(self.run_id)

    @property
    def seconds(self) -> float:
        """The seconds that the layers took together, without the start of Spark."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def status(self) -> str:
        """The worst state among the layers, in the order of WORST."""
        states = [layer.status for layer in self.layers]
        return next((state for state in WORST if state in states), states[-1])

    @property
    def error(self) -> str | None:
        """The error that ended the run, or None where it went through."""
        return next((layer.error for layer in self.layers if layer.error), None)

    @property
    def others(self) -> list[str]:
        """The commands that the run recorded beside bronze, silver and gold, such as `train` or `erase`."""
        return [layer.layer for layer in self.layers if layer.layer not in LAYERS]

    @property
    def refusals(self) -> int:
        """The number of objects and photos that all layers refused."""
        return sum(layer.refusals for layer in self.layers)

    @property
    def photos(self) -> int:
        """The largest number of photos (objects in bronze) that one of bronze, silver and gold took in."""
        return max((layer.photos_in for layer in self.layers if layer.layer in LAYERS), default=0)

    @property
    def photos_per_second(self) -> float | None:
        """The photos a second over all layers together, or None where nothing came in."""
        return self.photos / self.seconds if self.photos and self.seconds else None

    @property
    def rate(self) -> float | None:
        """The photos a second where they mean something, as in the summary of a run; else None."""
        return self.photos_per_second if self.photos >= RATED_FROM else None

    def kept(self, name: str) -> int | None:
        """Return the number of photos that a layer kept, or None where the run had no such layer."""
        found = [layer.kept for layer in self.layers if layer.layer == name]
        return sum(found) if found else None

    def taken_in(self, name: str) -> int | None:
        """Return how many photos (bronze: objects) a layer took in; None where the run had no such layer."""
        found = [layer.photos_in for layer in self.layers if layer.layer == name]
        return sum(found) if found else None


def recorded(root: str) -> list[RecordedRun]:
    """Return every run of the lake under `root`, the newest first. Raises BadInput where there is no lake."""
    rows_by_run: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(delta_rs_reader.rows(root, catalog.RUNS), key=lambda row: row["started_at"]):
        rows_by_run.setdefault(row["run_id"], []).append(row)
    runs = [
        RecordedRun(
            run_id, rows[0]["code_revision"] or "unknown", [RecordedLayer.of(row) for row in rows]
        )
        for run_id, rows in rows_by_run.items()
    ]
    return sorted(runs, key=lambda run: run.begun, reverse=True)


@dataclass(frozen=True)
class Periods:
    """The periods of a plot over time, and the period of each run.

    `unit` is `run`, `day`, `week`, `month` or `year`. `names` has the periods in the order of time, and `of`
    maps each run_id to the name of its period.
    """

    unit: str
    names: Sequence[str]
    of: Mapping[str, str]

    @classmethod
    def over(cls, run_ids: Iterable[str]) -> Self:
        """Group runs by the finest unit that gives at most PERIODS periods, or by years where none does."""
        ordered = sorted(set(run_ids))
        for unit in UNITS:
            of = {run_id: UNITS[unit](begun(run_id)) for run_id in ordered}
            if len(set(of.values())) <= PERIODS:
                break
        return cls(unit, list(dict.fromkeys(of.values())), of)


def _monday(moment: datetime) -> str:
    """The date of the Monday of a moment's week."""
    return f"{moment - timedelta(days=moment.weekday()):%Y-%m-%d}"


UNITS: Mapping[str, Callable[[datetime], str]] = {
    "run": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}",
    "day": lambda moment: f"{moment:%Y-%m-%d}",
    "week": _monday,
    "month": lambda moment: f"{moment:%Y-%m}",
    "year": lambda moment: f"{moment:%Y}",
}
"""The name of the period that holds a moment, by unit, from the finest to the coarsest."""
