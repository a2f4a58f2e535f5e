"""Verification: what of an erased subject still lies anywhere. It believes no command's own report.

The storage is listed, not asked of Delta: key columns of every Parquet file are read, whether a version
refers to it or not, and the raw bytes of every other file. With `deep` every column is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from conf.settings import Settings
from gold.model_versions import WIPED
from lake import catalog, spark_session
from lake.readable_lake import Lake
from lake.storage.addresses import within
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.locate import folder
from privacy.erasure import landing_objects, unreferenced_files
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_search import SubjectSearch

MAGIC = b"PAR1"
KEYS = ("photo_id", "subject", "original")
BLOCK = 64 << 20
OVERLAP = 4096
FITTED = (catalog.MODELS, catalog.MOMENTS)
"""Tables whose older versions hold what was fitted on the erased rows, though no key stands in them."""


@dataclass(frozen=True)
class Residue:
    """Something that should not be there: a file, and what was found in it. The path may hold a name in
    clear: it is for the screen, and for no table."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


@dataclass
class SearchResult:
    """What was looked at, by store: files and bytes; and what was found."""

    deep: bool
    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    residues: list[Residue] = field(default_factory=list)

    def at(self, store: str, size: int) -> None:
        """Counts a file."""
        self.files[store] = self.files.get(store, 0) + 1
        self.bytes[store] = self.bytes.get(store, 0) + size

    def found(self, path: StoredObject | str, what: str) -> None:
        """Notes a residue."""
        self.residues.append(Residue(str(path), what))


def verify(
    lake: Lake,
    settings: Settings,
    erasure: ErasureRequest,
    wanted: SubjectSearch,
    *,
    deep: bool = False,
) -> SearchResult:
    """Looks through every store."""
    looked = SearchResult(deep)
    _landing(lake, settings, wanted, looked)
    stores: dict[str, Iterable[StoredObject]] = {"lake": lake.files.stored()}
    if not within(settings.paths.docs_folder, lake.files.root):
        stores["docs"] = folder(settings.paths.docs_folder).stored()
    stores["working files"] = _working_files()
    for store, every in stores.items():
        for stored in every:
            _file(stored, wanted, looked, store=store)
    _models(lake, erasure, looked)
    return looked


def residue_in(stored: StoredObject, wanted: SubjectSearch, *, deep: bool = False) -> str | None:
    """What of the subject one file holds; None: nothing. Raises OSError."""
    if not stored.has_content:
        return None
    with stored.open() as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
        if not is_parquet:
            file.seek(0)
            return _in_raw(_blocks(file), wanted)
    try:
        found = _in_parquet(
            stored, wanted, deep=deep or unreferenced_files.LOG in stored.name.split("/")
        )
    except (pa.ArrowException, OSError) as error:
        return f"a Parquet file that can't be read: {type(error).__name__}"
    if found or not deep:
        return found
    if _is_journal(stored):
        return None
    with stored.open() as file:
        return _in_raw(_blocks(file), wanted)


def _landing(lake: Lake, settings: Settings, wanted: SubjectSearch, looked: SearchResult) -> None:
    root = settings.paths.landing
    for stored in folder(root).stored():
        if stored.has_content:
            looked.at("landing", stored.size)
    for stored in landing_objects.found(
        root, wanted, KnownObjects.of(lake, wanted), deep=looked.deep
    ):
        if not landing_objects.is_of_others(stored):
            looked.found(stored, "a landing object or folder of the subject")


def _working_files() -> Iterator[StoredObject]:
    """What processes of this product that were killed left on this machine."""
    for path in spark_session.left_behind():
        place = folder(str(path.parent))
        if path.is_dir():
            yield from place.stored(path.name)
        else:
            yield StoredObject(place, path.name, path.stat().st_size)


def _file(stored: StoredObject, wanted: SubjectSearch, looked: SearchResult, *, store: str) -> None:
    if stored.kind is StoredKind.CLOSED:
        looked.found(stored, "a folder that can't be listed")
        return
    try:
        if stored.has_content:
            looked.at(store, stored.size)
        what = wanted.in_bytes(os.fsencode(stored.name)) or residue_in(
            stored, wanted, deep=looked.deep
        )
    except FileNotFoundError:
        return  # as the lease does, each time that it is renewed
    except OSError as error:
        what = f"it can't be read: {error.strerror or error}"
    if what:
        looked.found(stored, what)


def _models(lake: Lake, erasure: ErasureRequest, looked: SearchResult) -> None:
    """What was fitted on the erased rows has no parameters any more, nor has an older file."""
    for table in FITTED:
        for stored in unreferenced_files.strays(lake, table):
            if stored.name.endswith(".parquet") and stored.has_content and erasure.fitted:
                looked.found(stored, "an older version of what was fitted on the photos")
    rows = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    for row in rows.select("version", *WIPED).collect():
        if any(row[name] is not None for name in WIPED):
            looked.found(row["version"], "a model version with parameters fitted on the photos")


def _blocks(file: Any) -> Iterator[bytes]:
    """A file's bytes in blocks, each beginning with the end of the one before."""
    tail = b""
    while block := file.read(BLOCK):
        yield tail + block
        tail = (tail + block)[-OVERLAP:]


def _in_raw(blocks: Iterable[bytes], wanted: SubjectSearch) -> str | None:
    return next((what for block in blocks if (what := wanted.in_bytes(block))), None)


def _is_journal(stored: StoredObject) -> bool:
    return stored.name.rpartition("/")[0].endswith(catalog.ERASURES.name)


def _in_parquet(stored: StoredObject, wanted: SubjectSearch, *, deep: bool) -> str | None:
    """In the key columns, or with `deep` in every column; the journal keeps the photo ids, and may."""
    if _is_journal(stored):
        return None
    with stored.open() as raw, pq.ParquetFile(raw) as file:
        names = file.schema_arrow.names
        columns = names if deep else [name for name in KEYS if name in names]
        if not columns:
            return None
        for batch in file.iter_batches(batch_size=64 if deep else 65_536, columns=columns):
            found = _in_keys(batch.select([n for n in KEYS if n in names]).to_pydict(), wanted)
            if not found and deep:
                found = _in_values(batch, wanted)
            if found:
                return found
    return None


def _in_keys(columns: Mapping[str, list[str | None]], wanted: SubjectSearch) -> str | None:
    if any(photo in wanted.photo_ids for photo in columns.get("photo_id", [])):
        return "a row of an erased photo"
    subjects = columns.get("subject", [])
    if any(wanted.is_subject(subject) for subject in set(subjects)):
        return "a row of the subject"
    originals = columns.get("original", [])
    whose = subjects or [None] * len(originals)
    if any(map(wanted.is_erased, originals, whose)):
        return "a copy of an erased photo without a subject"
    return None


def _in_values(batch: pa.RecordBatch, wanted: SubjectSearch) -> str | None:
    """In the values of every column that may hold text or bytes."""
    n = batch.num_rows
    subjects = (
        batch.column("subject").to_pylist() if "subject" in batch.schema.names else [None] * n
    )
    for field_, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_binary(field_.type) or pa.types.is_large_binary(field_.type):
            for content, subject in zip(column.to_pylist(), subjects, strict=True):
                if content is None:
                    continue
                if wanted.is_erased(wanted.pseudonyms.originals(content), subject):
                    return "an erased photo's bytes"
                if what := wanted.in_bytes(content):
                    return what
        elif "string" in str(field_.type):
            text = repr(column.to_pylist()).encode(errors="surrogateescape")
            if what := wanted.in_bytes(text):
                return what
    return None
