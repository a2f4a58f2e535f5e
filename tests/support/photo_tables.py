"""Small tables of a lake's photos, written without Spark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from gold.classifiers import Classifier
from gold.model_versions import ClassifierVersion
from lake import catalog
from lake.enums import ModelStatus
from lake.small_tables import arrow_rows

WEIGHTS = "a" * 64
FITTED = datetime(2026, 11, 1, tzinfo=UTC)
BEFORE, AFTER = FITTED - timedelta(days=1), FITTED + timedelta(days=1)


def write(root, table, rows):
    """Write rows of a table, each with the columns that matter; the others are null."""
    schema = arrow_rows(table, []).schema
    whole = [{"run_id": "run", "chunk": 2} | row for row in rows]
    data = pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in whole], schema)
    write_deltalake(f"{root}/{table.name}", data, mode="append", schema_mode="merge")


def embedding(photo_id, label="kiwi", **more):
    """A row of silver/embeddings."""
    row = {"photo_id": photo_id, "label": label, "weights_id": WEIGHTS, "embedded_at": BEFORE}
    measures = {"dhash": len(photo_id), "brightness": 0.5, "sharpness": 100.0}
    return row | measures | {"embedding": [1.0, 0.0]} | more


def classifier(
    *,
    photos,
    tested,
    labels=("kiwi", "lime"),
    learned=("kiwi", "lime", "plum"),
    acceptance=None,
):
    """A classifier version that learned some labels, of which `labels` were tested."""
    d, n = 2, len(learned)
    layers = ((np.zeros((d, n)), np.arange(n, dtype=float)),)
    return ClassifierVersion(
        version="classifier-aaaaaaaa-1",
        weights_id=WEIGHTS,
        through_chunk=2,
        embeddings_version=0,
        photos=photos,
        reason="asked",
        supersedes=None,
        metrics={
            "tested": float(tested),
            "accuracy": 0.9,
            "accuracy_low": 0.4,
            "accuracy_high": 1.0,
            "groups": float(tested),
            "calibration_error": 0.05,
            "sure_share": 0.5,
            "sure_from": 0.8,
        },
        algorithm="mlp",
        input="embeddings",
        classifier=Classifier(tuple(learned), np.zeros(d), np.ones(d), layers, 1.0, acceptance),
        labels=tuple(labels),
        confusion=np.eye(len(labels), dtype=np.int64),
    )


def write_training(root, version, *, tested):
    """Write what a training leaves: the version's row, and the photos that it was tested on."""
    row = version.row(status=ModelStatus.CHAMPION) | {"created_at": FITTED}
    write(root, catalog.MODELS, [row])
    held = [{"photo_id": photo, "model_version": version.version} for photo in tested]
    # Another version was tested on other photos.
    write(root, catalog.HELD_OUT, [*held, {"photo_id": "other", "model_version": "classifier-0"}])
