"""Blocked chunks, their release, and replays: nothing bad is published, and nothing is lost or seen twice."""

import json
import shutil
from collections import Counter
from contextlib import contextmanager
from functools import partial

import pytest
from PIL import Image

from cli import lake_access
from cli.commands.replay import blocked_chunk, replay_step
from cli.step_runner import run_steps
from conf.errors import BadInput, Blocked
from expectations import suites
from expectations.gate import SuiteGate
from lake import catalog
from lake.chunks import ChunkState
from lake.run_journal import LayerRun
from report.lake_counts import sums
from tests.support.bad_photos import picture
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.table_contents import repeated

GOOD, BLANK = 8, 12
REFUSED = "expectation:only-dark"
DARK = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "brightness", "max_value": 0.3},
    "severity": "critical",
    "meta": {"id": "only-dark", "why": "for the test"},
}
NARROW = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "width", "max_value": 10},
    "severity": "critical",
    "meta": {"id": "narrow-on-average", "why": "for the test"},
}
FEW = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "features_length", "max_value": 1},
    "severity": "critical",
    "meta": {"id": "few-features", "why": "for the test"},
}


def fill(place, names, *, blank=0):
    """Photos that can be told apart, and blank ones."""
    for number, name in enumerate(names):
        picture((64 + sum(map(ord, name)) % 400, 64 + number)).save(place.landing / f"{name}.png")
    for number in range(blank):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(place.landing / f"blank{number}.png")


