"""Inventories as S3 writes them: a manifest, its checksum, and files of CSV, Parquet or ORC."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from lake.storage.locate import folder

FIELDS = ("Size", "LastModifiedDate", "ETag", "StorageClass")
VERSIONS = ("VersionId", "IsLatest", "IsDeleteMarker")
NAMES = {
    "Bucket": ("bucket", pa.string()),
    "Key": ("key", pa.string()),
    "VersionId": ("version_id", pa.string()),
    "IsLatest": ("is_latest", pa.bool_()),
    "IsDeleteMarker": ("is_delete_marker", pa.bool_()),
    "Size": ("size", pa.int64()),
    "LastModifiedDate": ("last_modified_date", pa.timestamp("ms")),
    "ETag": ("e_tag", pa.string()),
    "StorageClass": ("storage_class", pa.string()),
}


def write(
    address: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    form: str,
    source: str,
    at: str = "2026-11-28T01-00Z",
    fields: Iterable[str] = FIELDS,
    versions: bool = False,
    per_file: int = 3,
) -> str:
    """Writes an inventory of rows (by the names of CSV's columns) below an address, in files of so many rows;
    returns the name of its manifest."""
    place = folder(address)
    columns = ["Bucket", "Key", *(VERSIONS if versions else ()), *fields]
    files = []
    for begin in range(0, len(rows), per_file):
        content = _content(rows[begin : begin + per_file], columns, form)
        name = f"data/{at}-{begin}.{ {'CSV': 'csv.gz'}.get(form, form.lower()) }"
        place.write(name, content)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        key = f"{place.prefix}/{name}"  # type: ignore[attr-defined]
        files.append({"key": key, "size": len(content), "MD5checksum": digest})
    manifest = {
        "sourceBucket": source,
        "destinationBucket": f"arn:aws:s3:::{place.bucket}",  # type: ignore[attr-defined]
        "version": "2016-11-30",
        "creationTimestamp": "1764288000000",
        "fileFormat": form,
        "fileSchema": ", ".join(columns) if form == "CSV" else f"message s3.inventory {columns}",
        "files": files,
    }
    text = json.dumps(manifest).encode()
    place.write(f"{at}/manifest.json", text)
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    place.write(f"{at}/manifest.checksum", digest.encode())
    return f"{at}/manifest.json"


def _content(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str) -> bytes:
    made = io.BytesIO()
    if form == "CSV":
        with gzip.open(made, "wt", newline="") as text:
            writer = csv.writer(text, quoting=csv.QUOTE_ALL)
            writer.writerows([_text(name, row.get(name)) for name in columns] for row in rows)
        return made.getvalue()
    schema = pa.schema([NAMES[name] for name in columns])
    held = [{NAMES[name][0]: row.get(name) for name in columns} for row in rows]
    table = pa.Table.from_pylist(held, schema)
    if form == "Parquet":
        pyarrow.parquet.write_table(table, made)
    else:
        pyarrow.orc.write_table(table, made)
    return made.getvalue()


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    return quote_plus(value, safe="/") if name == "Key" else str(value)
