"""Audits on a log with a gap: they say what can't be known any more, and what is held now all the same."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import DeltaTable, write_deltalake

from lake import catalog, small_tables
from lake.pseudonyms import Pseudonyms
from lake.small_tables import arrow_rows
from lake.storage.locate import folder
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus

KEYS = Pseudonyms(b"the secret of this lake")
START = datetime(2026, 11, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNA, BRUNO, CARLA, NOBODY = "anna", "bruno", "carla", "nobody"
HELD, NOT_HELD, LOST = (
    HoldingStatus.HELD,
    HoldingStatus.NOT_HELD,
    HoldingStatus.OUT_OF_RETENTION,
)
TABLE = catalog.PHOTOS
CHECKPOINT = 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A table of photos with the versions 0 to 6, of an hour each: Anna's photo comes with 1, Bruno's with 2;
    3 replaces everything by Anna's; Carla's photo comes with 5. 4 has a checkpoint; 0, 4 and 6 add no row."""
    root = tmp_path_factory.mktemp("whole") / "lake"
    place = f"{root}/{TABLE.name}"
    for table in (TABLE, catalog.ERASURES, catalog.MODELS, catalog.QUALITY, catalog.CHUNKS):
        small_tables.create(str(root), table, {})
    for version, who in enumerate((ANNA, BRUNO, ANNA, None, CARLA, None), start=1):
        rows = [] if who is None else [photo(who, version=version)]
        mode = "overwrite" if version == 3 else "append"
        write_deltalake(place, arrow_rows(TABLE, rows), mode=mode)
        if version == CHECKPOINT:
            DeltaTable(place).create_checkpoint()
    for entry in log(root).glob("*.json"):
        made_at(entry, START + int(entry.stem) * HOUR)
    return root


def photo(who, *, version):
    """A row of bronze/photos of a person's only photo."""
    at = START + version * HOUR
    row = {"run_id": "run", "chunk": version, "photo_id": who, "subject": KEYS.subject(who)}
    return row | {"label": "kiwi", "ingested_at": at}


def made_at(entry, time):
    """Write into an entry of the log when its commit was made."""
    actions = [json.loads(line) for line in entry.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = int(time.timestamp() * 1000)
    entry.write_text("\n".join(map(json.dumps, actions)))


def log(root):
    return root / TABLE.name / "_delta_log"


@pytest.fixture
def cut(whole, tmp_path):
    """Copies the table without some entries of its log, and without its checkpoint if that is said."""

    def copied(*gone, checkpoint=True):
        root = tmp_path / "lake"
        shutil.copytree(whole, root)
        for version in gone:
            (log(root) / f"{version:020}.json").unlink()
        if not checkpoint:
            for name in ("_last_checkpoint", f"{CHECKPOINT:020}.checkpoint.parquet"):
                (log(root) / name).unlink()
        return root

    return copied


def asked(root, who, **question):
    """The finding on a person; `hours` after the start is the time in question."""
    if "hours" in question:
        question["at"] = START + question.pop("hours") * HOUR
    ask = AuditQuestion(subject=who, table=TABLE, **question)
    [found] = Auditor(folder(str(root)), KEYS).answer(ask).findings
    return found


def answers(root, who, questions):
    return [asked(root, who, **question).status for question in questions]


def at_hours(*hours):
    return [{"hours": each} for each in hours]


def at_versions(*versions):
    return [{"version": each} for each in versions]


def test_a_whole_log_tells_of_each_time_and_version(whole):
    expected = [NOT_HELD, HELD, HELD, HELD, HELD, HELD, HELD]
    assert answers(whole, ANNA, at_hours(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5)) == expected
    assert answers(whole, ANNA, at_versions(*range(7))) == expected
    assert answers(whole, BRUNO, at_versions(1, 2, 3)) == [NOT_HELD, HELD, NOT_HELD]
    assert asked(whole, BRUNO).status is NOT_HELD
    assert asked(whole, CARLA).version == 6
    assert asked(whole, BRUNO, history=True).status is NOT_HELD


def test_a_gap_before_a_checkpoint_hides_what_was_held_until_then(cut):
    root = cut(2)
    assert answers(root, BRUNO, at_hours(0.5, 1.5, 2.5, 3.5)) == [NOT_HELD, LOST, LOST, LOST]
    assert answers(root, BRUNO, at_versions(1, 2, 3, 4)) == [NOT_HELD, LOST, LOST, NOT_HELD]
    assert answers(root, CARLA, at_hours(4.5, 5.5)) == [NOT_HELD, HELD]
    note = asked(root, BRUNO, hours=1.5).note
    assert note == "the log lacks the entries of version 2, which may be of that time"
    assert "earlier entries of the log are gone" in asked(root, BRUNO, hours=3.5).note
    assert "the entry of that version" in asked(root, BRUNO, version=2).note


def test_a_history_with_a_gap_is_out_of_retention_and_not_unheld(cut):
    root = cut(1, 2)
    found = asked(root, BRUNO, history=True)
    assert found.status is LOST
    assert "the log lacks the entries of versions 1 to 2" in found.note
    found = asked(root, ANNA, history=True)
    assert (found.status, found.version) == (HELD, 6)
    assert [(span.came.version, span.left) for span in found.spans] == [(4, None)]
    assert "versions 1 to 2" in found.note


@pytest.mark.parametrize("gone", [(2,), (1, 2, 3), (0, 1, 2), (0, 1, 2, 3, 4)])
def test_now_comes_from_the_current_snapshot(cut, gone):
    root = cut(*gone)
    for who, status in ((ANNA, HELD), (BRUNO, NOT_HELD), (CARLA, HELD), (NOBODY, NOT_HELD)):
        found = asked(root, who)
        assert (found.status, found.version) == (status, 6)
        assert not found.note or "are named by no entry of the log" in found.note
        assert found.since == START + 6 * HOUR


def test_a_head_that_was_cut_off_before_a_checkpoint_fails_no_question(cut):
    """The oldest entry, of version 2, has no checkpoint."""
    root = cut(0, 1)
    assert answers(root, BRUNO, at_versions(0, 1, 2, 3, 4)) == [LOST, LOST, LOST, LOST, NOT_HELD]
    assert answers(root, BRUNO, at_hours(2.5, 3.5, 4.5)) == [LOST, LOST, NOT_HELD]
    assert answers(root, ANNA, at_hours(0.5, 3.5, 4.5, 5.5)) == [LOST, LOST, HELD, HELD]
    assert asked(root, ANNA, hours=3.2).note.startswith("earlier entries of the log are gone")
    found = asked(root, BRUNO, history=True)
    assert (found.status, "no checkpoint follows" in found.note) == (LOST, True)


@pytest.mark.parametrize("gone", [(2,), (0,), (0, 1, 2), (5,)])
def test_where_no_version_can_be_read_all_files_are_searched(cut, gone):
    """Delta itself can't read the table any more."""
    root = cut(*gone, checkpoint=False)
    assert asked(root, CARLA).status is HELD
    assert asked(root, BRUNO).status is HELD  # his file lies there still
    assert (asked(root, NOBODY).status, asked(root, NOBODY, history=True).status) == (LOST, LOST)
    assert "all files in the table's folder were searched" in asked(root, NOBODY).note
    assert asked(root, NOBODY, version=6).status is asked(root, NOBODY, hours=6.5).status is LOST


def test_a_torn_file_or_entry_fails_no_question(cut):
    root = cut()
    (log(root) / f"{6:020}.json").write_text('{"add"')
    (root / TABLE.name / "part-torn.parquet").write_bytes(b"PAR1 torn")
    assert asked(root, CARLA).status is HELD
    assert asked(root, NOBODY).status is LOST
    assert asked(root, CARLA, version=5).status is HELD
    assert asked(root, CARLA, version=6).status is LOST


def test_a_version_of_which_a_checkpoint_alone_is_left_is_the_current_one(cut):
    root = cut(4, 5, 6)
    assert asked(root, ANNA).status is HELD
    assert asked(root, ANNA).version == CHECKPOINT
    assert asked(root, ANNA, version=CHECKPOINT).status is HELD
    assert asked(root, ANNA, hours=3.5).status is LOST


# Entries and files that can't be read


def torn(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def without_its_commit_info(path):
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith('{"commitInfo"')))


