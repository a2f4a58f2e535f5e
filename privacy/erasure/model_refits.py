"""Models that never saw the erased photos, in the place of those that did, which lose their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pyspark.sql import Row
from pyspark.sql import functions as F

from conf.errors import BadInput, Blocked
from gold import model_versions, refit, training
from gold.project import finish, project
from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.column_values import ERASE, ModelKind, ModelStatus
from lake.context import Context
from privacy.erasure.request_journal import ErasureRequest

MAKERS: Mapping[ModelKind, Callable[..., None]] = {
    ModelKind.PCA: project,
    ModelKind.CLASSIFIER: training.train,
}
"""What makes new versions of a kind. Classifiers come after the PCA whose features they are fitted on."""


def fit_anew_and_wipe(context: Context, erasure: ErasureRequest) -> None:
    """Puts champions that never saw the erased photos in the place of those that did, then wipes the old
    versions."""
    lake = context.lake
    for row in _fitted(context, erasure):
        _finish_gold(context, row["weights_id"])
    for kind, make in MAKERS.items():
        for row in _fitted(context, erasure):
            if (row["kind"], row["status"]) == (kind, ModelStatus.CHAMPION):
                _make_anew(context, make, row["weights_id"])
    fault_points.at("erase: fitted anew")
    held = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    if not held.isEmpty():
        wiped = model_versions.wiped(held)
        lake.upsert(catalog.MODELS, wiped, keys=["version"], chunk=NoChunk(ERASE))
    fault_points.at("erase: models wiped")


def _fitted(context: Context, erasure: ErasureRequest) -> Sequence[Row]:
    """The model versions that were fitted on what is erased."""
    rows = context.lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    found: list[Row] = rows.select("version", "kind", "status", "weights_id").collect()
    return found


def _finish_gold(context: Context, weights_id: str) -> None:
    """Publishes what an earlier run left staged: perhaps the very version that is to follow."""
    with _whatever_a_gate_says(context):
        finish(context, weights_id)
    training.finish(context, weights_id)


def _make_anew(context: Context, make: Callable[..., None], weights_id: str) -> None:
    """Makes a new version, which becomes the champion also where `refit.promote` would let others wait."""
    refits = context.settings.refit.model_copy(update={"promote": True})
    settings = context.settings.model_copy(update={"refit": refits})
    with _whatever_a_gate_says(context):
        make(replace(context, settings=settings), weights_id, reason=refit.ERASURE)


@contextmanager
def _whatever_a_gate_says(context: Context) -> Iterator[None]:
    """Lets neither a gate nor too few photos hold up an erasure: the model has no champion then, until one is
    fitted again."""
    try:
        yield
    except (Blocked, BadInput) as error:
        context.did.notes.append(f"Nothing is fitted without the erased photos: {error}")
