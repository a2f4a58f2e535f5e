"""Rows that are kept outside memory come back in the order of their columns."""

import random

import pyarrow as pa
import pytest

from lake import sorted_runs
from lake.sorted_runs import SortedRuns

SCHEMA = pa.schema([("second", pa.int64()), ("path", pa.binary()), ("size", pa.int64())])


@pytest.fixture
def rows():
    """A thousand rows, many of the same second, and the order in which they should come."""
    chance = random.Random(1)
    made = [
        {"second": chance.randrange(-5, 5), "path": f"{n:04}".encode() + b"\xff", "size": n}
        for n in range(1_000)
    ]
    chance.shuffle(made)
    return made, sorted(made, key=lambda row: (row["second"], row["path"]))


@pytest.mark.parametrize("held", [1, 64, 300, 10_000])
def test_rows_come_back_in_order_from_a_file_or_from_memory(monkeypatch, rows, held):
    monkeypatch.setattr(sorted_runs, "READ", 7)
    made, expected = rows
    with SortedRuns(SCHEMA, ("second", "path"), held=held) as runs:
        for begin in range(0, len(made), 90):
            runs.add(pa.Table.from_pylist(made[begin : begin + 90], SCHEMA))
        assert list(runs.rows()) == expected


def test_no_rows_are_none():
    with SortedRuns(SCHEMA, ("second",)) as runs:
        runs.add(SCHEMA.empty_table())
        assert list(runs.rows()) == []