DAMAGES = [torn, emptied, without_its_commit_info]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("checkpoint", [True, False])
def test_an_entry_that_lost_lines_is_a_gap(cut, damage, checkpoint):
    root = cut(checkpoint=checkpoint)
    damage(log(root) / f"{2:020}.json")
    assert answers(root, BRUNO, [{"version": 2}, {"hours": 2.5}]) == [LOST] * 2
    assert asked(root, NOBODY, history=True).status is LOST
    assert asked(root, CARLA).status is HELD
    now = asked(root, NOBODY)
    assert now.status is (NOT_HELD if checkpoint else LOST)


def test_files_that_no_entry_names_are_told_where_nothing_was_found(cut):
    """The newest entries are gone: nobody can tell that from the log."""
    root = cut(5, 6)
    found = asked(root, CARLA)
    assert found.status is LOST
    assert "1 files in the table's folder are named by no entry of the log" in found.note
    assert "1 such rows were read in them" in found.note
    for question in ({}, {"history": True}):
        found = asked(root, NOBODY, **question)
        assert "are named by no entry of the log" in found.note
    assert asked(root, NOBODY).status is NOT_HELD


def test_an_entry_that_lost_the_file_that_it_added_is_told(cut):
    root = cut()
    entry = log(root) / f"{5:020}.json"
    lines = entry.read_text().splitlines()
    entry.write_text("\n".join(line for line in lines if not line.startswith('{"add"')))
    assert asked(root, CARLA).status is LOST
    assert "are named by no entry" in asked(root, BRUNO).note


def overwritten(path):
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [torn, emptied, overwritten])
def test_a_file_that_can_not_be_read_stops_no_audit(cut, damage):
    root = cut()
    for path in (root / TABLE.name).glob("*.parquet"):
        damage(path)
    for question in ({}, {"history": True}, {"version": 2}, {"hours": 5.5}):
        assert asked(root, CARLA, **question).status is LOST
    assert "are gone or can't be read" in asked(root, CARLA).note


@pytest.mark.parametrize("damage", [torn, emptied, overwritten])
def test_a_broken_checkpoint_beside_a_gap_stops_no_audit(cut, damage):
    root = cut(1)
    damage(log(root) / f"{CHECKPOINT:020}.checkpoint.parquet")
    assert asked(root, CARLA).status is HELD
    assert answers(root, NOBODY, [{}, {"history": True}, {"version": 5}]) == [LOST] * 3
