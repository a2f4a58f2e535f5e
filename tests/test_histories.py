"""Random histories of whole lakes against a simple model in memory: each act is that of a command."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.commands.retain import retain
from lake import catalog, known_keys
from lake.enums import BRONZE, RESTORE, RETAIN
from privacy.restore import restore
from tests.support.bad_photos import picture
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


def test_the_row_of_an_expired_photo_stays_away_when_its_bytes_were_sent_again(place):
    """It would be past its age, and its chunk another one than bronze/objects has."""
    place = place.set("retention.photos=1 day")
    picture().save(place.landing / "kiwi.png")
    place.run(BRONZE)
    before = place.lake.version(catalog.PHOTOS)
    with place.writing() as context:
        retain(context.step(RETAIN, now=datetime.now(UTC) + timedelta(days=1)))
    (place.landing / "kiwi.png").touch()
    assert place.run(BRONZE)[BRONZE].counts["stored"] == 1
    with place.writing() as context:
        done = restore(context.step(RESTORE), catalog.PHOTOS, before)
    assert (done.left, done.returned, done.kept_out) == (1, 0, 1)
    assert place.run(BRONZE)[BRONZE].counts["stored"] == 1
