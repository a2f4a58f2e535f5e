"""Objects that can't be read: asked again in turn and within a bound; a bucket that gives nothing is told."""

import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest

from bronze import unread_objects
from bronze.bronze_rows import UNREAD
from bronze.landing import LandingObject, arrival
from bronze.listed_objects import keyed
from bronze.unread_objects import (
    AT_ONCE,
    MOST_REFUSED,
    TriedObjects,
    ask_again,
    asked_anew,
    note_archived,
    note_unread,
)
from lake import catalog, delta_rs_reader, metric_names, small_tables
from lake.enums import BRONZE, SILVER
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.run_journal import LayerRun, Run
from lake.storage.local_folder import LocalFolder
from tests.support import driver_lake
from tests.support.landing_folders import ClosedLanding

KEYS = Pseudonyms(b"0123456789abcdef")


class CountedLanding(ClosedLanding):
    """Counts what is asked for, and how much of it at once."""

    def __init__(self, root, readers=1):
        super().__init__(root)
        self.asked, self.at_once, self.now = [], 0, 0
        self.some = readers
        self._lock = threading.Lock()

    @property
    def readers(self):
        return self.some

    def is_readable(self, listed):
        with self._lock:
            self.asked.append(listed.path)
            self.now += 1
            self.at_once = max(self.at_once, self.now)
        if self.some > 1:
            threading.Event().wait(0.01)
        try:
            return super().is_readable(listed)
        finally:
            with self._lock:
                self.now -= 1


def arrivals(root, *names, is_archived=False):
    """Objects with these names; those that begin with `closed` can't be read."""
    for name in names:
        (root / name).touch()
    listed = (LandingObject(name, 0, 0, is_archived=is_archived) for name in names)
    return [arrival(each, position=n, pseudonyms=KEYS) for n, each in enumerate(listed)]


class Told:
    """What tells of objects by their FACTS, as a listing does."""

    def arrival(self, facts):
        listed = LandingObject(facts["path"].decode(), facts["size"], 0, facts["tag"])
        return arrival(listed, position=0, pseudonyms=KEYS)


def put_away(arrivals):
    tried = TriedObjects(Told())
    landed = [each.landing for each in arrivals]
    tried.add(keyed(landed, (each.key for each in arrivals)))
    return tried


def asked(landing, arrivals, *, begin=0.0):
    """What came of asking for objects again from a place on, and those that can be read."""
    readable = []
    found = ask_again(landing, put_away(arrivals).in_turn(begin), readable.extend)
    assert found.readable == len(readable)
    return found, readable


def numbered(prefix, count):
    return [f"{prefix}{n:05}.jpg" for n in range(count)]


def test_what_can_be_read_now_is_told_from_what_can_not(tmp_path):
    tried = arrivals(tmp_path, "closed.jpg", "a.jpg", "b.jpg", "closed too.jpg")
    found, readable = asked(ClosedLanding(str(tmp_path)), tried)
    assert sorted(each.landing.path for each in readable) == ["a.jpg", "b.jpg"]
    assert (found.refused, found.goes_on) == (2, 0.0)


def test_several_are_asked_for_at_once(tmp_path):
    landing = CountedLanding(str(tmp_path), readers=8)
    asked(landing, arrivals(tmp_path, *numbered("closed", 40)))
    assert 2 <= landing.at_once <= 8
    assert len(landing.asked) == 40


def test_a_run_asks_for_no_more_than_the_bound_and_the_next_ones_for_the_others_in_turn(tmp_path):
    count = 2 * MOST_REFUSED + 300
    tried = arrivals(tmp_path, *numbered("closed", count))
    begin, before = 0.0, []
    for run in range(3):
        landing = CountedLanding(str(tmp_path))
        found, _ = asked(landing, tried, begin=begin)
        assert len(landing.asked) == found.refused == MOST_REFUSED
        assert bool(set(before) & set(landing.asked)) is (run == 2)
        begin, before = found.goes_on, before + landing.asked
    assert set(before) == {each.landing.path for each in tried}


def test_what_can_be_read_again_is_no_bound(tmp_path):
    """As many as there are come back in one run, once they can be read."""
    tried = arrivals(tmp_path, *numbered("open", MOST_REFUSED + AT_ONCE), "closed.jpg")
    found, _ = asked(ClosedLanding(str(tmp_path)), tried)
    assert (found.readable, found.refused) == (len(tried) - 1, 1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("driver") / "place"
    driver_lake.make(root)
    return root


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made / "lake", tmp_path / "lake")
    files = LocalFolder(str(tmp_path / "lake"))
    return Lake(lambda: pytest.fail("Spark"), files, Run.begin("settings"))


def record(lake, layer, at, metrics):
    row = {"run_id": "r", "layer": layer, "started_at": at, "metrics": metrics}
    known = delta_rs_reader.delta_table(lake.files.root, catalog.RUNS)
    small_tables.append(known, None, table=catalog.RUNS, rows=[row])


def test_the_next_run_goes_on_where_the_last_one_left_off(lake, tmp_path):
    (tmp_path / "landing").mkdir()
    tried = arrivals(tmp_path / "landing", *numbered("closed", MOST_REFUSED + 500))
    now, before, taken = datetime.now(UTC), [], []
    for run in range(2):
        landing, did = CountedLanding(str(tmp_path / "landing")), LayerRun(BRONZE)
        assert asked_anew(lake, landing, put_away(tried), did, taken.extend) == 0
        assert did.notes == [
            "1,000 objects can still not be read: give this process the right to read them, and the next run "
            "takes them in. 500 more were not asked for this time; the next runs ask for them in turn."
        ]
        record(lake, BRONZE, now + timedelta(hours=run), did.numbers)
        # Neither a later run without a place nor one of another layer changes where it goes on.
        record(lake, BRONZE, now + timedelta(hours=run, minutes=1), {})
        record(lake, SILVER, now + timedelta(days=1), {metric_names.ASKED_UP_TO: 0.0})
        before.append(set(landing.asked))
    assert len(before[0] | before[1]) == len(tried)
    assert taken == []


def test_a_place_tells_no_single_object():
    tried = [arrival(LandingObject(f"{n}", 0, 0), position=n, pseudonyms=KEYS) for n in range(1000)]
    assert {len(repr(unread_objects._place(each.key))) <= 8 for each in tried} == {True}


def test_archived_objects_are_not_asked_for_and_noted(lake, tmp_path):
    (tmp_path / "landing").mkdir()
    tried = arrivals(tmp_path / "landing", "a.jpg", "b.jpg", is_archived=True)
    tried += arrivals(tmp_path / "landing", "c.jpg")
    landing, did = CountedLanding(str(tmp_path / "landing")), LayerRun(BRONZE)
    kept, taken = put_away(tried), []
    assert asked_anew(lake, landing, kept, did, taken.extend) == 1
    assert [each.landing.path for each in taken] == ["c.jpg"]
    assert (kept.count, kept.archived) == (1, 2)
    note_archived(kept.archived, did)
    assert landing.asked == ["c.jpg"]
    assert did.notes == [
        "2 objects are archived in S3: restore them there, and the next run takes them in."
    ]


def test_what_could_not_be_read_is_noted_at_once():
    did = LayerRun(BRONZE)
    note_unread(did)
    assert did.notes == []
    did.refuse({UNREAD: 3, "empty": 1})
    note_unread(did)
    [note] = did.notes
    assert note.startswith("3 new objects can't be read: give this process the right to read them")
