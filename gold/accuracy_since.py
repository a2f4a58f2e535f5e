"""How often a champion classifier is right about photos that got their label after its training, by week.

The rows are those of gold/held_out with the time of a label; they are counted when somebody asks. Without
Spark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import pyarrow.compute as pc

from lake import catalog, delta_rs_reader

FEWEST = 20
"""The fewest photos by which a classifier is measured against its test."""

Z = 1.96
"""The two-sided 95 % quantile of the normal distribution."""

LAST_WEEKS = 4
"""The most weeks that a sentence names."""


@dataclass(frozen=True)
class Week:
    """The photos of one ISO week, such as `2026-W48`, by the time of their label.

    `right` of the `photos` were predicted right, with the mean `confidence`. `unlearned` more have a label
    that the classifier never learned.
    """

    week: str
    photos: int
    right: int
    confidence: float | None
    unlearned: int

    @property
    def accuracy(self) -> float | None:
        """The share of photos that were predicted right; None without photos."""
        return self.right / self.photos if self.photos else None


@dataclass(frozen=True)
class AccuracySince:
    """How a classifier version does on photos that got their label after its training, by week.

    `promised` is the lower end of the interval of its accuracy on photos held out. It is None for versions of
    earlier code, which have no interval.
    """

    version: str
    promised: float | None
    weeks: Sequence[Week]

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
    def upper(self) -> float:
        """The upper end of the 95 % interval of the accuracy (Wilson 1927); 1 without photos."""
        return wilson_upper(self.right, self.photos)

    @property
    def is_judged(self) -> bool:
        """Whether there are photos enough, and an interval to compare them with."""
        return self.promised is not None and self.photos >= FEWEST

    @property
    def shortfall(self) -> float:
        """How far `upper` lies below what the test promised; 0 where it doesn't, or nobody can judge."""
        if self.promised is None or not self.is_judged:
            return 0.0
        return max(0.0, self.promised - self.upper)

    def __str__(self) -> str:
        if not (self.photos or self.unlearned):
            return f"no photo got a label since the training of {self.version}"
        said = f"{self.version} is right about {self.right:,} of {self.photos:,} photos"
        if self.accuracy is not None:
            said += f" ({self.accuracy:.1%})"
        said += " that got their label after its training"
        if self.unlearned:
            said += f"; {self.unlearned:,} more have labels that it never learned"
        return said

    def facts(self) -> dict[str, Any]:
        """Return the counts by week and of all weeks, in types that JSON has."""
        names = ("photos", "right", "unlearned", "accuracy", "upper", "shortfall")
        weeks = [asdict(week) | {"accuracy": week.accuracy} for week in self.weeks]
        return asdict(self) | {"weeks": weeks} | {name: getattr(self, name) for name in names}

    def last_weeks(self) -> str:
        """Return the last weeks in words, the newest first."""
        return ", ".join(
            f"{week.week} {week.accuracy:.1%} of {week.photos:,}"
            for week in reversed(self.weeks[-LAST_WEEKS:])
            if week.accuracy is not None
        )


def wilson_upper(right: int, photos: int) -> float:
    """Return the upper end of Wilson's 95 % interval of a share; 1 for no photos."""
    if not photos:
        return 1.0
    share, z2 = right / photos, Z * Z
    middle = share + z2 / (2 * photos)
    spread = Z * sqrt(share * (1 - share) / photos + z2 / (4 * photos * photos))
    return min(1.0, (middle + spread) / (1 + z2 / photos))


def read(root: str, champion: Mapping[str, Any]) -> AccuracySince:
    """Count the later tests of a classifier in the lake under `root`. `champion` is its row of gold/models,
    of which `version`, `chunk` and `metrics` are needed.

    Files of before its training are skipped. In a lake of earlier code there is no such test.
    """
    is_later = (pc.field("chunk") > champion["chunk"]) & pc.field("labelled_at").is_valid()
    where = (pc.field("model_version") == champion["version"]) & is_later
    columns = ["label", "predicted", "confidence", "labelled_at", "learned"]
    table = delta_rs_reader.delta_table(root, catalog.HELD_OUT)
    by_week: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in delta_rs_reader.batches(table, columns=columns, where=where, of=catalog.HELD_OUT):
        for row in batch.to_pylist():
            year, week, _ = row["labelled_at"].isocalendar()
            by_week[f"{year}-W{week:02}"].append(row)
    promised = dict(champion["metrics"] or []).get("accuracy_low")
    weeks = [_week(name, rows) for name, rows in sorted(by_week.items())]
    return AccuracySince(champion["version"], promised, weeks)


def _week(name: str, rows: Sequence[Mapping[str, Any]]) -> Week:
    known = [row for row in rows if row["learned"]]
    right = sum(row["label"] == row["predicted"] for row in known)
    confidence = sum(row["confidence"] for row in known) / len(known) if known else None
    return Week(name, len(known), right, confidence, len(rows) - len(known))
