"""Cases of the suites: rows that every expectation lets pass, and rows or chunks that it catches.

`CAUGHT` names every expectation: one that is deleted, renamed, weakened or made a warning fails its test.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from expectations import checked_views, suite_views, whole_rows
from expectations.pandas_engine import ArrowRows
from expectations.spark_engine import SparkRows
from expectations.validation import ROWS_ON_DRIVER
from expectations.vector_measures import Centre
from gold.classifiers import Classifier
from lake import catalog
from lake.arrow_scan import Scan
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.subject_names import NameRule

SHA = "0123456789abcdef" * 4
OTHER_SHA = "f" * 64
UPLOADED = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
DIMENSIONS, COMPONENTS = 4, 2
CENTRE = Centre(np.zeros(DIMENSIONS), spread=1.0)

PHOTO = {
    "subject": SHA,
    "label": "Granny Smith",
    "path": f"subject={SHA}/{OTHER_SHA}",
    "format": "JPEG",
    "width": 348,
    "height": 464,
    "taken_on": date(2026, 3, 1),
    "uploaded_at": UPLOADED,
    "size_bytes": 40_000,
    "ingested_at": UPLOADED + timedelta(hours=1),
}
EMBEDDING = {
    "subject": SHA,
    "label": "Granny Smith",
    "embedding": [0.5, 0.5, 0.5, 0.5],
    "extractor": "mobilenet_v2",
    "weights_id": SHA,
    "width": 348,
    "height": 464,
    "brightness": 0.5,
    "sharpness": 120.0,
    "dhash": -3,
    "embedded_at": UPLOADED,
}
FEATURE = {"subject": SHA, "label": "kiwi", "features": [0.5, -3.0], "model_version": "pca-1"}
EXTRACTOR = {
    "kind": "extractor",
    "extractor": "mobilenet_v2",
    "source_sha256": OTHER_SHA,
    "precision": "float32",
    "pixels": "bicubic",
    "model_sha256": OTHER_SHA,
    "weights_id": SHA,
    "dimensions": DIMENSIONS,
    "reason": "weights imagenet",
    "status": "converted",
    "created_at": UPLOADED,
}
PCA = {
    "kind": "pca",
    "weights_id": SHA,
    "through_chunk": 2,
    "embeddings_version": 1,
    "settings": "{}",
    "photos": 54,
    "dimensions": DIMENSIONS,
    "components": COMPONENTS,
    "explained_variance": 0.9,
    "scree": [0.6, 0.3, 0.1, 0.0],
    "mean": bytes(8 * DIMENSIONS),
    "scale": bytes(8 * DIMENSIONS),
    "basis": bytes(8 * DIMENSIONS * COMPONENTS),
    "reason": "first",
    "status": "champion",
    "created_at": UPLOADED,
}
JUDGED = {
    "judged_photos": 200.0,
    "cosine_mean": 0.95,
    "cosine_least": 0.8,
    "neighbours_kept": 0.8,
    "variance_kept": 0.95,
}
BFLOAT16 = {"precision": "bfloat16", "metrics": JUDGED}
CLASSIFIER = {
    "kind": "classifier",
    "weights_id": SHA,
    "algorithm": "mlp",
    "input": "embeddings",
    "through_chunk": 2,
    "embeddings_version": 1,
    "settings": "{}",
    "photos": 54,
    "dimensions": DIMENSIONS,
    "labels": ["kiwi", "lime"],
    "confusion": [20, 4, 6, 10],
    "metrics": {"accuracy": 0.75, "baseline": 0.6},
    "parameters": Classifier(("kiwi", "lime"), np.zeros(1), np.ones(1), ()).parameters(),
    "reason": "request",
    "status": "candidate",
    "created_at": UPLOADED,
}
OBJECT = {
    "chunk": 1,
    "etag": "1767250831000000000-130",
    "subject": SHA,
    "outcome": "rejected",
    "seen_at": UPLOADED,
}
REFUSED_OBJECT = {
    "chunk": 1,
    "subject": SHA,
    "path": "a.jpg",
    "size_bytes": 15,
    "uploaded_at": UPLOADED,
    "reason": "not_a_photo",
    "rejected_at": UPLOADED,
}
KNOWN_KEY = {"chunk": 1, "key": bytes(range(16)), "through_chunk": 2, "table_version": 1}
REFUSAL = {
    "subject": SHA,
    "label": "kiwi",
    "weights_id": SHA,
    "stage": "decode",
    "reason": "blank",
    "quarantined_at": UPLOADED,
}
FINITE = np.ones(2).tobytes()
MOMENTS = {
    "n": 54,
    "shift": FINITE,
    "sum": FINITE,
    "gram": FINITE * 2,
    "through_chunk": 2,
    "table_version": 1,
}
TESTED = {
    "subject": SHA,
    "label": "kiwi",
    "scene": 0,
    "fold": 0,
    "predicted": "lime",
    "confidence": 0.5,
    "model_version": "classifier-1",
}
DRIFT = {
    "chunk": 9,
    "weights_id": SHA,
    "photos": 6,
    "mean_shift": 0.0,
    "reconstruction": 0.0,
    "label_mix": 0.0,
    "brightness": 0.0,
    "components": [0.0, 0.1],
    "measured_at": UPLOADED,
}
RUN = "20260301T233000.000Z-0123abcd"
RECORDED = {
    "layer": "silver",
    "status": "done",
    "started_at": UPLOADED,
    "finished_at": UPLOADED,
    "counts": {"in": 3, "kept": 0},
    "settings_hash": SHA[:16],
}
PLANNED = {"run_id": RUN, "layer": "bronze", "state": "planned", "photos": 6, "bytes": 130}
PLANNED |= {"versions": {}, "at": UPLOADED}
OF_SILVER = {"layer": "silver", "weights_id": SHA, "source_from": 2, "source_to": 2}
OF_GOLD = {**OF_SILVER, "layer": "gold", "source_to": 3}
RESULT = {
    "run_id": RUN,
    "chunk": 1,
    "suite": "bronze_photos",
    "severity": "critical",
    "success": True,
    "unexpected_count": 0,
    "element_count": 6,
    "table_version": 1,
    "action": "passed",
    "judged_at": UPLOADED,
}
TOMBSTONE = {"of": "photo", "request": "R-1", "reason": "erasure", "made_at": UPLOADED}
ERASURE = {
    "state": "requested",
    "mode": "immediate",
    "subject": SHA,
    "photo_ids": [OTHER_SHA],
    "entry": 1,
    "at": UPLOADED,
}
KEYS = {
    catalog.PHOTOS: "photo_id",
    catalog.EMBEDDINGS: "photo_id",
    catalog.FEATURES: "photo_id",
    catalog.MODELS: "version",
    catalog.OBJECTS: "object",
    catalog.REJECTED: "object",
    catalog.KNOWN_KEYS: "label",
    catalog.QUARANTINE: "photo_id",
    catalog.MOMENTS: "weights_id",
    catalog.HELD_OUT: "photo_id",
    catalog.RUNS: "code_revision",
    catalog.CHUNKS: "model_version",
    catalog.DRIFT: "model_version",
    catalog.QUALITY: "expectation",
    catalog.TOMBSTONES: "tombstone",
    catalog.ERASURES: "request",
}
PLAIN = {
    catalog.PHOTOS: PHOTO,
    catalog.EMBEDDINGS: EMBEDDING,
    catalog.FEATURES: FEATURE,
    catalog.MODELS: EXTRACTOR,
    catalog.OBJECTS: OBJECT,
    catalog.REJECTED: REFUSED_OBJECT,
    catalog.KNOWN_KEYS: KNOWN_KEY,
    catalog.QUARANTINE: REFUSAL,
    catalog.MOMENTS: MOMENTS,
    catalog.HELD_OUT: TESTED,
    catalog.RUNS: RECORDED,
    catalog.CHUNKS: PLANNED,
    catalog.DRIFT: DRIFT,
    catalog.QUALITY: RESULT,
    catalog.TOMBSTONES: TOMBSTONE,
    catalog.ERASURES: ERASURE,
}
NUMBERED = {
    catalog.RUNS: lambda n: {"run_id": f"{RUN[:-8]}{n:08x}"},
    catalog.CHUNKS: lambda n: {"chunk": n, "entry": n},
}
"""By table: what differs in each row, by the number of the row."""

EARLIER = "e" * 64
"""The id of a photo of which another chunk has a row."""

NAN = float("nan")
ONE_NAN = np.array([1.0, NAN]).tobytes()
LATER, SOONER = UPLOADED + timedelta(days=1), UPLOADED - timedelta(seconds=1)
GOOD = {
    catalog.PHOTOS: [
        {},
        {"subject": None, "path": "label=kiwi/a.jpg", "label": "k" * 255},
        {"label": None, "taken_on": None},
        {"width": 1, "height": 65535, "size_bytes": 1, "format": "PNG"},
        {"width": 16383, "height": 16383, "size_bytes": 10**9, "format": "WEBP"},
        {"ingested_at": UPLOADED, "taken_on": date(1990, 1, 1)},
        {"taken_on": date(2026, 3, 2)},
    ],
    catalog.EMBEDDINGS: [
        {},
        {"subject": None, "label": None, "width": 1, "height": 65535},
        {"brightness": 0.0, "sharpness": 0.0, "embedding": [1e-5, 0.0, 0.0, 0.0]},
        {"brightness": 1.0, "sharpness": 1_040_400.0},
    ],
    catalog.FEATURES: [{}, {"subject": None, "label": None, "features": [0.0, 0.0]}],
    catalog.MODELS: [
        {},
        PCA,
        PCA | {"version": "pca-0", "status": "retired", "mean": None, "basis": None},
        PCA | {"version": "pca-3", "status": "candidate"},
        PCA
        | {"version": "pca-2", "weights_id": OTHER_SHA, "components": 1, "basis": bytes(8 * DIMENSIONS)}
        | {"explained_variance": 1.0, "scree": [1.0, 0.0, 0.0, 0.0], "photos": 2},
        CLASSIFIER | {"version": "classifier-1"},
        CLASSIFIER | {"version": "classifier-2", "status": "champion"},
        CLASSIFIER
        | {"version": "classifier-0", "status": "retired", "parameters": None, "confusion": None},
        BFLOAT16 | {"version": "extractor-2"},
    ],
    catalog.OBJECTS: [
        {},
        {"subject": None, "outcome": "stored", "photo_id": SHA},
        {"outcome": "duplicate", "photo_id": SHA},
        {"outcome": "expired", "photo_id": SHA},
        {"outcome": "tombstoned", "etag": "unreadable 1-2"},
    ],
    catalog.REJECTED: [{}, {"subject": None, "size_bytes": 0}, {"size_bytes": None}],
    catalog.KNOWN_KEYS: [
        {"of": "version", "label": "kiwi", "split": "Training"},
        {"of": "photo", "label": "", "split": ""},
        {"of": "unreadable", "through_chunk": 1, "table_version": 0},
    ],
    catalog.QUARANTINE: [
        {},
        {"stage": "bronze", "label": None, "subject": None, "replayed_at": UPLOADED},
        {"photo_id": SHA, "stage": "silver", "replayed_at": LATER},
        {"photo_id": SHA, "reason": "expectation:label-well-formed"},
        {"photo_id": SHA, "weights_id": OTHER_SHA},
    ],
    catalog.MOMENTS: [
        {},
        {"n": 0, "through_chunk": 0, "table_version": 0},
        {"shift": b"", "sum": b"", "gram": b""},
    ],
    catalog.HELD_OUT: [
        {},
        {"subject": None, "confidence": 0.0},
        {"photo_id": SHA, "confidence": 1.0},
        {"photo_id": SHA, "model_version": "classifier-2"},
        {"photo_id": EARLIER, "scene": None, "fold": None, "labelled_at": LATER, "learned": False},
    ],
    catalog.RUNS: [
        {},
        *({"status": status} for status in ("blocked", "failed", "stopped", "pending")),
        {"run_id": RUN, "layer": "bronze", "counts": {}, "finished_at": LATER},
        {"run_id": RUN, "layer": "tombstones", "counts": None, "error": "stopped: SIGTERM"},
    ],
    catalog.CHUNKS: [
        {},
        *(
            {**OF_SILVER, "chunk": 101, "entry": entry, "state": state, "versions": versions}
            for entry, (state, versions) in enumerate(
                [
                    ("planned", {}),
                    ("staged", {}),
                    ("blocked", None),
                    ("judged", {}),
                    ("published", {"silver/quarantine": 1, "silver/embeddings": 1}),
                    ("retired", {"silver/embeddings": 1}),
                ],
                start=1,
            )
        ),
        {"chunk": 102, "entry": 1},
        {"chunk": 102, "entry": 4, "state": "published", "photos": 0},
        {"chunk": 102, "entry": 5, "state": "judged", "versions": {"bronze/photos": 2}},
        {"chunk": 102, "entry": 6, "state": "released", "versions": {"bronze/photos": 2}},
        {**OF_GOLD, "chunk": 103, "entry": 7},
        {**OF_GOLD, "chunk": 103, "entry": 8, "state": "staged"},
        {**OF_GOLD, "chunk": 103, "entry": 9, "state": "released"},
        {**OF_GOLD, "chunk": 103, "entry": 10, "state": "retired"},
        {"layer": "silver", "weights_id": SHA, "bytes": 0},
        {"chunk": 104, "entry": 2, "layer": "departure"},
        {"chunk": 104, "entry": 3, "layer": "departure", "state": "published"},
        {"chunk": 105, "entry": 3, "layer": "training", "weights_id": SHA},
        {"chunk": 105, "entry": 4, "layer": "training", "weights_id": SHA, "state": "planned"},
        {"chunk": 107, "entry": 1, "layer": "testing", "weights_id": SHA, "model_version": "c-1"},
        {"chunk": 106, "entry": 4, "layer": "retire"},
        {"chunk": 106, "entry": 5, "layer": "retire", "state": "retired"},
        *({"layer": layer} for layer in ("erase", "retain", "restore", "rekey")),
    ],
    catalog.DRIFT: [{}, {"photos": 1, "mean_shift": 9.0}],
    catalog.QUALITY: [
        {},
        {"success": False, "action": "warned", "severity": "warning", "unexpected_count": 6},
        {"success": False, "action": "quarantined", "table_version": None},
        {"success": False, "action": "released", "element_count": None},
        {"success": False, "action": "blocked", "unexpected_count": None, "element_count": 0},
        {"expectation": "photo-id-unique"},
        {"expectation": "photo-id-unique", "judged_at": LATER},
        {"expectation": "photo-id-unique", "suite": "gold_features"},
        {"expectation": "photo-id-unique", "suite": "gold_models", "severity": "info"},
        {"expectation": "photo-id-unique", "suite": "silver_embeddings", "chunk": 2},
    ],
    catalog.TOMBSTONES: [
        {},
        {"expires_at": UPLOADED, "lifted_at": UPLOADED, "of": "subject"},
        {"tombstone": SHA, "of": "photo_id"},
        {"tombstone": SHA, "request": "R-2", "expires_at": LATER},
        {"tombstone": SHA + SHA, "of": "subjects_photo"},
    ],
    catalog.ERASURES: [
        {},
        {"subject": None, "mode": "rekey", "state": "certified"},
        {"request": "R-1", "mode": "deferred"},
        {"request": "R-1", "entry": 2, "state": "fenced"},
    ],
}  # fmt: skip

CAUGHT = {
    catalog.PHOTOS: {
        "photo-id-present": {"photo_id": None},
        "photo-id-is-sha256": [{"photo_id": "F" * 64}, {"photo_id": SHA + "\n"}],
        "photo-id-unique": [{"photo_id": "d" * 64}, {"photo_id": "d" * 64}],
        "photo-in-one-chunk": {"photo_id": EARLIER},
        "subject-is-pseudonym": {"subject": "anna", "path": "a.jpg", "path_differs": True},
        "path-present": {"path": None, "subject": None},
        "path-agrees-with-subject": [
            {"path": "a.jpg"},
            {"subject": None},
            {"subject": None, "path": "Subject=anna/a.jpg"},
            {"subject": None, "path": "user=anna/a.jpg"},
            {"path": f"subject={SHA}/subject=anna/a.jpg"},
        ],
        "label-well-formed": [{"label": "kiwi\n"}, {"label": "  "}, {"label": "k" * 256}],
        "split-well-formed": [{"split": "Test\n"}, {"split": ""}, {"split": "t" * 256}],
        "format-present": {"format": None},
        "format-known": {"format": "GIF"},
        "width-present": {"width": None},
        "width-in-range": [{"width": 0}, {"width": 65536}],
        "height-present": {"height": None},
        "height-in-range": [{"height": 0}, {"height": 65536}],
        "webp-width-in-range": {"width": 16384, "format": "WEBP"},
        "webp-height-in-range": {"height": 16384, "format": "WEBP"},
        "size-present": {"size_bytes": None},
        "size-in-range": [{"size_bytes": 0}, {"size_bytes": 10**9 + 1}],
        "upload-time-present": {"uploaded_at": None},
        "ingestion-time-present": {"ingested_at": None},
        "uploaded-before-ingested": {"ingested_at": UPLOADED - timedelta(seconds=1)},
        "taken-since-1990": {"taken_on": date(1989, 12, 31)},
        "taken-before-upload": {"taken_on": date(2026, 3, 3)},
    },
    catalog.EMBEDDINGS: {
        "photo-id-present": {"photo_id": None},
        "photo-id-is-sha256": {"photo_id": "a" * 63},
        "photo-and-model-unique": [{"photo_id": "d" * 64}, {"photo_id": "d" * 64}],
        "photo-in-one-chunk": {"photo_id": EARLIER},
        "subject-is-pseudonym": {"subject": "anna"},
        "label-well-formed": {"label": ""},
        "weights-id-present": {"weights_id": None},
        "weights-id-is-sha256": {"weights_id": "mobilenet"},
        "extractor-of-model": {"extractor": "resnet50"},
        "embedding-length-of-model": [{"embedding": [1.0]}, {"embedding": None}, {"embedding": []}],
        "embedding-norm-in-range": [
            {"embedding": [0.0, 0.0, 0.0, 0.0]},
            {"embedding": [float("nan"), 1.0, 1.0, 1.0]},
            {"embedding": [float("inf"), 1.0, 1.0, 1.0]},
            {"embedding": [None, 1.0, 1.0, 1.0]},
            {"embedding": [10_001.0, 0.0, 0.0, 0.0]},
        ],
        "width-present": {"width": None},
        "width-in-range": {"width": 0},
        "height-present": {"height": None},
        "height-in-range": {"height": 65536},
        "brightness-present": {"brightness": None},
        "brightness-in-range": [{"brightness": -0.01}, {"brightness": 1.01}],
        "sharpness-present": {"sharpness": None},
        "sharpness-in-range": [{"sharpness": -1.0}, {"sharpness": float("nan")}],
        "dhash-present": {"dhash": None},
        "embedding-time-present": {"embedded_at": None},
    },
    catalog.FEATURES: {
        "photo-id-present": {"photo_id": None},
        "photo-id-is-sha256": {"photo_id": "x"},
        "photo-and-version-unique": [{"photo_id": "d" * 64}, {"photo_id": "d" * 64}],
        "photo-in-one-chunk": {"photo_id": EARLIER},
        "subject-is-pseudonym": {"subject": "anna"},
        "label-well-formed": {"label": "\t"},
        "model-version-present": {"model_version": None},
        "features-length-of-version": [
            {"features": [1.0]},
            {"features": None},
            {"model_version": "pca-9"},
        ],
        "features-norm-in-range": [{"features": [float("nan"), 0.0]}, {"features": [1e6, 0.0]}],
    },
    catalog.MODELS: {
        "version-present": {"version": None},
        "version-unique": [{"version": "twice"}, {"version": "twice"}],
        "kind-present": {"kind": None},
        "kind-known": {"kind": "svm"},
        "status-present": {"status": None},
        "status-known": {"status": "best"},
        "weights-id-present": {"weights_id": None},
        "weights-id-is-sha256": {"weights_id": "x"},
        "creation-time-present": {"created_at": None},
        "reason-present": {"reason": None},
        "dimensions-present": {"dimensions": None},
        "dimensions-in-range": {"dimensions": 0},
        "extractor-name-present": {"extractor": None},
        "source-is-sha256": {"source_sha256": "x"},
        "source-present": {"source_sha256": None},
        "model-file-is-sha256": {"model_sha256": "x"},
        "precision-known": {"precision": "float16"},
        "pixels-known": {"pixels": "nearest"},
        "components-present": PCA | {"status": "retired", "components": None},
        "components-in-range": PCA | {"status": "retired", "components": 0},
        "components-within-dimensions": PCA | {"status": "retired", "components": 5},
        "explained-variance-present": PCA | {"status": "retired", "explained_variance": None},
        "explained-variance-in-range": [
            PCA | {"status": "retired", "explained_variance": 0.0, "scree": [0.0] * 4},
            PCA | {"status": "retired", "explained_variance": float("nan")},
        ],
        "explained-variance-useful": PCA
        | {"status": "retired", "explained_variance": 0.09, "scree": [0.09, 0.0, 0.0, 0.0]},
        "scree-agrees": PCA | {"status": "retired", "explained_variance": 0.91},
        "values-finite": [
            PCA | {"status": "retired", "mean": ONE_NAN},
            PCA | {"status": "retired", "basis": np.array([float("inf")]).tobytes()},
            PCA | {"status": "retired", "variance": NAN},
            PCA | {"status": "retired", "reference": '{"residual": NaN}'},
            PCA | {"status": "retired", "scree": [0.6, 0.3, NAN, 0.0]},
        ],
        "photos-in-range": PCA | {"status": "retired", "photos": 1},
        "photos-present": PCA | {"status": "retired", "photos": None},
        "through-chunk-present": PCA | {"status": "retired", "through_chunk": None},
        "embeddings-version-present": PCA | {"status": "retired", "embeddings_version": None},
        "settings-present": PCA | {"status": "retired", "settings": None},
        "parameters-whole": PCA | {"basis": None, "weights_id": "1" * 64},
        "algorithm-present": CLASSIFIER | {"algorithm": None},
        "algorithm-known": CLASSIFIER | {"algorithm": "forest"},
        "input-present": CLASSIFIER | {"input": None},
        "kinds-in-range": CLASSIFIER
        | {"labels": ["kiwi"], "confusion": [4], "metrics": {"accuracy": 1.0, "baseline": 0.9}},
        "confusion-whole": CLASSIFIER
        | {"confusion": [3, 0, 1], "metrics": {"accuracy": 0.75, "baseline": 0.6}},
        "accuracy-present": CLASSIFIER | {"metrics": {"baseline": 0.6}},
        "accuracy-agrees": CLASSIFIER | {"metrics": {"accuracy": 0.76, "baseline": 0.6}},
        "accuracy-above-majority": CLASSIFIER | {"metrics": {"accuracy": 0.75, "baseline": 0.75}},
        "classifier-parameters-present": CLASSIFIER
        | {"status": "champion", "parameters": None, "weights_id": "3" * 64},
        "precision-cosine-near": BFLOAT16 | {"metrics": {**JUDGED, "cosine_mean": 0.9499}},
        "precision-least-cosine-near": BFLOAT16 | {"metrics": {**JUDGED, "cosine_least": 0.7999}},
        "precision-neighbours-kept": BFLOAT16 | {"metrics": {**JUDGED, "neighbours_kept": 0.7999}},
        "precision-variance-kept": BFLOAT16 | {"metrics": {**JUDGED, "variance_kept": 0.9499}},
        "one-champion": [PCA | {"weights_id": "2" * 64}, PCA | {"weights_id": "2" * 64}],
    },
    catalog.OBJECTS: {
        "object-present": {"object": None},
        "object-is-hash": {"object": "kiwi/a.jpg"},
        "etag-present": {"etag": None},
        "subject-is-pseudonym": {"subject": "anna"},
        "outcome-present": {"outcome": None},
        "outcome-known": {"outcome": "lost"},
        "photo-id-is-sha256": {"photo_id": "x"},
        "stored-has-photo": {"outcome": "stored"},
        "photo-stored-once": [{"outcome": "stored", "photo_id": "d" * 64}] * 2,
        "label-agrees": {"path": "Lime/a.jpg"},
        "seen-time-present": {"seen_at": None},
        "chunk-present": {"chunk": None},
    },
    catalog.REJECTED: {
        "object-present": {"object": None},
        "object-is-hash": {"object": "kiwi/a.jpg"},
        "subject-is-pseudonym": {"subject": "anna"},
        "reason-present": {"reason": None},
        "reason-well-formed": {"reason": "not a photo"},
        "size-in-range": {"size_bytes": -1},
        "rejection-time-present": {"rejected_at": None},
        "chunk-present": {"chunk": None},
    },
    catalog.KNOWN_KEYS: {
        "key-present": [{"of": "photo", "key": None}, {"of": None}],
        "key-is-16-bytes": [{"of": "photo", "key": bytes(n)} for n in (15, 17)],
        "kind-known": {"of": "row"},
        "key-unique": [{"of": "version", "key": b"k" * 16}] * 2,
        "chunk-present": {"of": "photo", "key": b"e" * 16, "chunk": None},
        "through-chunk-present": {"of": "photo", "key": b"a" * 16, "through_chunk": None},
        "through-chunk-in-range": {"of": "photo", "key": b"b" * 16, "through_chunk": 0},
        "table-version-present": {"of": "photo", "key": b"c" * 16, "table_version": None},
        "table-version-in-range": {"of": "photo", "key": b"d" * 16, "table_version": -1},
    },
    catalog.QUARANTINE: {
        "photo-id-present": {"photo_id": None},
        "photo-id-is-sha256": {"photo_id": "x"},
        "subject-is-pseudonym": {"subject": "anna"},
        "label-well-formed": {"label": "\n"},
        "weights-id-present": {"weights_id": None},
        "weights-id-is-sha256": {"weights_id": "x"},
        "stage-present": {"stage": None},
        "stage-known": {"stage": "gold"},
        "reason-present": {"reason": None},
        "quarantine-time-present": {"quarantined_at": None},
        "one-open-refusal": [{"photo_id": "d" * 64, "stage": s} for s in ("decode", "silver")],
        "replayed-after-refused": {"replayed_at": SOONER},
    },
    catalog.MOMENTS: {
        "weights-id-present": {"weights_id": None},
        "weights-id-is-sha256": {"weights_id": "x"},
        "weights-id-unique": [{"weights_id": "d" * 64}] * 2,
        "count-present": {"n": None},
        "count-in-range": {"n": -1},
        "through-chunk-present": {"through_chunk": None},
        "through-chunk-in-range": {"through_chunk": -1},
        "table-version-present": {"table_version": None},
        "table-version-in-range": {"table_version": -1},
        "sum-whole": {"sum": FINITE[:8]},
        "gram-whole": {"gram": FINITE},
        "values-finite": [{"sum": ONE_NAN}, {"gram": ONE_NAN * 2}, {"shift": ONE_NAN}],
    },
    catalog.HELD_OUT: {
        "photo-id-present": {"photo_id": None},
        "photo-id-is-sha256": {"photo_id": "x"},
        "photo-and-version-unique": [{"photo_id": "d" * 64}] * 2,
        "subject-is-pseudonym": {"subject": "anna"},
        "label-present": {"label": None},
        "label-well-formed": {"label": " "},
        "prediction-present": {"predicted": None},
        "prediction-well-formed": {"predicted": ""},
        "scene-present": {"scene": None},
        "scene-in-range": {"scene": -1},
        "fold-present": {"fold": None},
        "fold-in-range": {"fold": -1},
        "confidence-present": {"confidence": None},
        "confidence-in-range": [{"confidence": NAN}, {"confidence": 1.1}, {"confidence": -0.1}],
        "model-version-present": {"model_version": None},
        "later-label-whole": [{"labelled_at": LATER}, {"learned": True}],
    },
    catalog.DRIFT: {
        "chunk-present": {"chunk": None},
        "weights-id-present": {"weights_id": None},
        "weights-id-is-sha256": {"weights_id": "x"},
        "model-version-present": {"model_version": None},
        "photos-present": {"photos": None},
        "photos-in-range": {"photos": 0},
        "measure-time-present": {"measured_at": None},
        "measures-in-range": [{"mean_shift": -0.1}, {"components": [0.0, -0.1]}],
        "measures-finite": [
            {"mean_shift": NAN},
            {"reconstruction": float("inf")},
            {"brightness": None},
            {"components": [0.1, NAN]},
            {"components": None},
        ],
    },
    catalog.RUNS: {
        "run-id-present": {"run_id": None},
        "run-id-well-formed": [{"run_id": "run"}, {"run_id": RUN + "\n"}, {"run_id": RUN[:-1]}],
        "layer-present": {"layer": None},
        "layer-well-formed": [{"layer": "Anna B."}, {"layer": ""}],
        "layer-once-a-run": [{"run_id": RUN}] * 2,
        "status-present": {"status": None},
        "status-known": [{"status": "running"}, {"status": "lost"}],
        "start-time-present": {"started_at": None},
        "end-time-present": {"finished_at": None},
        "finished-after-started": {"finished_at": SOONER},
        "counts-in-range": [{"counts": {"in": 3, "kept": -1}}, {"counts": {"in": None}}],
        "settings-hash-present": {"settings_hash": None},
        "settings-hash-is-hash": [{"settings_hash": SHA}, {"settings_hash": "settings"}],
        "code-revision-present": {"code_revision": None},
    },
    catalog.CHUNKS: {
        "run-id-present": {"run_id": None},
        "run-id-well-formed": {"run_id": "run"},
        "chunk-present": {"chunk": None},
        "chunk-in-range": {"chunk": 0},
        "layer-present": {"layer": None},
        "layer-known": {"layer": "train"},
        "chunk-of-one-layer": [{"chunk": 900}, {"chunk": 900, "layer": "erase"}],
        "state-present": {"state": None},
        "state-known": {"state": "lost"},
        "state-of-layer": [
            {"state": "retired"},
            {"state": "released", **OF_SILVER},
            {"state": "judged", "layer": "training", "weights_id": SHA},
            {"state": "blocked", "layer": "departure"},
            {"state": "staged", "layer": "retire"},
            *({"state": "staged", "layer": n} for n in ("erase", "retain", "restore", "rekey")),
        ],
        "planned-first": {"state": "staged"},
        "entry-present": {"entry": None},
        "entry-in-range": {"entry": 0},
        "entry-once-a-chunk": [{"chunk": 901, "entry": 5}] * 2,
        "photos-present": {"photos": None},
        "photos-in-range": {"photos": -1},
        "bytes-present": {"bytes": None},
        "bytes-in-range": {"bytes": -1},
        "weights-id-is-sha256": {"weights_id": "x"},
        "layer-facts-present": [
            {**OF_SILVER, "weights_id": None},
            {"layer": "training"},
            {"layer": "testing"},
            *({**OF_GOLD, name: None} for name in ("weights_id", "model_version")),
            {**OF_GOLD, "source_from": None, "source_to": None},
            *({**OF_SILVER, name: None} for name in ("source_from", "source_to")),
        ],
        "sources-in-order": {**OF_SILVER, "source_from": 3},
        "sources-before-chunk": {**OF_SILVER, "chunk": 902, "source_to": 902},
        "versions-of-tables": [
            {"versions": {"bronze/photo": 1}},
            {"versions": {"bronze/photos": 0}},
            {"versions": {"bronze/photos": 1, "bronze/objects": None}},
        ],
        "published-has-version": [
            {"state": "published", "versions": {"bronze/objects": 1}},
            *({"state": state, "versions": None} for state in ("judged", "blocked", "released")),
            {"state": "published", **OF_SILVER, "versions": {"silver/quarantine": 1}},
            {"state": "published", **OF_GOLD, "versions": {"gold/models": 1}},
        ],
        "state-time-present": {"at": None},
    },
    catalog.QUALITY: {
        "run-id-present": {"run_id": None},
        "run-id-well-formed": {"run_id": "run"},
        "chunk-present": {"chunk": None},
        "chunk-in-range": {"chunk": 0},
        "suite-present": {"suite": None},
        "suite-known": {"suite": "gold_moments"},
        "expectation-present": {"expectation": None},
        "result-once-a-gate": [{"expectation": "photo-id-unique"}] * 2,
        "severity-present": {"severity": None},
        "severity-known": {"severity": "error"},
        "success-present": {"success": None},
        "action-present": {"action": None},
        "action-known": {"action": "skipped", "success": False},
        "action-agrees-with-success": [
            {"success": False},
            *({"action": each} for each in ("warned", "quarantined", "blocked", "released")),
        ],
        "failing-in-range": {"unexpected_count": -1},
        "rows-in-range": {"element_count": -1, "unexpected_count": None},
        "failing-within-rows": {"unexpected_count": 7},
        "table-version-in-range": {"table_version": -1},
        "judgement-time-present": {"judged_at": None},
    },
    catalog.TOMBSTONES: {
        "tombstone-present": {"tombstone": None},
        "tombstone-is-hash": [
            {"tombstone": "anna"},
            {"tombstone": SHA + SHA},
            {"of": "subjects_photo"},
            {"of": "subjects_photo", "tombstone": SHA + "anna"},
        ],
        "kind-present": {"of": None},
        "kind-known": {"of": "album"},
        "request-present": {"request": None},
        "tombstone-once-a-request": [{"tombstone": "d" * 64}] * 2,
        "making-time-present": {"made_at": None},
        "expires-after-made": {"expires_at": SOONER},
        "lifted-after-made": {"lifted_at": SOONER},
    },
    catalog.ERASURES: {
        "request-present": {"request": None},
        "state-present": {"state": None},
        "state-known": {"state": "lost"},
        "mode-present": {"mode": None},
        "mode-known": {"mode": "soon"},
        "subject-is-pseudonym": {"subject": "anna"},
        "entry-present": {"entry": None},
        "entry-in-range": {"entry": 0},
        "entry-once-a-request": [{"request": "R-9"}] * 2,
        "state-time-present": {"at": None},
    },
}
"""By table and expectation: what differs in one or more rows that it catches."""

ALSO_CAUGHT = {
    (catalog.PHOTOS, "subject-is-pseudonym"): {"path-agrees-with-subject"},
    (catalog.EMBEDDINGS, "weights-id-present"): {"extractor-of-model", "embedding-length-of-model"},
    (catalog.EMBEDDINGS, "weights-id-is-sha256"): {
        "extractor-of-model",
        "embedding-length-of-model",
    },
    (catalog.EMBEDDINGS, "embedding-length-of-model"): {"embedding-norm-in-range"},
    (catalog.FEATURES, "model-version-present"): {"features-length-of-version"},
    (catalog.MODELS, "kind-known"): {
        "photos-present",
        "through-chunk-present",
        "embeddings-version-present",
        "settings-present",
    },
    (catalog.MODELS, "components-in-range"): {"scree-agrees"},
    (catalog.MODELS, "components-within-dimensions"): {"scree-agrees"},
    (catalog.MODELS, "explained-variance-in-range"): {
        "explained-variance-useful",
        "scree-agrees",
        "values-finite",
    },
    **{
        (catalog.CHUNKS, made_for): {"planned-first"}
        for made_for in ("state-known", "state-of-layer", "published-has-version")
    },
}
"""Expectations that catch such rows as well, by the nature of the fault."""

WHOLE = {
    (catalog.PHOTOS, "labels-mostly-present"): (
        [{}, {"label": None}],
        [{"label": None}] * 3 + [{}],
    ),
    (catalog.PHOTOS, "label-mix-as-before"): ([{}] * 30, [{"label": "pear"}] * 30),
    (catalog.EMBEDDINGS, "brightness-mean-plausible"): (
        [{"brightness": 0.98}, {"brightness": 0.05}],
        [{"brightness": 0.99}],
    ),
    (catalog.EMBEDDINGS, "embeddings-as-before"): (
        [{"embedding": [2**0.5, 0.0, 0.0, 0.0]}],
        [{"embedding": [1.5, 0.0, 0.0, 0.0]}],
    ),
}
"""Warnings about a whole chunk: rows that pass, and rows that are caught."""

LOOKS = [{"dhash": place, "embedding": [0.5, 0.5, 0.5, place / 100 + 0.1]} for place in range(5)]
ALIKE = [{"dhash": 100 + place} for place in range(6)]
BLOCKS_WHOLE = {
    (catalog.EMBEDDINGS, "vectors-differ"): (
        [
            LOOKS + ALIKE[:5],  # 5 of 10 looks have the vector of another
            ALIKE + ALIKE[:3],  # too few looks to tell
            [{"dhash": 7}] * 30,  # one look: a burst of equal pictures has one vector
            [{**each, "weights_id": w} for w in (SHA, OTHER_SHA) for each in ALIKE[:5] + LOOKS],
        ],
        [
            [{"dhash": place} for place in range(10)],
            LOOKS[:4] + ALIKE + [{"dhash": place} for place in range(50, 53)],
        ],
    ),
}
"""Critical rules about a whole chunk: chunks that pass, and chunks that are blocked."""

MEASURED = "drift-measured"
"""The critical rule that blocks a gold chunk whose drift is no number."""

DRIFT_RULES = {
    f"drift-of-{what}" for what in ("mean", "reconstruction", "labels", "brightness", "components")
}
"""Warnings about a gold chunk, from what was measured of it before."""

ROWS_PROMISED = "rows-as-promised"
"""Of the suites of photos' tables with a gate: the number of rows."""

