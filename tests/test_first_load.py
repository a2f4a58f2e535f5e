"""The benchmark of a first load: what it tells from the rows of ops/chunks. Without Spark."""

from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.first_load import ratios, taken

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def rows(layer, seconds):
    """Rows of chunks that were planned together, and came to their end after so many seconds each."""
    entries = [(n, "planned", 0) for n in range(len(seconds))]
    entries += [(n, "published", sum(seconds[: n + 1])) for n in range(len(seconds))]
    return [
        {
            "chunk": n,
            "layer": layer,
            "state": state,
            "entry": e,
            "at": BEGAN + timedelta(seconds=at),
        }
        for e, (n, state, at) in enumerate(entries)
    ]


def test_a_chunk_took_what_passed_since_the_one_before():
    found = rows("bronze", [30, 2, 4, 3]) + rows("silver", [9, 7])
    assert taken(found, "bronze") == [2, 4, 3]
    assert taken(list(reversed(found)), "bronze") == [2, 4, 3]


@pytest.mark.parametrize(("span", "late"), [(1, 9), (2, 8), (99, 8)])
def test_late_chunks_are_compared_with_early_ones(span, late):
    early = 1.5 if span > 1 else 1
    found = ratios(rows("bronze", [30, 1, 2, 7, 9]) + rows("gold", [8, 8]), span=span)
    assert found == {"bronze": {"early": early, "late": late, "ratio": late / early}}
