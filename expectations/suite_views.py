"""The views that suites judge: a table's columns without blobs and vectors, and further columns for rules.

A view is narrow, so that a chunk's fits in the driver's memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow.compute as pc

from expectations import checked_views, view_columns
from expectations.vector_measures import Centre, VectorMeasures
from expectations.view import View
from expectations.view_columns import EmbeddingColumns, FeatureColumns, PhotoColumns
from expectations.whole_rows import Both, EarlierChunks, OtherChunks, SharedVectors, WholeRows
from lake import catalog, delta_rs_reader, finite_numbers, lake_format
from lake.catalog import Table
from lake.chunks import Chunk
from lake.enums import BRONZE, ModelKind
from lake.readable_lake import Lake
from lake.row_source import RowSource
from lake.subject_names import NameRule

DRIFTS: Mapping[str, str] = {
    "mean_shift": "mean_shift",
    "reconstruction_loss": "reconstruction",
    "label_mix_index": "label_mix",
    "brightness_index": "brightness",
    "component_index": "components",
}
"""The columns for a chunk's drift in the view of gold/features, and their names in ops/drift."""


class Views:
    """The views over one lake. They compare a chunk with what the lake held before it."""

    def __init__(self, lake: Lake, *, history_chunks: int) -> None:
        self._lake = lake
        self._history_chunks = history_chunks
        self._centre = cache(self._read_centre)

    def of(
        self,
        table: Table,
        rows: RowSource,
        *,
        chunk: Chunk | None = None,
        staged_models: Sequence[Mapping[str, Any]] | None = None,
    ) -> View:
        """Return the view of a chunk's rows, or of a whole table's rows where there is no `chunk`.

        A whole table is compared with no history. `staged_models` are rows of gold/models that aren't
        published yet.
        """
        if table is catalog.PHOTOS:
            names = lake_format.name_rule(self._lake.files)
            history = self._labels_before(chunk)
            return photos(rows, history=history, names=names, others=self._others(table, chunk))
        if table is catalog.MODELS:
            return models(rows)
        if table in checked_views.OF:
            return checked_views.OF[table](rows)
        known: list[Mapping[str, Any]] = [*_model_rows(self._lake)]
        if table is catalog.FEATURES:
            known = [*known, *(staged_models or ())]
            others = self._others(table, chunk)
            return features(rows, known, drift=self._drift(chunk), others=others)
        ids = [chunk.model] if chunk else _extractors(known)
        centres = {weights_id: self._centre(weights_id) for weights_id in ids}
        known_centres = {key: centre for key, centre in centres.items() if centre}
        return embeddings(rows, known, known_centres, others=self._others(table, chunk))

    def _others(self, table: Table, chunk: Chunk | None) -> EarlierChunks | OtherChunks:
        """Return what tells of which photos of a chunk another chunk has a row; of bronze's an earlier one.

        Replayed photos are rows of earlier chunks, and were judged with them.
        """
        if table is catalog.PHOTOS:
            is_judged = chunk and not chunk.is_replay
            return EarlierChunks(self._lake, chunk.number if chunk and is_judged else None)
        of = ("weights_id", chunk and chunk.weights_id)
        if table is catalog.FEATURES:
            of = ("model_version", chunk and chunk.model_version)
        where = {name: value for name, value in [of] if value}
        return OtherChunks(self._lake, table, chunk, where)

    def _labels_before(self, chunk: Chunk | None) -> Mapping[str | None, int]:
        """Return the photos of the last bronze chunks before `chunk` by their label; none of a replay."""
        if chunk is None or chunk.is_replay:
            return {}
        chunks = self._lake.ledger.chunks().values()
        before = sorted(
            c.number
            for c in chunks
            if c.layer == BRONZE and c.is_published and c.photos and c.number < chunk.number
        )[-self._history_chunks :]
        return _label_counts(self._lake, before[0], before[-1]) if before else {}

    def _drift(self, chunk: Chunk | None) -> Mapping[str, float | None]:
        """Return a gold chunk's measures in ops/drift by their names in the view; 0 where there are none.

        Of the measures of its components, the largest counts, and one that is no number before any.
        """
        row = None if chunk is None else _drift_row(self._lake, chunk.number)
        if row is None:
            return dict.fromkeys(DRIFTS, 0.0)
        return {
            name: finite_numbers.largest(row[column]) if column == "components" else row[column]
            for name, column in DRIFTS.items()
        }

    def _read_centre(self, weights_id: str) -> Centre | None:
        """Return a model's centre from gold/moments; None before it holds moments of the model."""
        row = _moments_row(self._lake, weights_id)
        if row is None:
            return None
        mean_from_shift = np.frombuffer(row["sum"]) / row["n"]
        d = len(mean_from_shift)
        squares = np.frombuffer(row["gram"])[:: d + 1].sum() / row["n"]
        spread = squares - mean_from_shift @ mean_from_shift
        return Centre(np.frombuffer(row["shift"]) + mean_from_shift, float(spread))


