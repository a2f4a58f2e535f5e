"""Models that never saw the erased photos, in the place of those that did, which lose their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyspark.sql import Row
from pyspark.sql import functions as F

import gold.project
import gold.training
from conf.errors import BadInput, Blocked
from gold import model_versions, refit
from lake import catalog, fault_points
from privacy.desk import Desk
from privacy.erasure.request_journal import NOBODY, ErasureRequest

MAKERS: Mapping[str, Callable[..., None]] = {
    model_versions.PCA: gold.project.project,
    model_versions.CLASSIFIER: gold.training.train,
}
"""What makes versions of a kind anew; classifiers after the PCA whose features they are fitted on."""


def fit_anew_and_wipe(desk: Desk, erasure: ErasureRequest) -> None:
    """A champion that never saw the photos in the place of one that did; then the old ones are wiped."""
    lake = desk.lake
    for row in _fitted(desk, erasure):
        _finish_gold(desk, row["weights_id"])
    for kind, make in MAKERS.items():
        for row in _fitted(desk, erasure):
            if (row["kind"], row["status"]) == (kind, model_versions.CHAMPION):
                _make_anew(desk, make, row["weights_id"])
    fault_points.at("erase: fitted anew")
    held = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    if not held.isEmpty():
        lake.upsert(catalog.MODELS, model_versions.wiped(held), keys=["version"], chunk=NOBODY)
    fault_points.at("erase: models wiped")


def _fitted(desk: Desk, erasure: ErasureRequest) -> Sequence[Row]:
    """The model versions that were fitted on what is erased."""
    rows = desk.lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    found: list[Row] = rows.select("version", "kind", "status", "weights_id").collect()
    return found


def _finish_gold(desk: Desk, weights_id: str) -> None:
    """What a run before left staged: perhaps the very version that is to follow."""
    with _whatever_a_gate_says(desk):
        gold.project.finish(desk.lake, weights_id, gate=desk.gate, did=desk.did)
    gold.training.finish(desk.lake, weights_id, did=desk.did)


def _make_anew(desk: Desk, make: Callable[..., None], weights_id: str) -> None:
    """A new version, which becomes the champion, also where `refit.promote` would let others wait."""
    refits = desk.settings.refit.model_copy(update={"promote": True})
    settings = desk.settings.model_copy(update={"refit": refits})
    with _whatever_a_gate_says(desk):
        make(
            desk.lake,
            weights_id,
            settings,
            gate=desk.gate,
            console=desk.console,
            did=desk.did,
            reason=refit.ERASURE,
        )


@contextmanager
def _whatever_a_gate_says(desk: Desk) -> Iterator[None]:
    """Neither a gate nor too few photos hold up an erasure: the model is without a champion then, until one
    is fitted again."""
    try:
        yield
    except (Blocked, BadInput) as error:
        desk.did.notes.append(f"Nothing is fitted without the erased photos: {error}")
