"""The rows of bronze/photos, bronze/rejected and bronze/objects, made from the objects of the landing
folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from bronze.formats.cleaning_results import NotAPhoto
from bronze.formats.metadata_removal import clean
from bronze.landing import Arrival, Landing, LandingObject
from conf.settings import ChunkSettings
from lake.catalog import schema
from lake.chunks import batches
from lake.enums import Outcome
from lake.pseudonyms import KeyedHash, Pseudonyms
from lake.storage.folder import ObjectGone, ObjectUnreadable

UNREADABLE = "unreadable "
"""The prefix of the etag of an object that could not be read. The plain etag stays unknown, so that a later
run tries the version again."""

ARRIVED = schema(
    """position int, object string, etag string, subject string, label string, path string,
    uploaded_at timestamp, size_bytes bigint, photo_id string, original string, format string,
    width int, height int, taken_on date, content binary, reason string, detail string"""
)
"""The columns of the object versions that were read, one row each. `position` orders the rows of a chunk, and
`reason` says why an object is no photo."""

BATCH_BYTES, BATCH_ROWS = 16 << 20, 64
"""The size of a record batch: it is complete when it has so many bytes or so many rows."""


@dataclass(frozen=True, repr=False)
class Admission:
    """The check of a photo's bytes on a worker: `originals` hashes the bytes, `tombstone` makes a tombstone
    of the hash, and `tombstones` are those that hold now."""

    originals: KeyedHash
    tombstone: KeyedHash
    tombstones: frozenset[str]

    @classmethod
    def of(cls, pseudonyms: Pseudonyms, *, tombstones: frozenset[str]) -> Admission:
        """Return the check under a lake's pseudonyms, with the tombstones that hold now."""
        return cls(pseudonyms.originals, pseudonyms.tombstones, tombstones)

    def original(self, content: bytes) -> str:
        """Return the keyed hash of a photo's bytes as they arrived."""
        return self.originals(content)

    def keeps_out(self, original: str, *, subject: str | None) -> bool:
        """Return whether these bytes were erased. A photo that has a subject is that subject's own, so its
        bytes never keep it out."""
        return subject is None and self.tombstone(original.encode()) in self.tombstones


def listing(spark: SparkSession, arrivals: Sequence[Arrival]) -> DataFrame:
    """Return one row for each arrival: its `position`, the keyed hash of its path as `object`, and its
    `etag`."""
    table = pa.table(
        {
            "position": pa.array([a.position for a in arrivals], pa.int32()),
            "object": pa.array([a.key for a in arrivals], pa.string()),
            "etag": pa.array([a.landing.etag for a in arrivals], pa.string()),
        }
    )
    return spark.createDataFrame(table)


def unseen(listed: DataFrame, objects: DataFrame) -> DataFrame:
    """Return the `position` of each listed version that bronze/objects doesn't have.

    `was_unreadable` is true where an earlier run could not read the version.
    """
    known = objects.select("object", "etag")
    unreadable = known.where(F.col("etag").startswith(UNREADABLE)).select(
        "object",
        F.substring("etag", len(UNREADABLE) + 1, 1 << 16).alias("etag"),
        F.lit(True).alias("was_unreadable"),
    )
    version = ["object", "etag"]
    return (
        listed.join(known, on=version, how="left_anti")
        .join(unreadable, on=version, how="left")
        .select("position", F.col("was_unreadable").isNotNull().alias("was_unreadable"))
    )


def size(arrival: Arrival) -> tuple[int, int]:
    """Return what an arrival adds to a chunk: the number of photos (1) and of bytes."""
    return 1, arrival.landing.size


