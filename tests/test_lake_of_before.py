"""A lake that earlier code made (format 4, or 5) goes on, as it is or after an upgrade: audits, erasures, a
blocked chunk, new photos, suites, a new key.

What it went through stands in tests/lakes/README.md.
"""

import pytest

from lake import catalog
from lake.chunks import ChunkState
from lake.enums import (
    ErasureMode,
    ErasureState,
    GateAction,
    ModelKind,
    ModelStatus,
    Outcome,
    RunStatus,
)
from privacy import moved_rows
from report.label_conflicts import label_conflicts
from report.lake_counts import sums
from tests.lakes import make
from tests.support.earlier_lakes import audited, calls, place_of, unpack_lake
from tests.support.table_contents import repeated
from tests.support.upgrades import upgrade

FORMATS = pytest.mark.parametrize(
    "place",
    [(number, is_upgraded) for number in (4, 5) for is_upgraded in (False, True)],
    indirect=True,
    ids=["4", "4 upgraded", "5", "5 upgraded"],
)
"""For a test of both lakes, as they are and upgraded; the others are of the lake of format 4 as it is."""

BLOCKED = 14
"""The chunk of silver that its gate blocked on the last day: 3 photos of anna's, and 8 blank ones."""


@pytest.fixture
def place(request, tmp_path, spark):
    number, is_upgraded = getattr(request, "param", (4, False))
    unpack_lake(number, tmp_path)
    place = place_of(tmp_path, spark)
    if is_upgraded:
        upgrade(place.settings, place.console)
    return place


@pytest.fixture
def call(place, command):
    """The command line over that lake: its exit code, and all that it printed."""
    return calls(command)


def versions(place):
    """The version of every table, by name."""
    return {table.name: place.lake.version(table) for table in place.lake.tables()}


def test_status_and_audit_tell_what_the_earlier_code_told(call, place):
    before = versions(place)
    code, told = call("status")
    assert code == 0
    assert "37 object versions seen = 1 duplicate, 1 rejected, 35 stored" in told
    assert "23 embedded + 1 quarantined (1 blank) + 11 waiting" in told
    assert f"silver chunk {BLOCKED}: 11 photos are blocked by a gate" in told
    assert "The sums agree: good" in told
    anna, bruno = audited(call, "anna"), audited(call, "bruno")
    held = ("bronze/objects", "bronze/photos", "silver/embeddings", "gold/features")
    assert {anna[table] for table in held} == {"HELD"}
    assert {bruno[table] for table in held} == {"ERASED"}
    assert versions(place) == before


def test_a_table_that_came_later_is_missed_by_no_reader(call, place):
    """Who only reads makes none."""
    for words in (["check"], ["retain", "--dry-run"], ["models"], ["status", "--conflicts"]):
        code, told = call(*words)
        assert "There is no lake" not in told
        assert code in (0, 3), told
    code, told = call("check", "--table", "bronze/known_keys")
    assert (code, told.count("\n")) == (2, 1)
    assert "The lake has no bronze/known_keys yet; the next run that writes makes it." in told
    assert catalog.KNOWN_KEYS not in place.lake.tables()


def test_its_small_tables_are_made_ready_for_delta_rs_once(place):
    """They kept the time of each commit in the commit, which delta-rs can't; nothing of it is lost."""
    tables = place.lake.tables()
    assert catalog.KNOWN_KEYS not in tables  # the next writer makes it
    before = {table.name: place.lake.source(table).count() for table in tables}
    numbers = {table.name: place.lake.log(table).number() for table in tables}
    small = [table for table in tables if table.is_small]
    assert all(place.lake.log(table).has_commit_timestamps() for table in small)
    with place.writing() as context:
        after = versions(place)
    assert place.lake.tables() == list(catalog.TABLES)
    for table in tables:
        assert place.lake.log(table).has_commit_timestamps() is not table.is_small
        assert place.lake.source(table).count() == before[table.name]
        assert place.lake.log(table).number() == numbers[table.name]
    assert place.lake.version_source(catalog.CHUNKS, 1).count() <= before[catalog.CHUNKS.name]
    with place.writing() as context:
        assert versions(place) == after
        context.lake.record(catalog.RUNS, [{"layer": "later"}], layer="later")
    # A RESTORE brings the feature back, and the next writer drops it again.
    place.spark.sql(f"restore delta.`{place.files.uri(catalog.RUNS.name)}` to version as of 1")
    assert place.lake.log(catalog.RUNS).has_commit_timestamps()
    with place.writing() as context:
        context.lake.record(catalog.RUNS, [{"layer": "last"}], layer="last")
    assert "last" in {row["layer"] for row in place.lake.records(catalog.RUNS)}


@FORMATS
def test_a_photo_whose_file_moved_gets_its_label(place):
    landing = place.landing
    [photo] = (
        row["photo_id"]
        for row in place.lake.records(catalog.PHOTOS)
        if row["path"] == "kiwi/13.jpg"
    )
    (landing / "kiwi" / "13.jpg").rename(landing / "lemon" / "13.jpg")
    (landing / "kiwi" / "12.jpg").write_bytes((landing / "apple" / "12.jpg").read_bytes())
    did = place.run("bronze")["bronze"]
    assert did.counts["relabelled"] == 1
    for table in (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES):
        held = place.lake.read(table).where(f"photo_id = '{photo}'").select("label").distinct()
        assert [row.label for row in held.collect()] == ["lemon"], table.name
    [conflict] = label_conflicts(place.files.root)
    assert (conflict.label, conflict.told) == ("apple", ["apple", "kiwi"])
    assert sums(place.files).disagreements() == []


