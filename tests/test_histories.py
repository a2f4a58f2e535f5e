"""Random histories of whole lakes against a simple model in memory: each act is that of a command."""

import pytest

from lake import catalog, known_keys
from tests.support.whole_histories import PARTS, WholeHistory


@pytest.mark.parametrize("seed", range(PARTS))
def test_a_lake_holds_what_a_simple_model_says_whatever_was_done(place, seed, monkeypatch):
    monkeypatch.setattr(known_keys, "FEWEST", 4)
    history = WholeHistory(place, seed)
    try:
        for act in history.acts:
            history.do(act)
            assert history.differences() == []
        if seed == 0:
            history.place.run()
            assert history.differences() == []
            assert history.contents.labels(catalog.EMBEDDINGS) == history.model.labels()
    except BaseException as error:
        error.add_note("\n".join(history.told))
        raise
