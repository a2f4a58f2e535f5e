"""Verification: a search for data of an erased subject in every store. It relies on no command's own report.

The storage itself is listed, and Delta is not asked. The key columns of every Parquet file are read, whether
a version refers to the file or not, and the raw bytes of every other file. With `deep` every column is
decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from conf.settings import Settings
from gold.model_versions import WIPED
from lake import catalog, delta_log, spark_session
from lake.readable_lake import Lake
from lake.storage.addresses import within
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.locate import folder
from privacy.erasure import landing_objects, unreferenced_files
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.request_journal import ErasureRequest
from privacy.erasure.subject_matcher import SubjectMatcher

MAGIC = b"PAR1"
KEY_COLUMNS = ("photo_id", "subject", "original", "path")

BLOCK = 64 << 20
"""The bytes of a file that are searched at a time."""

OVERLAP = 4096
"""The bytes of a block that are searched again with the next one, so that nothing is missed between them."""

FITTED_TABLES = (catalog.MODELS, catalog.MOMENTS)
"""Tables whose older versions hold what was fitted on the erased rows, though they hold no key of a photo."""


@dataclass(frozen=True)
class Residue:
    """A trace of the subject: the file (or model version) that holds it, and what was found in it.

    The path may hold a name in clear, so it is for the screen and for no table.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


@dataclass
class SearchResult:
    """The result of a verification: the number of files and bytes that were searched, by store, and the
    residues that were found."""

    deep: bool
    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    residues: list[Residue] = field(default_factory=list)

    def count_file(self, store: str, size: int) -> None:
        """Count a file of `size` bytes as searched."""
        self.files[store] = self.files.get(store, 0) + 1
        self.bytes[store] = self.bytes.get(store, 0) + size

    def add_residue(self, path: StoredObject | str, what: str) -> None:
        """Add a residue: where it was found, and what it is."""
        self.residues.append(Residue(str(path), what))


def verify(
    lake: Lake,
    settings: Settings,
    erasure: ErasureRequest,
    search: SubjectMatcher,
    *,
    deep: bool = False,
) -> SearchResult:
    """Search the landing folder, the lake, Data Docs and this machine's working files for what is left.

    `search` identifies the subject of the request `erasure`.
    """
    result = SearchResult(deep)
    _search_landing(lake, settings, search, result)
    stores: dict[str, Iterable[StoredObject]] = {"lake": lake.files.stored()}
    if not within(settings.paths.docs_folder, lake.files.root):
        stores["docs"] = folder(settings.paths.docs_folder).stored()
    stores["working files"] = _working_files()
    for store, every in stores.items():
        for stored in every:
            _search_file(stored, search, result, store=store)
    _search_models(lake, erasure, result)
    return result


def residue_in(stored: StoredObject, search: SubjectMatcher, *, deep: bool = False) -> str | None:
    """Return what of the subject one file holds; None where it holds nothing. Raises OSError."""
    if not stored.has_content:
        return None
    with stored.open() as file:
        is_parquet = file.read(len(MAGIC)) == MAGIC
        if not is_parquet:
            file.seek(0)
            return _in_raw(_blocks(file), search)
    try:
        is_in_log = delta_log.FOLDER in stored.name.split("/")
        what = _in_parquet(stored, search, deep=deep or is_in_log)
    except (pa.ArrowException, OSError) as error:
        return f"a Parquet file that can't be read: {type(error).__name__}"
    if what or not deep:
        return what
    if _is_journal(stored):
        return None
    with stored.open() as file:
        return _in_raw(_blocks(file), search)


def _search_landing(
    lake: Lake, settings: Settings, search: SubjectMatcher, result: SearchResult
) -> None:
    """Count every landing object, and add those of the subject to the residues."""
    root = settings.paths.landing
    for stored in folder(root).stored():
        if stored.has_content:
            result.count_file("landing", stored.size)
    for stored in landing_objects.found(
        root, search, KnownObjects.of(lake, search), deep=result.deep
    ):
        if not landing_objects.is_of_others(stored):
            result.add_residue(stored, "a landing object or folder of the subject")


def _working_files() -> Iterator[StoredObject]:
    """Yield the files that killed processes of this product left on this machine."""
    for path in spark_session.left_behind():
        place = folder(str(path.parent))
        if path.is_dir():
            yield from place.stored(path.name)
        else:
            yield StoredObject(place, path.name, path.stat().st_size)


