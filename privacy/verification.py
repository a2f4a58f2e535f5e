"""Verification: what of an erased subject still lies anywhere. It believes no command's own report.

The storage is listed, not asked of Delta: key columns of every Parquet file are read, whether a version
refers to it or not, and the raw bytes of every other file. With `deep` every column is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import functions as F

from conf.settings import Settings
from gold.models import WIPED
from lake import catalog, session
from lake.lake import Lake
from privacy import objects, storage
from privacy.erasures import Erasure
from privacy.objects import Known
from privacy.wanted import Wanted

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
class Looked:
    """What was looked at, by store: files and bytes; and what was found."""

    deep: bool
    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    residues: list[Residue] = field(default_factory=list)

    def at(self, store: str, size: int) -> None:
        """Counts a file."""
        self.files[store] = self.files.get(store, 0) + 1
        self.bytes[store] = self.bytes.get(store, 0) + size

    def found(self, path: Path | str, what: str) -> None:
        """Notes a residue."""
        self.residues.append(Residue(str(path), what))


def verify(
    lake: Lake, settings: Settings, erasure: Erasure, wanted: Wanted, *, deep: bool = False
) -> Looked:
    """Looks through every store."""
    looked = Looked(deep)
    _landing(lake, settings, wanted, looked)
    roots = {"lake": lake.files.root}
    if (
        not Path(settings.paths.docs_folder)
        .resolve()
        .is_relative_to(Path(lake.files.root).resolve())
    ):
        roots["docs"] = settings.paths.docs_folder
    for store, root in roots.items():
        closed: list[str] = []
        for path in _all_files(root, closed):
            _file(path, root, wanted, looked, store=store)
        for name in closed:
            looked.found(name, "a folder that can't be listed")
    for path in session.left_behind():
        for file in _all_files(str(path)) if path.is_dir() else [path]:
            _file(file, str(path.parent), wanted, looked, store="working files")
    _models(lake, erasure, looked)
    return looked


def residue_in(path: Path, wanted: Wanted, *, deep: bool = False) -> str | None:
    """What of the subject one file holds; None: nothing."""
    with path.open("rb") as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
        if not is_parquet:
            file.seek(0)
            return _in_raw(_blocks(file), wanted)
    try:
        found = _in_parquet(path, wanted, deep=deep or storage.LOG in path.parts)
    except (pa.ArrowException, OSError) as error:
        return f"a Parquet file that can't be read: {type(error).__name__}"
    if found or not deep:
        return found
    if _is_journal(path):
        return None
    with path.open("rb") as file:
        return _in_raw(_blocks(file), wanted)


def _landing(lake: Lake, settings: Settings, wanted: Wanted, looked: Looked) -> None:
    root = settings.paths.landing
    for path in _all_files(root):
        looked.at("landing", path.lstat().st_size)
    for name in objects.found(root, wanted, Known.of(lake, wanted), deep=looked.deep):
        if not objects.is_of_others(name):
            looked.found(name, "a landing object or folder of the subject")


def _file(path: Path, root: str, wanted: Wanted, looked: Looked, *, store: str) -> None:
    try:
        looked.at(store, path.stat().st_size)
        what = wanted.in_bytes(os.fsencode(path.relative_to(root))) or residue_in(
            path, wanted, deep=looked.deep
        )
    except FileNotFoundError:
        return  # as the lease does, each time that it is renewed
    except OSError as error:
        what = f"it can't be read: {error.strerror}"
    if what:
        looked.found(path, what)


def _models(lake: Lake, erasure: Erasure, looked: Looked) -> None:
    """What was fitted on the erased rows has no parameters any more, nor has an older file."""
    for table in FITTED:
        for path in storage.strays(lake, table):
            if path.suffix == ".parquet" and erasure.fitted:
                looked.found(path, "an older version of what was fitted on the photos")
    rows = lake.read(catalog.MODELS).where(F.col("version").isin(erasure.fitted))
    for row in rows.select("version", *WIPED).collect():
        if any(row[name] is not None for name in WIPED):
            looked.found(row["version"], "a model version with parameters fitted on the photos")


def _all_files(root: str, closed: list[str] | None = None) -> Iterator[Path]:
    note = storage.note_in([] if closed is None else closed)
    for folder, _, names in os.walk(root, onerror=note):
        yield from (Path(folder, name) for name in names)


def _blocks(file: Any) -> Iterator[bytes]:
    """A file's bytes in blocks, each beginning with the end of the one before."""
    tail = b""
    while block := file.read(BLOCK):
        yield tail + block
        tail = (tail + block)[-OVERLAP:]


def _in_raw(blocks: Iterable[bytes], wanted: Wanted) -> str | None:
    return next((what for block in blocks if (what := wanted.in_bytes(block))), None)


def _is_journal(path: Path) -> bool:
    return path.parent.as_posix().endswith(catalog.ERASURES.name)


def _in_parquet(path: Path, wanted: Wanted, *, deep: bool) -> str | None:
    """In the key columns, or with `deep` in every column; the journal keeps the photo ids, and may."""
    if _is_journal(path):
        return None
    with pq.ParquetFile(path) as file:
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


def _in_keys(columns: Mapping[str, list[str | None]], wanted: Wanted) -> str | None:
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


def _in_values(batch: pa.RecordBatch, wanted: Wanted) -> str | None:
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
                if wanted.is_erased(wanted.keys.originals(content), subject):
                    return "an erased photo's bytes"
                if what := wanted.in_bytes(content):
                    return what
        elif "string" in str(field_.type):
            text = repr(column.to_pylist()).encode(errors="surrogateescape")
            if what := wanted.in_bytes(text):
                return what
    return None
