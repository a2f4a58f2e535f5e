"""A CSV or Parquet file that tells the labels of objects by their paths."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from conf.errors import BadInput, FruitLakeError
from lake.storage.addresses import is_s3
from lake.storage.locate import folder

COLUMNS = ("path", "label", "split")

LARGEST_BLOCK = 1 << 30
"""The most bytes of a CSV file that are read as one block, within which a row must lie."""

Row = tuple[str | None, str | None]
"""The label and the split of an object; None where the file has none."""


@dataclass(frozen=True)
class LabelFile:
    """The rows of a file with labels, by the paths of the objects relative to the landing folder."""

    rows: Mapping[str, Row]

    @classmethod
    def read(cls, place: str) -> LabelFile:
        """Read a file, which is Parquet where its name ends so, and else CSV with a line of names.

        It has the columns `path` and `label`, and may have `split`. Raises BadInput where it can't be read,
        lacks a column, or tells different things of one path.
        """
        table = _table(place)
        missing = [name for name in ("path", "label") if name not in table.column_names]
        if missing:
            raise BadInput(
                f"The file with labels {place} has no column {missing[0]}; give it the columns path and "
                f"label, and split if you like, with commas between them and their names in the first line."
            )
        splits = (
            table["split"].to_pylist() if "split" in table.column_names else [None] * len(table)
        )
        rows: dict[str, Row] = {}
        contradictions = 0
        for path, *told in zip(
            table["path"].to_pylist(), table["label"].to_pylist(), splits, strict=True
        ):
            row = (told[0] or None, told[1] or None)
            # Spreadsheets leave rows without a path.
            contradictions += bool(path) and rows.setdefault(_spelled(path), row) != row
        if contradictions:
            raise BadInput(
                f"The file with labels {place} has {contradictions:,} paths twice with different labels; "
                f"leave one row of each."
            )
        return cls(rows)

    def row(self, path: str) -> Row | None:
        """Return the label and the split of an object; None where the file doesn't have it."""
        return self.rows.get(_spelled(path))


def _spelled(path: str) -> str:
    """Return a path in the form in which paths are compared."""
    path = unicodedata.normalize("NFC", path)
    while path.startswith(("./", "/")):
        path = path.removeprefix(".").lstrip("/")
    return path


def _table(place: str) -> pa.Table:
    """Return the columns of a file as texts. Raises BadInput where it can't be read."""
    try:
        content = _content(place)
        if place.lower().endswith(".parquet"):
            found = parquet.read_table(pa.BufferReader(content))
        else:
            found = _csv(content)
        names = [name for name in COLUMNS if name in found.column_names]
        return pa.table({name: found[name].cast(pa.string()) for name in names})
    except FruitLakeError:  # a bucket's, which says itself what to do
        raise
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or (
            "it is neither CSV in UTF-8 nor Parquet, with texts and each column once"
        )
        raise BadInput(
            f"The file with labels {place} can't be read ({reason}); labels.source names it."
        ) from None


def _csv(content: bytes) -> pa.Table:
    """Return the columns of a CSV file in UTF-8, those of `COLUMNS` as texts. Raises pa.ArrowException."""
    return csv.read_csv(
        io.BytesIO(content),
        read_options=csv.ReadOptions(block_size=min(len(content), LARGEST_BLOCK) or 1),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string())),
    )


def _content(place: str) -> bytes:
    """Return the bytes of a file of this machine or in S3. Raises OSError."""
    if not is_s3(place):
        return Path(place).read_bytes()
    root, _, name = place.rpartition("/")
    content = folder(root).read(name)
    if content is None:
        raise FileNotFoundError(2, "No such file")
    return content
