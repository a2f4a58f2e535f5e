"""The search of one file for data of an erased subject: its columns where it is Parquet, else its bytes.

Other containers are unpacked (`privacy.erasure.containers`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from lake import catalog, delta_log
from lake.storage.folder import StoredObject
from privacy.erasure import containers
from privacy.erasure.name_forms import NameForms
from privacy.erasure.subject_matcher import SubjectMatcher

MAGIC = b"PAR1"
PATH = "path"
"""A lake of format 4 keeps paths in clear that may name others. What is the subject's is told by its rule."""

KEY = "key"
"""The column of bronze/known_keys with a hash of the id of each stored photo."""

KEY_COLUMNS = ("photo_id", "subject", "original", PATH, KEY)

LARGEST_COLUMN = 1 << 30
"""The bytes to which a column of a row group that is read may unfold. No text here has a tenth of them."""

ROWS = 65_536
"""The rows of a column that are in memory at once, where no photo is among them."""

LENGTH = 8
"""The last bytes of a Parquet file: the length of its footer, and the magic."""


@dataclass
class FileFindings:
    """What one file holds: a `residue` of the subject; a `mention`, which is the bare name in clear; and the
    parts of it that can't be decoded."""

    residue: str | None = None
    mention: bool = False
    undecoded: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FileSearch:
    """What files are searched for: the subject, and the bare `name` where it is known in clear. With `deep`
    every column of Parquet files is decoded."""

    subject: SubjectMatcher
    name: NameForms | None = None
    deep: bool = False

    def of(self, stored: StoredObject) -> FileFindings:
        """Return what a file holds. Raises OSError."""
        found = FileFindings()
        if not stored.has_content:
            return found
        with stored.open() as file:
            is_parquet = file.read(len(MAGIC)) == MAGIC
        if not is_parquet:
            ending = PurePosixPath(stored.name).suffix
            report = found.undecoded.append
            size = stored.size
            self._look(
                containers.blocks(stored.open, size=size, ending=ending, report=report), found
            )
            return found
        try:
            self._look_in_parquet(stored, found)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            found.residue = f"a Parquet file that can't be read: {type(error).__name__}"
        if self.deep and not found.residue and not is_journal(stored):
            with stored.open() as file:
                self._look(containers.overlapping(file), found)
        return found

    def of_name(self, name: str) -> FileFindings:
        """Return what the name of a file or folder holds."""
        found = FileFindings()
        self._look([os.fsencode(name)], found)
        return found

    def _look(
        self, contents: Iterable[bytes], found: FileFindings, *, has_ids: bool = True
    ) -> None:
        """Search bytes, until there is nothing more to find out. Without `has_ids` no photo id or pseudonym
        is searched, but names alone."""
        search = self.subject.in_bytes if has_ids else self.subject.name_in_bytes
        for content in contents:
            found.residue = found.residue or search(content)
            if self.name and not found.mention:
                found.mention = self.name.in_bytes(content)
            if found.residue and (found.mention or not self.name):
                return

    def _look_in_parquet(self, stored: StoredObject, found: FileFindings) -> None:
        """Search the key columns, then every column with text, and the footer. With `deep`, and in the log of
        a table, ids are searched in all columns too, but in the journal of erasures, which may keep them."""
        deep = self.deep or delta_log.FOLDER in stored.name.split("/")
        deep = deep and not is_journal(stored)
        with stored.open() as raw, pq.ParquetFile(raw) as file:
            schema = file.schema_arrow
            if not is_journal(stored):
                key_columns = [name for name in KEY_COLUMNS if _has_keys(schema, name)]
                _check_sizes(file.metadata, key_columns)
                for batch in _batches(file, key_columns):
                    found.residue = found.residue or _in_keys(batch.to_pydict(), self.subject)
        if found.residue and not self.name:
            return
        plain = [field_.name for field_ in schema if _is_string(field_.type)]
        columns = schema.names if deep else [each.name for each in schema if _has_text(each.type)]
        has_clear_paths = self.subject.pseudonyms.names.is_as_written and PATH in columns
        if has_clear_paths:
            columns.remove(PATH)
        with stored.open() as raw, pq.ParquetFile(raw, read_dictionary=plain) as file:
            _check_sizes(file.metadata, columns)
            for batch in _batches(file, columns, rows=64 if deep else ROWS):
                if deep and not found.residue:
                    found.residue = _erased_bytes(batch, self.subject)
                texts = (
                    text for column in batch.columns for text in _contents(column, all_bytes=deep)
                )
                self._look(texts, found, has_ids=deep)
        if not has_clear_paths:
            with stored.open() as raw:
                self._look([_footer(raw)], found, has_ids=deep)


