"""Every chunk's way in memory: whatever dies, and wherever, each row is published once and none is lost."""

from collections import Counter

import pytest

from conf.errors import Blocked, Inconsistent
from lake import fault_points
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import SILVER
from lake.publication import Publication, abandon, drop_abandoned
from lake.run_journal import LayerRun
from tests.support.kills import Killed, dies
from tests.support.memory_store import FIRST, LAST, MODEL, Disk, PairChunks, UnjudgedChunks, run

SOURCES = ["a b bad-c", "d", "bad-e bad-f"]


def undisturbed(sources=SOURCES):
    disk = Disk(list(sources))
    run(disk)
    return disk


def tables(disk):
    """The rows of both tables."""
    return {table.name: disk.tables[table].rows for table in (FIRST, LAST)}


def half_operations(sources=SOURCES):
    """How many half operations a run has that nothing disturbs."""
    return undisturbed(sources).operations


def assert_settled(disk, *, sources=SOURCES):
    """Both tables hold what an undisturbed run leaves, once; nothing is staged, and nothing waits."""
    assert tables(disk) == tables(undisturbed(sources))
    assert disk.staged == {}
    assert run(disk).counts == {}


def test_rows_go_to_their_tables_and_a_second_run_finds_nothing():
    disk = undisturbed()
    assert tables(disk) == {FIRST.name: ["a", "b", "d"], LAST.name: ["bad-c", "bad-e", "bad-f"]}
    assert_settled(disk)
    chunks = disk.store().ledger.chunks()
    assert {c.state for c in chunks.values()} == {ChunkState.PUBLISHED}
    assert [c.photos for c in chunks.values()] == [2, 1, 0]
    assert chunks[1].versions == {FIRST.name: 1, LAST.name: 1}


@pytest.mark.parametrize("lasts", range(half_operations()))
def test_a_run_that_dies_at_any_operation_is_finished_by_the_next(lasts):
    """Before and after each change of the disk."""
    disk = Disk(list(SOURCES))
    with pytest.raises(Killed):
        run(disk, lasts=lasts)
    run(disk)
    assert_settled(disk)
    assert set(disk.judged.values()) <= {1, 2}


def test_a_run_that_dies_twice_is_finished_by_the_third():
    """At any operation, and the next run at any of its own."""
    for first in range(half_operations()):
        for second in range(half_operations()):
            disk = Disk(list(SOURCES))
            with pytest.raises(Killed):
                run(disk, lasts=first)
            try:
                run(disk, lasts=second)
            except Killed:
                run(disk)
            assert_settled(disk)


def test_the_points_at_which_tests_let_runs_die_are_all_passed():
    passed = []
    with fault_points.armed(passed.append):
        undisturbed()
    assert list(dict.fromkeys(passed)) == [
        "silver: planned",
        "silver: before staged",
        "silver: staged",
        "silver: before judged",
        "silver: judged",
        "silver: silver/embeddings committed",
        "silver: silver/quarantine committed",
        "silver: before published",
        "silver: published",
    ]
    for point in dict.fromkeys(passed):
        disk = Disk(list(SOURCES))
        with dies(point), pytest.raises(Killed, match=point):
            run(disk)
        run(disk)
        assert_settled(disk)


def test_what_was_judged_is_not_judged_again():
    disk = Disk(["a bad-b"])
    with dies("silver: judged"), pytest.raises(Killed):
        run(disk)
    assert disk.judged == Counter({("a", "bad-b"): 1})
    run(disk)
    assert disk.judged == Counter({("a", "bad-b"): 1})
    assert_settled(disk, sources=["a bad-b"])


def blocked():
    """A disk whose first chunk a gate blocks, as each run says anew."""
    disk = Disk(["worst", "a", "bad-b c"])
    with pytest.raises(Blocked):
        run(disk)
    with pytest.raises(Blocked):
        run(disk)
    return disk


