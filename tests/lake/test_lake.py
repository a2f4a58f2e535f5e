"""Commits: once each, in order, and nothing under a lake of another key or format."""

import json
import os
import random
import string
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError
from pyspark.sql import functions as F

from conf.errors import BadInput, Busy, FruitLakeError, Refused
from lake import catalog, lease, ledger, small_tables
from lake.chunks import Chunk, ChunkPlan, ChunkState
from lake.chunks_table import WritableChunksTable
from lake.compaction import compact
from lake.delta_log import TAKEOVER
from lake.enums import BRONZE
from lake.lake_format import NAME as MARKER
from lake.lease import Holder
from lake.ledger import Ledger
from lake.publication import ChunkLayer, Contents, Publication, drop_abandoned
from lake.run_journal import LayerRun
from lake.small_tables import arrow_rows
from lake.staging import FOLDER
from tests.support.place import Place


@pytest.fixture(scope="module")
def held(tmp_path_factory, spark):
    return Place.of(tmp_path_factory.mktemp("lake"), spark)


@pytest.fixture
def lake(held):
    """The module's lake, for writing."""
    with held.writing() as context:
        yield context.lake


def rejected(lake, name):
    return lake.rows(catalog.REJECTED, [{"object": name, "reason": "empty"}])


def names(lake):
    return sorted(row["object"] for row in lake.records(catalog.REJECTED))


def chunk(number, **other):
    return Chunk(number=number, layer=BRONZE, state=ChunkState.STAGED, **other)


def plan(lake, count=1):
    """The planned chunks of new numbers."""
    return lake.ledger.plan([ChunkPlan(layer=BRONZE)] * count)


def ledger_of(lake):
    """The ledger as the next run reads it."""
    return Ledger(WritableChunksTable(lake))


def test_a_chunk_is_committed_once_and_in_order(lake):
    version = lake.append(catalog.REJECTED, rejected(lake, "a"), chunk=chunk(3))
    assert lake.append(catalog.REJECTED, rejected(lake, "a"), chunk=chunk(3)) == version
    assert names(lake) == ["a"]
    with pytest.raises(FruitLakeError, match="chunk 2 can't follow chunk 3"):
        lake.append(catalog.REJECTED, rejected(lake, "b"), chunk=chunk(2))
    # What one commit sets must not swallow the next to another table.
    lake.record(catalog.RUNS, [dict.fromkeys(catalog.RUNS.schema.names)], layer="bronze")
    lake.record(catalog.RUNS, [dict.fromkeys(catalog.RUNS.schema.names)], layer="bronze")
    assert lake.source(catalog.RUNS).count() == 2


def test_numbers_go_on_above_those_that_tables_took(lake):
    lake.append(catalog.OBJECTS, lake.rows(catalog.OBJECTS, [{"object": "x"}]), chunk=chunk(41))
    first, second = plan(lake, 2)
    assert (first.number, second.number) == (42, 43)
    assert ledger_of(lake).plan([ChunkPlan(layer=BRONZE)])[0].number == 44


def test_a_frame_that_lacks_a_column_is_not_committed(lake):
    frame = rejected(lake, "c").drop("reason")
    with pytest.raises(Exception, match="reason"):
        lake.append(catalog.REJECTED, frame, chunk=chunk(100))


def test_a_reader_commits_nothing(held, lake):
    with pytest.raises(RuntimeError, match="opened for reading"):
        held.lake.ledger.plan([ChunkPlan(layer=BRONZE)])


def test_a_row_that_is_put_replaces_and_keeps_who_made_it(held):
    row = {"version": "v", "kind": "extractor", "status": "a"}
    with held.writing() as context:
        lake = context.lake
        lake.put(catalog.MODELS, [row], keys=["version"], chunk=chunk(50))
        [made] = lake.records(catalog.MODELS)
    with held.writing() as context:
        later = context.lake
        later.put(catalog.MODELS, [made | {"status": "b"}], keys=["version"], chunk=chunk(51))
    [now] = held.lake.records(catalog.MODELS)
    assert (now["status"], now["run_id"], now["chunk"]) == ("b", made["run_id"], 50)
    assert later.run.run_id != made["run_id"]


