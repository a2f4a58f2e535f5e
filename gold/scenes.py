"""Scenes: photos that were taken together. A test is too optimistic where one photo of a scene is
fitted and another one is tested.

Scenes are told apart by visits where these are known, and else guessed from the likeness of embeddings. The
bound of likeness comes from the data: photos that are certainly of different scenes are seldom so alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gold.near_duplicates import Indices, codes_of, groups, joined
from gold.unit_vectors import unit
from lake.dated_names import day_in_name

SHARES = (0.10, 0.05, 0.025)
"""Of photos that are certainly of different scenes, the shares that are at least as alike as the bounds of
likeness. The second gives the scenes; the others show how much depends on it.

They were chosen on 1,142 shop photos of 28 kinds in which nothing tells visits apart. The second bound is a
cosine of 0.861 there for EfficientNet-Lite0, and of 0.867 for MobileNetV2.
"""

MEASURED_FROM = 100
"""The fewest photos of known visits by which the likeness across visits is measured."""

QUERIES = 2_000
"""The most photos whose likeness to all others is taken for a bound."""

ROWS_AT_ONCE = 256
"""The photos that are compared with all others at once: with 25,000 photos, 26 MB."""

Units = NDArray[np.float32]


@dataclass(frozen=True)
class Scenes:
    """The scenes of n photos as int64[n], numbered by the smallest index in them.

    `coarser` and `finer` are the scenes by a lower and by a higher bound of likeness. `is_guessed` bool[n]
    are the photos without a known visit, whose scenes were guessed; None where there is none. Those with a
    cosine of at least `bound` are one. The bound is None where nothing was guessed, or nothing could be
    measured. `is_one_visit` says that visits are known and left aside, because they leave fewer than two
    kinds to test. `is_flattering` says that visits or the bound leave fewer than two kinds to test, so that
    finer scenes were taken: what was taken together stands on both sides of a test.
    """

    numbers: Indices
    coarser: Indices
    finer: Indices
    is_guessed: NDArray[np.bool_] | None = None
    bound: float | None = None
    is_one_visit: bool = False
    is_flattering: bool = False

    @property
    def guessed(self) -> int:
        """The number of photos whose scenes were guessed."""
        return 0 if self.is_guessed is None else int(self.is_guessed.sum())

    @classmethod
    def of(
        cls,
        embeddings: NDArray[np.floating],
        *,
        labels: Sequence[str],
        subjects: Sequence[str | None],
        visits: Sequence[str | None],
        dhash: NDArray[np.int64],
    ) -> Self:
        """Return the scenes of n photos with embeddings float[n, d].

        Photos of one visit are a scene, whatever they show: a place looks alike behind all of them. A photo
        without a visit is linked with those of its label where their cosine is at least the bound, and all
        photos are where they are near duplicates. Visits are left aside where they leave fewer than two
        labels to test.
        """
        near = groups(dhash, subjects=subjects, labels=labels)
        kinds, visit = codes_of(labels), codes_of(visits)
        found = cls._by(visit, near, kinds, embeddings)
        if (visit >= 0).any() and _labels_of_two(kinds, found.numbers) < 2:
            unknown = np.full(len(visit), -1)
            aside = cls._by(unknown, near, kinds, embeddings)
            return replace(aside, is_one_visit=True, is_flattering=True)
        return found

    @classmethod
    def _by(
        cls, visit: Indices, near: Indices, kinds: Indices, embeddings: NDArray[np.floating]
    ) -> Self:
        """Return the scenes by visits, near duplicates and likeness."""
        found = joined(near, _of_same_visit(visit))
        is_guessed = visit < 0
        if not is_guessed.any():
            return cls(found, found, found)
        units = unit(embeddings)
        bounds = _bounds(units, kinds, ~is_guessed, found)
        if bounds is None:
            return cls(found, found, found, is_guessed)
        graded = [*_graded(units, kinds, np.flatnonzero(is_guessed), found, bounds), found, found]
        testable = (place for place in (1, 2) if _labels_of_two(kinds, graded[place]) > 1)
        place = next(testable, 3)
        return cls(
            graded[place],
            coarser=graded[place - 1],
            finer=graded[place + 1],
            is_guessed=is_guessed,
            bound=bounds[1],
            is_flattering=place > 1,
        )

    def notes(self) -> Iterator[str]:
        """Yield sentences about scenes that were guessed: why, how, and what it means for the figures."""
        if not self.guessed:
            return
        why = (
            "persons and days tell no two kinds' visits apart"
            if self.is_one_visit
            else f"of {self.guessed:,} of {len(self.numbers):,} photos neither person nor day is known"
        )
        if self.is_one_visit:
            yield (
                f"{why}, so photos of one visit stand on both sides of the test: photos of other visits will "
                f"be right less often than its figures say. Send photos of other visits."
            )
        elif self.bound is None:
            yield f"{why}, so only near duplicates are held together in the test."
        elif self.is_flattering:
            yield (
                f"{why}, and those of a kind are so alike that a test has to tell apart what may be one "
                f"scene: photos of other visits will be right less often than its figures say. Send photos "
                f"of other visits, with their days or in folders of persons."
            )
        else:
            yield (
                f"{why}: those of a kind with a cosine of at least {self.bound:.2f} are taken for one scene, "
                f"as only 1 in 20 photos is so alike to those of another visit, or of another kind. So "
                f"the accuracy is a range, which higher and lower bounds widen."
            )


def visits(subjects: Sequence[str | None], days: Sequence[date | None]) -> list[str | None]:
    """Return what names the visit of each photo: the person and the day, or one of them; None where it isn't
    known.

    A photo without a day may be of any visit of its person: it has one only where none of the person's photos
    has a day.
    """
    dated = {subject for subject, day in zip(subjects, days, strict=True) if day}
    found: list[str | None] = []
    for subject, day in zip(subjects, days, strict=True):
        if day:
            found.append(f"{subject or ''} {day.isoformat()}")
        else:
            found.append(subject if subject not in dated else None)
    return found


def days_taken(days: Sequence[date | None], paths: Sequence[str | None]) -> list[date | None]:
    """Return the day on which each photo was taken. Where earlier code kept none, the name of its file may
    have it, but that of a person's photo is not known."""
    return [day or day_in_name(path or "") for day, path in zip(days, paths, strict=True)]


