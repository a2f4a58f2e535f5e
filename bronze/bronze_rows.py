"""The rows of bronze/photos, bronze/rejected and bronze/objects, made from the objects of the landing
folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from bronze.cleaning_process import cleaned_rows
from bronze.formats.cleaning_results import too_large
from bronze.landing import Arrival, Landing, LandingObject
from bronze.rejection_causes import READ_BY, Reader, with_reader
from conf.settings import ChunkSettings, PhotoSettings
from lake.catalog import schema
from lake.chunks import batches
from lake.dated_names import day_in_name
from lake.enums import Outcome
from lake.isolated_process import ProcessLimits
from lake.known_keys import UNREADABLE
from lake.pseudonyms import KeyedHash, PhotoIds, PhotoTombstones, Pseudonyms
from lake.storage.folder import ObjectGone, ObjectUnreadable

ARRIVED = schema(
    """position int, object string, etag string, subject string, label string, path string,
    uploaded_at timestamp, size_bytes bigint, photo_id string, original string, format string,
    width int, height int, taken_on date, content binary, reason string, detail string, split string"""
)
"""The columns of the object versions that were read, one row each. `position` orders the rows of a chunk, and
`reason` says why an object is no photo."""

UNCERTAIN_SUBJECT = "uncertain_subject"
UNCERTAIN_DETAIL = "its path looks like a subject's, but no folder is named subject=NAME"
"""The reason and the detail of an object whose path only looks like a subject's."""

IMPOSSIBLE_TIME = "impossible_time"
IMPOSSIBLE_TIME_DETAIL = "its modification time lies outside the years 1 to 9999"
"""The reason and the detail of an object whose modification time no table can hold."""

UNREAD = "unreadable"
"""The reason of an object that is there and can't be read; the detail says what the storage says."""