def test_a_blocked_chunk_holds_up_the_next_ones_and_publishes_nothing():
    disk = blocked()
    assert tables(disk) == {FIRST.name: [], LAST.name: []}
    assert list(disk.staged) == [1]
    run(disk, is_strict=False)
    assert tables(disk) == {FIRST.name: ["a", "c", "worst"], LAST.name: ["bad-b"]}
    assert [c.number for c in disk.store().ledger.chunks().values() if c.is_published] == [1, 2, 3]


def overtaken():
    """A disk whose blocked chunk 1 was overtaken: a later one was committed, as after its release."""
    disk = blocked()
    store = disk.store()
    publication = Publication(store, PairChunks(store), LayerRun(SILVER))
    plan = ChunkPlan(layer=SILVER, weights_id=MODEL, source_from=2, source_to=3)
    rows = disk.sources[1].split() + disk.sources[2].split()
    publication.run(plan, lambda chunk: store.staging.write(chunk, "rows", rows))
    assert disk.tables[FIRST].last == 2
    return disk


@pytest.mark.parametrize("table", [FIRST, LAST], ids=lambda table: table.name)
def test_a_chunk_that_was_overtaken_in_one_table_gets_a_number_that_both_take(table):
    """Delta would drop it without a word under its own number."""
    disk = blocked()
    disk.tables[table].append(5, ["theirs"])
    run(disk, is_strict=False)
    assert {"worst", "theirs"} <= {*tables(disk)[FIRST.name], *tables(disk)[LAST.name]}
    assert min(c.number for c in disk.store().ledger.chunks().values() if c.is_published) == 6


def test_a_chunk_that_was_overtaken_is_published_after_those_that_overtook_it():
    disk = overtaken()
    run(disk, is_strict=False)
    assert disk.tables[FIRST].commits == {2: ["a", "c"], 3: ["worst"]}
    chunks = disk.store().ledger.chunks()
    assert (chunks[1].state, chunks[3].state) == (ChunkState.PLANNED, ChunkState.PUBLISHED)
    assert disk.staged == {}


def test_renumbering_may_die_anywhere():
    """It leaves the staged rows whole under one of the two numbers."""
    whole = overtaken()
    run(whole, is_strict=False)
    for lasts in range(whole.operations):
        disk = overtaken()
        with pytest.raises(Killed):
            run(disk, lasts=lasts, is_strict=False)
        run(disk, is_strict=False)
        assert tables(disk) == tables(whole)
        assert disk.staged == {}
        assert run(disk).counts == {}


def test_chunks_of_another_model_are_finished_first_where_they_are_judged():
    """One of its tables may have the rows already, and no higher number may go before the rest."""
    disk = Disk(["a bad-b"])
    with dies("silver: silver/embeddings committed"), pytest.raises(Killed):
        run(disk)
    store = disk.store()
    publication = Publication(store, PairChunks(store), LayerRun(SILVER))
    publication.finish(weights_id="another")
    assert tables(disk) == {FIRST.name: ["a"], LAST.name: ["bad-b"]}


def test_what_is_judged_goes_before_an_older_chunk_that_is_not():
    """Whosever it is: the older one gets a number above it."""
    disk = blocked()
    store = disk.store()
    [other] = store.ledger.plan([ChunkPlan(layer=SILVER, weights_id="another", source_from=2)])
    store.staging.write(other, "rows", ["theirs"])
    store.staging.write(other, "refused", [])
    store.ledger.reached(other, ChunkState.JUDGED)
    layer = PairChunks(store, is_strict=False)
    Publication(store, layer, LayerRun(SILVER)).finish(weights_id=MODEL)
    assert disk.tables[FIRST].commits == {2: ["theirs"], 3: ["worst"]}


