"""Drift: how far a chunk is from what its PCA version was fitted on, beyond what chance would do.

Each measure is 0 for photos drawn as those were, but for one chunk in a thousand; few photos differ much by
chance, so theirs is subtracted. The distributions are compared by the Population Stability Index, whose
sampling distribution is a multiple of χ² (Yurdakul & Naranjo 2020, "Statistical properties of the population
stability index"), and the scores of a PCA as in process monitoring: Hotelling's T² within the components,
and the reconstruction error beside them (Jackson & Mudholkar 1979).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.special import chdtri, ndtri

SAMPLE = 10_000
"""Rows that are looked at, at most; the same ones each time, chosen by a hash of their photo_id."""

COMPONENTS = 50
"""Components that are looked at, the first ones: a few MB of the driver's memory however many there are."""

BINS = 10
CHANCE = 0.001
"""How often a measure is above 0 without a drift."""

PHOTOS_A_COMPONENT = 10
"""Components that were fitted to fewer photos each don't tell what others will lose: no drift is found there,
and growth soon brings another version."""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Of n photos: `scores` float64[n, ≤ k] on the first of k `components`, `residuals` float64[n], labels,
    and brightness float64[n]."""

    components: int
    scores: Vector
    residuals: Vector
    labels: Sequence[str | None]
    brightness: Vector

    @classmethod
    def of(cls, rows: DataFrame, *, components: int) -> Self:
        """Of at most SAMPLE of the staged features."""
        chosen = rows.orderBy(F.xxhash64("photo_id")).limit(SAMPLE)
        scores = F.slice("features", 1, COMPONENTS).alias("scores")
        table = chosen.select(scores, "residual", "label", "brightness").toArrow()
        n = table.num_rows
        values = table["scores"].combine_chunks().flatten().to_numpy()
        return cls(
            components,
            values.astype(np.float64).reshape(n, -1),
            table["residual"].to_numpy(),
            table["label"].to_pylist(),
            table["brightness"].to_numpy(),
        )


@dataclass(frozen=True)
class Histogram:
    """How many values lie between `edges` float64[BINS − 1]: `counts` int64[BINS]."""

    edges: Sequence[float]
    counts: Sequence[int]

    @classmethod
    def of(cls, values: Vector) -> Self:
        """In bins that hold as many values each, as far as ties let them."""
        edges = np.quantile(values, np.arange(1, BINS) / BINS)
        return cls(edges.tolist(), _counts(values, edges).tolist())


@dataclass(frozen=True)
class Reference:
    """What later chunks are compared with: the sample of the rows that a PCA version was fitted on.

    `residual` is what other photos of the same kind would lose on average: more than those that the
    components were fitted to, by the factor of Akaike's final prediction error (1970).
    """

    photos: int
    is_residual_known: bool
    variances: Sequence[float]
    variance: float
    residual: float
    residual_deviation: float
    components: Sequence[Histogram]
    brightness: Histogram
    labels: Mapping[str, int]

    @classmethod
    def of(cls, sample: Sample, *, photos: int, variance: float) -> Self:
        """The PCA was fitted on so many photos; `variance` is that of all columns."""
        k = sample.components
        optimism = (photos + k) / (photos - k)
        return cls(
            photos=len(sample.scores),
            is_residual_known=photos >= PHOTOS_A_COMPONENT * k,
            variances=sample.scores.var(axis=0).tolist(),
            variance=variance,
            residual=float(sample.residuals.mean() * optimism),
            residual_deviation=float(sample.residuals.std() * optimism),
            components=[Histogram.of(column) for column in sample.scores.T],
            brightness=Histogram.of(sample.brightness),
            labels=_labels(sample),
        )

    def to_json(self) -> str:
        """As text that `from_json` takes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises ValueError where it is no reference."""
        held: dict[str, Any] = json.loads(text)
        components = [Histogram(**each) for each in held.pop("components")]
        return cls(components=components, brightness=Histogram(**held.pop("brightness")), **held)


@dataclass(frozen=True)
class Drift:
    """How far a chunk is off, each ≥ 0 and 0 where chance explains it.

    `mean_shift`: of the mean, in standard deviations a component (root mean square over them).
    `reconstruction`: how much more of the variance the components lose than in the fit, as a share of all.
    `label_mix`, `brightness`, `components` (each): Population Stability Index; from 0.25 on it is
    customarily called a large change.
    """

    mean_shift: float
    reconstruction: float
    label_mix: float
    brightness: float
    components: Sequence[float]

    @property
    def largest(self) -> dict[str, float]:
        """Each measure by its name, of the components' the largest: `component`."""
        held = {name: value for name, value in vars(self).items() if name != "components"}
        return held | {"component": max(self.components, default=0.0)}


def drift(sample: Sample, reference: Reference) -> Drift:
    """Of the sample of a chunk, of at least one photo, on the components of `reference`."""
    n, m = len(sample.scores), reference.photos
    labels = _labels(sample)
    known = sorted(labels.keys() | reference.labels.keys())
    tests = len(reference.components)
    return Drift(
        mean_shift=_mean_shift(sample.scores, reference),
        reconstruction=_reconstruction(sample.residuals, reference, noise=1 / n + 1 / m),
        label_mix=stability_index(
            [labels.get(name, 0) for name in known],
            [reference.labels.get(name, 0) for name in known],
        ),
        brightness=_moved(sample.brightness, reference.brightness),
        components=[
            _moved(column, held, tests=tests)
            for column, held in zip(sample.scores.T, reference.components, strict=True)
        ],
    )


def stability_index(here: Sequence[int], before: Sequence[int], *, tests: int = 1) -> float:
    """The Population Stability Index of two rows of counts, less what chance makes of it.

    Half a count is added to each bin, so that an empty one has a share. `tests`: how many are looked at
    together, of which none is to be above 0 by chance.
    """
    if len(here) < 2:
        return 0.0
    now, then = np.array(here) + 0.5, np.array(before) + 0.5
    p, q = now / now.sum(), then / then.sum()
    index = float(((p - q) * np.log(p / q)).sum())
    chance = chdtri(len(here) - 1, CHANCE / tests) * (1 / sum(here) + 1 / sum(before))
    return max(0.0, index - chance)


def _moved(values: Vector, held: Histogram, *, tests: int = 1) -> float:
    counts = _counts(values, np.array(held.edges)).tolist()
    return stability_index(counts, held.counts, tests=tests)


def _mean_shift(scores: Vector, reference: Reference) -> float:
    variances = np.array(reference.variances)
    used = variances > np.finfo(np.float64).eps * reference.variance
    if not used.any():
        return 0.0
    noise = 1 / len(scores) + 1 / reference.photos
    squared = (scores.mean(axis=0)[used] ** 2 / variances[used]).sum()
    chance = chdtri(used.sum(), CHANCE) * noise
    return float(np.sqrt(max(0.0, squared - chance) / used.sum()))


def _reconstruction(residuals: Vector, reference: Reference, *, noise: float) -> float:
    if reference.variance <= 0 or not reference.is_residual_known:
        return 0.0
    chance = -ndtri(CHANCE) * reference.residual_deviation * np.sqrt(noise)
    return max(0.0, float(residuals.mean() - reference.residual - chance) / reference.variance)


def _counts(values: Vector, edges: Vector) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)


def _labels(sample: Sample) -> dict[str, int]:
    """Photos by label; those without one under the empty name."""
    return dict(Counter(label or "" for label in sample.labels))
