"""How often a champion classifier is right about photos that got their label after its training, by week.

The rows are those of gold/held_out with the time of a label; they are counted when somebody asks. It is
judged by the last weeks, and by scenes. Without Spark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc

from gold.confidence_intervals import interval
from gold.independent_photos import scene
from lake import catalog, delta_rs_reader

FEWEST = 10
"""The fewest scenes by which a classifier is measured against its test."""

LAST_WEEKS = 4
"""The weeks, up to that of the last label, by which a classifier is judged. Where they have fewer scenes than
`FEWEST`, earlier weeks are added until there are enough. A sentence names as many weeks at most."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Week:
    """The photos of one ISO week, such as `2026-W48`, by the time of their label.

    `right` of the `photos`, which are of so many `scenes`, were predicted right, with the mean `confidence`.
    `unlearned` more have a label that the classifier never learned.
    """

    week: str
    photos: int
    scenes: int
    right: int
    confidence: float | None
    unlearned: int

    @property
    def accuracy(self) -> float | None:
        """The share of photos that were predicted right; None without photos."""
        return self.right / self.photos if self.photos else None


@dataclass(frozen=True)
class LastWeeks:
    """The photos by which a classifier version is judged: those with a label that it learned, of the ISO week
    `since` and later.

    `right` of the `photos`, which are of so many `scenes`, were predicted right. `upper` is the upper end of
    the 95 % interval of that share on other scenes.
    """

    since: str
    photos: int
    scenes: int
    right: int
    upper: float

    @property
    def accuracy(self) -> float:
        """The share of photos that were predicted right."""
        return self.right / self.photos

    def __str__(self) -> str:
        return (
            f"it is judged by {self.photos:,} photos of {self.scenes:,} scenes since {self.since}, "
            f"{self.accuracy:.1%} right"
        )


@dataclass(frozen=True)
class AccuracySince:
    """How a classifier version does on photos that got their label after its training, by week.

    `promised` is the lower end of the interval of its accuracy on photos held out. It is None for versions of
    earlier code, which have no interval, and where that is 0: such a test promises nothing. `last` are the
    photos by which it is judged, None where they are of too few scenes.
    """

    version: str
    promised: float | None
    weeks: Sequence[Week]
    last: LastWeeks | None

    @property
    def photos(self) -> int:
        """The photos with a label that the classifier learned."""
        return sum(week.photos for week in self.weeks)

    @property
    def right(self) -> int:
        """The photos that were predicted right."""
        return sum(week.right for week in self.weeks)

    @property
    def unlearned(self) -> int:
        """The photos with a label that it never learned."""
        return sum(week.unlearned for week in self.weeks)

    @property
    def accuracy(self) -> float | None:
        """The share of photos that were predicted right; None without photos."""
        return self.right / self.photos if self.photos else None

    @property
    def shortfall(self) -> float:
        """How far the accuracy of the last weeks lies, at best, below what the test promised; 0 where it
        doesn't, or nobody can judge."""
        if self.promised is None or self.last is None:
            return 0.0
        return max(0.0, self.promised - self.last.upper)

    def __str__(self) -> str:
        if not (self.photos or self.unlearned):
            return f"no photo got a label since the training of {self.version}"
        said = f"{self.version} is right about {self.right:,} of {self.photos:,} photos"
        if self.accuracy is not None:
            said += f" ({self.accuracy:.1%})"
        said += " that got their label after its training; "
        if self.promised is None:
            said += "its test promised nothing that they can be judged by"
        else:
            said += str(self.last or f"it is judged from {FEWEST} scenes on")
        if self.unlearned:
            said += f"; {self.unlearned:,} more have labels that it never learned"
        return said

    def facts(self) -> dict[str, Any]:
        """Return the counts by week, of the last weeks and of all, in types that JSON has."""
        names = ("photos", "right", "unlearned", "accuracy", "shortfall")
        weeks = [asdict(week) | {"accuracy": week.accuracy} for week in self.weeks]
        last = self.last and asdict(self.last) | {"accuracy": self.last.accuracy}
        counts = {name: getattr(self, name) for name in names}
        return asdict(self) | {"weeks": weeks, "last": last} | counts

    def last_weeks(self) -> str:
        """Return the last weeks in words, the newest first."""
        return ", ".join(
            f"{week.week} {week.accuracy:.1%} of {week.photos:,}"
            for week in reversed(self.weeks[-LAST_WEEKS:])
            if week.accuracy is not None
        )


def read(root: str, champion: Row) -> AccuracySince:
    """Count the later tests of a classifier in the lake under `root`. `champion` is its row of gold/models,
    of which `version`, `chunk` and `metrics` are needed.

    Files of before its training are skipped. In a lake of earlier code there is no such test.
    """
    is_later = (pc.field("chunk") > champion["chunk"]) & pc.field("labelled_at").is_valid()
    where = (pc.field("model_version") == champion["version"]) & is_later
    names = ("subject", "label", "scene", "predicted", "confidence", "labelled_at", "learned")
    table = delta_rs_reader.delta_table(root, catalog.HELD_OUT)
    by_week: dict[date, list[Row]] = defaultdict(list)
    for batch in delta_rs_reader.batches(table, columns=names, where=where, of=catalog.HELD_OUT):
        for row in batch.to_pylist():
            by_week[_monday(row["labelled_at"])].append(row)
    promised = dict(champion["metrics"] or []).get("accuracy_low") or None
    weeks = [_week(monday, rows) for monday, rows in sorted(by_week.items())]
    return AccuracySince(champion["version"], promised, weeks, _last(by_week))


def _monday(at: datetime) -> date:
    """Return the first day of the ISO week of a time."""
    return at.date() - timedelta(days=at.weekday())


def _name(monday: date) -> str:
    """Return the name of an ISO week, such as `2026-W48`, by its first day."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02}"


def _week(monday: date, rows: Sequence[Row]) -> Week:
    known = _learned(rows)
    confidence = sum(row["confidence"] for row in known) / len(known) if known else None
    unlearned = len(rows) - len(known)
    return Week(
        _name(monday),
        len(known),
        len(set(_scenes(known))),
        sum(_right(known)),
        confidence,
        unlearned,
    )


def _last(by_week: Mapping[date, Sequence[Row]]) -> LastWeeks | None:
    """Return the photos of the last weeks, with as many weeks before as `FEWEST` scenes take; None where all
    weeks have fewer."""
    known: list[Row] = []
    since = newest = max(by_week, default=date.min)
    for monday in sorted(by_week, reverse=True):
        is_last = newest - monday < timedelta(weeks=LAST_WEEKS)
        if not is_last and len(set(_scenes(known))) >= FEWEST:
            break
        known += _learned(by_week[monday])
        since = monday
    scenes, right = _scenes(known), _right(known)
    if len(set(scenes)) < FEWEST:
        return None
    _, upper = interval(np.array(right), np.array(scenes))
    return LastWeeks(_name(since), len(known), len(set(scenes)), sum(right), upper)


def _learned(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of photos with a label that the classifier learned."""
    return [row for row in rows if row["learned"]]


def _right(rows: Sequence[Row]) -> list[bool]:
    """Return of each photo whether it was predicted right."""
    return [row["label"] == row["predicted"] for row in rows]


def _scenes(rows: Sequence[Row]) -> list[int]:
    """Return the scene of each photo. Rows of earlier code have none: the day of the label takes the place of
    the photo's."""
    return [
        scene(row, taken=None, came=row["labelled_at"].date())
        if row["scene"] is None
        else row["scene"]
        for row in rows
    ]
