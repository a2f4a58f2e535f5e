"""The rows of silver/embeddings and silver/quarantine, made from bronze's photos by a model on the
workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from lake.catalog import schema
from lake.enums import Precision
from lake.model_identity import ModelIdentity
from lake.row_source import RowSource
from silver import pixels
from silver.decoder_process import Decode, decoder
from silver.pixels import Limits, RefusedPhoto
from silver.processor_features import Features, features

EMBEDDED = schema(
    """photo_id string, subject string, label string, embedding array<float>, extractor string,
    width int, height int, brightness double, sharpness double, dhash bigint, stage string,
    reason string, detail string"""
)
"""The columns of the photos that a model was applied to, one row each. A row has either an `embedding`, or
the `stage` and the `reason` of a refusal."""

NEEDED = ("photo_id", "subject", "label", "width", "height", "content")
"""The columns of bronze/photos that a photo is embedded from."""

DECODE = "decode"
"""The `stage` of a photo that the decoder refused; else it is the layer whose gate refused it."""

MEASURED = (
    "photo_id",
    "subject",
    "label",
    "embedding",
    "extractor",
    "width",
    "height",
    "brightness",
    "sharpness",
    "dhash",
)
"""The columns of EMBEDDED that silver/embeddings has."""


@dataclass(frozen=True)
class BroadcastModel:
    """An extractor as the workers get it: a model file, whose `content` each Python worker loads once.

    `identity` says what else makes an embedding; `size` is the side of the model's square input, in pixels;
    `dimensions` is the length of an embedding.
    """

    extractor: str
    identity: ModelIdentity
    size: int
    dimensions: int
    content: Broadcast[bytes]
    limits: Limits
    decode: Decode = pixels.decode
    processor: Features = features

    @contextmanager
    def in_float32(self) -> Iterator[BroadcastModel]:
        """The same model in float32, to judge its own precision by. This process forgets it afterwards."""
        from silver.inference_runtime import forget

        precision = Precision.FLOAT32
        try:
            yield replace(self, identity=replace(self.identity, precision=precision))
        finally:
            forget(self.identity.model_sha256, precision)

    def embed_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Turn record batches of bronze/photos into record batches of `EMBEDDED`, photo by photo.

        Raises UnusableModel where the model file can't be used, UnsupportedPrecision where this worker's
        processor lacks the model's precision, and BadInput where its machine lacks the way of the pixels.
        """
        # The import stands here because only workers need the runtime.
        from silver.inference_runtime import compiled_model

        # The decoder's process is started first: it loads what it needs while the runtime does.
        way = self.identity.pixels
        child = decoder(self.decode, size=self.size, limits=self.limits, way=way)
        model = compiled_model(
            self.content.value,
            self.identity.model_sha256,
            precision=self.identity.precision,
            processor=self.processor,
        )
        for batch in batches:
            embedded = np.zeros((batch.num_rows, self.dimensions), np.float32)
            facts: list[dict[str, Any]] = []
            with closing(child.decoded(_views(batch.column("content")))) as photos:
                for row, photo in enumerate(photos):
                    if isinstance(photo, RefusedPhoto):
                        facts.append(_refusal(photo))
                    else:
                        embedded[row] = model.embed(photo.pixels)
                        facts.append(photo.fingerprint._asdict())
            yield _record_batch(batch, embedded, facts, extractor=self.extractor)


def _views(column: pa.Array) -> list[memoryview]:
    """Return views of the bytes of each value in a binary column. Arrow's scalars would copy them."""
    binary = column.cast(pa.binary())
    _, offsets, values = binary.buffers()
    bounds = np.frombuffer(offsets, np.int32)[binary.offset :][: len(binary) + 1]
    whole = memoryview(values or b"")
    return [whole[start:end] for start, end in pairwise(bounds.tolist())]


def _refusal(refused: RefusedPhoto) -> dict[str, Any]:
    """Return the columns of `EMBEDDED` that a refused photo fills."""
    return {"stage": DECODE, "reason": refused.reason.value, "detail": refused.detail}


def _record_batch(
    photos: pa.RecordBatch,
    embedded: NDArray[np.float32],
    facts: list[dict[str, Any]],
    *,
    extractor: str,
) -> pa.RecordBatch:
    """Return the record batch of `EMBEDDED` for a batch of photos, in their order.

    `embedded` is float32[n, dimensions]; the rows of refused photos in it are not used. `facts` are the other
    columns of each photo.
    """
    arrow = to_arrow_schema(EMBEDDED)
    refused = np.array(["reason" in fact for fact in facts])
    lengths = np.where(refused, 0, embedded.shape[1])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    columns = {
        name: photos.column(name) for name in ("photo_id", "subject", "label", "width", "height")
    }
    columns["embedding"] = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(embedded[~refused].ravel()), mask=pa.array(refused)
    ).cast(arrow.field("embedding").type)
    columns["extractor"] = pa.repeat(extractor, len(facts))
    for field in arrow:
        if field.name not in columns:
            columns[field.name] = pa.array([fact.get(field.name) for fact in facts], field.type)
    return pa.RecordBatch.from_arrays([columns[name] for name in arrow.names], schema=arrow)


NOT_EMBEDDED = ("photo_id", "subject", "label", "stage", "reason", "detail")
"""The columns of photos without an embedding, all of them texts."""


def published(embedded: DataFrame, *, weights_id: str) -> DataFrame:
    """Return the rows of silver/embeddings of a chunk, from staged rows that have an embedding."""
    return embedded.select(
        *MEASURED,
        F.lit(weights_id).alias("weights_id"),
        F.current_timestamp().alias("embedded_at"),
    )


def accepted(staged: RowSource, *, weights_id: str) -> RowSource:
    """Return the rows of silver/embeddings of a chunk, from its staged rows that have an embedding."""

    def frame() -> DataFrame:
        return published(staged.frame(), weights_id=weights_id)

    embedded_at = pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC"))
    columns = {name: pc.field(name) for name in MEASURED}
    columns |= {"weights_id": pc.scalar(weights_id), "embedded_at": pc.scalar(embedded_at)}
    assert staged.scan is not None
    return RowSource(frame, replace(staged.scan, columns=columns))


def quarantine(refused: pa.Table, *, weights_id: str) -> list[dict[str, Any]]:
    """Return the rows of silver/quarantine of a chunk, from its refused photos (`NOT_EMBEDDED`)."""
    of_chunk = {"weights_id": weights_id, "quarantined_at": datetime.now(UTC)}
    return [row | of_chunk for row in refused.to_pylist()]


def open_refusals(quarantine: RowSource, *, weights_id: str) -> RowSource:
    """Return the rows of silver/quarantine that hold for a model now: for each photo, its last refusal."""
    return quarantine.having("weights_id", [weights_id]).without("replayed_at")
