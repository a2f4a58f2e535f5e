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
