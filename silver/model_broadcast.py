"""The extractor of a run: converted once, kept under the lake's `models/`, broadcast to the workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from conf.errors import BadInput, Inconsistent
from conf.settings import ModelSettings, PhotoSettings
from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.enums import SILVER, ModelKind, ModelStatus
from lake.extractor_status import extractors, mark
from lake.storage.folder import Folder
from lake.writable_lake import WritableLake
from silver import litert_conversion, pixels
from silver.decoder_process import Decoder
from silver.embedding_rows import BroadcastModel
from silver.litert_runtime import Interpreter
from silver.model_artifact import (
    PRECISION,
    Conversion,
    Lineage,
    converted,
    source_sha256,
)
from silver.pixels import Limits, RefusedPhoto

Row = Mapping[str, Any]
"""A row of gold/models, by column name."""


class DriverModel:
    """An extractor on the driver: the `content` of its LiteRT flatbuffer, and how photos are decoded for it.

    `embedding_rows.BroadcastModel` describes the other fields.
    """

    def __init__(
        self,
        extractor: str,
        *,
        weights_id: str,
        size: int,
        dimensions: int,
        content: bytes,
        limits: Limits,
    ) -> None:
        self.weights_id = weights_id
        self.dimensions = dimensions
        self._extractor, self._size, self._limits = extractor, size, limits
        self._content = content
        self._on_workers: BroadcastModel | None = None

    def refusals(self, photos: Sequence[bytes]) -> Iterator[str | None]:
        """Decodes photos as the workers do, and yields for each, in order, the reason why it is refused; None
        where it is decoded. Without Spark."""
        child = Decoder(pixels.decode, size=self._size, limits=self._limits)
        with closing(child), closing(child.decoded(photos)) as decoded:
            for photo in decoded:
                yield photo.reason.value if isinstance(photo, RefusedPhoto) else None

    def on_workers(self, spark: SparkSession) -> BroadcastModel:
        """The model as Spark's workers get it: broadcast, once however often this is called."""
        if self._on_workers is None:
            self._on_workers = BroadcastModel(
                extractor=self._extractor,
                weights_id=self.weights_id,
                size=self._size,
                dimensions=self.dimensions,
                flatbuffer=spark.sparkContext.broadcast(self._content),
                limits=self._limits,
            )
        return self._on_workers


def model_of(
    lake: WritableLake,
    model: ModelSettings,
    *,
    photos: PhotoSettings,
    conversion: Conversion | None = None,
) -> DriverModel:
    """The extractor that the settings name. It is broadcast when a chunk is first embedded. `conversion` is
    one that was begun before.

    It is looked up by (extractor, hash of the source weights, precision) and converted only where the lake
    has none: another TensorFlow may convert to other bytes, which must not embed the lake again.

    Raises BadInput for an unknown extractor, weights that can't be had or used, and a model that is half
    retired; Inconsistent where the model file is gone, or isn't the one that the embeddings were made with.
    """
    rows = extractors(lake)
    known = known_model(rows, model)
    if known:
        weights_id = known["weights_id"]
        content = flatbuffer_of(lake.files, known)
        if known["status"] == ModelStatus.RETIRED:
            mark(lake, weights_id, ModelStatus.CONVERTED)
        interpreter = Interpreter(content)
    else:
        lineage, content = conversion.result() if conversion else converted(model)
        interpreter = Interpreter(content)
        weights_id = lineage.weights_id
        _check_it_is_no_other(rows, weights_id, model.extractor)
        lake.files.write(_file(model.extractor, weights_id), content)
        fault_points.at("silver: flatbuffer written")
        _record(lake, lineage, interpreter.dimensions)
    return DriverModel(
        model.extractor,
        weights_id=weights_id,
        size=interpreter.size,
        dimensions=interpreter.dimensions,
        content=content,
        limits=Limits(**photos.model_dump()),
    )


def known_model(rows: Iterable[Row], model: ModelSettings) -> Row | None:
    """The row of the settings' extractor among the rows of gold/models about extractors; None where it is not
    among them.

    Raises BadInput for an unknown extractor, weights that can't be had, and a model that is half retired.
    """
    wanted = (model.extractor, source_sha256(model), PRECISION)
    for row in rows:
        if (row["extractor"], row["source_sha256"], row["precision"]) == wanted:
            if row["status"] == ModelStatus.RETIRING:
                raise BadInput(
                    f"The retirement of {model.extractor} {row['weights_id'][:12]} was interrupted: "
                    f"finish it first with run.py retire {row['weights_id'][:12]}."
                )
            return row
    return None


def _check_it_is_no_other(rows: Iterable[Row], weights_id: str, extractor: str) -> None:
    """Raises BadInput where the lake has that flatbuffer under the name of another extractor: a `weights_id`
    would no longer tell which extractor made an embedding."""
    for row in rows:
        if row["weights_id"] == weights_id and row["extractor"] != extractor:
            raise BadInput(
                f"The lake has the same model under the name {row['extractor']}: give --extractor "
                f"{row['extractor']}, and the weights that it was made from."
            )


def flatbuffer_of(files: Folder, known: Row) -> bytes:
    """The bytes of the model file of an extractor's row. Raises Inconsistent where the file is missing or was
    changed."""
    name = _file(known["extractor"], known["weights_id"])
    content = files.read(name)
    if content is None or litert_conversion.weights_id(content) != known["weights_id"]:
        state = "was changed" if content else "is missing" if content is None else "is empty"
        raise Inconsistent(
            f"The model file {files.uri(name)} {state}; put back the file whose SHA-256 is in its name."
        )
    return content


def _file(extractor: str, weights_id: str) -> str:
    return f"models/{extractor}-{weights_id}.tflite"


def _record(lake: WritableLake, made: Lineage, dimensions: int) -> None:
    row = {
        "version": f"{made.extractor}-{made.weights_id[:12]}",
        "kind": ModelKind.EXTRACTOR,
        "extractor": made.extractor,
        "source_sha256": made.source_sha256,
        "precision": made.precision,
        "weights_id": made.weights_id,
        "dimensions": dimensions,
        "reason": f"weights {made.weights.rpartition('/')[2]}",
        "status": ModelStatus.CONVERTED,
        "created_at": datetime.now(UTC),
    }
    lake.put(catalog.MODELS, [row], keys=["version"], chunk=NoChunk(SILVER))
