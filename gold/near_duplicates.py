"""Groups of near duplicates: photos of one scene.

A held-out test is too optimistic if one photo of a scene is fitted and another one is tested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]

DISTANCE = 6
"""The most bits, of 64, in which the hashes of two photos of one scene differ.

It was measured on 1,142 shop photos of 28 kinds. The same photo saved again, at half its size or 15 %
brighter, differs in 3 bits at most. Cut by 1 % or turned by a degree, it differs in 6 bits or fewer in 99 of
100 cases, while a limit of 4 would miss one case in six. Two different photos of a kind are rarely so near:
of 24,900 pairs, one differed in 3 bits (the same shelf), none in 4, 5 or 6, and one each in 7 and 8 (fruit
held up in a hand). No two photos of different kinds differed in fewer than 13. So a limit of 6 joins copies
and small moves of the camera, and hardly anything else. It doesn't join photos of one shelf from one step
further away: their hashes differ as much as those of two shelves.
"""

LINKS_AT_ONCE = 1 << 20
"""How many links are collected before they are merged into the groups, so that memory stays small."""


def groups(
    dhash: NDArray[np.int64],
    *,
    subjects: Sequence[str | None],
    labels: Sequence[str | None],
    distance: int = DISTANCE,
) -> NDArray[np.int64]:
    """Return the group of each of n photos, int64[n]. A group's number is the smallest index in it.

    Two photos are linked where their difference hashes differ in at most `distance` bits and they share a
    subject or a label (None is no shared one). All photos that a chain of links connects are one group.
    No pair is missed. Raises ValueError where the lengths differ or `distance` isn't in [0, 62].
    """
    n = len(dhash)
    if not n == len(subjects) == len(labels):
        raise ValueError(
            f"{n} hashes, {len(subjects)} subjects and {len(labels)} labels don't match"
        )
    if not 0 <= distance <= 62:
        raise ValueError(f"the distance of {distance} bits is not in [0, 62]")
    # The hashes become unsigned because NumPy counts the bits of a negative number's absolute value.
    hashes = np.asarray(dhash, np.int64).view(np.uint64)
    found = np.arange(n)
    for codes in (codes_of(subjects), codes_of(labels)):
        # Equal photos of an owner (a subject or a label) are linked to the first of them, and only that one
        # is compared with others. Otherwise, n copies of one photo would give n² pairs.
        order = np.flatnonzero(codes >= 0)
        order, starts = _buckets(order, codes, hashes)
        firsts, sizes = order[starts], np.diff(starts, append=len(order))
        found = joined(found, [np.stack([np.repeat(firsts, sizes), order])])
        for mask in _masks(distance):
            links = _links(firsts, codes, hashes, groups=found, mask=mask, distance=distance)
            found = joined(found, links)
    return found


def codes_of(owners: Sequence[str | None]) -> Indices:
    """Return a number for each photo's owner (a subject or a label), -1 for None."""
    numbers: dict[str, int] = {}
    coded = (-1 if owner is None else numbers.setdefault(owner, len(numbers)) for owner in owners)
    return np.fromiter(coded, np.int64, len(owners))


def _masks(distance: int) -> list[np.uint64]:
    """Return masks of bits such that two near hashes are equal under at least one of them.

    The 64 bits are split into distance + 2 bands. Two hashes that differ in at most `distance` bits are
    equal in at least two bands, so there is a mask for every pair of bands. Masks of one band out of
    distance + 1 would also find all pairs, but far more photos agree in the fewer bits of one band.
    """
    bands = np.array_split(np.arange(64, dtype=np.uint64), distance + 2)
    values = [np.bitwise_or.reduce(np.uint64(1) << band) for band in bands]
    return [first | second for first, second in combinations(values, 2)]


def _buckets(photos: Indices, owners: Indices, keys: Hashes) -> tuple[Indices, Indices]:
    """Return the photos sorted by owner and key, and the positions where each bucket starts.

    A bucket is the photos of one owner with one key.
    """
    order = photos[np.lexsort((keys[photos], owners[photos]))]
    owner, key = owners[order], keys[order]
    changes = (owner[1:] != owner[:-1]) | (key[1:] != key[:-1])
    return order, np.flatnonzero(np.concatenate([np.ones(min(len(order), 1), bool), changes]))


def _links(
    photos: Indices,
    owners: Indices,
    hashes: Hashes,
    *,
    groups: Indices,
    mask: np.uint64,
    distance: int,
) -> Iterator[Indices]:
    """Yield links int64[2, m] between near photos of one owner that are equal under the mask.

    Buckets whose photos are in one group already are left out.
    """
    order, starts = _buckets(photos, owners, hashes & mask)
    if not len(order):
        return
    sizes = np.diff(starts, append=len(order))
    group = groups[order]
    is_one_group = np.minimum.reduceat(group, starts) == np.maximum.reduceat(group, starts)
    # The number of photos of its bucket that come after each photo; 0 in a bucket that is one group already.
    after = np.repeat(starts + sizes, sizes) - np.arange(len(order)) - 1
    after[np.repeat(is_one_group, sizes)] = 0
    hashed, at, lag = hashes[order], np.flatnonzero(after), 1
    while len(at):
        near = at[np.bitwise_count(hashed[at] ^ hashed[at + lag]) <= distance]
        yield order[np.stack([near, near + lag])]
        lag += 1
        at = at[after[at] >= lag]


def joined(groups: Indices, links: Iterable[Indices]) -> Indices:
    """Return the groups after linked ones are merged. A group's number is the smallest index in it."""
    collected: list[Indices] = []
    count = 0
    for link in links:
        # A group's number is the index of one of its photos, so a link between two photos becomes a link
        # between two groups.
        ends = groups[link]
        collected.append(ends[:, ends[0] != ends[1]])
        count += collected[-1].shape[1]
        if count > LINKS_AT_ONCE:
            groups, collected, count = _merged(groups, collected), [], 0
    return _merged(groups, collected)


def _merged(groups: Indices, links: list[Indices]) -> Indices:
    """Return the groups after those that links between group numbers connect are merged."""
    # SciPy is imported where it is used: its import takes as long as a command that only reads.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(groups)
    left, right = np.concatenate([np.empty((2, 0), np.int64), *links], axis=1)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, smallest = np.unique(component, return_index=True)
    return smallest[component][groups]