def _search_file(
    stored: StoredObject, search: SubjectMatcher, result: SearchResult, *, store: str
) -> None:
    """Search the name and the content of one file. A file that can't be read counts as a residue."""
    if stored.kind is StoredKind.CLOSED:
        result.add_residue(stored, "a folder that can't be listed")
        return
    try:
        if stored.has_content:
            result.count_file(store, stored.size)
        what = search.in_bytes(os.fsencode(stored.name)) or residue_in(
            stored, search, deep=result.deep
        )
    except FileNotFoundError:
        return  # it vanished since it was listed, as the lease's file does at each renewal
    except OSError as error:
        what = f"it can't be read: {error.strerror or error}"
    if what:
        result.add_residue(stored, what)


def _search_models(lake: Lake, erasure: ErasureRequest, result: SearchResult) -> None:
    """Search gold/models and older files for parameters that were fitted on the erased rows."""
    for table in FITTED_TABLES:
        for stored in unreferenced_files.strays(lake, table):
            if stored.name.endswith(".parquet") and stored.has_content and erasure.fitted:
                result.add_residue(stored, "an older version of what was fitted on the photos")
    where = pc.field("version").isin(pa.array(erasure.fitted, pa.string()))
    for row in lake.records(catalog.MODELS, columns=["version", *WIPED], where=where):
        if any(row[name] is not None for name in WIPED):
            what = "a model version with parameters fitted on the photos"
            result.add_residue(row["version"], what)


def _blocks(file: Any) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, each after the last `OVERLAP` bytes of the one before."""
    tail = b""
    while block := file.read(BLOCK):
        yield tail + block
        tail = (tail + block)[-OVERLAP:]


def _in_raw(blocks: Iterable[bytes], search: SubjectMatcher) -> str | None:
    """Return what of the subject the raw bytes of a file hold; None where they hold nothing."""
    return next((what for block in blocks if (what := search.in_bytes(block))), None)


def _is_journal(stored: StoredObject) -> bool:
    """Return whether a file belongs to the journal of erasures, which may keep the photo ids."""
    return stored.name.rpartition("/")[0].endswith(catalog.ERASURES.name)


def _in_parquet(stored: StoredObject, search: SubjectMatcher, *, deep: bool) -> str | None:
    """Return what of the subject the key columns of a Parquet file hold, or with `deep` every column.

    It is None where they hold nothing, and for files of the journal of erasures.
    """
    if _is_journal(stored):
        return None
    with stored.open() as raw, pq.ParquetFile(raw) as file:
        names = file.schema_arrow.names
        key_columns = [name for name in KEY_COLUMNS if name in names]
        columns = names if deep else key_columns
        if not columns:
            return None
        for batch in file.iter_batches(batch_size=64 if deep else 65_536, columns=columns):
            what = _in_keys(batch.select(key_columns).to_pydict(), search)
            if not what and deep:
                what = _in_values(batch, search)
            if what:
                return what
    return None


def _in_keys(columns: Mapping[str, list[str | None]], search: SubjectMatcher) -> str | None:
    """Return what of the subject the values of key columns show; None where they show nothing."""
    if any(photo in search.photo_ids for photo in columns.get("photo_id", [])):
        return "a row of an erased photo"
    subjects = columns.get("subject", [])
    if any(search.is_subject(subject) for subject in set(subjects)):
        return "a row of the subject"
    if any(map(search.is_hidden_in, set(columns.get("path", [])))):
        return "a row whose path names the subject"
    originals = columns.get("original", [])
    owners = subjects or [None] * len(originals)
    if any(map(search.is_erased, originals, owners)):
        return "a copy of an erased photo without a subject"
    return None


def _in_values(batch: pa.RecordBatch, search: SubjectMatcher) -> str | None:
    """Return what of the subject the columns with text or bytes hold; None where they hold nothing."""
    subjects: list[str | None] = [None] * batch.num_rows
    if "subject" in batch.schema.names:
        subjects = batch.column("subject").to_pylist()
    for field_, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_binary(field_.type) or pa.types.is_large_binary(field_.type):
            for content, subject in zip(column.to_pylist(), subjects, strict=True):
                if content is None:
                    continue
                if search.is_erased(search.pseudonyms.originals(content), subject):
                    return "an erased photo's bytes"
                if what := search.in_bytes(content):
                    return what
        elif "string" in str(field_.type):
            text = repr(column.to_pylist()).encode(errors="surrogateescape")
            if what := search.in_bytes(text):
                return what
    return None