class RejectedChunks(ChunkLayer):
    """A layer whose chunks are rows of bronze/rejected."""

    name = BRONZE
    tables = (catalog.REJECTED,)
    is_judged = True

    def __init__(self, lake):
        self._lake = lake

    def judge(self, chunk):
        """Lets every chunk pass."""

    def parts(self, chunk):
        return ["rows"]

    def contents(self, chunk):
        rows = self._lake.staging.read(chunk, "rows")
        return Contents([self._lake.append_commit(catalog.REJECTED, rows, chunk=chunk)], photos=1)


def test_a_staged_chunk_that_was_overtaken_is_published_under_a_fresh_number(lake):
    bronze = Publication(lake, RejectedChunks(lake), LayerRun(BRONZE))

    def staged(name):
        [planned] = bronze.plan([ChunkPlan(layer=BRONZE)])
        return bronze.stage(planned, lambda c: lake.staging.write(c, "rows", rejected(lake, name)))

    late = lake.ledger.reached(staged("overtaken"), ChunkState.BLOCKED)
    early = staged("overtaking")
    bronze.publish(early)
    bronze.publish_left(late)
    chunks = ledger_of(lake).chunks()
    assert chunks[late.number].state is ChunkState.PLANNED
    fresh = max(chunks)
    assert fresh > early.number
    assert chunks[fresh].state is ChunkState.PUBLISHED
    rows = lake.read(catalog.REJECTED).where("object like 'overtak%'")
    assert {(row["object"], row["chunk"]) for row in rows.collect()} == {
        ("overtaken", fresh),
        ("overtaking", early.number),
    }
    assert lake.files.folders(FOLDER) == []


def test_staged_files_of_a_killed_writer_go(lake):
    [planned] = plan(lake)
    lake.staging.write(planned, "rows", rejected(lake, "z"))
    drop_abandoned(lake)
    assert not lake.files.exists(f"{FOLDER}/bronze-{planned.number}")


def test_states_are_ordered_by_their_entries_whatever_the_clocks_say(lake, monkeypatch):
    """The second writer's clock is an hour behind the first one's."""
    [planned] = plan(lake)

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(hours=1)

    monkeypatch.setattr(ledger, "datetime", Behind)
    lake.ledger.reached(planned, ChunkState.PUBLISHED)
    assert ledger_of(lake).chunks()[planned.number].state is ChunkState.PUBLISHED


# A writer that was paused


@contextmanager
def paused(held, patch):
    """A writer that stands still between its look at the lease and its commit, while another one takes
    over; its next commit is the one that it had begun."""
    with held.writing() as context:
        lake, check = context.lake, context.lake._commits._lease.check
        [lake.planned] = plan(lake)

        def overtaken():
            check()
            die(held)
            patch.undo()
            with held.writing():
                pass

        patch.setattr(lake._commits._lease, "check", overtaken)
        yield lake


def die(held):
    """The lease looks as if its holder had been killed."""
    holder = Holder.read(held.files.read(lease.NAME))
    held.files.write(lease.NAME, replace(holder, processes=NOBODY).content())


NOBODY = {"999999999": "1"}
RUN = dict.fromkeys(catalog.RUNS.schema.names)
COMMITS = {
    "append": lambda lake: lake.append(
        catalog.REJECTED, rejected(lake, "late"), chunk=lake.planned
    ),
    "put": lambda lake: lake.put(
        catalog.MODELS, [{"version": "late"}], keys=["version"], chunk=lake.planned
    ),
    "delete": lambda lake: lake.delete(catalog.OBJECTS, "true", chunk=lake.planned),
    "a state": lambda lake: lake.ledger.reached(lake.planned, ChunkState.STAGED),
    "a row of a journal": lambda lake: lake.record(
        catalog.RUNS, [RUN | {"layer": "late"}], layer="late"
    ),
}