def _batches(
    file: pq.ParquetFile, columns: Sequence[str], *, rows: int = ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a file, in batches of so many rows; nothing where there is no column."""
    if columns:
        yield from file.iter_batches(rows, columns=columns, use_threads=False)


def _has_keys(schema: pa.Schema, name: str) -> bool:
    """Return whether a file has a column of a name with keys: its own files may have others of that name."""
    if name not in schema.names:
        return False
    return name != KEY or _is_bytes(schema.field(name).type)


def residue_in(stored: StoredObject, search: SubjectMatcher, *, deep: bool = False) -> str | None:
    """Return what of the subject one file holds; None where it holds nothing. Raises OSError."""
    return FileSearch(search, deep=deep).of(stored).residue


def is_journal(stored: StoredObject) -> bool:
    """Return whether a file belongs to the journal of erasures, which may keep the photo ids."""
    return stored.name.rpartition("/")[0].endswith(catalog.ERASURES.name)


def _check_sizes(metadata: pq.FileMetaData, columns: list[str]) -> None:
    """Raise ArrowInvalid where one of the columns that are read unfolds to more than any of a table's."""
    paths = tuple(f"{name}." for name in columns)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            is_read = f"{column.path_in_schema}.".startswith(paths)
            if is_read and column.total_uncompressed_size > LARGEST_COLUMN:
                raise pa.ArrowInvalid("a column unfolds to more than 1 GB")


def _in_keys(columns: Mapping[str, list[str | None]], search: SubjectMatcher) -> str | None:
    """Return what of the subject the values of key columns show; None where they show nothing."""
    if any(photo in search.photo_ids for photo in columns.get("photo_id", [])):
        return "a row of an erased photo"
    if not search.known_keys.isdisjoint(columns.get(KEY, [])):
        return "a key of an erased photo"
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


def _erased_bytes(batch: pa.RecordBatch, search: SubjectMatcher) -> str | None:
    """Return what the columns with bytes hold of erased photos; None where they hold nothing."""
    subjects: list[str | None] = [None] * batch.num_rows
    if "subject" in batch.schema.names:
        subjects = batch.column("subject").to_pylist()
    for column in batch.columns:
        if _is_bytes(column.type):
            for content, subject in zip(column, subjects, strict=True):
                if content.is_valid and search.are_erased(content.as_py(), subject):
                    return "an erased photo's bytes"
    return None


def _contents(array: pa.Array, *, all_bytes: bool) -> Iterator[bytes]:
    """Yield the texts of a column, joined by line breaks, and with `all_bytes` each value of bytes."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from _contents(array.dictionary, all_bytes=all_bytes)
    elif pa.types.is_struct(kind):
        for place in range(kind.num_fields):
            yield from _contents(array.field(place), all_bytes=all_bytes)
    elif pa.types.is_map(kind):
        yield from _contents(array.keys, all_bytes=all_bytes)
        yield from _contents(array.items, all_bytes=all_bytes)
    elif pa.types.is_nested(kind):
        yield from _contents(array.flatten(), all_bytes=all_bytes)
    elif _is_string(kind):
        texts = array.cast(pa.large_binary()).drop_null().to_pylist()
        if texts:
            yield b"\n".join(texts)
    elif all_bytes and _is_bytes(kind):
        yield from (value.as_py() for value in array if value.is_valid)


def _has_text(kind: pa.DataType) -> bool:
    """Return whether values of a type are texts, or hold texts."""
    if pa.types.is_dictionary(kind):
        return _is_string(kind.value_type)
    if pa.types.is_nested(kind):
        return any(_has_text(kind.field(place).type) for place in range(kind.num_fields))
    return _is_string(kind)


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _footer(file: BinaryIO) -> bytes:
    """Return the footer of a Parquet file, which holds statistics and metadata of its own."""
    end = file.seek(0, os.SEEK_END)
    file.seek(end - LENGTH)
    length = int.from_bytes(file.read(LENGTH)[:4], "little")
    file.seek(end - LENGTH - length)
    return file.read(length)
