"""A lake after many daily runs: what the benchmark writes into its journals, and what a run makes of them."""

from pathlib import Path

import pytest

from benchmarks import long_lake
from benchmarks.whole_processes import Whole
from lake import catalog, delta_rs_reader
from lake.chunks import latest
from lake.storage.locate import folder
from report.lake_counts import sums
from tests.support.archives import unpack

LAKES = Path(__file__).parent / "lakes"
DAYS = 45


def states(root):
    rows = delta_rs_reader.rows(root, catalog.CHUNKS)
    return len(rows), latest(rows)


@pytest.fixture(autouse=True)
def few_commits(monkeypatch):
    """The days that have every commit are few: each takes time on a busy disk."""
    monkeypatch.setattr(long_lake, "LAST_DAYS", 1)


@pytest.fixture
def root(tmp_path):
    """A small lake of earlier code."""
    unpack(LAKES / "format-5.tar.gz", tmp_path)
    return str(tmp_path / "lake")


def test_a_lake_after_many_runs_says_the_same_of_its_photos(root):
    before, told = states(root), sums(folder(root))
    long_lake.grow(root, DAYS)
    count, chunks = states(root)
    assert len(chunks) == (DAYS + 1) * max(before[1])
    assert count == (DAYS + 1) * before[0]
    grown = sums(folder(root))
    assert (grown.photos, grown.outcomes) == (told.photos, told.outcomes)
    long_lake.tidy(root)
    folded, same = states(root)
    assert (same, sums(folder(root))) == (chunks, grown)
    assert folded < count - 1000


def test_every_day_has_ids_numbers_and_times_of_its_own(root):
    for table, times in long_lake.TIMES.items():
        rows = delta_rs_reader.rows(root, table)
        days = [long_lake.of_day(table, rows, day, DAYS) for day in range(3)]
        ids = [{row["run_id"] for row in day} for day in (rows, *days)]
        assert len(set.union(*ids)) == sum(map(len, ids)), table.name
        assert [sorted(r for each in long_lake.by_commit(table, day) for r in map(str, each))
                for day in days] == [sorted(map(str, day)) for day in days]  # fmt: skip
        for name in times:
            firsts = [min(row[name] for row in day) for day in (*days, rows)]
            assert firsts == sorted(set(firsts)), table.name


def test_ratios_are_those_of_medians():
    def took(*seconds):
        return {name: [Whole(each) for each in seconds] for name in long_lake.MEASURED}

    results = {long_lake.NEW_LAKE: took(1.0, 2.0, 9.0), long_lake.OLD_LAKE: took(3.0, 3.0, 0.1)}
    assert long_lake.ratios(results) == dict.fromkeys(long_lake.MEASURED, 1.5)


def test_a_run_folds_the_chunks_of_a_long_lake(copied):
    root = copied.settings.paths.lake
    long_lake.grow(root, 200)
    count, chunks = states(root)
    copied.run()
    folded, same = states(root)
    assert same == chunks
    assert folded <= 2 * len(chunks) < count