@contextmanager
def ruled(folder, suite, rule):
    """Runs within go by suites of which one has a further rule."""
    shutil.copytree(suites.HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = folder / f"{suite}.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"expectations": [*written["expectations"], rule]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_access, "SuiteGate", partial(SuiteGate, folder=folder))
        yield


def replay(place: Place, *, reason=None, number=None) -> LayerRun:
    with place.writing() as context:
        step = partial(replay_step, reason=reason, number=number)
        [did] = run_steps(context, [("replay", step)])
    return did


def quarantine(place):
    """The rows of silver/quarantine: stage, reason, and whether they hold still."""
    rows = place.lake.records(catalog.QUARANTINE)
    return Counter((r["stage"], r["reason"], r["replayed_at"] is None) for r in rows)


def blocked(place):
    [chunk] = [c for c in place.lake.ledger.chunks().values() if c.state is ChunkState.BLOCKED]
    return chunk.number


def judged_version(place):
    """To which version of silver/embeddings its last judgement is pinned."""
    rows = place.lake.read(catalog.QUALITY).where("suite = 'silver_embeddings'")
    return rows.orderBy("judged_at", ascending=False).first()["table_version"]


def kept(place):
    """Embedded photos, and features of the champion; the sums agree, and nothing is seen twice."""
    held = sums(place.files)
    assert held.disagreements() == []
    assert repeated(place.lake) == {}
    [model] = held.models or [None]
    return (model.embedded, model.features) if model else (0, 0)


def test_a_bad_day_is_released_and_the_next_goes_through_and_the_good_photos_come_back(place):
    fill(place, [f"a{n}" for n in range(GOOD)], blank=BLANK)
    with pytest.raises(Blocked, match=r"12 of 20 photos are refused \(12 blank\), over gates"):
        place.run()
    assert f"Data Docs: {place.files.root}/docs/index.html" in place.screen
    assert kept(place) == (0, 0)
    number = blocked(place)
    assert f"run.py replay --chunk {number} --quarantine" in sums(place.files).open_ends[0]

    did = replay(place, number=number)
    assert did.counts == {"in": 20, "kept": 0, "quarantined": 20}
    assert quarantine(place) == {
        ("decode", "blank", True): BLANK,
        ("silver", "refused_share", True): GOOD,
    }
    fill(place, ["b1", "b2", "b3"])
    place.run()
    assert kept(place) == (3, 3)

    did = replay(place)
    assert did.counts == {"in": 20, "kept": GOOD, "quarantined": BLANK}
    assert kept(place)[0] == 3 + GOOD
    before = place.lake.read(catalog.QUARANTINE).orderBy("photo_id").collect()
    assert quarantine(place) == {
        ("decode", "blank", True): BLANK,
        ("silver", "refused_share", False): GOOD,
    }
    did = replay(place)
    assert did.counts == {"in": BLANK, "kept": 0, "quarantined": BLANK}
    assert place.lake.read(catalog.QUARANTINE).orderBy("photo_id").collect() == before
    place.run("gold")
    assert kept(place) == (3 + GOOD, 3 + GOOD)


@pytest.fixture(scope="module")
def dark_lake(empty_lake, tmp_path_factory, spark):
    """A lake whose bright photos were refused by a rule that is not among the shipped ones."""
    root = tmp_path_factory.mktemp("dark") / "place"
    shutil.copytree(empty_lake.root, root)
    place = Place.of(root, spark, "gates.refused_share=1")
    fill(place, [f"a{n}" for n in range(GOOD)])
    for number in range(3):
        image = picture((70 + number, 64)).point(lambda level: level // 8)
        image.save(place.landing / f"dark{number}.png")
    with ruled(root.parent / "suites", "silver_embeddings", DARK):
        place.run("bronze", "silver")
    assert quarantine(place) == {("silver", REFUSED, True): GOOD}
    return place


@pytest.fixture
def dark(dark_lake, tmp_path, spark):
    shutil.copytree(dark_lake.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark)


def test_a_replay_moves_exactly_what_passes_now_and_a_second_one_nothing(dark, tmp_path):
    with ruled(tmp_path / "suites", "silver_embeddings", DARK):
        assert replay(dark).counts == {"in": GOOD, "kept": 0, "quarantined": GOOD}
    assert judged_version(dark) is None
    assert quarantine(dark) == {("silver", REFUSED, True): GOOD}
    assert kept(dark) == (3, 0)
    refused = {r["photo_id"] for r in dark.lake.records(catalog.QUARANTINE)}
    with pytest.raises(BadInput, match=f"the reason only-dark; .*{REFUSED}"):
        replay(dark, reason="only-dark")
    assert replay(dark, reason=REFUSED).counts["kept"] == GOOD
    assert judged_version(dark) == dark.lake.version(catalog.EMBEDDINGS)
    moved = {r["photo_id"] for r in dark.lake.records(catalog.EMBEDDINGS)}
    assert refused < moved
    assert len(moved) == GOOD + 3
    assert quarantine(dark) == {("silver", REFUSED, False): GOOD}
    again = replay(dark)
    assert (again.counts, len(again.notes)) == ({}, 1)
    dark.run("gold")
    assert kept(dark) == (GOOD + 3, GOOD + 3)


def test_a_replay_that_dies_anywhere_goes_on_and_new_reasons_keep_the_history(dark):
    half = dark.set("photos.min_side=68")
    for point in (
        "silver: planned",
        "silver: staged",
        "silver: judged",
        "silver: silver/embeddings committed",
        "silver: silver/quarantine committed",
    ):
        with dies(point), pytest.raises(Killed, match=point):
            replay(half)
        half.bury()
    dark.run("silver")
    assert quarantine(dark) == {
        ("silver", REFUSED, False): GOOD,
        ("decode", "too_small", True): 4,
    }
    assert kept(dark)[0] == 3 + GOOD - 4
    assert dark.lake.files.folders("staging") == []
    assert replay(dark).counts == {"in": 4, "kept": 4, "quarantined": 0}
    assert kept(dark)[0] == 3 + GOOD
    assert quarantine(dark) == {
        ("silver", REFUSED, False): GOOD,
        ("decode", "too_small", False): 4,
    }


def test_a_chunk_that_bronzes_gate_blocks_is_released_and_comes_back(place, tmp_path):
    fill(place, ["a", "b", "c"])
    reason = "expectation:narrow-on-average"
    with ruled(tmp_path / "suites", "bronze_photos", NARROW):
        with pytest.raises(Blocked, match="bronze_photos: narrow-on-average: observed"):
            place.run("bronze", "silver")
        number = blocked(place)
        with pytest.raises(BadInput, match=r"absent\.h5"):
            replay(place.set("model.weights=absent.h5"), number=number)
        assert blocked(place) == number
        assert replay(place, number=number).counts["quarantined"] == 3
        assert quarantine(place) == {("bronze", reason, True): 3}
        with pytest.raises(Blocked, match=r"narrow-on-average.* run the command again"):
            replay(place)
    judged = place.lake.read(catalog.QUALITY).where("expectation = 'narrow-on-average'")
    actions = [row["action"] for row in judged.orderBy("judged_at").collect()]
    assert actions == ["blocked", "released", "blocked"]
    assert quarantine(place) == {("bronze", reason, True): 3}
    assert replay(place, reason=reason).counts["kept"] == 3
    assert quarantine(place) == {("bronze", reason, False): 3}
    assert kept(place) == (3, 0)


def test_a_gold_chunk_is_dropped_and_the_next_version_projects_its_photos(place, tmp_path):
    fill(place, ["a", "b", "c"])
    with (
        ruled(tmp_path / "suites", "gold_features", FEW),
        pytest.raises(Blocked, match="gold_features: few-features: observed"),
    ):
        place.run()
    assert kept(place) == (3, 0)
    number = blocked(place)
    assert replay(place, number=number).counts == {"in": 3, "kept": 0}
    assert sums(place.files).open_ends == [
        f"gold chunk {number} was released: 3 photos have no features until the next version is fitted"
    ]
    fill(place, ["d"])
    place.run()
    assert kept(place) == (4, 4)
    assert sums(place.files).open_ends == []


@pytest.mark.parametrize("number", [1, 99])
def test_only_a_blocked_chunk_can_be_released(samples_lake, number):
    with pytest.raises(BadInput, match=f"Chunk {number} is not blocked; .* are: none"):
        blocked_chunk(samples_lake.lake, number)
