"""Runs of the gold layer over generated embeddings, and what they left."""

from unittest import mock

import numpy as np

from gold import gold_layer, moments_table
from gold import promote as by_hand
from gold.moments import Moments
from lake import catalog
from lake.enums import GOLD
from tests.support.generated_embeddings import EMBEDDER


def project(place, **more):
    """The gold layer's next run: what it did."""
    with place.writing() as context:
        step = context.step(GOLD)
        gold_layer.project(step, EMBEDDER, **more)
    return step.did


def no_embedding_waits():
    """A context in which gold/moments follow each run, however few embeddings are new."""
    return mock.patch.object(moments_table, "WAITING", 0)


def promote(place, name):
    """Makes a version the champion: what the step did."""
    with place.writing() as context:
        step = context.step(GOLD)
        by_hand.promote(step, name)
    return step.did


def embeddings(place, *, through=None):
    """The published embeddings, photos × numbers, by photo_id; those up to a chunk alone, or all."""
    rows = place.lake.read(catalog.EMBEDDINGS).orderBy("photo_id").collect()
    return np.array([r["embedding"] for r in rows if through is None or r["chunk"] <= through])


def agrees_with_silver(place):
    """Whether gold/moments are those of silver/embeddings up to the chunk that they name."""
    row = place.lake.read(catalog.MOMENTS).first()
    held, x = Moments.read(row.asDict()), embeddings(place, through=row["through_chunk"])
    anew = Moments.of(x, held.shift)
    close = np.allclose(held.gram, anew.gram, atol=1e-9 * np.trace(anew.gram))
    return held.n == len(x) and close
