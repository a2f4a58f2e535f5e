"""Which chunks of silver a chunk of tests is made of, and when labels are compared."""

import pytest

from gold import testing_chunks
from gold.testing_chunks import grouped, is_labelled_since, new_chunks
from lake.chunks import Chunk, ChunkState
from lake.enums import BRONZE, LABELLING, SILVER, TESTING

MODEL, OTHER = "a" * 64, "b" * 64
CHAMPION = {"version": "classifier-1", "weights_id": MODEL, "through_chunk": 3, "chunk": 5}


def chunk(number, *, layer=SILVER, weights_id=MODEL, photos=10, **more):
    known = {"number": number, "layer": layer, "weights_id": weights_id, "photos": photos}
    return Chunk(**{"state": ChunkState.PUBLISHED} | known | more)


def of_test(number, *, first=None, last=None, version="classifier-1", **more):
    of = {"source_from": first, "source_to": last, "model_version": version}
    return chunk(number, layer=TESTING, **of, **more)


def labelled(number):
    return chunk(number, layer=LABELLING, weights_id=None, state=ChunkState.PLANNED)


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


@pytest.mark.parametrize(
    ("known", "found"),
    [
        pytest.param([], [4, 6, 8], id="all after the training's last"),
        pytest.param([of_test(9, first=4, last=6)], [8], id="those not tested"),
        pytest.param([of_test(9, first=4, last=8, state=ChunkState.STAGED)], [], id="or staged"),
        pytest.param([of_test(9, first=4, last=8, version="classifier-0")], [4, 6, 8], id="by it"),
        pytest.param([of_test(9, first=4, last=8, state=ChunkState.RETIRED)], [4, 6, 8], id="lost"),
        pytest.param([of_test(9)], [4, 6, 8], id="a test of labels took none"),
    ],
)
def test_a_champion_is_tested_once_on_what_came_after_what_it_was_fitted_on(known, found):
    silver = [chunk(n) for n in (2, 3, 4, 6, 8)]
    other = [
        chunk(7, weights_id=OTHER),
        chunk(10, state=ChunkState.BLOCKED),
        chunk(11, layer=BRONZE),
    ]
    assert [each.number for each in new_chunks([*silver, *other, *known], CHAMPION)] == found


@pytest.mark.parametrize(
    ("known", "is_since"),
    [
        pytest.param([chunk(7)], False, id="none"),
        pytest.param([labelled(4)], False, id="before the training"),
        pytest.param([labelled(6)], True, id="after it"),
        pytest.param([labelled(6), of_test(7)], False, id="and compared"),
        pytest.param([of_test(7), labelled(8), labelled(6)], True, id="and again"),
        pytest.param([labelled(6), of_test(7, version="classifier-0")], True, id="by another"),
        pytest.param([labelled(6), of_test(7, first=4, last=4)], True, id="only new photos"),
        pytest.param(
            [labelled(6), of_test(7, state=ChunkState.PLANNED)], True, id="not to the end"
        ),
    ],
)
def test_labels_are_compared_once_after_each_labelling(known, is_since):
    assert is_labelled_since(known, CHAMPION) is is_since
