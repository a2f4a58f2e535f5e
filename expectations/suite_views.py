"""What a suite sees of its table: the columns but for blobs and vectors, and what rules need besides.

A view is narrow, so that it can be cached; what it adds are facts about a row, never a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DoubleType, IntegerType, StructField, StructType

from lake import catalog
from lake.catalog import Table
from lake.chunks import Chunk
from lake.frames import newest, only
from lake.readable_lake import Lake

DRIFTS: Mapping[str, str] = {
    "mean_shift": "mean_shift",
    "reconstruction_loss": "reconstruction",
    "label_mix_index": "label_mix",
    "brightness_index": "brightness",
    "component_index": "components",
}
"""What the view of gold/features says of a chunk's drift, and where it stands in ops/drift."""

FLOAT64 = np.dtype(np.float64).itemsize


@dataclass(frozen=True)
class Centre:
    """Where the embeddings of a model lie: their mean float64[d], and their mean squared distance to it."""

    mean: NDArray[np.float64]
    spread: float


class Views:
    """The views over one lake. What they compare a chunk with is what the lake held before it."""

    def __init__(self, lake: Lake, *, history_chunks: int) -> None:
        self._lake = lake
        self._history_chunks = history_chunks
        self._centre = cache(self._read_centre)

    def of(
        self,
        table: Table,
        rows: DataFrame,
        *,
        chunk: Chunk | None = None,
        staged_models: DataFrame | None = None,
    ) -> DataFrame:
        """The view of a chunk's rows, or of a whole table's, which has no history but itself."""
        if table is catalog.PHOTOS:
            return photos(rows, history=self._labels_before(chunk))
        if table is catalog.MODELS:
            return models(rows)
        known = self._lake.read(catalog.MODELS)
        if table is catalog.FEATURES:
            if staged_models is not None:
                known = known.unionByName(staged_models)
            return features(rows, known, drift=self._drift(chunk))
        ids = [chunk.model] if chunk else [row[0] for row in _weights_ids(known).collect()]
        centres = {weights_id: self._centre(weights_id) for weights_id in ids}
        return embeddings(rows, known, {key: held for key, held in centres.items() if held})

    def _labels_before(self, chunk: Chunk | None) -> DataFrame | None:
        """The labels of the last bronze chunks before one; None where there are none."""
        if chunk is None or chunk.is_replay:
            return None
        chunks = self._lake.ledger.chunks().values()
        before = sorted(
            c.number
            for c in chunks
            if c.layer == "bronze" and c.is_published and c.photos and c.number < chunk.number
        )[-self._history_chunks :]
        if not before:
            return None
        held = self._lake.read(catalog.PHOTOS, chunks=(before[0], before[-1]))
        return held.select("label")

    def _drift(self, chunk: Chunk | None) -> Mapping[str, float]:
        """A gold chunk's measures in ops/drift, the largest of its components'; 0 where there are none."""
        row = None
        if chunk is not None:
            held = self._lake.read(catalog.DRIFT).where(F.col("chunk") == chunk.number)
            row = newest(held, by="measured_at")
        if row is None:
            return dict.fromkeys(DRIFTS, 0.0)
        return {
            name: max(row[column], default=0.0) if column == "components" else row[column]
            for name, column in DRIFTS.items()
        }

    def _read_centre(self, weights_id: str) -> Centre | None:
        """From gold/moments; None before a model's first embeddings were folded."""
        held = self._lake.read(catalog.MOMENTS).where(F.col("weights_id") == weights_id)
        row = only(held.select("n", "shift", "sum", "gram"))
        if row is None:
            return None
        moved = np.frombuffer(row["sum"]) / row["n"]
        d = len(moved)
        spread = np.frombuffer(row["gram"])[:: d + 1].sum() / row["n"] - moved @ moved
        return Centre(np.frombuffer(row["shift"]) + moved, float(spread))


def _weights_ids(models: DataFrame) -> DataFrame:
    return models.where("kind = 'extractor'").select("weights_id")


