"""The files of an S3 Inventory, read one after the other, a batch at a time: a row for each object, or for
each version of one."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

import pyarrow as pa

from bronze.discovery.inventory_manifest import Manifest
from conf.errors import BadInput, FruitLakeError
from lake.storage.s3_folder import S3Folder
from lake.storage.s3_listing import ARCHIVES

BATCH = 10_000
"""The rows of a file that are in memory at once, but of ORC, where they are those of a stripe."""

COLUMNS = {
    "Bucket": "bucket",
    "Key": "key",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
    "StorageClass": "storage_class",
}
"""The columns that are read, by their names in a CSV's manifest; in Parquet and ORC they have the others."""

NEEDED = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag")
"""Those without which nobody knows which version of an object is meant."""

Row = Mapping[str, Any]
"""What an inventory says of an object, by the names of Parquet and ORC."""


def rows(bucket: S3Folder, manifest: Manifest) -> Iterator[Row]:
    """Yield the rows of all files of an inventory that lie in a bucket, but for those of earlier versions and
    of deletions.

    Raises BadInput where columns are missing, or a file is gone or damaged; StorageFailed.
    """
    read = {"CSV": _csv, "Parquet": _parquet, "ORC": _orc}[manifest.form]
    for key, size in manifest.files:
        try:
            with bucket.open(key) as file:
                if file.seek(0, io.SEEK_END) != size:
                    raise ValueError("it has another size")
                file.seek(0)
                yield from map(_whole, filter(_is_current, read(file, manifest)))
        except FruitLakeError:
            raise
        except FileNotFoundError:
            raise BadInput(
                f"{bucket.uri(key)} is gone, which {manifest.address} names; keep inventories for some "
                f"weeks, and wait for the next one."
            ) from None
        except (OSError, EOFError, zlib.error, ValueError, csv.Error, pa.ArrowException) as error:
            # A message of theirs may hold a key, and so a name.
            raise BadInput(
                f"{bucket.uri(key)} can't be read as {manifest.form} of an inventory "
                f"({type(error).__name__}); wait for the next inventory, or remove this one."
            ) from None


def _is_current(row: Row) -> bool:
    """Return whether a row is of an object as readers see it: neither of an earlier version nor of a
    deletion. An inventory of current versions doesn't say it."""
    return row.get("is_latest") in (None, True) and not row.get("is_delete_marker")


def _whole(row: Row) -> Row:
    """Return a row that has all that is needed. Raises ValueError where it hasn't."""
    if any(row.get(COLUMNS[name]) is None for name in NEEDED):
        raise ValueError("a row is torn")
    return row


def is_archived(row: Row) -> bool:
    """Return whether an object lay in an archive, where its storage class is told."""
    return row.get("storage_class") in ARCHIVES


def modified_ns(row: Row) -> int:
    """Return when an object was last modified, in ns since 1970. S3 tells times in milliseconds."""
    at: datetime = row["last_modified_date"]
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1_000_000) * 1_000


def _csv(file: BinaryIO, manifest: Manifest) -> Iterator[Row]:
    """Yield the rows of a compressed CSV without a header. Keys are encoded as in a form."""
    places = {COLUMNS[n]: at for at, n in enumerate(manifest.columns) if n in COLUMNS}
    _check(places, manifest)
    with gzip.open(file) as content:
        text = io.TextIOWrapper(content, encoding="utf-8", newline="")
        for row in csv.reader(text):
            found = {name: row[at] for name, at in places.items() if at < len(row) and row[at]}
            yield {name: PARSED.get(name, str)(value) for name, value in found.items()}


PARSED: Mapping[str, Callable[[str], Any]] = {
    "key": unquote_plus,
    "size": int,
    "last_modified_date": datetime.fromisoformat,
    "is_latest": lambda text: text.lower() == "true",
    "is_delete_marker": lambda text: text.lower() == "true",
}
"""How the texts of a CSV become values."""


def _parquet(file: BinaryIO, manifest: Manifest) -> Iterator[Row]:
    from pyarrow.parquet import ParquetFile

    known = ParquetFile(file)
    columns = _columns(known.schema_arrow.names, manifest)
    for batch in known.iter_batches(batch_size=BATCH, columns=columns, use_threads=False):
        yield from batch.to_pylist()


def _orc(file: BinaryIO, manifest: Manifest) -> Iterator[Row]:
    from pyarrow.orc import ORCFile

    known = ORCFile(file)
    columns = _columns(known.schema.names, manifest)
    for stripe in range(known.nstripes):
        for batch in pa.table(known.read_stripe(stripe, columns=columns)).to_batches(BATCH):
            yield from batch.to_pylist()


def _columns(held: Sequence[str], manifest: Manifest) -> list[str]:
    """Return those of the columns that are read which a file has."""
    found = [name for name in COLUMNS.values() if name in held]
    _check(found, manifest)
    return found


def _check(held: Mapping[str, int] | Sequence[str], manifest: Manifest) -> None:
    """Raise BadInput where an inventory lacks a column."""
    if lacking := [name for name in NEEDED if COLUMNS[name] not in held]:
        raise BadInput(
            f"The inventory {manifest.address} lacks {', '.join(lacking)}: let its configuration have the "
            f"fields Size, LastModifiedDate, ETag and StorageClass, and wait for the next one."
        )
