"""Rows that are kept outside memory come back whole, in the order of their keys."""

import os

import numpy as np
import pyarrow as pa
import pytest

from lake import key_spool, working_files
from lake.key_spool import KEY, KeySpool, as_numpy

SCHEMA = pa.schema([pa.field("key", KEY), pa.field("n", pa.int64())])


def keyed(count, *, first=0):
    keys = [os.urandom(KEY.byte_width) for _ in range(count)]
    return pa.table([pa.array(keys, KEY), range(first, first + count)], SCHEMA)


@pytest.mark.parametrize("held", [1, 100, 10_000])
def test_rows_come_back_in_the_order_of_their_keys_in_a_file_or_in_memory(held, monkeypatch):
    monkeypatch.setattr(key_spool, "RANGES", 64)
    monkeypatch.setattr(key_spool, "READ", 1)
    parts = [keyed(count, first=1_000 * place) for place, count in enumerate([300, 0, 1, 699])]
    with KeySpool(SCHEMA, held=held) as spool:
        for part in parts:
            spool.add(part)
        ranges = list(spool.ranges())
    assert pa.concat_tables(ranges).equals(pa.concat_tables(parts).sort_by("key"))
    assert len(ranges) == (1 if held == 10_000 else key_spool.RANGES)


def test_ranges_are_read_together_until_they_are_many_rows(monkeypatch):
    """No key is in two tables: all rows of it are sorted, and told apart, at once."""
    monkeypatch.setattr(key_spool, "READ", 300)
    with KeySpool(SCHEMA, held=10) as spool:
        spool.add(keyed(5_000))
        spool.add(keyed(5_000))
        parts = list(spool.ranges())
    whole = pa.concat_tables(parts)
    assert whole.equals(whole.sort_by("key"))
    firsts = [as_numpy(part["key"].combine_chunks()).view(np.uint8)[::16] for part in parts]
    ranges = [set(each.tolist()) for each in firsts]
    assert sum(map(len, ranges)) == len(set().union(*ranges)) == key_spool.RANGES
    assert sum(part.num_rows for part in parts) == 10_000
    assert min(part.num_rows for part in parts[:-1]) > 200
    assert max(part.num_rows for part in parts) <= 300


def test_a_range_of_more_rows_is_read_alone(monkeypatch):
    monkeypatch.setattr(key_spool, "READ", 1)
    with KeySpool(SCHEMA, held=10) as spool:
        spool.add(keyed(5_000))
        spool.add(keyed(5_000))
        firsts = [
            as_numpy(part["key"].combine_chunks()).view(np.uint8)[::16] for part in spool.ranges()
        ]
    width = 256 // key_spool.RANGES
    assert [set(each // width) for each in firsts] == [{n} for n in range(key_spool.RANGES)]


def test_a_spool_without_rows_gives_none():
    with KeySpool(SCHEMA) as spool:
        assert list(spool.ranges()) == []


def test_the_file_has_no_name(tmp_path, monkeypatch):
    """A process that is killed leaves no rows behind."""
    monkeypatch.setattr(key_spool, "READ", 1)
    monkeypatch.setattr(working_files, "place", lambda: tmp_path)
    with KeySpool(SCHEMA, held=1) as spool:
        spool.add(keyed(100))
        assert list(tmp_path.iterdir()) == []
        assert len(list(spool.ranges())) > 1


def test_keys_that_end_in_zeros_keep_their_order():
    keys = [b"\1" + bytes(15), b"\1" * 16, bytes(16), b"\1" + bytes(14) + b"\1"]
    found = as_numpy(pa.array(keys, KEY))
    assert np.argsort(found).tolist() == sorted(range(4), key=keys.__getitem__)
    assert np.array_equal(as_numpy(pa.array(keys, KEY)[1:]), found[1:])
