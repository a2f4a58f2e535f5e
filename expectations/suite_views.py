"""The views that suites judge: a table's columns without blobs and vectors, and further columns for rules.

A view is narrow, so that a chunk's fits in the driver's memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import DataType, StructType

from expectations import view_columns
from expectations.vector_measures import Centre, VectorMeasures
from expectations.view_columns import Counts, EmbeddingColumns, FeatureColumns, PhotoColumns
from lake import catalog, lake_format
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


@dataclass(frozen=True)
class View:
    """Rows of a table as its suite sees them: in Arrow on the driver, or as a frame of Spark.

    The columns `unread` are left out. `narrow` takes the vectors from a record batch, and puts measures in
    their place. `add` adds columns that need no vector. It also gets the number of rows for each combination
    of values in the columns `counted`. Both forms have the same columns.
    """

    rows: RowSource
    narrow: Callable[[pa.RecordBatch], pa.RecordBatch] | None
    add: Callable[[pa.RecordBatch, Counts], pa.RecordBatch]
    counted: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def columns(self) -> Mapping[str, DataType]:
        """The types of the view's columns, by name."""
        schema = _changed_schema(self._read, self._whole({}))
        return {field.name: field.dataType for field in schema}

    @cached_property
    def _read(self) -> pa.Schema:
        """The columns that are read of the rows."""
        return pa.schema(field for field in self.rows.schema if field.name not in self.unread)

    def _whole(self, counts: Counts) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the whole change of a record batch, for workers too: they must not get the frame."""
        narrow, add = self.narrow, self.add
        return lambda batch: add(batch if narrow is None else narrow(batch), counts)

    def on_driver(self, *, most: int) -> pa.Table | None:
        """Return the view as a table; None where it has more rows than `most`.

        Few rows are read in this process. More are made narrow by one Spark job.
        """
        if self.rows.are_few:
            table = self._read_here()
        else:
            narrow = self.rows.frame().select(*self._read.names)
            if self.narrow is not None:
                narrow = _mapped(narrow, self.narrow)
            table = narrow.limit(most + 1).toArrow()
        if table.num_rows > most:
            return None
        counts = _counts(table, self.counted)
        empty = pa.RecordBatch.from_pylist([], table.schema)
        batches = table.combine_chunks().to_batches() or [empty]
        added = [self.add(batch, counts) for batch in batches]
        return pa.Table.from_batches(added)

    def _read_here(self) -> pa.Table:
        """Return the rows, made narrow a batch at a time."""
        narrow = self.narrow or (lambda batch: batch)
        empty = pa.RecordBatch.from_pylist([], self._read)
        read = self.rows.batches(*self._read.names)
        return pa.Table.from_batches([narrow(empty), *map(narrow, read)])

    def in_spark(self) -> DataFrame:
        """Return the view as a frame. The rows are counted by a Spark job where `add` needs it."""
        rows = self.rows.frame().select(*self._read.names)
        counts: Counts = {}
        if self.counted:
            groups = rows.groupBy(*self.counted).count().collect()
            counts = {tuple(group)[:-1]: group[-1] for group in groups}
        return _mapped(rows, self._whole(counts))


def _mapped(rows: DataFrame, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> DataFrame:
    """Return rows of which the workers have changed each record batch."""
    schema = _changed_schema(to_arrow_schema(rows.schema), change)

    def changed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (change(batch) for batch in batches if batch.num_rows)

    return rows.mapInArrow(changed, schema)


def _changed_schema(
    schema: pa.Schema, change: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> StructType:
    """Return the schema of rows after a change of their record batches."""
    empty = pa.RecordBatch.from_pylist([], schema)
    return from_arrow_schema(change(empty).schema)


def _counts(table: pa.Table, columns: Sequence[str]) -> Counts:
    """Return the number of rows for each combination of values in some columns."""
    if not columns:
        return {}
    grouped = table.group_by(list(columns)).aggregate([([], "count_all")])
    return {tuple(row.values())[:-1]: row["count_all"] for row in grouped.to_pylist()}


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
            return photos(rows, history=self._labels_before(chunk), names=names)
        if table is catalog.MODELS:
            return models(rows)
        known: list[Mapping[str, Any]] = [*_model_rows(self._lake)]
        if table is catalog.FEATURES:
            known = [*known, *(staged_models or ())]
            return features(rows, known, drift=self._drift(chunk))
        ids = [chunk.model] if chunk else _extractors(known)
        centres = {weights_id: self._centre(weights_id) for weights_id in ids}
        return embeddings(rows, known, {key: centre for key, centre in centres.items() if centre})

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

        Of the measures of its components, the largest counts.
        """
        row = None if chunk is None else _drift_row(self._lake, chunk.number)
        if row is None:
            return dict.fromkeys(DRIFTS, 0.0)
        return {
            name: max(row[column], default=0.0) if column == "components" else row[column]
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
    of_chunks = (pc.field("chunk") >= first) & (pc.field("chunk") <= last)
    counted: Counter[str | None] = Counter()
    for batch in lake.batches(catalog.PHOTOS, columns=["label"], where=of_chunks):
        for label in batch.column("label").value_counts().to_pylist():
            counted[label["values"]] += label["counts"]
    return dict(counted)


def _extractors(models: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the weights_id of every extractor among rows of gold/models."""
    return [row["weights_id"] for row in models if row["kind"] == ModelKind.EXTRACTOR]


def photos(rows: RowSource, *, history: Mapping[str | None, int], names: NameRule) -> View:
    """Return the view of bronze/photos: the rows without `content`, with the columns of PhotoColumns.

    `history` is the number of earlier photos by their label, and `names` the lake's rule for names.
    """
    add = PhotoColumns(history, names)
    return View(rows, None, add, counted=view_columns.LABEL, unread=("content",))


def embeddings(
    rows: RowSource, models: Iterable[Mapping[str, Any]], centres: Mapping[str, Centre]
) -> View:
    """Return the view of silver/embeddings: the rows with measures in the place of `embedding`, and the
    columns of EmbeddingColumns. `models` are rows of gold/models."""
    known = [row for row in models if row["kind"] == ModelKind.EXTRACTOR and row["weights_id"]]
    add = EmbeddingColumns(
        {row["weights_id"]: row["dimensions"] for row in known},
        {row["weights_id"]: row["extractor"] for row in known},
    )
    return View(rows, VectorMeasures("embedding", centres), add)


def features(
    rows: RowSource, models: Iterable[Mapping[str, Any]], *, drift: Mapping[str, float | None]
) -> View:
    """Return the view of gold/features: the rows with measures in the place of `features`, and the columns
    of FeatureColumns. `models` are rows of gold/models, and `drift` has a value for each key of DRIFTS."""
    known = {row["version"]: row["components"] for row in models if row["kind"] == ModelKind.PCA}
    return View(rows, VectorMeasures("features"), FeatureColumns(known, drift))


def models(rows: RowSource) -> View:
    """Return the view of gold/models: the rows with measures in the place of matrices, parameters and
    tables, and with `champions`."""
    champions_by = view_columns.CHAMPIONS_BY
    return View(rows, view_columns.model_measures, view_columns.champions, counted=champions_by)
