"""The model versions of a lake, and vectors for them."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.errors import BadInput
from conf.identifiers import named
from fruit_lake.opened_lake import OpenedLake
from fruit_lake.table_versions import Address, At
from gold import model_reader, moments
from gold.model_versions import NARROW, ClassifierVersion, PcaVersion
from lake import catalog
from lake.enums import ModelKind, ModelStatus

KINDS = (ModelKind.PCA, ModelKind.CLASSIFIER)
"""The kinds of versions that `model` returns. An extractor is a file under `models/` of the lake."""


@overload
def model(
    lake: Address,
    kind: Literal["pca"] = ...,
    *,
    version: str | None = ...,
    weights_id: str | None = ...,
    at: At = ...,
) -> PcaVersion: ...


@overload
def model(
    lake: Address,
    kind: Literal["classifier"],
    *,
    version: str | None = ...,
    weights_id: str | None = ...,
    at: At = ...,
) -> ClassifierVersion: ...


def model(
    lake: Address,
    kind: Literal["pca", "classifier"] = "pca",
    *,
    version: str | None = None,
    weights_id: str | None = None,
    at: At = None,
) -> PcaVersion | ClassifierVersion:
    """Return a PCA version, whose `project` turns embeddings into features, or a classifier version, whose
    `predict` turns what its `input` names into a probability for each of its `labels`.

    It is the champion, or the `version` of that name. Where several extractors have a champion, `weights_id`
    names one of them, by its beginning. `at` is a time, or a version of gold/models.

    Raises BadInput where there is no such lake or version, several versions are meant, or the parameters of
    the version were wiped by an erasure.
    """
    known = {each.value for each in KINDS}
    if kind not in known:
        raise BadInput(f"There are no models of the kind {kind!r}; name one of {_list(known)}.")
    opened = OpenedLake.of(lake, at, catalog.MODELS)
    row = version_row(opened, ModelKind(kind), version=version, weights_id=weights_id)
    return PcaVersion.read(row) if kind == "pca" else ClassifierVersion.read(row)


def models(lake: Address, *, at: At = None) -> pa.Table:
    """Return one row for each model version: extractors, PCAs and classifiers, without their parameters.

    `status` tells the champions, `metrics` the figures of a classifier, and `reason` why a PCA was fitted.
    `at` is a time, or a version of gold/models. Raises BadInput where there is no such lake.
    """
    columns = [name for name in NARROW if name not in ("run_id", "chunk")]
    return OpenedLake.of(lake, at, catalog.MODELS).models(columns)


def matrix(vectors: pa.ChunkedArray | pa.ListArray) -> NDArray[np.float32]:
    """Return a column of features or embeddings as float32[n, d], as NumPy and scikit-learn take it.

    Raises ValueError where the vectors differ in length.
    """
    column = vectors.combine_chunks() if isinstance(vectors, pa.ChunkedArray) else vectors
    return moments.matrix(column)


def version_row(
    opened: OpenedLake,
    kind: ModelKind,
    *,
    version: str | None = None,
    weights_id: str | None = None,
    columns: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """Return the row of gold/models of the version that is meant, as `model` chooses it. Raises BadInput."""
    rows = opened.models(columns, pc.field("kind") == kind).to_pylist()
    if weights_id is not None:
        weights_id = _whole({row["weights_id"] for row in rows}, weights_id, opened)
    return model_reader.choose(rows, kind, lake=opened.told, version=version, weights_id=weights_id)


def extractor_weights(opened: OpenedLake, weights_id: str | None = None) -> str | None:
    """Return the `weights_id` of the extractor that is meant: that of this beginning, or of the one champion
    among the PCAs, or of the one extractor. It is None where the lake has no extractor yet.

    Raises BadInput where the lake has no such extractor, or several are meant.
    """
    columns = ("version", "kind", "status", "weights_id")
    rows = opened.models(columns).to_pylist()
    extractors = {
        row["weights_id"]
        for row in rows
        if row["kind"] == ModelKind.EXTRACTOR and row["status"] != ModelStatus.RETIRED
    }
    if weights_id is not None:
        return _whole(extractors, weights_id, opened)
    champions = {
        row["weights_id"]
        for row in rows
        if (row["kind"], row["status"]) == (ModelKind.PCA, ModelStatus.CHAMPION)
    }
    meant = champions or extractors
    if len(meant) > 1:
        raise BadInput(
            f"{opened.told} has several extractors; name one by weights_id: {_list(meant)}."
        )
    return next(iter(meant), None)


def _whole(known: set[str], beginning: str, opened: OpenedLake) -> str:
    """Return the one `weights_id` with a beginning. Raises BadInput where there is none, or several."""
    return named(
        beginning, known, what="weights_id", otherwise=f"{opened.told} has {_list(known)}."
    )


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
