"""Drift: how far a chunk's photos are from those that its PCA version was fitted on, beyond chance.

Two samples of the same photos differ by chance, and small ones differ most. So the difference that chance
explains is subtracted from each measure: without a drift, a measure is above 0 for one chunk in a thousand.
Distributions are compared by the Population Stability Index, whose sampling distribution is a multiple of χ²
(Yurdakul & Naranjo 2020, "Statistical properties of the population stability index"). The scores of a PCA
are compared as in process monitoring: by Hotelling's T² within the components, and by the reconstruction
error outside them (Jackson & Mudholkar 1979).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake import finite_numbers

if TYPE_CHECKING:
    from lake.row_source import RowSource

SAMPLE = 10_000
"""The most rows that are compared. A hash of their photo_id chooses them, so they are always the same."""

COMPONENTS = 50
"""The most components that are compared: the first ones. They take a few MB of the driver's memory."""

BINS = 10
CHANCE = 0.001
"""The probability that a measure is above 0 without a drift."""

PHOTOS_A_COMPONENT = 10
"""The fewest photos for each component of a PCA whose reconstruction error is compared.

With fewer, the fit doesn't show what other photos lose, so `reconstruction` is 0. Such a lake soon grows
enough for a new version.
"""

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """What is compared of n photos.

    `components` is the number k of the PCA's components. `scores` are float64[n, ≤ k], on the first of them;
    `residuals` float64[n] are the reconstruction errors; `brightness` is float64[n].
    """

    components: int
    scores: Vector
    residuals: Vector
    labels: Sequence[str | None]
    brightness: Vector

    @classmethod
    def of(cls, rows: RowSource, *, components: int) -> Self:
        """Return the sample of rows of features: at most SAMPLE of them.

        `components` is the number of components of the PCA that the features come from.
        """
        if rows.are_few:
            read = rows.batches("features", "residual", "label", "brightness")
            table = pa.Table.from_batches(read)
            scores = pc.list_slice(table["features"].combine_chunks(), 0, COMPONENTS)
        else:
            from pyspark.sql import functions as F  # readers of a version have no Spark

            chosen = rows.frame().orderBy(F.xxhash64("photo_id")).limit(SAMPLE)
            first = F.slice("features", 1, COMPONENTS).alias("scores")
            table = chosen.select(first, "residual", "label", "brightness").toArrow()
            scores = table["scores"].combine_chunks()
        n = table.num_rows
        values = scores.flatten().to_numpy()
        return cls(
            components,
            values.astype(np.float64).reshape(n, -1),
            table["residual"].to_numpy(),
            table["label"].to_pylist(),
            table["brightness"].to_numpy(),
        )


@dataclass(frozen=True)
class Histogram:
    """A histogram with BINS bins: the BINS − 1 `edges` between them, and the `counts` of values in each."""

    edges: Sequence[float]
    counts: Sequence[int]

    @classmethod
    def of(cls, values: Vector) -> Self:
        """Return the histogram of float64[n] with the same number of values in each bin, but for ties."""
        edges = np.quantile(values, np.arange(1, BINS) / BINS)
        return cls(edges.tolist(), _counts(values, edges).tolist())


