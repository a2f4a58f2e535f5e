"""The rows of bronze/photos, bronze/rejected and bronze/objects, made from the objects of the landing
folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.formats.cleaning_results import too_large
from bronze.landing import Arrival, Landing, LandingObject
from bronze.rejection_causes import READ_BY, with_reader
from lake.catalog import schema
from lake.dated_names import day_in_name
from lake.enums import Outcome
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

CONTENT = "content"
"""The column with the bytes of a photo."""

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
    """Return the rows of bronze/photos of a chunk that earlier code staged with the bytes: one for each photo
    that is stored.

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
