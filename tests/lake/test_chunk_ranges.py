"""Ranges of chunks' numbers hold what the ranges hold that they were made from."""

from hypothesis import given
from hypothesis import strategies as st

from lake.chunk_ranges import ChunkRanges

NUMBERS = st.integers(-3, 30)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_a_number_is_within_where_one_range_has_it(ranges):
    found = ChunkRanges(ranges)
    for number in range(-5, 33):
        assert (number in found) == any(first <= number <= last for first, last in ranges)


def test_gaps_are_the_numbers_that_no_range_has():
    ranges = ChunkRanges([(3, 4), (8, 8), (9, 12), (30, 40)])
    assert list(ranges.gaps(0, 35)) == [(0, 2), (5, 7), (13, 29)]
    assert list(ranges.gaps(4, 50)) == [(5, 7), (13, 29), (41, 50)]
    assert list(ranges.gaps(30, 40)) == []
    assert list(ChunkRanges([]).gaps(2, 3)) == [(2, 3)]
    for first, last in ((0, 60), (3, 3), (5, 5), (10, 31)):
        free = [number for number in range(first, last + 1) if number not in ranges]
        assert [n for a, b in ranges.gaps(first, last) for n in range(a, b + 1)] == free
