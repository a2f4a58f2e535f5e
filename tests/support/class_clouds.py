"""Vectors of several kinds, for classifiers."""

import numpy as np
from sklearn.datasets import make_blobs


def blobs(kinds=5, n=200, d=12, spread=4.0):
    """(vectors float32[n, d], labels): clouds that overlap, far from zero and of unequal scales."""
    x, y = make_blobs(n, d, centers=kinds, cluster_std=spread, random_state=3)
    labels = [f"kind {number}" for number in y]
    return (x * np.linspace(0.1, 10, d) + 50).astype(np.float32), labels