def test_without_a_gate_a_staged_chunk_is_finished_first_whosever_it_is_under_its_own_number():
    """Part of it may be published: under another number its rows would be there twice."""
    disk = Disk(["a bad-b"])
    store = disk.store()
    publication = Publication(store, UnjudgedChunks(store), LayerRun(SILVER))
    [chunk] = publication.plan([ChunkPlan(layer=SILVER, weights_id="another")])
    with dies("silver: silver/embeddings committed"), pytest.raises(Killed):
        publication.publish(
            publication.stage(chunk, lambda c: store.staging.write(c, "rows", ["a", "bad-b"]))
        )
    disk.tables[FIRST].append(5, ["theirs"])
    again = disk.store()
    Publication(again, UnjudgedChunks(again), LayerRun(SILVER)).finish(weights_id=MODEL)
    assert disk.tables[FIRST].commits == {1: ["a"], 5: ["theirs"]}
    assert disk.tables[LAST].commits == {1: ["bad-b"]}


def test_what_is_only_staged_waits_for_its_own_model():
    disk = Disk(["a"])
    with dies("silver: staged"), pytest.raises(Killed):
        run(disk)
    store = disk.store()
    publication = Publication(store, PairChunks(store), LayerRun(SILVER))
    publication.finish(weights_id="another")
    publication.finish_half_published()
    assert tables(disk) == {FIRST.name: [], LAST.name: []}
    run(disk)
    assert_settled(disk, sources=["a"])


def test_an_abandoned_chunk_is_done_again_under_another_number():
    disk = Disk(["a"])
    with dies("silver: staged"), pytest.raises(Killed):
        run(disk)
    store = disk.store()
    abandon(store, store.ledger.unfinished())
    assert disk.staged == {}
    run(disk)
    assert disk.tables[FIRST].commits == {2: ["a"]}


# Staged rows that are lost


WAYS = {
    "all of it": lambda disk: disk.staged.clear(),
    "the rows": lambda disk: [parts.pop("rows", None) for parts in disk.staged.values()],
    "the refused": lambda disk: [parts.pop("refused", None) for parts in disk.staged.values()],
}


