"""What a refusal of bronze depended on, the limits and the code by which an object was read, and which
refused objects may pass by those of now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from bronze.formats.cleaning_results import OVER_LIMIT, RejectionReason
from conf.settings import PhotoSettings

BY_CODE = frozenset(RejectionReason) - {RejectionReason.EMPTY}
"""The reasons of refusals that other code, or a format more, may end. An empty file stays one."""

SHARED = ("iso_boxes.py", "photo_formats.py")
"""The modules of `lake` that the code in bronze/formats needs to know and to read a file."""

READ_BY = "read_by"
"""The column of bronze/rejected that has the text of a `Reader`; null in rows of earlier code."""


@dataclass(frozen=True)
class Reader:
    """What an object was read by: a digest of the code that knows the formats, the most bytes of a file, and
    the seconds and the bytes of memory that a file may take."""

    code: str
    max_bytes: int
    seconds: float
    memory: int

    @classmethod
    def of(cls, photos: PhotoSettings) -> Self:
        """Return the reader of this code under settings."""
        return cls(code_digest(), photos.max_bytes, photos.decode_seconds, photos.decoder_memory)

    @classmethod
    def of_text(cls, text: str | None) -> Self | None:
        """Return the reader that a row names; None where it names none, or in another way than this code."""
        parts = (text or "").split(" ")
        try:
            code, max_bytes, seconds, memory = parts
            return cls(code, int(max_bytes), float(seconds), int(memory))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.code} {self.max_bytes} {self.seconds} {self.memory}"

    def may_end(self, then: Reader | None) -> frozenset[RejectionReason]:
        """Return the reasons of refusals by an earlier reader that this one may not have, whatever the
        file's size. None is an unknown reader."""
        if then is None or then.code != self.code:
            return BY_CODE
        found = set()
        if self.seconds > then.seconds:
            found.add(RejectionReason.PARSER_TIMEOUT)
        if self.memory > then.memory:
            found |= {RejectionReason.PARSER_CRASHED, RejectionReason.TOO_LARGE}
        return frozenset(found)


@cache
def code_digest() -> str:
    """Return a digest of the code that knows the formats of photos, 12 hex digits."""
    digest = hashlib.sha256()
    own = (each for each in files("bronze.formats").iterdir() if each.name.endswith(".py"))
    sources = [*own, *(files("lake") / name for name in SHARED)]
    for source in sorted(sources, key=lambda each: each.name):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def may_pass(rejected: pa.Table, now: Reader) -> pa.Table:
    """Return those rows of bronze/rejected that a reader may take, which refused them as another one.

    `rejected` has the columns `reason`, `detail`, `size_bytes` and `read_by`.
    """
    kept = [
        rows.filter(_may_pass(rows, Reader.of_text(text), now))
        for text, rows in _by_reader(rejected)
    ]
    return pa.concat_tables([rejected.slice(0, 0), *kept])


def _by_reader(rejected: pa.Table) -> Iterable[tuple[str | None, pa.Table]]:
    """Yield the rows of each reader with its text."""
    for text in pc.unique(rejected[READ_BY]).to_pylist():
        is_its = pc.field(READ_BY).is_null() if text is None else pc.field(READ_BY) == text
        yield text, rejected.filter(is_its)


def _may_pass(rows: pa.Table, then: Reader | None, now: Reader) -> pa.ChunkedArray:
    """Return for each row of one earlier reader whether its object may pass."""
    was_over = pc.and_(
        pc.equal(rows["reason"], RejectionReason.TOO_LARGE.value),
        pc.fill_null(pc.starts_with(rows["detail"], OVER_LIMIT), False),
    )
    is_within = pc.less_equal(rows["size_bytes"], now.max_bytes)
    if then is not None:  # an object that was tried by this limit has gone since
        is_within = pc.and_(is_within, pc.greater(rows["size_bytes"], then.max_bytes))
    reasons = pa.array([each.value for each in now.may_end(then)], pa.string())
    may_end = pc.is_in(rows["reason"], value_set=reasons)
    return pc.if_else(was_over, pc.fill_null(is_within, False), may_end)


def with_reader(rows: pa.Table) -> pa.Table:
    """Return rows that have the column `read_by`, also where earlier code wrote them without it."""
    if READ_BY in rows.column_names:
        return rows
    return rows.append_column(READ_BY, pa.nulls(rows.num_rows, pa.string()))
