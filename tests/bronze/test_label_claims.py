"""What objects tell of their photos: what is recorded, which photos get another label, what is a conflict."""

from datetime import UTC, datetime, timedelta

import pytest

from bronze.label_claims import decided, record
from bronze.labels import GivenLabel, is_well_formed
from bronze.landing import Arrival, LandingObject
from bronze.object_outcomes import unseen
from expectations import suites
from lake import catalog, known_keys
from tests.support.listed_rows import listed_rows, told_by
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

NOW = datetime(2026, 11, 29, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)
PHOTO = "f" * 64


def version(key, label=None, split="", **more):
    row = dict.fromkeys(catalog.OBJECTS.column_names)
    told = {"label": label, "split": None if label is None else split, "outcome": "duplicate"}
    return {**row, "object": key, "etag": "1", "photo_id": PHOTO, **told, **more}


def lies(key, label=None, split=None):
    return Arrival(
        LandingObject(key, 1, 1, "1"), 0, key, None, label, f"path of {key}", split=split
    )


def follows(versions, held, *there, by_rule=False):
    listed = {(each.key, "1"): each for each in there}
    found = decided({PHOTO: versions}, {PHOTO: held}, listed, by_rule=by_rule, now=NOW)
    after = GivenLabel(
        *(found.photos[0][name] for name in ("label", "split")) if found.photos else held
    )
    marks = {row["object"]: (row["path"], row["left_at"]) for row in found.objects}
    return after, marks, found.conflicts


KIWI, LIME = GivenLabel("Kiwi"), GivenLabel("Lime")
NEW = version("b", "Lime", path="path of b")
"""An object that contradicted its photo when it was taken in."""


@pytest.mark.parametrize(
    ("there", "label", "marks", "conflicts"),
    [
        ([lies("b")], LIME, {"a": (None, NOW), "b": (None, None)}, 0),
        ([lies("a"), lies("b")], KIWI, {"a": ("path of a", None)}, 1),
        ([lies("a")], KIWI, {"b": (None, NOW)}, 0),
        ([], KIWI, {"b": (None, NOW)}, 0),
    ],
)
def test_a_photo_follows_the_objects_that_lie_there(there, label, marks, conflicts):
    assert follows([version("a", "Kiwi"), NEW], KIWI, *there) == (label, marks, conflicts)


def test_several_new_labels_are_a_conflict_and_the_first_one_stays():
    rows = [version("a", "Kiwi"), NEW, version("c", "Lemon", path="path of c")]
    assert follows(rows, KIWI, lies("b"), lies("c")) == (KIWI, {}, 1)


def test_an_object_that_tells_nothing_takes_no_label_away_and_gives_none():
    silent = version("b", "")
    assert follows([version("a", "Kiwi"), silent], KIWI, lies("b")) == (KIWI, {}, 0)
    assert follows([version("a", ""), NEW], GivenLabel(), lies("a"), lies("b"))[0] == LIME


def test_an_object_that_comes_back_contradicts_again():
    rows = [version("a", "Kiwi", left_at=BEFORE), version("b", "Lime")]
    marks = {"a": ("path of a", None), "b": ("path of b", None)}
    assert follows(rows, LIME, lies("a"), lies("b")) == (LIME, marks, 1)
    assert follows(rows, LIME, lies("b")) == (LIME, {}, 0)


def test_a_split_follows_alike():
    trained, tested = GivenLabel("Kiwi", "Training"), GivenLabel("Kiwi", "Test")
    rows = [version("a", *trained), version("b", *tested, path="path of b")]
    assert follows(rows, trained, lies("b"))[0] == tested
    marks = {"a": ("path of a", None)}
    assert follows(rows, trained, lies("a"), lies("b")) == (trained, marks, 1)


def test_rows_of_earlier_code_tell_what_their_paths_tell_now():
    rows = [version("a"), NEW]
    assert follows(rows, KIWI, lies("b"))[0] == LIME
    after, marks, conflicts = follows(rows, KIWI, lies("a", "Kiwi"), lies("b"))
    assert (after, marks, conflicts) == (KIWI, {"a": ("path of a", None)}, 1)