@pytest.mark.parametrize("lose", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("lasts", range(half_operations()))
def test_a_chunk_whose_staged_rows_are_lost_is_made_again_or_told(lasts, lose):
    """At whatever operation its run died. What can't be made again changes nothing, and is told each time."""
    disk = Disk(list(SOURCES))
    with pytest.raises(Killed):
        run(disk, lasts=lasts)
    lose(disk)
    before, told = tables(disk), refusal(disk)
    if told is None:
        assert_settled(disk)
        return
    [chunk] = disk.store().ledger.unfinished()
    assert f"silver chunk {chunk.number} was staged, and its files are gone or damaged" in told
    assert f"run.py replay --chunk {chunk.number} --drop, and the next run makes" in told
    assert chunk.number in disk.tables[FIRST].commits
    assert chunk.number not in disk.tables[LAST].commits
    assert (refusal(disk), tables(disk)) == (told, before)


def refusal(disk):
    """What a run says of a chunk that it can't finish; None where it finishes all."""
    try:
        run(disk)
    except Inconsistent as error:
        return str(error)
    return None


def lost(point, sources=("a bad-b",), kind=PairChunks):
    """A disk whose run died at a point, and whose staged rows are lost."""
    disk = Disk(list(sources))
    store = disk.store()
    publication, plan = Publication(store, kind(store), LayerRun(SILVER)), plan_of_one()
    with dies(point), pytest.raises(Killed):
        publication.run(plan, lambda c: store.staging.write(c, "rows", sources[0].split()))
    disk.staged.clear()
    return disk


def plan_of_one():
    return ChunkPlan(layer=SILVER, weights_id=MODEL, source_from=1, source_to=1, photos=2)


@pytest.mark.parametrize("point", ["silver: staged", "silver: judged"])
def test_what_was_not_published_is_given_up_and_made_again_in_the_same_run(point):
    disk = lost(point)
    did = run(disk)
    assert disk.tables[FIRST].commits == {2: ["a"]}
    assert disk.store().ledger.chunks()[1].state is ChunkState.PLANNED
    assert did.notes == [
        "silver chunk 1 was staged, and its files are gone or damaged: it is given up, and what it was made "
        "from is taken again."
    ]
    assert_settled(disk, sources=["a bad-b"])


def test_what_a_gate_blocked_is_given_up_too_and_judged_anew():
    disk = blocked()
    disk.staged.clear()
    with pytest.raises(Blocked, match="chunk 2"):
        run(disk)
    assert disk.store().ledger.chunks()[1].state is ChunkState.PLANNED
    run(disk, is_strict=False)
    assert tables(disk) == {FIRST.name: ["a", "c", "worst"], LAST.name: ["bad-b"]}


def test_what_is_published_but_for_its_record_is_recorded():
    disk = lost("silver: silver/quarantine committed")
    assert run(disk).counts == {"in": 2, "kept": 1}
    [chunk] = disk.store().ledger.chunks().values()
    assert (chunk.state, chunk.photos) == (ChunkState.PUBLISHED, 1)
    assert chunk.versions == {FIRST.name: 1, LAST.name: 1}
    assert_settled(disk, sources=["a bad-b"])


def test_without_a_gate_it_is_the_same():
    assert run_of_unjudged(lost("silver: staged", kind=UnjudgedChunks)) is ChunkState.PLANNED
    whole = lost("silver: silver/quarantine committed", kind=UnjudgedChunks)
    assert run_of_unjudged(whole) is ChunkState.PUBLISHED
    with pytest.raises(Inconsistent, match="--chunk 1 --drop"):
        run_of_unjudged(lost("silver: silver/embeddings committed", kind=UnjudgedChunks))


def run_of_unjudged(disk):
    """The state of the one chunk after a run of a layer without a gate has finished what was left."""
    store = disk.store()
    Publication(store, UnjudgedChunks(store), LayerRun(SILVER)).finish_half_published()
    return disk.store().ledger.chunks()[1].state


def test_a_chunk_of_another_model_is_given_up_as_well_and_one_that_is_left_out_is_not():
    disk = lost("silver: staged")
    store = disk.store()
    publication = Publication(store, PairChunks(store), LayerRun(SILVER))
    publication.finish_half_published(but=frozenset({1}))
    assert [chunk.number for chunk in store.ledger.unfinished()] == [1]
    publication.finish(weights_id="another")
    assert store.ledger.unfinished() == []


def test_giving_up_may_die_anywhere():
    for lasts in range(4):
        disk = lost("silver: staged")
        with pytest.raises(Killed):
            run(disk, lasts=lasts)
        run(disk)
        assert_settled(disk, sources=["a bad-b"])


def test_files_of_killed_writers_go_and_what_is_unfinished_stays():
    disk = Disk(["a", "b"])
    with dies("silver: staged"), pytest.raises(Killed):
        run(disk)
    disk.staged[99] = {"rows": ["z"]}
    drop_abandoned(disk.store())
    assert list(disk.staged) == [1]


def test_numbers_go_on_above_the_tables_where_the_journal_was_taken_back():
    """As a RESTORE of ops/chunks does: under a number that was used, rows would be dropped."""
    disk = undisturbed()
    disk.journal.clear()
    store = disk.store()
    [chunk] = store.ledger.plan([ChunkPlan(layer=SILVER, weights_id=MODEL)])
    assert chunk.number == 4


def test_a_run_counts_what_it_published_and_the_ledger_what_others_have_left():
    disk = Disk(["a b", "c"])
    assert run(disk).counts == {"kept": 3}
    ledger = disk.store().ledger
    [second] = [c for c in ledger.chunks().values() if c.number == 2]
    ledger.published(second, photos=1, versions=second.versions, photos_left={1: 0})
    assert [c.photos for c in disk.store().ledger.chunks().values()] == [0, 1]