@contextmanager
def arrived(
    spark: SparkSession,
    landing: Landing,
    arrivals: Sequence[Arrival],
    *,
    chunks: ChunkSettings,
    max_bytes: int,
    admission: Admission,
    count: Callable[[int], None],
) -> Iterator[DataFrame]:
    """Yield a frame (`ARRIVED`) with one row for each object of a chunk. Workers read and clean the objects.

    An object that is gone gives no row. Workers call `count` with the number of rows that they have made.

    The arrivals are sent to the workers as a broadcast, so that no path stands in a query plan, and therefore
    none in an event log. The broadcast is a file, which is deleted when the context ends.
    """
    cores = spark.sparkContext.defaultParallelism
    total = sum(arrival.landing.size for arrival in arrivals)
    tasks = batches(
        arrivals,
        size=size,
        max_bytes=min(chunks.task_bytes, -(-total // cores) or 1),
        max_photos=chunks.task_photos,
    )
    broadcast = spark.sparkContext.broadcast(tasks)

    row_of = partial(read_one, landing, max_bytes=max_bytes, admission=admission)

    def read(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column("id").to_pylist():
                # Objects that are read ahead never have more bytes than a task.
                with ThreadPoolExecutor(landing.readers) as pool:
                    rows = pool.map(row_of, broadcast.value[number])
                    for records in _record_batches(row for row in rows if row is not None):
                        count(records.num_rows)
                        yield records

    numbers = spark.range(0, len(tasks), numPartitions=max(len(tasks), 1))
    try:
        yield numbers.mapInArrow(read, ARRIVED)
    finally:
        broadcast.destroy()


def _record_batches(rows: Iterable[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
    """Yield the rows as record batches of a limited size (`BATCH_BYTES`, `BATCH_ROWS`)."""
    arrow = to_arrow_schema(ARRIVED)
    batch: list[dict[str, Any]] = []
    batch_bytes = 0
    for row in rows:
        batch.append(row)
        batch_bytes += len(row["content"] or b"")
        if batch_bytes >= BATCH_BYTES or len(batch) >= BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(batch, arrow)
            batch, batch_bytes = [], 0
    if batch:
        yield pa.RecordBatch.from_pylist(batch, arrow)


def read_one(
    landing: Landing, arrival: Arrival, *, max_bytes: int, admission: Admission
) -> dict[str, Any] | None:
    """Return the row (`ARRIVED`) of one object: a clean photo, or the reason why it is none.

    Returns None where the object is gone. An object of more than `max_bytes` is refused unread, so that a
    film in the folder doesn't fill a worker's memory.
    """
    row: dict[str, Any] = dict.fromkeys(ARRIVED.fieldNames())
    row |= {
        "position": arrival.position,
        "object": arrival.key,
        "etag": arrival.landing.etag,
        "subject": arrival.subject,
        "label": arrival.label,
        "path": arrival.stored_path,
        "uploaded_at": _time(arrival.landing),
        "size_bytes": arrival.landing.size,
    }
    if arrival.is_tombstoned:
        return row | {"reason": Outcome.TOMBSTONED}
    if arrival.landing.size > max_bytes:
        return row | {"reason": "too_large", "detail": f"over photos.max_bytes ({max_bytes})"}
    try:
        content = landing.read(arrival.landing)
        original = admission.original(content)
        if admission.keeps_out(original, subject=arrival.subject):
            return row | {"path": "", "label": None, "reason": Outcome.TOMBSTONED}
        photo = clean(content)
    except ObjectGone:
        return None
    except ObjectUnreadable as error:
        etag = UNREADABLE + arrival.landing.etag
        return row | {"etag": etag, "reason": "unreadable", "detail": str(error)}
    except NotAPhoto as error:
        return row | {"reason": error.reason.value, "detail": error.detail}
    return row | {
        "photo_id": photo_id(content, subject=arrival.subject),
        "original": original,
        "format": photo.format,
        "width": photo.width,
        "height": photo.height,
        "taken_on": photo.taken_on,
        "content": photo.content,
    }


def photo_id(original: bytes, *, subject: str | None) -> str:
    """Return the SHA-256, in hex, of the subject's pseudonym (if any) followed by the bytes as they
    arrived."""
    return hashlib.sha256((subject or "").encode() + original).hexdigest()


def _time(landing: LandingObject) -> datetime:
    """Return when an object was modified, in UTC, to the microsecond."""
    seconds, rest = divmod(landing.modified_ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def outcomes(arrived: DataFrame, objects: DataFrame) -> DataFrame:
    """Return one row for each object version of a chunk: the columns of bronze/objects, and `position`.

    Of several photos with the same `photo_id`, the first one by upload time and path is stored. None of them
    is stored where the lake has that photo already; `objects` are the rows of the chunks before.
    """
    known = objects.where(F.col("outcome") == Outcome.STORED).select(
        "photo_id", F.lit(True).alias("is_known")
    )
    first = F.row_number().over(Window.partitionBy("photo_id").orderBy("position")) == 1
    outcome = (
        F.when(F.col("reason") == Outcome.TOMBSTONED, Outcome.TOMBSTONED)
        .when(F.col("reason").isNotNull(), Outcome.REJECTED)
        .when(F.col("is_known") | ~F.col("is_first"), Outcome.DUPLICATE)
        .otherwise(Outcome.STORED)
    )
    return (
        arrived.select("position", "object", "etag", "subject", "photo_id", "reason")
        .withColumn("is_first", first)
        .join(known, on="photo_id", how="left")
        .select(
            "position",
            "object",
            "etag",
            "subject",
            outcome.alias("outcome"),
            "photo_id",
            F.current_timestamp().alias("seen_at"),
        )
    )


def photos(arrived: DataFrame, outcomes: DataFrame) -> DataFrame:
    """Return the rows of bronze/photos of a chunk: one for each photo that is stored."""
    repeated = outcomes.where(F.col("outcome") == Outcome.DUPLICATE).select("position")
    return (
        arrived.where(F.col("reason").isNull())
        .join(F.broadcast(repeated), on="position", how="left_anti")
        .select(
            "photo_id",
            "subject",
            "label",
            "path",
            "format",
            "width",
            "height",
            "taken_on",
            "uploaded_at",
            "size_bytes",
            "content",
            F.current_timestamp().alias("ingested_at"),
            "original",
        )
    )


def rejected(arrived: DataFrame) -> DataFrame:
    """Return the rows of bronze/rejected of a chunk: one for each object version that is no photo, with the
    reason.

    Objects that a tombstone keeps out have no row.
    """
    return arrived.where(F.col("reason") != Outcome.TOMBSTONED).select(
        "object",
        "subject",
        "path",
        "size_bytes",
        "uploaded_at",
        "reason",
        "detail",
        F.current_timestamp().alias("rejected_at"),
    )
