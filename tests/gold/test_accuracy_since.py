"""How a champion does on photos labelled after its training: by week, and against what its test promised."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from gold import accuracy_since
from gold.accuracy_since import AccuracySince, Week
from lake import catalog
from tests.support.photo_tables import write

CHAMPION = {"version": "classifier-1", "chunk": 5, "metrics": {"accuracy_low": 0.8}}
MONDAY = datetime(
    2027, 1, 4, tzinfo=UTC
)  # the first day of the first week; the day before is of 2026


def test_photos_are_counted_by_the_week_of_their_label(tmp_path):
    def row(at, *, label="kiwi", predicted="kiwi", version="classifier-1", **more):
        words = {"label": label, "predicted": predicted, "model_version": version}
        known = {"confidence": 0.5, "labelled_at": at, "learned": label != "plum", "chunk": 9}
        return words | known | more

    sunday = MONDAY.replace(day=3)
    rows = [
        row(MONDAY),
        row(MONDAY, label="lime", confidence=1.0),
        row(MONDAY, label="plum"),
        row(sunday),
        row(None, chunk=5),  # of the training
        row(MONDAY, version="classifier-0"),
    ]
    write(tmp_path, catalog.HELD_OUT, rows)
    found = accuracy_since.read(str(tmp_path), CHAMPION)
    assert found.weeks == [Week("2026-W53", 1, 1, 0.5, 0), Week("2027-W01", 2, 1, 0.75, 1)]
    assert (found.photos, found.right, found.unlearned, found.promised) == (3, 2, 1, 0.8)
    assert str(found) == (
        "classifier-1 is right about 2 of 3 photos (66.7%) that got their label after its training; 1 more "
        "have labels that it never learned"
    )
    assert found.last_weeks() == "2027-W01 50.0% of 2, 2026-W53 100.0% of 1"
    assert found.facts()["weeks"][1]["accuracy"] == 0.5


def test_a_table_of_earlier_code_has_no_such_photo(tmp_path):
    rows = pa.table({"chunk": [5], "model_version": ["classifier-1"], "label": ["kiwi"]})
    held = rows.append_column("predicted", rows["label"]).append_column(
        "confidence", pa.array([0.5])
    )
    write_deltalake(f"{tmp_path}/{catalog.HELD_OUT.name}", held)
    found = accuracy_since.read(str(tmp_path), CHAMPION | {"metrics": None})
    assert (found.weeks, found.accuracy, found.shortfall) == ([], None, 0.0)
    assert str(found) == "no photo got a label since the training of classifier-1"


def since(right, photos, promised=0.8):
    return AccuracySince("classifier-1", promised, [Week("2027-W01", photos, right, 0.5, 0)])


@pytest.mark.parametrize(
    ("right", "photos", "is_short"),
    [
        pytest.param(0, 19, False, id="too few to judge"),
        pytest.param(0, 20, True, id="enough"),
        pytest.param(14, 20, False, id="70 % of 20 may be chance"),
        pytest.param(1400, 2000, True, id="70 % of 2,000 are none"),
        pytest.param(2000, 2000, False, id="all right"),
    ],
)
def test_it_falls_short_only_beyond_chance(right, photos, is_short):
    assert (since(right, photos).shortfall > 0) is is_short


def test_without_an_interval_nobody_judges():
    assert since(0, 100, promised=None).shortfall == 0
    assert not since(0, 100, promised=None).is_judged


def test_the_upper_end_is_wilsons():
    """Two intervals of Newcombe 1998, on two-sided confidence intervals for a single proportion."""
    assert accuracy_since.wilson_upper(81, 263) == pytest.approx(0.3662, abs=5e-5)
    assert accuracy_since.wilson_upper(0, 0) == 1.0
    assert since(15, 148).upper == pytest.approx(0.1605, abs=5e-5)
