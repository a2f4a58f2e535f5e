"""What journals keep of values that were measured over chunks, and how they lose it. No Spark."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from deltalake.exceptions import CommitFailedError

from lake import catalog, delta_rs_reader, measured_values, small_tables
from lake.chunks import Chunk, ChunkState
from lake.enums import BRONZE, GOLD, SILVER
from lake.run_journal import LayerRun, without_values

NOW = datetime(2026, 11, 28, tzinfo=UTC)


class Journals:
    """The three journals under a root, with the two calls that `forget` makes, and how often it commits."""

    def __init__(self, root):
        self.root, self.commits = str(root), []
        for table in (catalog.RUNS, catalog.DRIFT, catalog.QUALITY):
            small_tables.create(self.root, table, {})

    def add(self, table, *rows):
        known = delta_rs_reader.delta_table(self.root, table)
        small_tables.append(known, None, table=table, rows=rows)

    def records(self, table, *, columns=None, where=None):
        return delta_rs_reader.rows(self.root, table, columns=columns, where=where)

    def rewrite(self, table, change, *, layer):
        known = delta_rs_reader.delta_table(self.root, table)
        version, rows = known.version(), small_tables.changed(known, change)
        if rows is not None:
            small_tables.overwrite(known, None, table=table, rows=rows, version=version)
            self.commits.append(table)


@pytest.fixture
def journals(tmp_path):
    made = Journals(tmp_path)
    for chunk in (7, 8):
        made.add(
            catalog.DRIFT,
            {"chunk": chunk, "run_id": f"run-{chunk}", "photos": 9, "mean_shift": chunk / 64},
        )
        made.add(
            catalog.QUALITY,
            {
                "chunk": chunk,
                "run_id": f"run-{chunk}",
                "suite": "gold_features",
                "expectation": "drift-of-mean",
                "success": False,
                "observed": f"0.{chunk}625",
                "unexpected_count": 3,
                "action": "warned",
                "judged_at": NOW,
            },
        )
        made.add(
            catalog.RUNS,
            {
                "run_id": f"run-{chunk}",
                "layer": GOLD,
                "counts": {"in": 9},
                "metrics": {"photos_in": 9.0, "drift_mean_shift": chunk / 64},
                "error": f"gold chunk {chunk} is blocked: drift-of-mean: observed 0.{chunk}625.",
            },
        )
    return made


def rows_of(journals, table):
    return {row["run_id"]: row for row in journals.records(table)}


def test_the_values_of_a_chunk_go_and_its_verdicts_and_counts_stay(journals):
    before = {t: rows_of(journals, t) for t in (catalog.RUNS, catalog.QUALITY)}
    measured_values.forget(journals, {7}, layer="erase")
    quality, runs = (rows_of(journals, t) for t in (catalog.QUALITY, catalog.RUNS))
    assert quality["run-7"] == before[catalog.QUALITY]["run-7"] | {"observed": None}
    assert dict(runs["run-7"]["metrics"]) == {"photos_in": 9.0}
    assert runs["run-7"]["error"].startswith("gold chunk 7 is blocked: drift-of-mean")
    assert "7625" not in runs["run-7"]["error"]
    assert [row["chunk"] for row in journals.records(catalog.DRIFT)] == [8]
    for table in (catalog.RUNS, catalog.QUALITY):
        assert rows_of(journals, table)["run-8"] == before[table]["run-8"]


def test_what_is_gone_makes_no_further_commit(journals):
    measured_values.forget(journals, {7}, layer="erase")
    assert journals.commits == [catalog.RUNS, catalog.QUALITY, catalog.DRIFT]
    measured_values.forget(journals, {7}, layer="erase")
    measured_values.forget(journals, set(), layer="erase")
    assert len(journals.commits) == 3


@pytest.mark.parametrize("point", ["values of runs gone", "observed values gone", "drift gone"])
def test_a_crash_between_the_journals_leaves_nothing_to_the_next_call(journals, point, monkeypatch):
    def die(name):
        if name == f"erase: {point}":
            raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(measured_values.fault_points, "at", die)
        with pytest.raises(SystemExit):
            measured_values.forget(journals, {7}, layer="erase")
    measured_values.forget(journals, {7}, layer="erase")
    assert "drift_mean_shift" not in dict(rows_of(journals, catalog.RUNS)["run-7"]["metrics"])
    assert rows_of(journals, catalog.QUALITY)["run-7"]["observed"] is None
    assert [row["chunk"] for row in journals.records(catalog.DRIFT)] == [8]


def chunk(number, layer, first=None, last=None):
    state = ChunkState.PUBLISHED
    return Chunk(number=number, layer=layer, state=state, source_from=first, source_to=last)


def test_chunks_are_found_by_lineage_where_no_row_tells_of_them():
    chunks = [
        chunk(1, BRONZE),
        chunk(2, BRONZE),
        chunk(3, SILVER, 1, 1),
        chunk(4, SILVER, 2, 2),
        chunk(5, GOLD, 3, 3),
        chunk(6, GOLD, 3, 4),
        chunk(7, SILVER),
        chunk(8, GOLD, 7, 7),
        chunk(9, BRONZE),
    ]
    assert measured_values.chunks_made_of(reversed(chunks), {1}) == {1, 3, 5, 6, 7, 8}
    assert measured_values.chunks_made_of(chunks, {9}) == {9}


@pytest.mark.parametrize("value", ["0.5", "-3", "12.25", "1e-06", "inf", "nan", "3.0e+20"])
def test_a_sentence_of_a_gate_loses_its_value_alone(value):
    text = f"gold chunk 5 is blocked: few: observed {value}; 3 of 4 rows fail. Run again."
    cut = without_values(text)
    assert f" {value};" not in cut
    assert cut.endswith("; 3 of 4 rows fail. Run again.")
    assert without_values(f"observed {value}.").endswith("keep.")


def test_ops_runs_keeps_no_value_that_a_gate_observed():
    did = LayerRun(GOLD)
    did.finish("blocked", error="few: observed 0.125.")
    run = SimpleNamespace(run_id="run", settings_hash="", code_revision="")
    assert "0.125" not in did.row(run)["error"]


def test_a_row_that_came_meanwhile_is_not_overwritten(journals):
    known = delta_rs_reader.delta_table(journals.root, catalog.DRIFT)
    version, rows = known.version(), small_tables.changed(known, lambda rows: rows.slice(1))
    journals.add(catalog.DRIFT, {"chunk": 9, "run_id": "run-9", "photos": 9})
    known.update_incremental()
    with pytest.raises(CommitFailedError):
        small_tables.overwrite(known, None, table=catalog.DRIFT, rows=rows, version=version)
    assert sorted(row["chunk"] for row in journals.records(catalog.DRIFT)) == [7, 8, 9]
