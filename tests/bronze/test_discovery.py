"""When the whole landing folder is listed, and when a run may rely on those before it."""

from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import CommitProperties, DeltaTable

from conf.errors import BadSettings
from conf.settings import Settings
from lake import catalog, metric_names
from lake.enums import BRONZE, ERASE, LABELLING, RESTORE, RETAIN, SILVER, RunStatus
from lake.run_journal import Run
from report.landing_counts import LandingCounts
from tests.support.looking_runs import BEGIN, LookingRuns
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

BY_DAY = ["landing.after=%Y/%m/%d/"]


@pytest.fixture
def lake(tmp_path):
    with small_lake(tmp_path / "lake") as made:
        write(made.files.root, catalog.OBJECTS, [{"object": "known", "etag": "e"}])
        yield made


@pytest.fixture
def runs(lake, tmp_path):
    """Runs over a landing folder with an object of long ago and two of day 0."""
    found = LookingRuns(lake, str(tmp_path / "landing"), BY_DAY)
    put(found, "2025/01/01/old.jpg", "2026/11/20/a.jpg", "2026/11/20/b.jpg")
    return found


def put(runs, *names):
    for name in names:
        path = Path(runs.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_the_first_run_lists_all_and_the_next_one_the_last_days(runs):
    assert "2025/01/01/old.jpg" in runs.look(0)
    assert runs.whole == [True]
    put(runs, "2026/11/21/c.jpg", "2026/11/17/late.jpg", "2026/11/16/too-late.jpg", "zoo.jpg")
    named = {"2026/11/20/a.jpg", "2026/11/20/b.jpg", "2026/11/21/c.jpg", "zoo.jpg"}
    assert runs.look(1) == {*named, "2026/11/17/late.jpg"}
    assert runs.whole == [False]


def test_after_a_pause_that_is_longer_than_the_look_back_the_last_run_counts(runs):
    runs.look(0)
    runs.look(1)
    put(runs, "2026/11/18/late.jpg", "2026/11/22/in-the-pause.jpg")
    names = runs.look(6, "landing.whole_listing=30")
    assert runs.whole == [False]
    assert names >= {"2026/11/18/late.jpg", "2026/11/22/in-the-pause.jpg"}


def test_what_came_too_late_is_found_by_the_whole_listing_now_and_then(runs):
    runs.look(0)
    put(runs, "2025/06/01/too-late.jpg")
    for day in range(1, 8):
        assert "2025/06/01/too-late.jpg" not in runs.look(day)
    assert "2025/06/01/too-late.jpg" in runs.look(7.5)
    runs.look(8)
    assert runs.whole == [False]


@pytest.mark.parametrize("status", ["", RunStatus.FAILED, RunStatus.STOPPED, RunStatus.BLOCKED])
def test_a_run_that_did_not_end_well_counts_for_nothing(runs, status):
    runs.look(0, status=status)
    runs.look(1)
    assert runs.whole == [True]
    put(runs, "2026/11/19/late.jpg")
    runs.look(6, status=status)
    assert "2026/11/19/late.jpg" in runs.look(7)  # three days before day 1
    assert runs.whole == [False]


@pytest.mark.parametrize(
    "change",
    [
        "landing.after=%Y/%m/%d",
        "landing.passed_over=[]",
        "paths.landing=other",
        "landing.after=",
    ],
)
def test_where_the_folder_or_the_way_is_another_all_is_listed(runs, tmp_path, change):
    if change == "paths.landing=other":
        (tmp_path / "other").mkdir()
        change = f"paths.landing={tmp_path / 'other'}"
    runs.look(0)
    runs.look(1)
    assert runs.whole == [False]
    runs.look(2, change)
    assert runs.whole == [True]
    runs.look(3)  # and back: what came meanwhile may lie where this way didn't look
    assert runs.whole == [True]


def test_after_a_run_whose_clock_was_ahead_all_is_listed_until_that_time_has_come(runs):
    runs.look(0)
    runs.look(60)
    for day in (1, 2, 59):
        put(runs, "2026/11/19/late.jpg")
        assert "2026/11/19/late.jpg" in runs.look(day), day
    runs.look(61)
    assert runs.whole == [False]


@pytest.mark.parametrize("setting", ["look_back=10000000", "whole_listing=10000000000"])
def test_days_that_no_calendar_has_are_refused(setting):
    with pytest.raises(BadSettings) as told:
        Settings.load("local", environment={}, overrides=[f"landing.{setting}"])
    assert told.value.exit_code == 2


@pytest.mark.parametrize("said", ["cleaned by bob", "null", '"x"', "[" * 100_000])
def test_whatever_another_program_says_of_its_commit_all_is_listed(runs, lake, said):
    runs.look(0)
    known = DeltaTable(lake.files.uri(catalog.OBJECTS.name))
    told = CommitProperties(custom_metadata={"userMetadata": said})
    known.delete("object = 'known'", commit_properties=told)
    runs.look(1)
    assert runs.whole == [True]


def test_another_key_of_the_lake_makes_all_be_listed(runs):
    runs.look(0)
    runs.key = b"fedcba9876543210"
    runs.look(1)
    assert runs.whole == [True]


def forget(lake, layer=None):
    """Rows leave bronze/objects, by a command or by somebody else."""
    known = DeltaTable(lake.files.uri(catalog.OBJECTS.name))
    metadata = Run("r", "c", "s").metadata(layer=layer, chunk=9)
    properties = CommitProperties(custom_metadata={"userMetadata": metadata} if layer else {})
    known.delete("object = 'known'", commit_properties=properties)


@pytest.mark.parametrize(
    ("layer", "whole"),
    [
        (RESTORE, True),
        ("removal", True),
        (ERASE, True),
        (None, True),
        (BRONZE, False),
        (LABELLING, False),
        (RETAIN, False),
    ],
)
def test_where_the_lake_forgot_objects_all_is_listed(runs, lake, layer, whole):
    runs.look(0)
    forget(lake, layer)
    runs.look(1)
    assert runs.whole == [whole]
    runs.look(2)
    assert runs.whole == [False]


def test_a_restore_to_an_earlier_version_that_other_programs_made_counts_too(runs, lake):
    write(lake.files.root, catalog.OBJECTS, [{"object": "more", "etag": "e"}])
    runs.look(0)
    DeltaTable(lake.files.uri(catalog.OBJECTS.name)).restore(1)
    runs.look(1)
    assert runs.whole == [True]


def test_what_other_layers_and_earlier_code_wrote_counts_for_nothing(runs):
    runs.look(0)
    runs.record(SILVER, BEGIN + timedelta(hours=1), {"photos_in": 1.0})
    runs.look(1)
    assert runs.whole == [False]
    runs.record(BRONZE, BEGIN + timedelta(days=1.5), {metric_names.LISTED: 3.0})
    runs.look(2)
    assert runs.whole == [True]


def test_a_listing_in_each_run_records_nothing(runs):
    runs.look(0, "landing.after=")
    assert runs.whole == [True]
    assert runs.did.measured.keys() == {metric_names.LISTED}


def test_no_number_tells_of_the_folder(runs):
    runs.look(0)
    rule = runs.did.measured[metric_names.LISTING_RULE]
    runs.key = b"fedcba9876543210"
    runs.look(0)
    assert rule != runs.did.measured[metric_names.LISTING_RULE]
    assert 0 <= rule < 2**48
    assert rule == int(rule)


def test_the_report_tells_of_the_last_whole_listing_and_what_came_since(runs, lake):
    at = {metric_names.LISTED: 5.0, metric_names.NEW: 2.0, metric_names.KNOWN: 3.0}
    runs.record(BRONZE, BEGIN, {metric_names.LISTED: 1.0, metric_names.NEW: 1.0})
    runs.record(BRONZE, BEGIN + timedelta(days=1), at)
    for day in (2, 3):
        found = {metric_names.LOOKED_AT: 9.0, metric_names.FOUND_NEW: 4.0}
        runs.record(BRONZE, BEGIN + timedelta(days=day), found)
    counts = LandingCounts.of(lake.files.root)
    assert counts.disagreements() == []
    assert counts.has_others
    assert str(counts) == (
        "5 objects in the landing folder, at its last listing = 2 new + 3 known; 8 more were found since"
    )


@pytest.mark.parametrize(
    "pattern", ["%Y/%m", "%d/%m/%Y", "photos", "/%Y/%m/%d", "%F", "%Y-%-m-%d", "%Y%m%d%", "%y%m%d"]
)
def test_a_pattern_without_a_day_or_out_of_order_is_refused(pattern):
    with pytest.raises(BadSettings) as told:
        Settings.load("local", environment={}, overrides=[f"landing.after={pattern}"])
    assert told.value.exit_code == 2
    assert str(told.value) == (
        f"--set landing.after = {pattern!r}: give a pattern with year, month and day in this order, such as "
        f'"%Y/%m/%d/" or "uploads/%Y-%m-%d" (or %Y and %j, the day of the year), that begins with no slash, '
        f"or an empty text."
    )
