"""gold/models without Spark: what a notebook, `predict` and any other Python reads in a second."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from conf.errors import BadInput
from gold.model_versions import ClassifierVersion, PcaVersion
from lake import catalog, delta_rs_reader
from lake.enums import ModelKind, ModelStatus

Rows = list[dict[str, Any]]


def pca(lake: str, version: str | None = None, *, weights_id: str | None = None) -> PcaVersion:
    """The PCA version of that name. Without a name it is the champion of the model `weights_id`, or of the
    one model that has one.

    Raises BadInput where there is no such version or lake, there are several champions, or the parameters
    were wiped.
    """
    return PcaVersion.read(_one(lake, ModelKind.PCA, version=version, weights_id=weights_id))


def classifier(
    lake: str, version: str | None = None, *, weights_id: str | None = None
) -> ClassifierVersion:
    """The classifier version of that name, or the champion as `pca` chooses it. Raises BadInput as `pca`."""
    return ClassifierVersion.read(
        _one(lake, ModelKind.CLASSIFIER, version=version, weights_id=weights_id)
    )


def rows(lake: str, kind: ModelKind) -> Rows:
    """The rows of gold/models of one kind. Raises BadInput where there is no lake."""
    return delta_rs_reader.rows(lake, catalog.MODELS, where=pc.field("kind") == kind)


def _one(
    lake: str, kind: ModelKind, *, version: str | None, weights_id: str | None
) -> dict[str, Any]:
    held = [row for row in rows(lake, kind) if weights_id in (None, row["weights_id"])]
    if version is not None:
        found = [row for row in held if row["version"] == version]
        wanted = f"version {version}"
    else:
        found = [row for row in held if row["status"] == ModelStatus.CHAMPION]
        wanted = ModelStatus.CHAMPION if not found else "single champion"
    if len(found) != 1:
        known = ", ".join(sorted(row["version"] for row in held)) or "none"
        raise BadInput(f"{lake} has no {kind} {wanted}; name one of its versions: {known}.")
    return found[0]
