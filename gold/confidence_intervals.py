"""Confidence intervals of a share of right answers, where photos of one scene are right or wrong together.

A hundred photos of one scene tell hardly more than one of them, so scenes are counted and not photos.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gold.near_duplicates import Indices

CONFIDENCE = 0.95
"""The share of such intervals that hold the true value."""

RESAMPLES = 2_000
"""How often groups are drawn."""

SEED = 0


def interval(correct: NDArray[np.bool_], groups: Indices) -> tuple[float, float]:
    """Return the bounds, in [0, 1], of the share of right answers on other groups.

    `correct` bool[n] says of each photo whether it was answered rightly, and `groups` int64[n] names its
    group. This is a bootstrap: whole groups are drawn with replacement, and the bounds are quantiles of what
    they give. Two groups of average size are added, one that is all right and one that is all wrong.
    Otherwise three groups without a mistake would promise that there will be none. The interval holds the
    share of the photos themselves. Without groups, or with one, it is 0 to 1: nothing is known of others.
    The result is deterministic.
    """
    if not len(correct):
        return 0.0, 1.0
    _, members = np.unique(groups, return_inverse=True)
    photos = np.bincount(members)
    right = np.bincount(members, weights=correct)
    size = photos.mean()
    drawn_from = np.concatenate([np.stack([right, photos], axis=1), [[size, size], [0.0, size]]])
    # Groups with the same numbers are drawn as one, so that memory doesn't grow with the photos.
    kinds, times = np.unique(drawn_from, axis=0, return_counts=True)
    draws = np.random.default_rng(SEED).multinomial(
        len(drawn_from), times / len(drawn_from), size=RESAMPLES
    )
    shares = np.divide(*(draws @ kinds).T)
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    share = float(np.mean(correct))
    return min(float(low), share), max(float(high), share)
