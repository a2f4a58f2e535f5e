"""Refits of models after an erasure. Models that were fitted on the erased photos lose their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput, Blocked, Inconsistent
from gold import model_versions, pca_refit, training
from gold.gold_layer import finish, project
from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.context import Context
from lake.enums import ERASE, ModelKind, ModelStatus
from privacy.erasure.erasure_request import ErasureRequest

MAKERS: Mapping[ModelKind, Callable[..., None]] = {
    ModelKind.PCA: project,
    ModelKind.CLASSIFIER: training.train,
}
"""The function that fits a new version, by the kind of model. Classifiers come last, because they are fitted
on the features of a PCA."""


def fit_anew_and_wipe(context: Context, erasure: ErasureRequest) -> None:
    """Replace the champions that were, or may have been, fitted on the erased photos, then wipe all such
    versions, also of retired models."""
    lake = context.lake
    for row in _fitted(context, erasure):
        _publish_staged_gold(context, row["weights_id"])
    for kind, make in MAKERS.items():
        for row in _fitted(context, erasure):
            if (row["kind"], row["status"]) == (kind, ModelStatus.CHAMPION):
                _refit(context, make, row["weights_id"])
    fault_points.at("erase: fitted anew")
    if fitted := _fitted(context, erasure):
        wiped = model_versions.wiped(fitted)
        lake.put(catalog.MODELS, wiped, keys=["version"], chunk=NoChunk(ERASE))
    fault_points.at("erase: models wiped")


def _fitted(context: Context, erasure: ErasureRequest) -> model_versions.Rows:
    """Return the row of each model version that was, or may have been, fitted on the erased photos, and of
    each classifier that takes the features of such a version."""
    names = pa.array(erasure.fitted, pa.string())
    where = pc.field("version").isin(names) | pc.field("input").isin(names)
    return context.lake.records(catalog.MODELS, where=where)


def _publish_staged_gold(context: Context, weights_id: str) -> None:
    """Publish the gold chunks and classifiers that an earlier run left staged.

    One of them may be the version that replaces a champion.
    """
    with _despite_a_failed_refit(context):
        finish(context, weights_id)
    training.finish(context)


def _refit(context: Context, make: Callable[..., None], weights_id: str) -> None:
    """Fit a new version and make it the champion, even where the setting `refit.promote` is false."""
    refit_settings = context.settings.refit.model_copy(update={"promote": True})
    settings = context.settings.model_copy(update={"refit": refit_settings})
    with _despite_a_failed_refit(context):
        make(replace(context, settings=settings), weights_id, reason=pca_refit.ERASURE)


@contextmanager
def _despite_a_failed_refit(context: Context) -> Iterator[None]:
    """Continue the erasure where a gate blocks a refit, too few photos are left for one, or embeddings of
    others can't be used.

    The model then has no champion until one is fitted again. A note tells the user.
    """
    try:
        yield
    except (Blocked, BadInput, Inconsistent) as error:
        context.did.notes.append(
            f"A model was made from the erased photos, and no new one could be fitted: {error}"
        )
