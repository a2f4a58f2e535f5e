"""The views that suites judge: a table's columns without blobs and vectors, and further columns for rules.

A view is narrow, so that it can be cached. The columns that it adds are facts about a row, never a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from expectations.vector_measures import Centre, measured
from lake import catalog
from lake.catalog import Table
from lake.chunks import Chunk
from lake.enums import BRONZE, ModelKind, ModelStatus
from lake.readable_lake import Lake

DRIFTS: Mapping[str, str] = {
    "mean_shift": "mean_shift",
    "reconstruction_loss": "reconstruction",
    "label_mix_index": "label_mix",
    "brightness_index": "brightness",
    "component_index": "components",
}
"""The columns for a chunk's drift in the view of gold/features, and their names in ops/drift."""

FLOAT64 = np.dtype(np.float64).itemsize


class Views:
    """The views over one lake. They compare a chunk with what the lake held before it."""

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
        staged_models: Sequence[Mapping[str, Any]] | None = None,
    ) -> DataFrame:
        """Return the view of a chunk's rows, or of a whole table's rows where there is no `chunk`.

        A whole table is compared with no history. `staged_models` are rows of gold/models that aren't
        published yet.
        """
        if table is catalog.PHOTOS:
            return photos(rows, history=self._labels_before(chunk))
        if table is catalog.MODELS:
            return models(rows)
        known = self._lake.rows(
            catalog.MODELS, [*self._lake.records(catalog.MODELS), *(staged_models or ())]
        )
        if table is catalog.FEATURES:
            return features(rows, known, drift=self._drift(chunk))
        ids = [chunk.model] if chunk else [row[0] for row in _weights_ids(known).collect()]
        centres = {weights_id: self._centre(weights_id) for weights_id in ids}
        return embeddings(rows, known, {key: centre for key, centre in centres.items() if centre})

    def _labels_before(self, chunk: Chunk | None) -> DataFrame | None:
        """Return the labels of the last bronze chunks before `chunk`; None where there are none."""
        if chunk is None or chunk.is_replay:
            return None
        chunks = self._lake.ledger.chunks().values()
        before = sorted(
            c.number
            for c in chunks
            if c.layer == BRONZE and c.is_published and c.photos and c.number < chunk.number
        )[-self._history_chunks :]
        if not before:
            return None
        history = self._lake.read(catalog.PHOTOS, chunks=(before[0], before[-1]))
        return history.select("label")

    def _drift(self, chunk: Chunk | None) -> Mapping[str, float]:
        """Return a gold chunk's measures in ops/drift by their names in the view; 0 where there are none.

        Of the measures of its components, the largest counts.
        """
        row = None
        if chunk is not None:
            measures = self._lake.records(catalog.DRIFT, where=pc.field("chunk") == chunk.number)
            row = max(measures, key=lambda row: row["measured_at"], default=None)
        if row is None:
            return dict.fromkeys(DRIFTS, 0.0)
        return {
            name: max(row[column], default=0.0) if column == "components" else row[column]
            for name, column in DRIFTS.items()
        }

    def _read_centre(self, weights_id: str) -> Centre | None:
        """Return a model's centre from gold/moments; None before it holds moments of the model."""
        rows = self._lake.records(
            catalog.MOMENTS,
            columns=["n", "shift", "sum", "gram"],
            where=pc.field("weights_id") == weights_id,
        )
        if not rows:
            return None
        [row] = rows
        mean_from_shift = np.frombuffer(row["sum"]) / row["n"]
        d = len(mean_from_shift)
        squares = np.frombuffer(row["gram"])[:: d + 1].sum() / row["n"]
        spread = squares - mean_from_shift @ mean_from_shift
        return Centre(np.frombuffer(row["shift"]) + mean_from_shift, float(spread))


def _weights_ids(models: DataFrame) -> DataFrame:
    """Return the weights_id of every extractor in gold/models."""
    return models.where(F.col("kind") == ModelKind.EXTRACTOR).select("weights_id")


def photos(rows: DataFrame, *, history: DataFrame | None = None) -> DataFrame:
    """Return the view of bronze/photos: the rows without `content`.

    It adds `path_subject`, the pseudonym in the path, or null without one; `day_after_upload`, because a
    phone's own date may be one day ahead of UTC; and `label_excess`, as the function of that name does.
    """
    pseudonym = F.regexp_extract("path", "^subject=([0-9a-f]{64})/", 1)
    facts = rows.drop("content").withColumns(
        {
            "path_subject": F.when(pseudonym != "", pseudonym),
            "day_after_upload": F.date_add(F.to_date("uploaded_at"), 1),
        }
    )
    return label_excess(facts, history)


