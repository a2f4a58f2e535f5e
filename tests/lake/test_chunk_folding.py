"""Folds of ops/chunks: every answer stays, whatever happens meanwhile. Without Spark."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations import check_tables
from expectations.suite_views import Views
from lake import catalog, chunk_folding, delta_rs_reader, fault_points, small_tables
from lake.chunk_folding import fold, folded
from lake.chunks import ChunkPlan, ChunkState, latest
from lake.chunks_table import last_rows
from lake.enums import GateAction
from lake.ledger import Ledger
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.locate import folder
from tests.support.archives import unpack
from tests.support.kills import Killed
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

LAKES = Path(__file__).parents[1] / "lakes"
STATES = (ChunkState.STAGED, ChunkState.JUDGED, ChunkState.BLOCKED, ChunkState.RELEASED)


class ListedJournal:
    """ops/chunks as a list."""

    run_id = "run"

    def __init__(self, rows):
        self.rows = rows

    def read(self):
        return list(self.rows)

    def record(self, rows, *, layer, chunk):
        self.rows += rows

    def last_number(self):
        return 0


def act(ledger, step, number, photos):
    """One step of a random history."""
    known = ledger.chunks()
    if step == "plan" or not known:
        layer = ("bronze", "silver", "gold")[number % 3]
        return ledger.plan([ChunkPlan(layer=layer, weights_id="m", photos=photos, source_from=1)])
    chunk = known[sorted(known)[number % len(known)]]
    if step == "publish":
        versions = {"bronze/photos": number}
        left = dict.fromkeys({1} - {chunk.number}, photos)
        ledger.published(chunk, photos=photos, versions=versions, photos_left=left)
    elif step == "retire":
        ledger.retire([chunk])
    elif step == "abandon":
        ledger.abandon(chunk)
    elif step == "recount":
        ledger.recount({chunk.number: photos})
    else:
        ledger.reached(chunk, step)
    return None


steps = st.sampled_from(["plan", "publish", "retire", "abandon", "recount", *STATES])
HISTORIES = st.lists(st.tuples(steps, st.integers(0, 30), st.integers(0, 3)), max_size=40)


def answers(rows):
    """What the ledger tells of rows, in its order."""
    ledger = Ledger(ListedJournal(list(rows)))
    return list(ledger.chunks().items()), ledger.unfinished()


@given(HISTORIES, HISTORIES)
def test_a_fold_keeps_every_answer_also_of_what_follows(before, after):
    plain = ListedJournal([])
    ledger = Ledger(plain)
    for step in before:
        act(ledger, *step)
    table = small_tables.arrow_rows(catalog.CHUNKS, plain.rows)
    short = ListedJournal(folded(table).to_pylist())
    assert answers(short.rows) == answers(plain.rows)
    in_any_order = table.sort_by([("chunk", "descending"), ("entry", "descending")])
    assert last_rows(in_any_order).to_pylist() == last_rows(table).to_pylist()
    chunks = latest(plain.rows)
    found = latest(last_rows(table).to_pylist())
    assert found == chunks
    assert list(found) == list(chunks) == sorted(chunks)
    over = [number for number, each in chunks.items() if not each.is_unfinished]
    assert all(sum(row["chunk"] == n for row in short.rows) <= 2 for n in over)
    assert folded(small_tables.arrow_rows(catalog.CHUNKS, short.rows)).num_rows == len(short.rows)
    for journal in (plain, short):
        ledger = Ledger(journal)
        for step in after:
            act(ledger, *step)
    assert answers(short.rows) == answers(plain.rows)


@given(HISTORIES)
def test_an_unfinished_chunk_keeps_its_states_and_others_their_first(steps):
    journal = ListedJournal([])
    ledger = Ledger(journal)
    for step in steps:
        act(ledger, *step)
    kept = folded(small_tables.arrow_rows(catalog.CHUNKS, journal.rows)).to_pylist()
    for number, chunk in ledger.chunks().items():
        held = [(r["entry"], r["state"]) for r in journal.rows if r["chunk"] == number]
        left = [(r["entry"], r["state"]) for r in kept if r["chunk"] == number]
        assert left == (held if chunk.is_unfinished else sorted({held[0], held[-1]}))


def grown(lake, chunks=6):
    """A ledger whose chunks went through every state of bronze, and one that is still staged."""
    for chunk in lake.ledger.plan([ChunkPlan(layer="bronze", photos=2)] * chunks):
        staged = lake.ledger.reached(chunk, ChunkState.STAGED)
        versions = {"bronze/photos": chunk.number, "bronze/objects": chunk.number}
        lake.ledger.published(staged, photos=2, versions=versions, photos_left={})
        lake.ledger.reached(lake.ledger.chunks()[chunk.number], ChunkState.JUDGED)
    [open_one] = lake.ledger.plan([ChunkPlan(layer="bronze", photos=2)])
    lake.ledger.reached(open_one, ChunkState.STAGED)


def states(lake):
    return latest(delta_rs_reader.rows(lake.files.root, catalog.CHUNKS))


def test_a_fold_is_one_commit_when_enough_rows_would_go(tmp_path):
    with small_lake(tmp_path) as lake:
        grown(lake)
        before, version = states(lake), lake.version(catalog.CHUNKS)
        assert not fold(lake, least_rows=13)
        assert lake.version(catalog.CHUNKS) == version
        assert fold(lake, least_rows=12)
        assert lake.version(catalog.CHUNKS) == version + 1
        assert len(lake.records(catalog.CHUNKS)) == 2 * len(before)
        assert states(lake) == before == dict(lake.ledger.chunks())
        lake.ledger.recount({1: 0})
        assert states(lake)[1].photos == 0
        assert lake.version_source(catalog.CHUNKS, version).count() == 26


def test_a_fold_waits_until_as_many_rows_would_go_as_there_are_chunks(tmp_path):
    with small_lake(tmp_path) as lake:
        lake.ledger.plan([ChunkPlan(layer="bronze", photos=2)] * 5)
        grown(lake, chunks=10)  # 15 rows would go, of 16 chunks
        assert not fold(lake, least_rows=1)


def test_what_a_fold_left_passes_its_suite(tmp_path):
    with small_lake(tmp_path) as lake:
        lake.run = Run.begin("0123456789abcdef")
        grown(lake)
        assert fold(lake, least_rows=1)
        checked = check_tables.check(lake, catalog.CHUNKS, views=Views(lake, history_chunks=30))
        assert [f.line for f in checked.findings if not f.success] == []


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_a_run_that_dies_around_the_commit_of_a_fold_leaves_the_same_chunks(
    is_before, tmp_path, monkeypatch
):
    def die(*_, **__):
        raise Killed("overwrite")

    with small_lake(tmp_path) as lake:
        grown(lake)
        before, version = states(lake), lake.version(catalog.CHUNKS)
        if is_before:
            monkeypatch.setattr(small_tables, "overwrite", die)
            armed = fault_points.armed(lambda _: None)
        else:
            armed = fault_points.armed(die)
        with armed, suppress(Killed):
            fold(lake, least_rows=1)
            pytest.fail("the run did not die")
        monkeypatch.undo()
        assert lake.version(catalog.CHUNKS) == version + (not is_before)
    with small_lake(tmp_path) as lake:
        assert dict(lake.ledger.chunks()) == before
        assert fold(lake, least_rows=1) is is_before
        [new] = lake.ledger.plan([ChunkPlan(layer="bronze")])
        assert new.number == max(before) + 1


def test_a_reader_that_began_before_a_fold_reads_on(tmp_path):
    with small_lake(tmp_path) as lake:
        grown(lake)
        known = delta_rs_reader.delta_table(lake.files.root, catalog.CHUNKS)
        assert fold(lake, least_rows=1)
        assert latest(delta_rs_reader.read(known).to_pylist()) == states(lake)


def test_a_fold_of_rows_that_another_wrote_meanwhile_is_refused(tmp_path, monkeypatch):
    with small_lake(tmp_path) as lake:
        grown(lake)
        late = {**lake.records(catalog.CHUNKS)[0], "entry": 99, "photos": 77}

        def change(rows):
            write(lake.files.root, catalog.CHUNKS, [late])
            return folded(rows)

        monkeypatch.setattr(chunk_folding, "folded", change)
        with pytest.raises(Exception, match="was changed by another program"):
            fold(lake, least_rows=1)
        assert any(row["photos"] == 77 for row in lake.records(catalog.CHUNKS))


@pytest.mark.parametrize("number", [4, 5])
def test_the_chunks_of_a_lake_of_before_are_folded(number, tmp_path):
    unpack(LAKES / f"format-{number}.tar.gz", tmp_path)
    files = folder(str(tmp_path / "lake"))
    lake = Lake(lambda: pytest.fail("Spark was started"), files, Run("run", "code", "settings"))
    rows = delta_rs_reader.read(lake.log(catalog.CHUNKS).table())
    short = folded(rows)
    assert short.num_rows < rows.num_rows
    assert latest(short.to_pylist()) == lake.ledger.chunks()
    write(str(tmp_path / "new"), catalog.CHUNKS, short.to_pylist())
    checked = check_tables.check(
        Lake(lambda: None, folder(str(tmp_path / "new")), lake.run),
        catalog.CHUNKS,
        views=Views(lake, history_chunks=30),
    )
    assert {finding.action for finding in checked.findings} == {GateAction.PASSED}
