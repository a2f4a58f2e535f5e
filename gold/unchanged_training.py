"""Whether a training would only make the classifiers again that a lake has: from the same rows, settings and
code."""

from __future__ import annotations

import json
from typing import Any

import pyarrow.compute as pc

from conf.settings import TrainingSettings
from gold import model_versions, near_duplicates
from gold.classifiers import KINDS
from gold.model_versions import EMBEDDINGS, NARROW
from lake import catalog
from lake.chunks import published
from lake.enums import SILVER, TRAINING, ModelKind, ModelStatus
from lake.readable_lake import Lake


def champion_of_same_training(
    lake: Lake, weights_id: str, settings: TrainingSettings
) -> str | None:
    """Return the model's champion among classifiers where a training now would make the same ones, as fits
    are deterministic; None where anything differs, or isn't known.

    What must be equal: the embeddings (the same last chunk, and none that left since), the champion PCA, the
    settings of trainings, the algorithms, and the revision of the code, with no file changed since. A
    version that somebody promoted by hand from another training is a difference too.
    """
    known = lake.records(catalog.MODELS, columns=NARROW)
    pca = model_versions.champion_row(known, weights_id=weights_id)
    chunks = published(lake.ledger.chunks().values(), layer=SILVER, weights_id=weights_id)
    if pca is None or not chunks or any(c.layer == TRAINING for c in lake.ledger.unfinished()):
        return None
    lineage = (chunks[-1].number, lineage_settings(settings))
    classifiers = model_versions.versions(known, weights_id=weights_id, kind=ModelKind.CLASSIFIER)
    runs = _runs_of_same_code(lake)
    same = [
        row
        for row in classifiers
        if row["status"] in (ModelStatus.CHAMPION, ModelStatus.CANDIDATE)
        and (row["through_chunk"], json.loads(row["settings"])) == lineage
        and row["run_id"] in runs
        and lake.only_added_to(catalog.EMBEDDINGS, since=row["embeddings_version"])
    ]
    inputs = {(row["algorithm"], row["input"]) for row in same}
    if inputs != {(kind, each) for kind in KINDS for each in (EMBEDDINGS, pca["version"])}:
        return None
    champions = (row["version"] for row in same if row["status"] == ModelStatus.CHAMPION)
    return next(champions, None)


def lineage_settings(settings: TrainingSettings) -> dict[str, Any]:
    """Return what the lineage of a classifier says of its settings."""
    return settings.model_dump(mode="json") | {"near_bits": near_duplicates.DISTANCE}


def _runs_of_same_code(lake: Lake) -> set[str]:
    """Return the runs that the same code made; none where its revision doesn't tell what the code was."""
    revision = lake.run.code_revision
    if revision == "unknown" or revision.endswith("+"):
        return set()
    same = pc.field("code_revision") == revision
    return {row["run_id"] for row in lake.records(catalog.RUNS, columns=["run_id"], where=same)}