COLUMN_VALUES = (
    (catalog.OBJECTS, "outcome", Outcome),
    (catalog.MODELS, "kind", ModelKind),
    (catalog.MODELS, "status", ModelStatus),
    (catalog.CHUNKS, "state", ChunkState),
    (catalog.RUNS, "status", RunStatus),
    (catalog.QUALITY, "action", GateAction),
    (catalog.ERASURES, "state", ErasureState),
    (catalog.ERASURES, "mode", ErasureMode),
)


def test_its_values_are_still_those_that_the_code_knows(place):
    """A renamed value would be missed by every query for it."""
    for table, column, known in COLUMN_VALUES:
        found = {row[0] for row in place.lake.read(table).select(column).distinct().collect()}
        assert found, table.name
        assert found <= set(known), table.name


def test_the_chunk_that_it_left_blocked_is_judged_again_and_released(call, place):
    code, told = call("--layer", "all")
    assert code == 3
    assert "8 of 11 photos are refused (8 blank)" in told
    assert "silver chunk" not in told.partition("error:")[0]  # it was not embedded again
    assert place.lake.ledger.chunks()[BLOCKED].state is ChunkState.BLOCKED
    assert call("replay", "--chunk", str(BLOCKED), "--quarantine")[0] == 0
    kinds = ("apple", "kiwi", "lemon")
    for seed in range(50, 56):
        kind = kinds[seed % 3]
        make.put(place.landing, f"{kind}/{seed}.jpg", make.photo(seed, kind=kind))
    code, told = call("--layer", "all")
    assert code == 0, told
    code, told = call("replay")
    assert code == 0, told
    assert call("--layer", "gold")[0] == 0
    held = sums(place.files)
    assert held.disagreements() == held.open_ends == []
    [model] = held.models
    assert (model.embedded, model.features) == (23 + 6 + 3, 23 + 6 + 3)
    assert model.quarantined == 1 + 8
    assert repeated(place.lake) == {}
    assert max(place.lake.ledger.chunks()) > BLOCKED
    assert place.files.folders("staging") == []


@FORMATS
def test_a_person_leaves_it_and_the_one_who_left_before_stays_away(call, place):
    """The chunk that is blocked holds photos of hers too: it is given up with them."""
    erase = ("erase", "--subject", "anna", "--request", "R-2", "--mode", "immediate")
    code, told = call(*erase)
    assert code == 0, told
    for request in ("R-1", "R-2"):
        code, told = call("erase", "--verify", request, "--deep")
        assert (code, "nothing of it was found" in told) == (0, True), told
    assert set(audited(call, "anna").values()) <= {"ERASED", "NOT_HELD"}
    make.put(place.landing, "subject=bruno/again.jpg", make.photo(1, kind="kiwi"))
    known = next((place.landing / "kiwi").glob("*.jpg"))
    make.put(place.landing, "kiwi/sent again.jpg", known.read_bytes())
    code, told = call("--layer", "bronze")
    assert (code, "1 tombstoned" in told, "1 duplicate" in told) == (0, True, True), told
    assert sums(place.files).disagreements() == []


@FORMATS
def test_it_gets_a_new_key_and_knows_everybody_again(call, place):
    """The chunk that is blocked is given up, and made again without a photo that was taken in already."""
    before = {table.name: place.lake.source(table).count() for table in moved_rows.TABLES}
    code, told = call("rekey", "--new-key", "file:next.key")
    assert code == 0, told
    code, told = call("audit", "--subject", "anna")
    assert (code, "made with another key" in told) == (5, True), told
    earlier = '["file:{lake}.key"]'
    keys = ("--set", "subjects.key=file:next.key", "--set", f"subjects.tombstone_keys={earlier}")
    assert {table.name: place.lake.source(table).count() for table in moved_rows.TABLES} == before
    code, told = call("erase", "--verify", "R-1", "--deep", *keys)
    assert (code, "nothing of it was found" in told) == (0, True), told
    make.put(place.landing, "subject=bruno/again.jpg", make.photo(1, kind="kiwi"))
    make.put(place.landing, "subject=anna/again.jpg", make.photo(0, kind="apple"))
    known = next((place.landing / "kiwi").glob("*.jpg"))
    make.put(place.landing, "kiwi/sent again.jpg", known.read_bytes())
    code, told = call("--layer", "bronze", *keys)
    assert (code, "1 tombstoned" in told, "2 duplicate" in told) == (0, True, True), told
    assert call("--layer", "all", *keys)[0] == 3
    code, told = call("check", *keys)
    assert code == 0, told
    code, told = call(
        "erase", "--subject", "anna", "--request", "R-2", "--mode", "immediate", *keys
    )
    assert code == 0, told
    assert repeated(place.lake) == {}
    assert sums(place.files).disagreements() == []


def test_its_model_versions_serve_readers_and_new_ones_follow(call, place):
    photo = next((place.landing / "kiwi").glob("*.jpg"))
    code, told = call("predict", str(photo))
    assert code == 0, told
    assert "classifier-" in told
    code, told = call("models", "--refit")
    assert code == 0, told
    versions = place.lake.read(catalog.MODELS).where("kind = 'pca'").select("version", "status")
    statuses = {row["version"]: row["status"] for row in versions.collect()}
    assert list(statuses.values()).count("champion") == 1
    assert {name.rpartition("-")[2] for name in statuses} >= {"1", "2", "3", "4"}
    code, told = call("models", "--rollback")
    assert code == 0, told


def test_its_tables_pass_every_suite_and_go_back_to_an_earlier_version(call, place):
    code, told = call("check")
    assert code == 0, told
    version = place.lake.version(catalog.FEATURES)
    code, told = call("restore", "--table", "gold/features", "--version", str(version))
    assert code == 0, told
    assert sums(place.files).disagreements() == []
