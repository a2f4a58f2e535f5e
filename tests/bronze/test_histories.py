"""Random histories of bronze against a simple model in memory, with chunks of two to four photos.

Copies, further versions of an object, other labels, expired, erased and restored photos come together at the
borders of chunks, while the index of keys is made, dies, is emptied or holds no more. A history follows from
its seed. Hypothesis would need minutes to make one that fails shorter.
"""

import random

import pytest

from lake import catalog, known_keys
from tests.support.arrow_lake import ArrowPlace
from tests.support.bronze_contents import PATHS
from tests.support.bronze_histories import BronzeHistory
from tests.support.kills import Killed, dies

BETWEEN = (
    "index",
    "empty_index",
    "compact",
    "erase_subject",
    "erase_photo",
    "expire",
    *["restore"] * 2,
)
"""What is done between two runs of bronze."""

SEEDS = 10

OF_NOBODY = [path for path in PATHS if not path.startswith("subject=")]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_bronze_holds_what_a_simple_model_says_whatever_was_done(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(known_keys, "FEWEST", seed % 3)
    chance = random.Random(seed)
    history = BronzeHistory(ArrowPlace.made(tmp_path), chance)
    try:
        for act in ("arrive", *chance.choices(BETWEEN, k=6)):
            for each in (act, "arrive"):
                history.do(each)
                assert history.differences() == []
    except BaseException as error:
        error.add_note("\n".join(history.told))
        raise


def test_a_run_that_dies_whenever_the_index_was_made_goes_on_with_the_next_chunk(
    tmp_path, monkeypatch
):
    """Each chunk but the first has a copy of a photo of an earlier one, under another label."""
    monkeypatch.setattr(known_keys, "FEWEST", 1)
    history = BronzeHistory(ArrowPlace.made(tmp_path), random.Random(0))
    place = history.place.set("chunks.max_photos=2")
    for path, name in zip(OF_NOBODY, "abacbc", strict=True):
        history.put(path, name)
    for through in range(1, 4):
        with dies("bronze: index of keys made"), pytest.raises(Killed):
            place.run()
        place.bury()
        index = place.lake.records(catalog.KNOWN_KEYS)
        assert {row["through_chunk"] for row in index} == {through}
        assert len(place.lake.records(catalog.OBJECTS)) == 2 * through
    place.run()
    history.model.run()
    assert history.model.outcomes() == {"stored": 3, "duplicate": 3}
    assert history.differences() == []