def photos(rows: DataFrame, *, history: DataFrame | None = None) -> DataFrame:
    """bronze/photos without `content`.

    `path_subject`: the pseudonym that the path tells. `day_after_upload`: a phone's own date may be one
    ahead of UTC. `label_excess`: see there.
    """
    told = F.regexp_extract("path", "^subject=([0-9a-f]{64})/", 1)
    facts = rows.drop("content").withColumns(
        {
            "path_subject": F.when(told != "", told),
            "day_after_upload": F.date_add(F.to_date("uploaded_at"), 1),
        }
    )
    return label_excess(facts, history)


def label_excess(rows: DataFrame, history: DataFrame | None) -> DataFrame:
    """Adds `label_excess`, whose mean is the share of the rows that their labels are too many by.

    Of a label with the share p here and q in the history it is (p − q − 2σ) / p, but not below 0, with σ
    the standard error of p − q if both were drawn from one mix (the two-proportion z-test): few rows differ
    much by chance. Without a history it is 0.
    """
    if history is None:
        return rows.withColumn("label_excess", F.lit(0.0))
    here, before = _by_label(rows, "n", "rows"), _by_label(history, "m", "held")
    held = before.select("label", "m")
    total = before.agg(F.max("held").alias("held"))
    p = F.col("n") / F.col("rows")
    q = F.col("m") / F.col("held")
    pooled = (F.col("n") + F.col("m")) / (F.col("rows") + F.col("held"))
    error = F.sqrt(pooled * (1 - pooled) * (1 / F.col("rows") + 1 / F.col("held")))
    mix = (
        here.join(held, here["label"].eqNullSafe(held["label"]), how="left")
        .select(here["label"], "n", "rows", F.coalesce("m", F.lit(0)).alias("m"))
        .crossJoin(F.broadcast(total))
        .select(
            F.col("label").alias("mixed"),
            F.greatest(F.lit(0.0), (p - q - 2 * error) / p).alias("label_excess"),
        )
    )
    same = rows["label"].eqNullSafe(mix["mixed"])
    return rows.join(F.broadcast(mix), same, how="left").drop("mixed")


def _by_label(rows: DataFrame, count: str, total: str) -> DataFrame:
    """One row a label: how many rows have it, and how many rows there are."""
    counted = rows.groupBy("label").agg(F.count(F.lit(1)).alias(count))
    everything = counted.agg(F.sum(count).alias(total))
    return counted.crossJoin(F.broadcast(everything))


def embeddings(rows: DataFrame, models: DataFrame, centres: Mapping[str, Centre]) -> DataFrame:
    """silver/embeddings without `embedding`, but for its measures (see `measured`).

    `model_dimensions` and `model_extractor` are what gold/models says of its weights_id.
    """
    known = models.where("kind = 'extractor'").select(
        "weights_id",
        F.col("dimensions").alias("model_dimensions"),
        F.col("extractor").alias("model_extractor"),
    )
    narrow = measured(rows, "embedding", centres=centres)
    return narrow.join(F.broadcast(known), on="weights_id", how="left")


def features(rows: DataFrame, models: DataFrame, *, drift: Mapping[str, float]) -> DataFrame:
    """gold/features without `features`, but for its measures; `model_components` of its PCA version.

    Each row has the drift of its chunk, by DRIFTS.
    """
    known = models.where("kind = 'pca'").select(
        F.col("version").alias("model_version"), F.col("components").alias("model_components")
    )
    narrow = measured(rows, "features", centres={})
    columns = {name: F.lit(value).cast("double") for name, value in drift.items()}
    return narrow.join(F.broadcast(known), on="model_version", how="left").withColumns(columns)


