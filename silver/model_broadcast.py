"""The extractor of a run: converted once, kept under the lake's `models/`, broadcast to the workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from conf.errors import BadInput
from conf.settings import ModelSettings, PhotoSettings
from lake import catalog, fault_points
from lake.chunks import NoChunk
from lake.enums import SILVER, ModelKind, ModelStatus, Precision
from lake.extractor_status import extractors, mark
from lake.model_identity import ModelIdentity, file_sha256
from lake.writable_lake import WritableLake
from silver import pixels, resizing
from silver.decoder_process import Decoder
from silver.embedding_rows import BroadcastModel
from silver.inference_runtime import shape_of
from silver.known_models import Row, WantedModel, content_of, exact_of, file_name
from silver.model_artifact import Conversion, convert, converted
from silver.pixels import Limits, RefusedPhoto


class DriverModel:
    """An extractor on the driver: the `content` of its model file, and how photos are decoded for it.

    `embedding_rows.BroadcastModel` describes the other fields.
    """

    def __init__(
        self,
        extractor: str,
        *,
        identity: ModelIdentity,
        size: int,
        dimensions: int,
        content: bytes,
        limits: Limits,
    ) -> None:
        self.weights_id = identity.weights_id
        self.dimensions = dimensions
        self._extractor, self._size, self._limits = extractor, size, limits
        self.identity = identity
        self._content = content
        self._on_workers: BroadcastModel | None = None

    def refusals(self, photos: Sequence[bytes]) -> Iterator[str | None]:
        """Decodes photos as the workers do, and yields for each, in order, the reason why it is refused; None
        where it is decoded. Without Spark."""
        way = self.identity.pixels
        child = Decoder(pixels.decode, size=self._size, limits=self._limits, way=way)
        with closing(child), closing(child.decoded(photos)) as decoded:
            for photo in decoded:
                yield photo.reason.value if isinstance(photo, RefusedPhoto) else None

    def on_workers(self, spark: SparkSession) -> BroadcastModel:
        """The model as Spark's workers get it: broadcast, once however often this is called."""
        if self._on_workers is None:
            self._on_workers = BroadcastModel(
                extractor=self._extractor,
                identity=self.identity,
                size=self._size,
                dimensions=self.dimensions,
                content=spark.sparkContext.broadcast(self._content),
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

    It is converted only where the lake has no model file of these weights: another TensorFlow may convert to
    other bytes, which must not embed the lake again.

    Raises BadInput for an unknown extractor, weights that can't be had, used or quantised, and a model that
    is half retired; Inconsistent where the model file is gone, or isn't the one that the embeddings were
    made with.
    """
    rows = extractors(lake)
    wanted = WantedModel.of(rows, model)
    if wanted.known:
        identity, content = ModelIdentity.of(wanted.known), content_of(lake.files, wanted.known)
        if wanted.known["status"] == ModelStatus.RETIRED:
            mark(lake, identity.weights_id, ModelStatus.CONVERTED)
        shape = shape_of(content, precision=identity.precision)
    else:
        if wanted.beside:
            content = content_of(lake.files, wanted.beside)
        else:
            content = _converted(lake, model, wanted, conversion)
            wanted = wanted.with_file(rows, model, model_sha256=file_sha256(content))
        identity = wanted.identity(file_sha256(content))
        shape = shape_of(content, precision=identity.precision)
        resizing.check(identity.pixels)  # a model that can't be used here is no model of the lake
        _check_it_is_no_other(rows, identity.weights_id, model.extractor)
        if not wanted.beside:
            lake.files.write(file_name(model.extractor, identity), content)
            fault_points.at("silver: flatbuffer written")
        _record(lake, model, identity, wanted.source_sha256, dimensions=shape.dimensions)
    return DriverModel(
        model.extractor,
        identity=identity,
        size=shape.size,
        dimensions=shape.dimensions,
        content=content,
        limits=Limits(**photos.model_dump()),
    )


def _converted(
    lake: WritableLake, model: ModelSettings, wanted: WantedModel, conversion: Conversion | None
) -> bytes:
    """The content of a model file that the lake doesn't have. It is made of the flatbuffer that the lake has
    of these weights, if any: it is the same model then. Raises as `model_of`."""
    if conversion:
        return conversion.result()[1]
    if wanted.exact and not model.flatbuffer:
        exact = exact_of(lake.files, wanted.exact)
        return convert(model, exact)[1] if wanted.precision is Precision.INT8 else exact
    return converted(model)[1]


def _check_it_is_no_other(rows: Iterable[Row], weights_id: str, extractor: str) -> None:
    """Raises BadInput where the lake has that model under the name of another extractor: a `weights_id` would
    no longer tell which extractor made an embedding."""
    for row in rows:
        if row["weights_id"] == weights_id and row["extractor"] != extractor:
            raise BadInput(
                f"The lake has the same model under the name {row['extractor']}: give --extractor "
                f"{row['extractor']}, and the weights that it was made from."
            )


def _record(
    lake: WritableLake,
    model: ModelSettings,
    identity: ModelIdentity,
    source_sha256: str,
    *,
    dimensions: int,
) -> None:
    row = {
        "version": f"{model.extractor}-{identity.weights_id[:12]}",
        "kind": ModelKind.EXTRACTOR,
        "extractor": model.extractor,
        "source_sha256": source_sha256,
        "precision": identity.precision,
        "pixels": identity.pixels,
        "model_sha256": identity.model_sha256,
        "weights_id": identity.weights_id,
        "dimensions": dimensions,
        "reason": f"weights {model.weights.rpartition('/')[2]}",
        "status": ModelStatus.CONVERTED,
        "created_at": datetime.now(UTC),
    }
    lake.put(catalog.MODELS, [row], keys=["version"], chunk=NoChunk(SILVER))