@pytest.mark.parametrize("commit", COMMITS)
def test_a_writer_that_was_paused_through_a_takeover_commits_nothing(held, monkeypatch, commit):
    with paused(held, monkeypatch) as lake:
        with suppress(Busy):  # a conflict tells it at once, a number that is too low says nothing
            COMMITS[commit](lake)
        with pytest.raises(Busy, match="was taken over"):
            lake.record(catalog.RUNS, [RUN | {"layer": "late"}], layer="late")
    now = held.lake
    assert "late" not in names(now)
    assert now.read(catalog.MODELS).where("version = 'late'").count() == 0
    assert now.read(catalog.RUNS).where("layer = 'late'").count() == 0
    assert now.ledger.chunks()[lake.planned.number].state is ChunkState.PLANNED


def test_numbers_go_on_after_a_takeover(held):
    with held.writing() as context:
        lake = context.lake
        [first] = plan(lake)
        lake.append(catalog.REJECTED, rejected(lake, "before"), chunk=first)
        takeovers = lake.log(catalog.REJECTED).number() // TAKEOVER
        die(held)
        lake._commits._lease._over.set()
    with held.writing() as context:
        lake = context.lake
        assert lake.log(catalog.REJECTED).number() == (takeovers + 1) * TAKEOVER + first.number
        lake.append(catalog.REJECTED, rejected(lake, "before"), chunk=first)  # it was committed
        [second] = plan(lake)
        assert second.number == first.number + 1
        lake.append(catalog.REJECTED, rejected(lake, "after"), chunk=second)
    assert [names(held.lake).count(name) for name in ("before", "after")] == [1, 1]
    assert not held.files.exists(lease.NAME)


def test_small_files_are_joined_and_a_large_one_stays(lake, spark):
    letters = "".join(random.Random(1).choices(string.ascii_letters, k=200_000))
    large, *small = (
        lake.rows(catalog.REJECTED, [{"detail": each}]) for each in (letters, *"abcde")
    )
    planned = plan(lake, 6)
    lake.append(catalog.REJECTED, large, chunk=planned[0])
    held = set(lake.read(catalog.REJECTED).where(F.length("detail") > 9).inputFiles())
    spark.conf.set("spark.databricks.delta.optimize.minFileSize", 100_000)
    try:
        for number, frame in zip(planned[1:], small, strict=True):
            lake.append(catalog.REJECTED, frame, chunk=number)
        before = rows(lake)
        files, _ = lake.log(catalog.REJECTED).size()
        assert catalog.REJECTED not in compact(lake, small_files=files + 1)
        assert catalog.REJECTED in compact(lake, small_files=files)
    finally:
        spark.conf.set("spark.databricks.delta.optimize.minFileSize", 64 << 20)
    assert lake.log(catalog.REJECTED).size()[0] == 2
    assert rows(lake) == before
    now = set(lake.read(catalog.REJECTED).inputFiles())
    [kept] = now & held
    assert os.path.getsize(kept.removeprefix("file:")) > 100_000


def rows(lake):
    return sorted(map(repr, lake.records(catalog.REJECTED)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": 99}, BadInput, "written by a later version of this product"),
        ({"format": 1}, BadInput, "written by an earlier version of this product"),
        ({"key": "0" * 64}, Refused, "made with another key"),
    ],
)
def test_a_lake_that_is_not_ours_is_refused(held, change, error, message):
    marker = held.files.read_json(MARKER)
    held.files.write(MARKER, json.dumps(marker | change).encode())
    with pytest.raises(error, match=message):
        held.run()
    held.files.write(MARKER, json.dumps(marker).encode())
    assert not held.files.exists(lease.NAME)


def test_a_lake_lies_in_a_folder_of_nearly_any_name(tmp_path, spark):
    """delta-rs makes a URL of a path."""
    place = Place.of(tmp_path / "a b {y}#?:é&=+", spark)
    place.landing.mkdir(parents=True)
    place.run("bronze")
    assert [row["layer"] for row in place.lake.records(catalog.RUNS)] == ["bronze"]
    assert place.lake.read(catalog.RUNS).count() == 1