@dataclass(frozen=True)
class Reference:
    """What later chunks are compared with: statistics of the photos that a PCA version was fitted on.

    `photos` is the number of photos in the sample, `variances` are those of the components' scores, and
    `variance` is the sum of the variances of all columns. `residual` is the expected reconstruction error
    of other photos of the same kind. It is larger than that of the fitted photos, by the factor of Akaike's
    final prediction error (1970).
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
        """Return the reference of a PCA that was fitted on that number of photos.

        `sample` is a sample of these photos, `variance` the sum of the variances of all columns.
        """
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
        """Return the reference as a JSON text, which `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the reference that `to_json` wrote. Raises ValueError where the text is no JSON."""
        fields: dict[str, Any] = json.loads(text)
        components = [Histogram(**each) for each in fields.pop("components")]
        brightness = Histogram(**fields.pop("brightness"))
        return cls(components=components, brightness=brightness, **fields)


@dataclass(frozen=True)
class Drift:
    """Measures of how far a chunk is from its reference. Each is ≥ 0, and 0 where chance explains it.

    `mean_shift` is the shift of the mean in standard deviations: the root mean square over the components.
    `reconstruction` is how much more of the variance the components lose than in the fit, as a share of the
    whole variance. `label_mix`, `brightness` and each of `components` are a Population Stability Index; from
    0.25 on it is usually called a large change. A measure of values that aren't all finite is not finite
    itself, mostly NaN: such a chunk can't be compared, which is never no drift.
    """

    mean_shift: float
    reconstruction: float
    label_mix: float
    brightness: float
    components: Sequence[float]

    @property
    def largest(self) -> dict[str, float]:
        """Each measure by its name; `component` is the largest of `components`."""
        measures = {name: value for name, value in vars(self).items() if name != "components"}
        return measures | {"component": finite_numbers.largest(self.components)}


def drift(sample: Sample, reference: Reference) -> Drift:
    """Return the drift of a chunk's sample, which has at least one photo, against its reference.

    The sample's scores must be those of the reference's PCA.
    """
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
        brightness=_values_index(sample.brightness, reference.brightness),
        components=[
            _values_index(column, histogram, tests=tests)
            for column, histogram in zip(sample.scores.T, reference.components, strict=True)
        ],
    )


def stability_index(here: Sequence[int], before: Sequence[int], *, tests: int = 1) -> float:
    """Return the Population Stability Index of two rows of counts, minus what chance explains of it.

    Half a count is added to each bin, so that the share of an empty one isn't 0. `tests` is the number of
    indices that are looked at together: the probability that any is above 0 by chance is at most CHANCE.
    """
    # SciPy is imported where it is used: its import takes as long as a command that only reads.
    if len(here) < 2:
        return 0.0
    now, then = np.array(here) + 0.5, np.array(before) + 0.5
    p, q = now / now.sum(), then / then.sum()
    index = float(((p - q) * np.log(p / q)).sum())
    chance = _chi_squared(len(here) - 1, CHANCE / tests) * (1 / sum(here) + 1 / sum(before))
    return _at_least_0(index - chance)


def _at_least_0(measure: float) -> float:
    """Return the measure, or 0 where it is below. What is no number stays none: `max` would make it 0."""
    return float(np.maximum(0.0, measure))


def _chi_squared(freedom: int, chance: float) -> float:
    """Return what χ² with so many degrees of freedom exceeds with the probability `chance`."""
    from scipy.special import chdtri  # readers of a version need no SciPy

    return float(chdtri(freedom, chance))


def _normal(chance: float) -> float:
    """Return what a standard normal value exceeds with the probability `chance`."""
    from scipy.special import ndtri

    return -float(ndtri(chance))


def _values_index(values: Vector, histogram: Histogram, *, tests: int = 1) -> float:
    """Return the `stability_index` of float64[n] against a histogram, NaN where a value isn't finite."""
    if not np.isfinite(values).all() or not np.isfinite(histogram.edges).all():
        return np.nan  # NaN would be counted in the last bin
    counts = _counts(values, np.array(histogram.edges)).tolist()
    return stability_index(counts, histogram.counts, tests=tests)


def _mean_shift(scores: Vector, reference: Reference) -> float:
    """Return `Drift.mean_shift` of the scores; components without variance are left out.

    It is NaN where a score isn't finite, or a variance.
    """
    variances = np.array(reference.variances)
    if not np.isfinite(scores).all() or not np.isfinite([reference.variance, *variances]).all():
        return np.nan
    used = variances > np.finfo(np.float64).eps * reference.variance
    if not used.any():
        return 0.0
    noise = 1 / len(scores) + 1 / reference.photos
    squared = (scores.mean(axis=0)[used] ** 2 / variances[used]).sum()
    chance = _chi_squared(int(used.sum()), CHANCE) * noise
    return float(np.sqrt(_at_least_0(squared - chance) / used.sum()))


def _reconstruction(residuals: Vector, reference: Reference, *, noise: float) -> float:
    """Return `Drift.reconstruction` of the residuals; `noise` is 1/n + 1/m for two samples of n and m.

    It is NaN where a residual isn't finite, or what it is compared with.
    """
    known = (reference.variance, reference.residual, reference.residual_deviation)
    if not np.isfinite(residuals).all() or not np.isfinite(known).all():
        return np.nan
    if reference.variance <= 0 or not reference.is_residual_known:
        return 0.0
    chance = _normal(CHANCE) * reference.residual_deviation * np.sqrt(noise)
    return _at_least_0((residuals.mean() - reference.residual - chance) / reference.variance)


def _counts(values: Vector, edges: Vector) -> NDArray[np.int64]:
    """Return how many values lie in each of the bins between the edges, int64[BINS]."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)


def _labels(sample: Sample) -> dict[str, int]:
    """Return the number of photos for each label; the empty name stands for photos without one."""
    return dict(Counter(label or "" for label in sample.labels))