def test_what_earlier_code_stored_told_the_label_of_its_photo():
    """So it is known when it comes back."""
    rows = [version("a", outcome="stored"), NEW]
    assert follows(rows, KIWI, lies("b"))[1] == {"a": (None, NOW), "b": (None, None)}
    assert follows(rows, KIWI, lies("a", "Lemon"), lies("b"))[0] == KIWI


def test_what_the_rule_of_now_does_not_tell_stays_as_it_was_told():
    rows = [version("a", "Kiwi", "Test"), NEW]
    held = GivenLabel("Kiwi", "Test")
    after, marks, conflicts = follows(rows, held, lies("a"), lies("b"), by_rule=True)
    assert (after, conflicts) == (held, 1)
    assert marks == {"a": ("path of a", None)}


def test_what_the_rule_of_now_says_counts_where_it_is_asked_for():
    rows = [version("a", "Kiwi")]
    assert follows(rows, KIWI, lies("a", "Lime")) == (KIWI, {}, 0)
    after, marks, _ = follows(rows, KIWI, lies("a", "Lime"), by_rule=True)
    assert (after, marks) == (LIME, {"a": (None, None)})


def test_what_is_well_formed_is_what_the_suite_says():
    import re

    rules = {each["meta"]["id"]: each for each in suites.as_json("bronze_photos")["expectations"]}
    regex = re.compile(rules["label-well-formed"]["kwargs"]["regex"])
    for label in (
        "a",
        " a ",
        "x" * 255,
        "x" * 256,
        "",
        " ",
        "a\tb",
        "\x00",
        "Äpfel",
        "a\x80",
        "\u2028",
    ):
        assert is_well_formed(label) == bool(regex.match(label)), repr(label)


def test_only_the_path_of_an_object_that_contradicts_its_photo_is_kept():
    rows = [
        {"outcome": outcome, "photo_id": photo, "label": label, "split": None, "path": f"path {n}"}
        for n, (outcome, photo, label) in enumerate(
            [
                ("stored", "new", "Kiwi"),
                ("duplicate", "new", "Kiwi"),
                ("duplicate", "new", "Lime"),
                ("duplicate", "known", "Lime"),
                ("duplicate", "known", None),
                ("duplicate", "unlabelled", "Lime"),
                ("duplicate", "nowhere", "Lime"),
                ("rejected", None, "Lime"),
                ("tombstoned", None, None),
            ]
        )
    ]
    record(rows, {"known": KIWI, "unlabelled": GivenLabel()})
    assert [row["path"] for row in rows] == [
        *(None, None, "path 2", "path 3", None, "path 5", None, None, None)
    ]
    assert [row["label"] for row in rows] == [
        *("Kiwi", "Kiwi", "Lime", "Lime", "", "Lime", "Lime", None, None)
    ]


@pytest.mark.parametrize("fewest", [known_keys.FEWEST, 0], ids=["rows", "index"])
def test_objects_that_tell_something_else_by_the_rule_of_now_are_counted(
    tmp_path, monkeypatch, fewest
):
    monkeypatch.setattr(known_keys, "FEWEST", fewest)
    told = [lies("a", "Lime"), lies("b", "Kiwi"), lies("c"), lies("d", "Kiwi"), lies("f", "Lime")]
    told.append(lies("e", "Kiwi", "Test"))
    rows = [
        {"object": name, "etag": "1", "outcome": outcome, "label": label, "split": label and ""}
        for name, outcome, label in (
            ("a", "stored", "Kiwi"),
            ("b", "stored", "Kiwi"),
            ("c", "stored", "Kiwi"),
            ("d", "stored", None),
            ("e", "stored", "Kiwi"),
            ("f", "duplicate", None),
            ("gone", "stored", "Kiwi"),
        )
    ]
    with small_lake(tmp_path) as lake:
        looked_up = listed_rows(told), lake.known_keys, told_by(told)
        assert unseen(*looked_up).told_otherwise == 0
        write(tmp_path, catalog.OBJECTS, rows)
        assert known_keys.fold(lake) is (fewest == 0)
        assert unseen(*looked_up).told_otherwise == 3
