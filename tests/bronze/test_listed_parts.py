"""What is said and counted where a run looked at a part of the landing folder stays true."""

from types import SimpleNamespace

import pytest

from bronze import label_claims, listing_counts, new_objects, unread_objects, waiting_rejections
from bronze.bronze_layer import listed
from bronze.bronze_rows import UNREAD
from bronze.discovery.days import NamesFrom
from bronze.landing import Landing, arrival
from bronze.listing_counts import next_run
from bronze.rejection_causes import Reader
from conf.settings import Settings
from lake import catalog, metric_names
from lake.enums import BRONZE
from lake.known_keys import UNREADABLE
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

KEYS = Pseudonyms(b"0123456789abcdef")
DAYS = "landing.after=%Y/%m/%d/"


@pytest.fixture
def context(tmp_path):
    """A landing folder of two days with an object each, and a lake of which a run looks at parts."""
    for name in ("2026/11/01/old.jpg", "2026/11/20/a.jpg"):
        path = tmp_path / "landing" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    words = [f"paths.landing={tmp_path / 'landing'}", DAYS]
    settings = Settings.load("local", environment={}, overrides=words)
    with small_lake(tmp_path / "lake") as lake:
        yield SimpleNamespace(
            settings=settings, lake=lake, pseudonyms=KEYS, did=LayerRun(BRONZE), console=None
        )


def parts(context):
    whole = Landing.of(context.settings)
    return whole, NamesFrom(whole, "2026/11/20/")


def known(context, name, *, etag="", outcome="stored"):
    """Has the lake know an object of the landing folder, whose key is returned."""
    [found] = [each for each in Landing.of(context.settings).objects() if each.path == name]
    key = arrival(found, position=0, pseudonyms=KEYS).key
    row = {"object": key, "etag": f"{etag}{found.etag}", "outcome": outcome}
    write(context.lake.files.root, catalog.OBJECTS, [row])
    return key


def look(context, landing, listing):
    with listed(context, listing) as found:
        groups = new_objects.new_groups(context, landing, found, tombstones=frozenset())
        return [each.landing.path for group in groups for each in group]


def test_the_counts_of_a_part_are_no_counts_of_the_folder(context):
    known(context, "2026/11/20/a.jpg")
    whole, part = parts(context)
    assert look(context, whole, part) == []
    numbers = context.did.measured
    assert (numbers[metric_names.LOOKED_AT], numbers[metric_names.FOUND_NEW]) == (1, 0)
    assert not {metric_names.LISTED, *metric_names.OF_LANDING} & numbers.keys()
    assert context.did.notes == []
    assert look(context, whole, whole) == ["2026/11/01/old.jpg"]
    assert (numbers[metric_names.LISTED], numbers[metric_names.NEW]) == (2, 1)
    assert numbers[metric_names.LOOKED_AT] == 1


def test_parts_of_one_run_add_up(context):
    whole, part = parts(context)
    for _ in range(3):
        look(context, whole, part)
    assert context.did.measured[metric_names.LOOKED_AT] == 3


def test_a_part_without_objects_says_nothing_of_the_folder(context):
    whole, _ = parts(context)
    assert look(context, whole, NamesFrom(whole, "3")) == []
    assert context.did.notes == []


def rejected(context, name):
    key = known(context, name, outcome="rejected")
    row = {"object": key, "reason": "too_large", "size_bytes": 1, "chunk": 2}
    row["read_by"] = str(Reader("earlier", 1, 1.0, 1))
    write(context.lake.files.root, catalog.REJECTED, [row])


def test_rejected_objects_that_were_not_looked_at_wait_all_the_same(context):
    rejected(context, "2026/11/01/old.jpg")
    whole, part = parts(context)
    for _ in range(2):
        look(context, whole, part)
    photos = context.settings.photos
    told = f"{waiting_rejections.sentence(waiting_rejections.waiting(context.lake.files.root, photos))}."
    assert context.did.notes.count(told) == 1
    assert told.startswith("1 rejected objects may be photos")


def test_what_can_not_be_read_waits_for_a_whole_listing_and_notes_say_so(context):
    known(context, "2026/11/20/a.jpg", etag=UNREADABLE, outcome="rejected")
    later = next_run(context.settings.landing)
    assert later == "the next run that lists the whole landing folder"
    context.did.refuse({UNREAD: 1})
    context.did.add({listing_counts.GONE: 1})
    unread_objects.note_unread(context.did, next_run=later)
    unread_objects.note_archived(1, context.did, next_run=later)
    listing_counts.note_gone(context.did, next_run=later)
    assert [later in note for note in context.did.notes] == [True] * 3
    whole, part = parts(context)
    assert look(context, whole, part) == ["2026/11/20/a.jpg"]


def test_a_listing_of_all_in_each_run_says_the_next_run():
    assert next_run(Settings.load("local", environment={}).landing) == "the next run"


def test_only_a_whole_listing_shows_which_objects_have_left(context):
    whole, part = parts(context)
    with listed(context, whole) as found:
        assert found.is_whole
        assert label_claims.can_be_judged(found.counts, context.did)
    with listed(context, part) as found:
        assert not found.is_whole