def _labels_of_two(kinds: Indices, visit: Indices) -> int:
    """Return how many labels have photos of at least two visits."""
    pairs = np.unique(np.stack([kinds, visit])[:, visit >= 0], axis=1)
    return int((np.bincount(pairs[0], minlength=1) > 1).sum())


def _of_same_visit(visit: Indices) -> Iterator[Indices]:
    """Yield links int64[2, m] from each photo with a visit to the first of it."""
    known = np.flatnonzero(visit >= 0)
    _, first, inverse = np.unique(visit[known], return_index=True, return_inverse=True)
    yield np.stack([known[first][inverse], known])


def _bounds(
    units: Units, kinds: Indices, is_known: NDArray[np.bool_], apart: Indices
) -> tuple[float, ...] | None:
    """Return the cosines that the `SHARES` of photos reach to photos of other scenes, from the lowest to the
    highest; None where no photos are known to be of others.

    Best known is the likeness to photos of the same kind and another visit: `is_known` bool[n] are those of
    which the visit is, and `apart` int64[n] are the visits, joined where they have near duplicates. Where too
    few visits are known, it is the likeness to the photos of the other kind that a photo's kind is most like:
    these show other fruits, which look much as the own kind does on another day.
    """
    across = _across_visits(units, kinds, is_known, apart)
    if len(across) < MEASURED_FROM:
        across = _across_kinds(units, kinds)
    if not len(across):
        return None
    return tuple(float(each) for each in np.quantile(across, [1 - share for share in SHARES]))


def _across_visits(
    units: Units, kinds: Indices, is_known: NDArray[np.bool_], apart: Indices
) -> NDArray[np.float32]:
    """Return for photos with a visit the cosine to the most alike of the same kind and another visit."""
    found = []
    for kind in np.unique(kinds[is_known]):
        own = np.flatnonzero(is_known & (kinds == kind))
        others = units[own].T
        for rows in _blocks(_spread(own, QUERIES // 10)):
            alike = units[rows] @ others
            alike[apart[rows][:, None] == apart[own]] = -1
            best = alike.max(axis=1)
            found.append(best[best > -1])
    return np.concatenate(found) if found else np.empty(0, np.float32)


def _across_kinds(units: Units, kinds: Indices) -> NDArray[np.float32]:
    """Return for some photos the cosine to the most alike photo of the kind that theirs is most like."""
    order = np.argsort(kinds, kind="stable")
    names, starts = np.unique(kinds[order], return_index=True)
    if len(names) < 2:
        return np.empty(0, np.float32)
    chosen = _spread(np.arange(len(kinds)), QUERIES)
    ordered = units[order].T
    best = np.concatenate(
        [np.maximum.reduceat(units[rows] @ ordered, starts, axis=1) for rows in _blocks(chosen)]
    )
    found = []
    for place, kind in enumerate(names):
        own = best[kinds[chosen] == kind]
        if len(own):
            others = np.delete(own, place, axis=1)
            found.append(others[:, others.mean(axis=0).argmax()])
    return np.concatenate(found)


def _graded(
    units: Units, kinds: Indices, photos: Indices, found: Indices, bounds: Sequence[float]
) -> list[Indices]:
    """Return the scenes by each of some rising bounds, int64[n] each: those `found`, and some photos linked
    with the others of their label where their cosine is at least the bound."""
    graded = [found] * len(bounds)
    for kind in np.unique(kinds[photos]):
        own = np.flatnonzero(kinds == kind)
        others = units[own].T
        for rows in _blocks(photos[kinds[photos] == kind]):
            alike = units[rows] @ others
            finest = graded[-1]  # photos that are one scene here are one by each lower bound
            at, to = np.nonzero((alike >= bounds[0]) & (finest[rows][:, np.newaxis] != finest[own]))
            links, likeness = np.stack([rows[at], own[to]]), alike[at, to]
            graded = [
                joined(each, [links[:, likeness >= bound]])
                for each, bound in zip(graded, bounds, strict=True)
            ]
    return graded


def _spread(photos: Indices, at_most: int) -> Indices:
    """Return at most so many of some photos, spread evenly over their order."""
    if len(photos) <= at_most:
        return photos
    return photos[np.linspace(0, len(photos) - 1, at_most).astype(np.int64)]


def _blocks(photos: Indices) -> Iterator[Indices]:
    """Yield the photos in blocks of at most `ROWS_AT_ONCE`."""
    for start in range(0, len(photos), ROWS_AT_ONCE):
        yield photos[start : start + ROWS_AT_ONCE]