def models(rows: DataFrame) -> DataFrame:
    """gold/models without its matrices.

    `parameter_bytes`: what they hold, and `parameter_bytes_due`: what mean, scale and basis must;
    `scree_gap`: how far `explained_variance` is from its components' part of the scree;
    `champions`: of that model and kind. Of classifiers: `accuracy` and `majority` (see gold/cross_validation.py),
    `accuracy_gap`: how far the first is from what the confusion table says; `kinds`: labels that were
    tested; `cells` of the confusion table, and `cells_due`, unless it is retired, as it may be wiped then;
    `classifier_bytes`.
    """
    kept = F.aggregate(F.slice("scree", 1, F.col("components")), F.lit(0.0), lambda a, x: a + x)
    matrices = ("mean", "scale", "basis")
    held = sum((F.length(name) for name in matrices), F.lit(0))
    due = FLOAT64 * F.col("dimensions") * (2 + F.col("components"))
    champions = F.count(F.when(F.col("status") == "champion", 1))
    is_classifier = F.col("kind") == "classifier"
    is_usable = is_classifier & (F.col("status") != "retired")
    kinds = F.coalesce(F.size("labels"), F.lit(0))
    accuracy = F.col("metrics")["accuracy"]
    return rows.withColumns(
        {
            "parameter_bytes": held.cast("bigint"),
            "parameter_bytes_due": due.cast("bigint"),
            "scree_gap": F.abs(F.col("explained_variance") - kept),
            "champions": champions.over(Window.partitionBy("weights_id", "kind")),
            "accuracy": accuracy,
            "majority": F.col("metrics")["baseline"],
            "accuracy_gap": F.abs(accuracy - _share_right()),
            "kinds": F.when(is_classifier, kinds),
            "cells": F.when(is_usable, F.coalesce(F.size("confusion"), F.lit(0))),
            "cells_due": F.when(is_usable, kinds * kinds),
            "classifier_bytes": F.length("parameters"),
        }
    ).drop(*matrices, "scree", "parameters", "confusion", "metrics")


def _share_right() -> Column:
    """Of a confusion table, true by predicted: its diagonal over its sum. Null where it is empty."""
    diagonal = F.filter("confusion", lambda _, cell: cell % (F.size("labels") + 1) == 0)
    total, right = (
        F.aggregate(cells, F.lit(0).cast("bigint"), lambda a, x: a + x)
        for cells in (F.col("confusion"), diagonal)
    )
    return F.when(total > 0, right / total)


def measured(rows: DataFrame, vector: str, *, centres: Mapping[str, Centre]) -> DataFrame:
    """The rows with measures of an array column in its place, by NumPy on the workers.

    `<vector>_length`: null for null. `<vector>_norm`: Euclidean, float64, null for null, NaN where a value
    is null or NaN. `<vector>_distance`: the squared distance to the centre of the row's weights_id over the
    mean squared distance of the history; 1 without a history, and for a vector of another length.
    """
    narrow = rows.drop(vector).schema
    kept = narrow.fieldNames()
    made = StructType(
        [
            *narrow,
            StructField(f"{vector}_length", IntegerType()),
            StructField(f"{vector}_norm", DoubleType()),
            StructField(f"{vector}_distance", DoubleType()),
        ]
    )

    def measure(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        arrow = to_arrow_schema(made)
        for batch in batches:
            if not batch.num_rows:
                continue
            models = batch.column("weights_id") if "weights_id" in batch.schema.names else None
            columns = [batch.column(name) for name in kept]
            columns += _measures(batch.column(vector), models, centres)
            casted = [c.cast(field.type) for c, field in zip(columns, arrow, strict=True)]
            yield pa.RecordBatch.from_arrays(casted, schema=arrow)

    return rows.mapInArrow(measure, made)


def _measures(
    vectors: pa.ListArray, models: pa.StringArray | None, centres: Mapping[str, Centre]
) -> list[pa.Array]:
    """Lengths, norms and distances of a batch's vectors."""
    n = len(vectors)
    lengths = vectors.value_lengths()
    held = lengths.fill_null(0).to_numpy()
    values = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    row = np.repeat(np.arange(n), held)
    norms = np.sqrt(np.bincount(row, weights=values * values, minlength=n))
    distances = np.ones(n)
    for weights_id, centre in centres.items():
        if models is None or centre.spread <= 0:
            continue
        own = (np.array(models.to_pylist()) == weights_id) & (held == len(centre.mean))
        moved = values[own[row]].reshape(-1, len(centre.mean)) - centre.mean
        distances[own] = np.einsum("ij,ij->i", moved, moved) / centre.spread
    return [lengths, pa.array(norms, mask=lengths.is_null().to_numpy(False)), pa.array(distances)]
