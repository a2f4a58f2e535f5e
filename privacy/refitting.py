"""Models that never saw the erased photos, in the place of those that did, which lose their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pyspark.sql import Row
from pyspark.sql import functions as F

import gold.layer
from conf.errors import Blocked
from gold import models, refit
from lake import catalog, faults
from lake.chunks import Chunk, State
from privacy.desk import Desk
from privacy.erasures import Erasure

LAYER = "erase"


def fit_anew_and_wipe(desk: Desk, erasure: Erasure) -> None:
    """A champion that never saw the photos in the place of one that did; then the old ones are wiped."""
    lake = desk.lake
    for row in _fitted(desk, erasure):
        _finish_gold(desk, row["weights_id"])
    for row in _fitted(desk, erasure):
        if (row["kind"], row["status"]) == (models.PCA, models.CHAMPION):
            _fit_anew(desk, row["weights_id"])
        if (row["kind"], row["status"]) == (models.CLASSIFIER, models.CHAMPION):
            desk.did.notes.append(
                f"{row['version']} was fitted on erased photos and is wiped: run.py train fits another."
            )
    faults.at("erase: fitted anew")
    held = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    if not held.isEmpty():
        nobody = Chunk(0, LAYER, State.PLANNED)
        lake.upsert(catalog.MODELS, models.wiped(held), keys=["version"], chunk=nobody)
    faults.at("erase: models wiped")


def _fitted(desk: Desk, erasure: Erasure) -> Sequence[Row]:
    """The model versions that were fitted on what is erased."""
    rows = desk.lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    found: list[Row] = rows.select("version", "kind", "status", "weights_id").collect()
    return found


def _finish_gold(desk: Desk, weights_id: str) -> None:
    """What a run before left staged: perhaps the very version that is to follow."""
    with _whatever_a_gate_says(desk):
        gold.layer.finish(desk.lake, weights_id, gate=desk.gate, did=desk.did)


def _fit_anew(desk: Desk, weights_id: str) -> None:
    """A new version, which becomes the champion, also where `refit.promote` would let others wait."""
    settings = desk.settings
    promoting = settings.refit.model_copy(update={"promote": True})
    with _whatever_a_gate_says(desk):
        gold.layer.project(
            desk.lake,
            weights_id,
            settings.model_copy(update={"refit": promoting}),
            gate=desk.gate,
            console=desk.console,
            did=desk.did,
            reason=refit.ERASURE,
        )


@contextmanager
def _whatever_a_gate_says(desk: Desk) -> Iterator[None]:
    """No gate holds up an erasure: the model is without a champion then, until it is let through."""
    try:
        yield
    except Blocked as error:
        desk.did.notes.append(f"The fit without the erased photos is blocked: {error}")