MODEL_FACTS = ("kind", "version", "weights_id", "extractor", "dimensions", "components")
"""The columns of gold/models that other tables' views need."""


def _model_rows(lake: Lake) -> list[dict[str, Any]]:
    """Return the rows of gold/models, with the columns of MODEL_FACTS."""
    return lake.records(catalog.MODELS, columns=MODEL_FACTS)


def _drift_row(lake: Lake, chunk: int) -> dict[str, Any] | None:
    """Return the last row of ops/drift for a gold chunk; None where there is none."""
    measures = lake.records(catalog.DRIFT, where=pc.field("chunk") == chunk)
    return max(measures, key=itemgetter("measured_at"), default=None)


def _moments_row(lake: Lake, weights_id: str) -> dict[str, Any] | None:
    """Return the row of gold/moments for a model; None where there is none."""
    rows = lake.records(
        catalog.MOMENTS,
        columns=["n", "shift", "sum", "gram"],
        where=pc.field("weights_id") == weights_id,
    )
    return rows[0] if rows else None


def _label_counts(lake: Lake, first: int, last: int) -> dict[str | None, int]:
    """Return the number of bronze's photos by label, in the chunks from one number to another."""
    of_chunks = delta_rs_reader.of_chunks(first, last)
    counted: Counter[str | None] = Counter()
    for batch in lake.batches(catalog.PHOTOS, columns=["label"], where=of_chunks):
        for label in batch.column("label").value_counts().to_pylist():
            counted[label["values"]] += label["counts"]
    return dict(counted)


def _extractors(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the weights_id of every extractor among rows of gold/models."""
    return [row["weights_id"] for row in models if row["kind"] == ModelKind.EXTRACTOR]


def photos(
    rows: RowSource, *, history: Mapping[str | None, int], names: NameRule, others: WholeRows
) -> View:
    """Return the view of bronze/photos: the rows without `content`, with the columns of PhotoColumns and of
    `others`.

    `history` is the number of earlier photos by their label, and `names` the lake's rule for names.
    """
    add = PhotoColumns(history, names)
    counted = view_columns.LABEL
    return View(rows, None, add, counted=counted, unread=("content",), whole=others)


def embeddings(
    rows: RowSource,
    models: Iterable[Mapping[str, Any]],
    centres: Mapping[str, Centre],
    *,
    others: WholeRows,
) -> View:
    """Return the view of silver/embeddings: the rows with measures in the place of `embedding`, and the
    columns of EmbeddingColumns, of SharedVectors and of `others`. `models` are rows of gold/models."""
    known = [row for row in models if row["kind"] == ModelKind.EXTRACTOR and row["weights_id"]]
    add = EmbeddingColumns(
        {row["weights_id"]: row["dimensions"] for row in known},
        {row["weights_id"]: row["extractor"] for row in known},
    )
    measures = VectorMeasures("embedding", centres, are_hashed=True)
    return View(rows, measures, add, whole=Both(SharedVectors(), others))


def features(
    rows: RowSource,
    models: Iterable[Mapping[str, Any]],
    *,
    drift: Mapping[str, float | None],
    others: WholeRows,
) -> View:
    """Return the view of gold/features: the rows with measures in the place of `features`, and the columns
    of FeatureColumns and of `others`. `models` are rows of gold/models, and `drift` has a value for each key
    of DRIFTS."""
    known = {row["version"]: row["components"] for row in models if row["kind"] == ModelKind.PCA}
    return View(rows, VectorMeasures("features"), FeatureColumns(known, drift), whole=others)


def models(rows: RowSource) -> View:
    """Return the view of gold/models: the rows with measures in the place of matrices, parameters and
    tables, and with `champions`."""
    champions_by = view_columns.CHAMPIONS_BY
    return View(rows, view_columns.model_measures, view_columns.champions, counted=champions_by)
