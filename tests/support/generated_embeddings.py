"""Chunks of generated embeddings in a lake's silver/embeddings, as the silver layer publishes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from lake import catalog
from lake.chunks import ChunkPlan
from lake.enums import SILVER

EMBEDDER = "e" * 64
DIMENSIONS = 32
MIX = np.random.default_rng(0).normal(size=(DIMENSIONS, DIMENSIONS))


KINDS = ("apple", "kiwi", "pear")


def add(place, n, *, seed, shift=0.0, value=None, apart=0.0, labels=KINDS, persons=0, days_ago=0):
    """A published silver chunk of `n` correlated embeddings, all moved by `shift` deviations, and those of a
    kind `apart` from the others; with a `value` every number is that. No two are near duplicates. Each has
    one of so many `persons` in turn, or none, and came so many days ago."""
    rng = np.random.default_rng(seed)
    hashes = np.random.default_rng(seed).integers(-(2**63), 2**63, n)
    kinds = np.arange(n) % len(labels)
    z = rng.normal(size=(n, DIMENSIONS)) + shift
    z[np.arange(n), kinds] += apart
    x = (z @ MIX).astype(np.float32)
    if value is not None:
        x[:] = value
    came = datetime.now(UTC) - timedelta(days=days_ago)
    rows = [
        {
            "photo_id": rng.bytes(32).hex(),
            "label": labels[kinds[place_]],
            "subject": f"{place_ % persons:064x}" if persons else None,
            "embedding": vector,
            "extractor": "generated",
            "weights_id": EMBEDDER,
            "width": 100,
            "height": 100,
            "brightness": float(rng.normal(0.5, 0.05)),
            "sharpness": 1.0,
            "dhash": int(hashes[place_]),
            "embedded_at": came,
        }
        for place_, vector in enumerate(x.tolist())
    ]
    with place.writing() as context:
        ledger = context.lake.ledger
        [chunk] = ledger.plan([ChunkPlan(layer=SILVER, weights_id=EMBEDDER, photos=n)])
        frame = context.lake.rows(catalog.EMBEDDINGS, rows)
        version = context.lake.append(catalog.EMBEDDINGS, frame, chunk=chunk)
        versions = {catalog.EMBEDDINGS.name: version}
        ledger.published(chunk, photos=n, versions=versions, photos_left={})
