"""Near duplicates: photos of one scene, which must not stand on both sides of a held-out test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

DISTANCE = 6
"""Differing bits of 64 up to which two photos count as one scene.

Seen on 1,142 shop photos of 28 kinds. The same photo saved again, at half its size or 15 % brighter, moves
by 3 bits at most; cut by 1 % or turned by a degree, by 6 or fewer in 99 of 100 cases, where 4 would miss
one in six. Two photos of a kind are rarely that near: of 24,900 such pairs one lay at 3 (the same shelf),
none at 4, 5 or 6, then one each at 7 and 8 (fruit held up in a hand). No two of different kinds lay below
13. So 6 joins copies and small moves of the camera, and hardly anything else; it does not see the same
shelf from a step further, which moves the hash as far as another shelf would.
"""

FOLD = 1 << 20
"""Links that are held before they are folded into the groups, so that memory stays small."""


def groups(
    dhash: NDArray[np.int64],
    *,
    subjects: Sequence[str | None],
    labels: Sequence[str | None],
    distance: int = DISTANCE,
) -> NDArray[np.int64]:
    """int64[n]: the group of each of n photos, numbered by the smallest index in it.

    Two photos are linked where their difference hashes differ in at most `distance` bits and they share a
    subject or a label; None is shared with nobody. A chain of links is one group. Exact: no pair is missed.
    Raises ValueError where the lengths differ or `distance` isn't in [0, 62].
    """
    n = len(dhash)
    if not n == len(subjects) == len(labels):
        raise ValueError(f"{n} hashes, {len(subjects)} subjects and {len(labels)} labels differ")
    if not 0 <= distance <= 62:
        raise ValueError(f"a distance of {distance} bits is not in [0, 62]")
    # NumPy counts the bits of a negative number's absolute value.
    hashes = np.asarray(dhash, np.int64).view(np.uint64)
    found = np.arange(n)
    for codes in (_codes(subjects), _codes(labels)):
        # Equal photos of an owner hang on the first of them, which alone is compared with others: many
        # copies of one photo would be that many pairs, squared.
        order = np.flatnonzero(codes >= 0)
        order, starts = _buckets(order, codes, hashes)
        firsts, sizes = order[starts], np.diff(starts, append=len(order))
        found = _joined(found, [np.stack([np.repeat(firsts, sizes), order])])
        for mask in _masks(distance):
            near = _near(firsts, codes, hashes, groups=found, mask=mask, distance=distance)
            found = _joined(found, near)
    return found


def _codes(owners: Sequence[str | None]) -> Indices:
    """A number for each owner, -1 for None."""
    numbers: dict[str, int] = {}
    coded = (-1 if owner is None else numbers.setdefault(owner, len(numbers)) for owner in owners)
    return np.fromiter(coded, np.int64, len(owners))


def _masks(distance: int) -> list[np.uint64]:
    """Of distance + 2 bands of bits, so many differing bits leave two bands equal: every choice of two.

    One equal band of distance + 1 would do as well, with far more photos that agree in its fewer bits.
    """
    bands = np.array_split(np.arange(64, dtype=np.uint64), distance + 2)
    values = [np.bitwise_or.reduce(np.uint64(1) << band) for band in bands]
    return [first | second for first, second in combinations(values, 2)]


def _buckets(photos: Indices, owners: Indices, keys: Hashes) -> tuple[Indices, Indices]:
    """The photos with those of one owner and one key side by side, and where each such bucket starts."""
    order = photos[np.lexsort((keys[photos], owners[photos]))]
    owner, key = owners[order], keys[order]
    changes = (owner[1:] != owner[:-1]) | (key[1:] != key[:-1])
    return order, np.flatnonzero(np.concatenate([np.ones(min(len(order), 1), bool), changes]))


def _near(
    photos: Indices,
    owners: Indices,
    hashes: Hashes,
    *,
    groups: Indices,
    mask: np.uint64,
    distance: int,
) -> Iterator[Indices]:
    """Links int64[2, m] of photos of one owner that agree under the mask, where that may join groups."""
    order, starts = _buckets(photos, owners, hashes & mask)
    if not len(order):
        return
    sizes = np.diff(starts, append=len(order))
    group = groups[order]
    is_one = np.minimum.reduceat(group, starts) == np.maximum.reduceat(group, starts)
    # How many of its bucket come after each photo; none counts where all are one group already.
    after = np.repeat(starts + sizes, sizes) - np.arange(len(order)) - 1
    after[np.repeat(is_one, sizes)] = 0
    hashed, at, lag = hashes[order], np.flatnonzero(after), 1
    while len(at):
        near = at[np.bitwise_count(hashed[at] ^ hashed[at + lag]) <= distance]
        yield order[np.stack([near, near + lag])]
        lag += 1
        at = at[after[at] >= lag]


def _joined(groups: Indices, links: Iterable[Indices]) -> Indices:
    """The groups once all that is linked is one group, numbered by its smallest index."""
    held: list[Indices] = []
    count = 0
    for link in links:
        # Whole groups are linked, by the photos that they are numbered by.
        ends = groups[link]
        held.append(ends[:, ends[0] != ends[1]])
        count += held[-1].shape[1]
        if count > FOLD:
            groups, held, count = _folded(groups, held), [], 0
    return _folded(groups, held)


def _folded(groups: Indices, held: list[Indices]) -> Indices:
    n = len(groups)
    left, right = np.concatenate([np.empty((2, 0), np.int64), *held], axis=1)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return smallest[component][groups]
