"""gold/models without Spark, in a second: what the page, `predict` and the package `fruit_lake` read."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from conf.errors import BadInput
from conf.identifiers import named
from gold.model_versions import ClassifierVersion, PcaVersion
from lake import catalog, delta_rs_reader
from lake.enums import ModelKind, ModelStatus

Rows = list[dict[str, Any]]


def pca(lake: str, version: str | None = None, *, weights_id: str | None = None) -> PcaVersion:
    """The PCA version whose name is `version`, or alone begins with it. Without a name it is the champion of
    the model `weights_id`, or of the one model that has one.

    Raises BadInput where there is no such version or lake, there are several versions or champions, or the
    parameters were wiped.
    """
    held = rows(lake, ModelKind.PCA)
    found = choose(held, ModelKind.PCA, lake=lake, version=version, weights_id=weights_id)
    return PcaVersion.read(found)


def classifier(
    lake: str, version: str | None = None, *, weights_id: str | None = None
) -> ClassifierVersion:
    """The classifier version of that name, or the champion as `pca` chooses it. Raises BadInput as `pca`."""
    held = rows(lake, ModelKind.CLASSIFIER)
    found = choose(held, ModelKind.CLASSIFIER, lake=lake, version=version, weights_id=weights_id)
    return ClassifierVersion.read(found)


def rows(lake: str, kind: ModelKind) -> Rows:
    """The rows of gold/models of one kind. Raises BadInput where there is no lake."""
    return delta_rs_reader.rows(lake, catalog.MODELS, where=pc.field("kind") == kind)


def choose(
    models: Rows,
    kind: ModelKind,
    *,
    lake: str,
    version: str | None = None,
    weights_id: str | None = None,
) -> dict[str, Any]:
    """The row of a version among `models`, rows of one kind, as `pca` chooses it. Raises BadInput as `pca`,
    with the name of the `lake`."""
    held = [row for row in models if weights_id in (None, row["weights_id"])]
    if not held:
        of = "" if weights_id is None else f" for the model {weights_id}"
        remedy = "--layer gold" if kind == ModelKind.PCA else "train"
        raise BadInput(f"{lake} has no {kind} yet{of}; run.py {remedy} fits one.")
    if version is not None:
        name = named(version, (row["version"] for row in held), what=f"{kind} version")
        return next(row for row in held if row["version"] == name)
    found = [row for row in held if row["status"] == ModelStatus.CHAMPION]
    wanted = ModelStatus.CHAMPION if not found else "single champion"
    if len(found) != 1:
        known = ", ".join(sorted(row["version"] for row in held))
        raise BadInput(f"{lake} has no {kind} {wanted}; name one of its versions: {known}.")
    return found[0]