def label_excess(rows: DataFrame, history: DataFrame | None) -> DataFrame:
    """Return the rows with a column `label_excess`, whose mean is the share of surplus rows.

    Rows are surplus where a label is more frequent than in the history. For a label with the share p here
    and q in the history, `label_excess` is (p − q − 2σ) / p, and at least 0. σ is the standard error of
    p − q if both were drawn from one mix (the two-proportion z-test), because the shares of a few rows vary
    much by chance. Without a history it is 0.
    """
    if history is None:
        return rows.withColumn("label_excess", F.lit(0.0))
    here, before = _by_label(rows, "n", "rows"), _by_label(history, "m", "history_rows")
    counts_before = before.select("label", "m")
    total = before.agg(F.max("history_rows").alias("history_rows"))
    p = F.col("n") / F.col("rows")
    q = F.col("m") / F.col("history_rows")
    pooled = (F.col("n") + F.col("m")) / (F.col("rows") + F.col("history_rows"))
    error = F.sqrt(pooled * (1 - pooled) * (1 / F.col("rows") + 1 / F.col("history_rows")))
    mix = (
        here.join(counts_before, here["label"].eqNullSafe(counts_before["label"]), how="left")
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
    """Return one row for each label: in `count` the rows that have it, and in `total` all rows."""
    counted = rows.groupBy("label").agg(F.count(F.lit(1)).alias(count))
    everything = counted.agg(F.sum(count).alias(total))
    return counted.crossJoin(F.broadcast(everything))


def embeddings(rows: DataFrame, models: DataFrame, centres: Mapping[str, Centre]) -> DataFrame:
    """Return the view of silver/embeddings: the rows with the measures of `embedding` in its place.

    It adds `model_dimensions` and `model_extractor`, which gold/models has for the weights_id. `measured`
    describes the measures.
    """
    known = models.where(F.col("kind") == ModelKind.EXTRACTOR).select(
        "weights_id",
        F.col("dimensions").alias("model_dimensions"),
        F.col("extractor").alias("model_extractor"),
    )
    narrow = measured(rows, "embedding", centres=centres)
    return narrow.join(F.broadcast(known), on="weights_id", how="left")


def features(rows: DataFrame, models: DataFrame, *, drift: Mapping[str, float]) -> DataFrame:
    """Return the view of gold/features: the rows with the measures of `features` in its place.

    It adds `model_components`, the number of components of the PCA version, and the chunk's drift in the
    columns of DRIFTS. `measured` describes the measures.
    """
    known = models.where(F.col("kind") == ModelKind.PCA).select(
        F.col("version").alias("model_version"), F.col("components").alias("model_components")
    )
    narrow = measured(rows, "features", centres={})
    columns = {name: F.lit(value).cast("double") for name, value in drift.items()}
    return narrow.join(F.broadcast(known), on="model_version", how="left").withColumns(columns)


def models(rows: DataFrame) -> DataFrame:
    """Return the view of gold/models: the rows without matrices, parameters, confusion table and metrics.

    It adds for every row:
    `parameter_bytes`, the bytes of mean, scale and basis, and `parameter_bytes_due`, their right number;
    `scree_gap`, the distance of `explained_variance` from its components' part of the scree;
    `champions`, the number of champions of that weights_id and kind.

    It adds for classifiers (see gold/cross_validation.py), where other rows have null:
    `accuracy` and `majority`, the accuracy and its baseline;
    `accuracy_gap`, the distance of the accuracy from that of the confusion table;
    `kinds`, the number of tested labels;
    `cells`, the number of cells of the confusion table, and `cells_due`, their right number, both null for a
    retired classifier, whose table may be wiped;
    `classifier_bytes`, the bytes of its parameters.
    """
    explained = F.aggregate(
        F.slice("scree", 1, F.col("components")), F.lit(0.0), lambda a, x: a + x
    )
    matrices = ("mean", "scale", "basis")
    stored = sum((F.length(name) for name in matrices), F.lit(0))
    due = FLOAT64 * F.col("dimensions") * (2 + F.col("components"))
    champions = F.count(F.when(F.col("status") == ModelStatus.CHAMPION, 1))
    is_classifier = F.col("kind") == ModelKind.CLASSIFIER
    is_usable = is_classifier & (F.col("status") != ModelStatus.RETIRED)
    kinds = F.coalesce(F.size("labels"), F.lit(0))
    accuracy = F.col("metrics")["accuracy"]
    return rows.withColumns(
        {
            "parameter_bytes": stored.cast("bigint"),
            "parameter_bytes_due": due.cast("bigint"),
            "scree_gap": F.abs(F.col("explained_variance") - explained),
            "champions": champions.over(Window.partitionBy("weights_id", "kind")),
            "accuracy": accuracy,
            "majority": F.col("metrics")["baseline"],
            "accuracy_gap": F.abs(accuracy - _confusion_accuracy()),
            "kinds": F.when(is_classifier, kinds),
            "cells": F.when(is_usable, F.coalesce(F.size("confusion"), F.lit(0))),
            "cells_due": F.when(is_usable, kinds * kinds),
            "classifier_bytes": F.length("parameters"),
        }
    ).drop(*matrices, "scree", "parameters", "confusion", "metrics")


def _confusion_accuracy() -> Column:
    """Return the accuracy in the column `confusion`: the sum of its diagonal over that of all cells.

    The table is stored row by row. The accuracy is null where the table is empty.
    """
    diagonal = F.filter("confusion", lambda _, cell: cell % (F.size("labels") + 1) == 0)
    total, right = (
        F.aggregate(cells, F.lit(0).cast("bigint"), lambda a, x: a + x)
        for cells in (F.col("confusion"), diagonal)
    )
    return F.when(total > 0, right / total)
