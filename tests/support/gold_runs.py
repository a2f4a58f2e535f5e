"""Runs of the gold layer over generated embeddings, and what they left."""

import numpy as np

import gold.project
from expectations.gate import SuiteGate
from gold.moments import Moments
from lake import catalog
from lake.run_journal import LayerRun
from tests.support.generated_embeddings import EMBEDDER


def project(place, **more):
    """The gold layer's next run: what it did."""
    with place.writing() as context:
        did = LayerRun("gold")
        gate = SuiteGate(context.lake, context.settings.gates, did)
        gold.project.project(
            context.lake,
            EMBEDDER,
            context.settings,
            gate=gate,
            console=context.console,
            did=did,
            **more,
        )
    return did


def promote(place, name):
    with place.writing() as context:
        did = LayerRun("gold")
        gate = SuiteGate(context.lake, context.settings.gates, did)
        gold.project.promote(context.lake, name, gate=gate, console=context.console, did=did)
    return did


def embeddings(place):
    rows = place.lake.read(catalog.EMBEDDINGS).orderBy("photo_id").collect()
    return np.array([row["embedding"] for row in rows])


def agrees_with_silver(place):
    """Whether gold/moments are those of silver/embeddings."""
    row = place.lake.read(catalog.MOMENTS).first()
    held, x = Moments.read(row.asDict()), embeddings(place)
    anew = Moments.of(x, held.shift)
    close = np.allclose(held.gram, anew.gram, atol=1e-9 * np.trace(anew.gram))
    return held.n == len(x) and close