PROMISED = (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES)
"""The tables of which the layer before tells how many rows there must be."""


@dataclass(frozen=True)
class Elsewhere:
    """Tells of some photos that another chunk has a row of each (`whole_rows.OtherChunks`)."""

    ids: frozenset = frozenset({EARLIER})

    def of_table(self, rows):
        return partial(whole_rows.with_before, self.ids)

    of_frame = of_table

    def of_none(self):
        return self.of_table(None)


def made(table, differences, *, spark=None):
    """Rows of a table that differ so from a plain one, each with a key of its own."""
    key = KEYS[table]
    rows = []
    for place, different in enumerate(differences):
        plain = PLAIN[table] if different.get("kind") != "pca" else {}
        numbered = NUMBERED.get(table, lambda n: {})(place + 1)
        rows.append({key: f"{place:064x}", **numbered, **plain, **different})
    values = arrow_rows(table, rows)
    scan = Scan(lambda: pyarrow.dataset.dataset(values), most=lambda: values.num_rows)
    return RowSource(lambda: spark.createDataFrame(values, table.schema), scan)


def seen(table, differences, *, spark=None, **drift):
    """The view of such rows. The lake held apples before, and embeddings about the origin.

    It needs `spark` only for its form in Spark.
    """
    rows = made(table, differences, spark=spark)
    if table is catalog.PHOTOS:
        history = {PHOTO["label"]: 30}
        return suite_views.photos(rows, history=history, names=NameRule(), others=Elsewhere())
    if table is catalog.MODELS:
        return suite_views.models(rows)
    if table in checked_views.OF:
        return checked_views.OF[table](rows)
    known = [EXTRACTOR, PCA | {"version": "pca-1"}]
    known = [dict.fromkeys(suite_views.MODEL_FACTS) | row for row in known]
    if table is catalog.EMBEDDINGS:
        return suite_views.embeddings(rows, known, {SHA: CENTRE}, others=Elsewhere())
    measures = dict.fromkeys(suite_views.DRIFTS, 0.0) | drift
    return suite_views.features(rows, known, drift=measures, others=Elsewhere())


def on_driver(view):
    """The rows of a view, for pandas."""
    return ArrowRows(view.on_driver(most=ROWS_ON_DRIVER))


def read_by_spark(view):
    """The view of rows that only Spark can read."""
    return replace(view, rows=RowSource(view.rows.frame))


def in_spark(view):
    """The rows of a view, for Spark."""
    return SparkRows(view.in_spark())


def refused(verdict, *columns, otherwise=None):
    """The refused rows of a verdict, each a tuple of some columns and its reason, in any order.

    With `otherwise`, the other rows come too, and this is their reason.
    """
    found = verdict.refusals.rows(*columns, otherwise=otherwise)
    if isinstance(found, pa.Table):
        return [tuple(row.values()) for row in found.to_pylist()]
    return [tuple(row) for row in found.collect()]