ARCHIVED = "archived"
ARCHIVED_DETAIL = "it lies in an archive of S3, and can be read once it is restored there"
"""The reason and the detail of an object that its listing says to be archived. It is not asked for."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BATCH_BYTES, BATCH_ROWS = 16 << 20, 64
"""The size of a record batch: it is complete when it has so many bytes or so many rows."""


@dataclass(frozen=True, repr=False)
class Admission:
    """The check of a photo's bytes on a worker: `photo_ids` makes the ids of photos, `originals` hashes the
    bytes, `photos` makes the tombstones of bytes, and `tombstones` are those that hold now."""

    photo_ids: PhotoIds
    originals: KeyedHash
    photos: PhotoTombstones
    tombstones: frozenset[str]

    @classmethod
    def of(cls, pseudonyms: Pseudonyms, *, tombstones: frozenset[str]) -> Admission:
        """Return the check under a lake's pseudonyms, with the tombstones that hold now."""
        return cls(
            pseudonyms.photo_ids, pseudonyms.originals, pseudonyms.photo_tombstones, tombstones
        )

    def photo_id(self, content: bytes, *, original: str, subject: str | None) -> str:
        """Return the id of a photo, as `PhotoIds.of`."""
        return self.photo_ids.of(content, original=original, subject=subject)

    def original(self, content: bytes) -> str:
        """Return the keyed hash of a photo's bytes as they arrived."""
        return self.originals(content)

    def keeps_out(self, content: bytes, arrival: Arrival, *, photo_id: str, original: str) -> bool:
        """Return whether these bytes of an arrival were erased, of which the two hashes were made before.

        A photo that has a subject is that subject's own: only the erasure of this very photo of the subject
        keeps it out, by its photo_id or by its bytes, and no erasure of a photo with the same bytes.
        """
        if not self.tombstones:
            return False
        if self.photos.tombstones(photo_id.encode()) in self.tombstones:
            return True
        erased = self.tombstones if arrival.subject is None else arrival.erased_photos
        return bool(erased) and not erased.isdisjoint(self.photos.of(content, original))


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
    limits: PhotoSettings,
    admission: Admission,
    count: Callable[[int], None],
) -> Iterator[DataFrame]:
    """Yield a frame (`ARRIVED`) with one row for each object of a chunk, and the column `read_by`. Workers
    read and clean the objects.

    An object that is gone gives no row. Workers call `count` with the number of rows that they have made.

    The arrivals are sent to the workers as a broadcast, so that no path stands in a query plan, and therefore
    none in an event log. The broadcast is a file, which is deleted when the context ends.
    """
    cores = spark.sparkContext.defaultParallelism
    total = sum(arrival.landing.size for arrival in arrivals)
    tasks = list(
        batches(
            arrivals,
            size=size,
            max_bytes=min(chunks.task_bytes, -(-total // cores) or 1),
            max_photos=chunks.task_photos,
        )
    )
    broadcast = spark.sparkContext.broadcast(tasks)

    bounds = ProcessLimits(limits.max_bytes, limits.decode_seconds, limits.decoder_memory)
    row_of = partial(read_one, landing, max_bytes=limits.max_bytes, admission=admission)

    def read(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column("id").to_pylist():
                # Objects that are read ahead never have more bytes than a task.
                with ThreadPoolExecutor(landing.readers) as pool:
                    rows = pool.map(row_of, broadcast.value[number])
                    for records in _record_batches(cleaned_rows(rows, bounds)):
                        count(records.num_rows)
                        yield records

    numbers = spark.range(0, len(tasks), numPartitions=max(len(tasks), 1))
    try:
        read_by = F.lit(str(Reader.of(limits)))
        yield numbers.mapInArrow(read, ARRIVED).withColumn(READ_BY, read_by)
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
    """Return the row (`ARRIVED`) of one object, with its bytes as they are, or with the reason why not.

    The day of one that is read is that in the name of its file: what is kept of a person's path doesn't tell
    it any more.
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
        "split": arrival.split,
        "path": arrival.stored_path,
        "uploaded_at": modified_at(arrival.landing),
        "size_bytes": arrival.landing.size,
    }
    if refused := _refused_unread(arrival, max_bytes=max_bytes):
        return row | refused
    try:
        content = landing.read(arrival.landing)
        original = admission.original(content)
        photo_id = admission.photo_id(content, original=original, subject=arrival.subject)
        if admission.keeps_out(content, arrival, photo_id=photo_id, original=original):
            return row | {"path": "", "label": None, "split": None, "reason": Outcome.TOMBSTONED}
    except ObjectGone:
        return None
    except ObjectUnreadable as error:
        etag = UNREADABLE + arrival.landing.etag
        return row | {"etag": etag, "reason": UNREAD, "detail": str(error)}
    day = day_in_name(arrival.landing.path)
    return row | {"photo_id": photo_id, "original": original, "content": content, "taken_on": day}


def _refused_unread(arrival: Arrival, *, max_bytes: int) -> dict[str, Any] | None:
    """Return what the row of an object says that is refused without a look at its bytes; None where it is
    read."""
    if arrival.is_tombstoned:
        return {"reason": Outcome.TOMBSTONED}
    if arrival.is_uncertain:
        return {"reason": UNCERTAIN_SUBJECT, "detail": UNCERTAIN_DETAIL}
    if modified_at(arrival.landing) is None:
        return {"reason": IMPOSSIBLE_TIME, "detail": IMPOSSIBLE_TIME_DETAIL}
    if arrival.landing.is_archived:
        etag = UNREADABLE + arrival.landing.etag
        return {"etag": etag, "reason": ARCHIVED, "detail": ARCHIVED_DETAIL}
    if arrival.landing.size > max_bytes:
        refused = too_large(max_bytes)
        return {"reason": refused.reason.value, "detail": refused.detail}
    return None


def modified_at(landing: LandingObject) -> datetime | None:
    """Return when an object was modified, in UTC, to the microsecond; None where the time lies outside the
    years 1 to 9999, as a broken disk or a careless program may leave it."""
    try:
        return EPOCH + timedelta(microseconds=landing.modified_ns // 1000)
    except OverflowError:
        return None


def photos(arrived: DataFrame, repeated: Sequence[int]) -> DataFrame:
    """Return the rows of bronze/photos of a chunk: one for each photo that is stored.

    `repeated` are the positions of the photos that the lake has already.
    """
    if "split" not in arrived.columns:  # earlier code staged the chunk
        arrived = arrived.withColumn("split", F.lit(None).cast("string"))
    kept = arrived.where(F.col("reason").isNull())
    if repeated:
        table = pa.table({"position": pa.array(repeated, pa.int32())})
        again = F.broadcast(arrived.sparkSession.createDataFrame(table))
        kept = kept.join(again, on="position", how="left_anti")
    return kept.select(
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
        "split",
    )


REJECTED = (
    "object",
    "subject",
    "path",
    "size_bytes",
    "uploaded_at",
    "reason",
    "detail",
    READ_BY,
)
"""The columns of a refused object version that bronze/rejected keeps."""


def rejected(arrived: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of bronze/rejected of a chunk: one for each object version that is no photo, with the
    reason.

    `arrived` has the columns `REJECTED`; earlier code staged it without `read_by`. Objects that a tombstone
    keeps out have no row.
    """
    now = datetime.now(UTC)
    return [
        {**row, "rejected_at": now}
        for row in with_reader(arrived).select(REJECTED).to_pylist()
        if row["reason"] not in (None, Outcome.TOMBSTONED)
    ]
