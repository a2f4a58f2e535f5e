"""How a champion does on photos labelled after its training: by week, and against what its test promised."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from gold import accuracy_since
from gold.accuracy_since import LastWeeks, Week
from lake import catalog
from tests.support.photo_tables import write

CHAMPION = {"version": "classifier-1", "chunk": 5, "metrics": {"accuracy_low": 0.8}}
MONDAY = datetime(
    2027, 1, 4, tzinfo=UTC
)  # the first day of the first week; the day before is of 2026
ROW = {
    "label": "kiwi",
    "predicted": "kiwi",
    "model_version": "classifier-1",
    "confidence": 0.5,
    "learned": True,
    "chunk": 9,
}


def test_photos_are_counted_by_the_week_of_their_label(tmp_path):
    def row(at, *, label="kiwi", **more):
        return ROW | {"label": label, "labelled_at": at, "learned": label != "plum"} | more

    sunday = MONDAY.replace(day=3)
    rows = [
        row(MONDAY),
        row(MONDAY, label="lime", confidence=1.0),
        row(MONDAY, label="plum"),
        row(sunday),
        row(None, chunk=5),  # of the training
        row(MONDAY, model_version="classifier-0"),
    ]
    write(tmp_path, catalog.HELD_OUT, rows)
    found = accuracy_since.read(str(tmp_path), CHAMPION)
    assert found.weeks == [Week("2026-W53", 1, 1, 1, 0.5, 0), Week("2027-W01", 2, 2, 1, 0.75, 1)]
    assert (found.photos, found.right, found.unlearned, found.promised) == (3, 2, 1, 0.8)
    assert str(found) == (
        "classifier-1 is right about 2 of 3 photos (66.7%) that got their label after its training; it is "
        "judged from 10 scenes on; 1 more have labels that it never learned"
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


def photos(week, scenes, *, right=1, wrong=0, first=0, **more):
    """Rows of so many scenes, each with photos predicted right and wrong, of a week after MONDAY."""
    at = MONDAY + timedelta(weeks=week)
    return [
        ROW | {"labelled_at": at, "scene": first + scene, "predicted": predicted} | more
        for scene in range(scenes)
        for predicted in ["kiwi"] * right + ["lime"] * wrong
    ]


def judged(tmp_path, *rows):
    write(tmp_path, catalog.HELD_OUT, [row for each in rows for row in each])
    return accuracy_since.read(str(tmp_path), CHAMPION)


@pytest.mark.parametrize(
    ("scenes", "right", "wrong", "is_judged", "is_short"),
    [
        pytest.param(9, 0, 1, False, False, id="too few scenes"),
        pytest.param(9, 0, 50, False, False, id="too few scenes of many photos"),
        pytest.param(10, 0, 1, True, True, id="enough"),
        pytest.param(12, 7, 3, True, True, id="12 scenes with the same share"),
        pytest.param(400, 1, 0, True, False, id="all right"),
    ],
)
def test_it_falls_short_only_beyond_chance(tmp_path, scenes, right, wrong, is_judged, is_short):
    found = judged(tmp_path, photos(0, scenes, right=right, wrong=wrong))
    assert (found.last is not None, found.shortfall > 0) == (is_judged, is_short)


@pytest.mark.parametrize(("scenes", "is_short"), [(20, False), (2000, True)])
def test_a_share_that_may_be_chance_is_none_to_warn_of(tmp_path, scenes, is_short):
    """Of scenes that are all right or all wrong, 70 % are right."""
    right, wrong = scenes * 7 // 10, scenes * 3 // 10
    found = judged(tmp_path, photos(0, right), photos(0, wrong, right=0, wrong=1, first=right))
    assert found.last.scenes == scenes
    assert (found.shortfall > 0) is is_short


def test_it_falls_short_of_the_lower_end_that_its_test_promised(tmp_path):
    """A classifier that was right about 95 %, and promised 80 %."""
    write(tmp_path, catalog.HELD_OUT, photos(0, 150, right=17, wrong=3))
    metrics = {"accuracy": 0.95, "accuracy_low": 0.8}
    assert accuracy_since.read(str(tmp_path), CHAMPION | {"metrics": metrics}).shortfall == 0


def test_one_bad_visit_of_many_frames_is_one_scene(tmp_path):
    good = photos(0, 30)
    found = judged(tmp_path, good, photos(0, 1, right=0, wrong=60, first=100))
    assert (found.photos, found.right, found.last.scenes) == (90, 30, 31)
    assert found.shortfall == 0
    assert found.last.upper > 0.8


def test_a_classifier_that_went_bad_after_a_good_year_is_noticed(tmp_path):
    year = [photos(week, 20, right=5, first=20 * week) for week in range(52)]
    bad = [photos(week, 20, right=1, wrong=4, first=20 * week) for week in range(52, 55)]
    found = judged(tmp_path, *year, *bad)
    assert found.accuracy > CHAMPION["metrics"]["accuracy_low"]
    assert found.last == LastWeeks("2027-W52", 400, 80, 160, found.last.upper)
    assert found.shortfall > 0.1


def test_one_that_was_bad_long_ago_and_is_good_now_is_good(tmp_path):
    bad = [photos(week, 20, right=0, wrong=5, first=20 * week) for week in range(8)]
    good = [photos(week, 20, right=5, first=20 * week) for week in range(8, 12)]
    assert judged(tmp_path, *bad, *good).shortfall == 0


@pytest.mark.parametrize(
    ("weeks", "since", "scenes"),
    [
        pytest.param([4, 3, 3, 2, 2], "2027-W02", 10, id="just enough"),
        pytest.param([4] * 9, "2027-W06", 16, id="the last four"),
        pytest.param([4, 4, 4, 4, 0, 0, 4], "2027-W03", 12, id="the weeks of the calendar"),
        pytest.param([9, 9, 1, 1, 1, 1], "2027-W02", 13, id="until they are enough"),
        pytest.param([6, 0, 0, 0, 0, 0, 0, 4], "2027-W01", 10, id="weeks without photos are none"),
        pytest.param([6, 0, 0, 0, 0, 0, 0, 3], None, None, id="never enough"),
    ],
)
def test_it_is_judged_by_the_last_weeks_and_as_many_before_as_it_takes(
    tmp_path, weeks, since, scenes
):
    rows = [photos(week, n, first=20 * week) for week, n in enumerate(weeks)]
    last = judged(tmp_path, *rows).last
    assert (last and (last.since, last.scenes)) == (since and (since, scenes))


def test_a_sentence_names_the_last_four_weeks_that_have_photos(tmp_path):
    weeks = judged(tmp_path, *(photos(week, 1, first=week) for week in range(9))).last_weeks()
    assert weeks == ", ".join(f"2027-W{week:02} 100.0% of 1" for week in (9, 8, 7, 6))


def test_labels_that_it_never_learned_say_nothing_of_it(tmp_path):
    plums = photos(0, 30, first=100, label="plum", learned=False)
    found = judged(tmp_path, photos(0, 9), plums)
    assert (found.unlearned, found.weeks[0].scenes, found.last) == (30, 9, None)


def test_rows_without_a_scene_are_told_apart_by_person_or_label_and_day(tmp_path):
    rows = [
        ROW | {"labelled_at": MONDAY + timedelta(days=day), "subject": subject, "label": label}
        for day in range(2)
        for subject, label in [("a", "kiwi"), ("a", "lime"), ("b", "kiwi"), (None, "kiwi")] * 3
    ]
    assert judged(tmp_path, rows).weeks[0].scenes == 6


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param({"accuracy": 0.8}, id="earlier code"),
        pytest.param({"accuracy": 0.8, "accuracy_low": 0.0}, id="no visits were told apart"),
    ],
)
def test_without_a_promise_nobody_judges(tmp_path, metrics):
    write(tmp_path, catalog.HELD_OUT, photos(0, 100, right=0, wrong=1))
    found = accuracy_since.read(str(tmp_path), CHAMPION | {"metrics": metrics})
    assert (found.promised, found.shortfall) == (None, 0)
