"""Which chunks of silver a chunk of tests is made of."""

from types import SimpleNamespace

import pytest

from gold import testing_chunks
from gold.testing_chunks import grouped
from lake.enums import BRONZE, SILVER

MODEL, OTHER = "a" * 64, "b" * 64


def chunk(number, *, layer=SILVER, weights_id=MODEL, photos=10):
    return SimpleNamespace(number=number, layer=layer, weights_id=weights_id, photos=photos)


def numbers(new, between=()):
    made = [chunk(number) for number in new]
    return [[each.number for each in group] for group in grouped(made, [*made, *between])]


@pytest.mark.parametrize(
    ("new", "between", "found"),
    [
        ([], [], []),
        ([4, 7, 9], [], [[4, 7, 9]]),
        ([4, 7, 9], [chunk(5, layer=BRONZE), chunk(8, weights_id=OTHER)], [[4, 7, 9]]),
        ([11, 14], [chunk(12)], [[11], [14]]),
        ([10, 12, 13], [chunk(11), chunk(15)], [[10], [12, 13]]),
    ],
)
def test_no_other_chunk_lies_between_those_of_one_test(new, between, found):
    assert numbers(new, between) == found


def test_a_chunk_of_tests_holds_no_more_photos_than_fit(monkeypatch):
    monkeypatch.setattr(testing_chunks, "MOST", 25)
    assert numbers([1, 2, 3, 4, 5]) == [[1, 2], [3, 4], [5]]
