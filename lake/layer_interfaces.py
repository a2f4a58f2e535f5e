"""What the layers see of parts that they may not import: the gate between two layers, and the extractor.

The layers don't import one another. `expectations` holds the gate and `silver` the model; whoever runs the
flow hands them over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lake.catalog import Table
from lake.chunks import Chunk
from lake.model_identity import ModelIdentity
from lake.row_source import RowSource

NO_REFUSALS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class GateOutcome:
    """A chunk that a gate let through, except for its refused rows.

    `refusals` has one row a refused photo: photo_id, subject, label, reason. It is None where no row was
    refused. `released`: the chunk was blocked and somebody released it, so that every row is refused.
    """

    refusals: DataFrame | None = None
    released: bool = False


class Gate(Protocol):
    """Judges the rows of a chunk by the suite of their table, and records the results in ops/quality."""

    def __call__(
        self,
        rows: RowSource,
        *,
        chunk: Chunk,
        table: Table,
        expected: int,
        refused_before: Mapping[str, int] = NO_REFUSALS,
        staged_models: Sequence[Mapping[str, Any]] | None = None,
    ) -> GateOutcome:
        """Judges rows that have the columns of `table`, whether they are published or staged.

        `expected` is the number of rows that the layer before promises. `refused_before` counts the rows of
        the chunk that were refused earlier, by reason; they count towards the share that blocks.
        `staged_models` are the rows of gold/models that are published together with the chunk.

        Raises Blocked; a chunk that is staged or published is then recorded as blocked.
        """
        ...


class EmbeddingModel(Protocol):
    """The extractor of a run, as the driver knows it.

    `identity` is what makes its embeddings, and `weights_id` the name of that; `dimensions` is the length of
    an embedding.
    """

    @property
    def identity(self) -> ModelIdentity: ...
    @property
    def weights_id(self) -> str: ...
    @property
    def dimensions(self) -> int: ...

    def refusals(self, photos: Sequence[bytes]) -> Iterator[str | None]:
        """Decodes photos in this process, and yields for each, in order, the reason why it is refused; None
        where it is decoded."""
        ...

    def on_workers(self, spark: SparkSession) -> WorkerModel:
        """The model as Spark's workers get it: broadcast, once however often this is called."""
        ...


class WorkerModel(Protocol):
    """An extractor that Spark's workers can embed photos with. `dimensions` is the length of an embedding."""

    @property
    def dimensions(self) -> int: ...

    def in_float32(self) -> AbstractContextManager[WorkerModel]:
        """The same model in float32, to judge its own precision by, in this context alone."""
        ...

    def embed_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Turns record batches of bronze/photos into record batches of embeddings or refusals."""
        ...
