"""The suites of the journals hold on what the code writes, however often it is killed; without Spark."""

from contextlib import suppress
from pathlib import Path

import pytest

from conf.errors import Blocked
from expectations import check_tables, checked_views, suites
from expectations.suite_views import Views
from expectations.validation import ROWS_ON_DRIVER, judge
from lake import catalog
from lake.chunks import STATES_OF, ChunkState
from lake.enums import ErasureMode, ErasureState, GateAction, Outcome, RunStatus
from lake.readable_lake import Lake
from lake.row_source import FEW, RowSource
from lake.run_journal import LayerRun, Run
from lake.small_tables import arrow_rows
from lake.storage.locate import folder
from tests.support import memory_store
from tests.support.archives import unpack
from tests.support.kills import Killed
from tests.support.small_lake import small_lake
from tests.support.suite_cases import PLANNED, RUN, SHA, on_driver

LAKES = Path(__file__).parents[1] / "lakes"
JOURNALS = (catalog.RUNS, catalog.CHUNKS, catalog.QUALITY)


def no_spark():
    pytest.fail("Spark was started")


def view(table, rows):
    """The view of rows, which Spark is not asked for."""
    return checked_views.OF[table](RowSource.of(arrow_rows(table, rows), no_spark))


def failing(table, rows):
    """The expectations of a table's suite that fail on rows."""
    suite = suites.load(suites.name_of(table))
    verdict = judge(on_driver(view(table, rows)), suite, expected=None, may_refuse_rows=False)
    return [f.line for f in verdict.findings if not f.success]


def ledger_rows(sources, lasts, *, number):
    """What the ledger of a lake holds after a run that may have died, and what follows until all is done;
    chunks are counted from `number`."""
    disk = memory_store.Disk(list(sources))
    for left in (lasts, None):
        with suppress(Killed, Blocked):
            memory_store.run(disk, lasts=left)
    disk.sources.append("new")
    memory_store.run(disk, is_strict=False)
    store = disk.store()
    chunks = list(store.ledger.chunks().values())
    store.ledger.recount({chunks[0].number: 0})
    store.ledger.retire([c for c in chunks if c.state is not ChunkState.RETIRED])
    own = {"run_id": RUN, "weights_id": SHA}
    return [row | own | {"chunk": number + row["chunk"]} for row in disk.journal]


def test_a_ledger_passes_wherever_its_runs_were_killed():
    rows, died = [], 0
    for lasts in range(80):
        disk = memory_store.Disk(["a bad", "worst", "c"])
        with suppress(Killed, Blocked):
            memory_store.run(disk, lasts=lasts)
        died += disk.operations > lasts
        rows += ledger_rows(disk.sources, lasts, number=(lasts + 1) * 1000)
    assert died > 20
    states = {row["state"] for row in rows}
    assert states == STATES_OF["silver"]
    assert failing(catalog.CHUNKS, rows) == []


def test_the_rows_of_a_run_pass_however_a_layer_ended():
    rows = []
    for status in set(RunStatus) - {RunStatus.RUNNING}:
        run = Run.begin("0123456789abcdef")
        for layer in ("bronze", "erase"):
            did = LayerRun(layer)
            did.add({"in": 3, "kept": 2})
            did.refuse({"blank": 1})
            did.finish(status, error=None if status == RunStatus.DONE else "Busy")
            rows.append(did.row(run))
    assert failing(catalog.RUNS, rows) == []
    assert failing(catalog.RUNS, [*rows, rows[0]]) == ["layer-once-a-run: 2 of 11 rows fail"]


@pytest.mark.parametrize("number", [4, 5])
def test_journals_of_earlier_code_pass_at_any_version(number, tmp_path):
    unpack(LAKES / f"format-{number}.tar.gz", tmp_path)
    lake = Lake(no_spark, folder(str(tmp_path / "lake")), Run("run", "code", "settings"))
    views = Views(lake, history_chunks=30)
    for table in JOURNALS:
        for version in (None, lake.version(table) // 2, 0):
            checked = check_tables.check(lake, table, views=views, version=version)
            actions = {finding.action for finding in checked.findings}
            expected = GateAction.SKIPPED if version == 0 else GateAction.PASSED
            assert (checked.error, actions) == (None, {expected}), (table.name, version)


@pytest.mark.parametrize("wrong", [{"state": "lost"}, {"entry": None}])
def test_a_ledger_that_cannot_be_read_is_named_and_its_rules_tell_why(wrong, tmp_path):
    planned = PLANNED | {"chunk": 1, "entry": 1}
    rows = [planned, planned | {"chunk": 2, "entry": 2} | wrong]
    with small_lake(tmp_path, {catalog.CHUNKS: rows}) as lake:
        views = Views(lake, history_chunks=30)
        photos, ledger = (
            check_tables.check(lake, table, views=views)
            for table in (catalog.PHOTOS, catalog.CHUNKS)
        )
    [failure] = photos.failures
    assert failure.startswith("bronze_photos: how many rows there must be can't be told")
    assert "check --table ops/chunks" in failure
    rule = "state-known" if "state" in wrong else "entry-present"
    assert f"ops_chunks: {rule}: 1 of 2 rows fail" in ledger.failures


def test_the_words_of_the_suites_are_those_of_the_code():
    words = {
        (catalog.OBJECTS, "outcome-known"): set(Outcome),
        (catalog.RUNS, "status-known"): set(RunStatus) - {RunStatus.RUNNING},
        (catalog.CHUNKS, "layer-known"): set(STATES_OF),
        (catalog.CHUNKS, "state-known"): set(ChunkState),
        (catalog.QUALITY, "suite-known"): {suites.name_of(table) for table in suites.GATED},
        (catalog.QUALITY, "severity-known"): set(suites.SEVERITIES),
        (catalog.QUALITY, "action-known"): set(GateAction) - {GateAction.SKIPPED},
        (catalog.ERASURES, "state-known"): set(ErasureState),
        (catalog.ERASURES, "mode-known"): {*ErasureMode, "rekey"},
    }
    for (table, rule), known in words.items():
        rules = suites.unchecked(suites.name_of(table))
        [found] = [each for each in rules if each["meta"]["id"] == rule]
        assert set(found["kwargs"]["value_set"]) == known, (table.name, rule)


@pytest.mark.parametrize("table", [*JOURNALS, catalog.DRIFT], ids=lambda table: table.name)
def test_a_long_journal_is_read_without_spark(table):
    long = view(table, [{"run_id": RUN}] * (FEW + 1))
    assert not long.rows.are_few
    assert long.on_driver(most=ROWS_ON_DRIVER).num_rows == FEW + 1
    with pytest.raises(pytest.fail.Exception, match="Spark was started"):
        long.on_driver(most=FEW)


def test_a_table_of_photos_is_read_by_spark_where_it_has_many():
    long = view(catalog.OBJECTS, [{"run_id": RUN}] * (FEW + 1))
    with pytest.raises(pytest.fail.Exception, match="Spark was started"):
        long.on_driver(most=ROWS_ON_DRIVER)


def test_views_of_journals_hold_no_message_and_no_measured_value():
    assert not {"error", "metrics"} & view(catalog.RUNS, []).columns.keys()
    assert "observed" not in view(catalog.QUALITY, []).columns