@pytest.mark.parametrize("name", ["a%20b", "[x]", "a^b", "a|b", "a\\b"])
def test_a_folder_that_delta_rs_cannot_open_is_refused_before_anything_is_made(tmp_path, name):
    place = Place.of(tmp_path / name, None)
    with pytest.raises(BadInput, match="name a lake in another folder"):
        place.run("bronze")
    assert not list(Path(place.settings.paths.lake).glob("**/_delta_log"))


def test_no_number_of_a_small_table_is_taken_twice_or_after_a_higher_one(held):
    """delta-rs itself takes any number."""
    with held.writing() as context:
        lake = context.lake
        lake.put(catalog.MODELS, [{"version": "a"}], keys=["version"], chunk=chunk(60))
        number = lake.log(catalog.MODELS).number()
        lake._commits._counted[catalog.MODELS] = number - 1
        with pytest.raises(FruitLakeError, match="another run committed before"):
            lake.put(catalog.MODELS, [{"version": "b"}], keys=["version"], chunk=chunk(61))
    assert held.lake.log(catalog.MODELS).number() == number
    assert "b" not in {row["version"] for row in held.lake.records(catalog.MODELS)}


def test_a_commit_to_a_small_table_is_of_the_version_that_the_lease_was_asked_for(
    held, monkeypatch
):
    """Whoever commits between the two has taken the lake over."""
    with held.writing() as context:
        lake = context.lake
        check = lake._commits._lease.check

        def taken_over_meanwhile():
            check()
            monkeypatch.setattr(lake._commits._lease, "check", check)
            theirs = arrow_rows(catalog.DRIFT, [{"weights_id": "theirs"}])
            write_deltalake(lake.files.uri(catalog.DRIFT.name), theirs, mode="append")

        monkeypatch.setattr(lake._commits._lease, "check", taken_over_meanwhile)
        with pytest.raises(FruitLakeError, match="ops/drift was changed by another program"):
            lake.record(catalog.DRIFT, [{"weights_id": "late"}], layer="late")
    assert [row["weights_id"] for row in held.lake.records(catalog.DRIFT)] == ["theirs"]


def test_a_commit_whose_answer_was_lost_is_known_as_made(held, monkeypatch):
    """S3 made it and answered with an error; delta-rs asks again, and finds its own entry in the way."""
    append = small_tables.append

    def made_and_refused(*given, **named):
        append(*given, **named)
        raise CommitFailedError("the entry is there already")

    monkeypatch.setattr(small_tables, "append", made_and_refused)
    with held.writing() as context:
        context.lake.record(catalog.QUALITY, [{"suite": "answerless"}], layer="gold")
        monkeypatch.undo()
    suites = [row["suite"] for row in held.lake.records(catalog.QUALITY)]
    assert suites.count("answerless") == 1


def test_small_files_of_a_journal_are_joined(held):
    with held.writing() as context:
        lake = context.lake
        for _ in range(3):
            lake.record(catalog.DRIFT, [{"weights_id": "one"}], layer="gold")
        before = sorted(map(repr, lake.records(catalog.DRIFT)))
        files, _ = lake.log(catalog.DRIFT).size()
        assert catalog.DRIFT in compact(lake, small_files=files)
        assert lake.log(catalog.DRIFT).size()[0] == 1
    assert sorted(map(repr, held.lake.records(catalog.DRIFT))) == before


def test_tables_have_their_properties(held, lake):
    from delta import DeltaTable

    for table in catalog.TABLES:
        detail = DeltaTable.forPath(lake.spark, lake.files.uri(table.name)).detail().first()
        wanted = catalog.properties(table, held.settings.delta)
        assert {name: detail["properties"].get(name) for name in wanted} == dict(wanted)
        assert tuple(detail["partitionColumns"]) == table.partition_by
