"""Which photos that got a label later are tests of their own, and which of them were taken together.

A copy of a photo that was fitted flatters, and a hundred photos of one visit tell hardly more than one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from gold.near_duplicates import DISTANCE, Hashes, Indices, groups

Row = Mapping[str, Any]

COLUMNS = ("photo_id", "subject", "label", "dhash")
"""The columns of silver/embeddings by which copies are found."""

PAIRS_AT_ONCE = 1 << 22
"""The pairs of hashes that are compared at once: 32 MB."""


def without_copies(new: Sequence[Row], earlier: Iterable[Sequence[Row]]) -> list[Row]:
    """Return the new photos that are near duplicates of no earlier one; of those among them that are near
    duplicates of one another, the first.

    Rows have `COLUMNS`. The earlier photos come in batches, of which one is compared with all new photos at a
    time: no more of them is in memory. A photo that a chain of new ones links to an earlier one is its copy.
    """
    left = list(new)
    for batch in earlier:
        near = _near(batch, left)
        found = _groups([*near, *left])[len(near) :]
        left = [row for row, group in zip(left, found, strict=True) if group >= len(near)]
    return [left[first] for first in np.unique(_groups(left)).tolist()]


def _near(earlier: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Return the earlier photos whose hash is near that of a new one. To group only these is quicker."""
    hashes, others = _hashes(earlier), _hashes(new)
    at_once = max(1, PAIRS_AT_ONCE // max(1, len(others)))
    is_near = [
        (np.bitwise_count(hashes[start : start + at_once, None] ^ others) <= DISTANCE).any(axis=1)
        for start in range(0, len(hashes), at_once)
    ]
    return [earlier[place] for place in np.flatnonzero(np.concatenate([*is_near, []])).tolist()]


def _hashes(rows: Sequence[Row]) -> Hashes:
    """Return the difference hashes of photos, uint64[n]."""
    return np.array([row["dhash"] for row in rows], np.int64).view(np.uint64)


def _groups(rows: Sequence[Row]) -> Indices:
    """Return the group of near duplicates of each photo, as `near_duplicates.groups` numbers them."""
    return groups(
        _hashes(rows).view(np.int64),
        subjects=[row["subject"] for row in rows],
        labels=[row["label"] for row in rows],
    )


def scene(photo: Row, *, taken: date | None, came: date) -> int:
    """Return the number of a photo's scene, in [0, 2⁶³), which is the same in all chunks.

    A scene is what a person took on a day. Where the photo doesn't say its day, it is the day on which it
    came. What came without person and day is one scene for each label and day of coming. `photo` has
    `subject` and `label`.
    """
    owner = photo["subject"] or ("" if taken else photo["label"])
    key = f"{owner} {(taken or came).isoformat()}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1
