"""Commits: once each, in order, and nothing under a lake of another key or format."""

import json

import pytest

from conf.errors import BadInput, FruitLakeError, Refused
from lake import catalog
from lake.chunks import Chunk, State
from lake.lake import MARKER, STAGING
from tests.place import Place


@pytest.fixture(scope="module")
def held(tmp_path_factory, spark):
    return Place(tmp_path_factory.mktemp("lake"), spark, None).set()


def rejected(lake, name):
    return lake.rows(catalog.REJECTED, [{"object": name, "reason": "empty"}])


def names(lake):
    return sorted(row["object"] for row in lake.read(catalog.REJECTED).collect())


def chunk(number, **other):
    return Chunk(number, "bronze", State.STAGED, **other)


def test_a_chunk_is_committed_once_and_in_order(held):
    lake = held.lake
    version = lake.append(catalog.REJECTED, rejected(lake, "a"), chunk=chunk(3))
    assert lake.append(catalog.REJECTED, rejected(lake, "a"), chunk=chunk(3)) == version
    assert names(lake) == ["a"]
    with pytest.raises(FruitLakeError, match="chunk 2 can't follow chunk 3"):
        lake.append(catalog.REJECTED, rejected(lake, "b"), chunk=chunk(2))
    # What one commit sets must not swallow the next to another table.
    lake.record(catalog.RUNS, [dict.fromkeys(catalog.RUNS.schema.names)], layer="bronze")
    lake.record(catalog.RUNS, [dict.fromkeys(catalog.RUNS.schema.names)], layer="bronze")
    assert lake.read(catalog.RUNS).count() == 2


def test_numbers_go_on_above_those_that_tables_took(held):
    lake = held.lake
    lake.append(catalog.OBJECTS, lake.rows(catalog.OBJECTS, [{"object": "x"}]), chunk=chunk(41))
    first, second = lake.plan([chunk(0), chunk(0)])
    assert (first.number, second.number) == (42, 43)
    assert held.lake.plan([chunk(0)])[0].number == 44


def test_a_frame_that_lacks_a_column_is_not_committed(held):
    lake = held.lake
    frame = rejected(lake, "c").drop("reason")
    with pytest.raises(Exception, match="reason"):
        lake.append(catalog.REJECTED, frame, chunk=chunk(100))


def test_an_upsert_replaces_and_keeps_who_made_the_row(held):
    lake = held.lake
    row = {"version": "v", "kind": "extractor", "status": "a"}
    lake.upsert(catalog.MODELS, lake.rows(catalog.MODELS, [row]), keys=["version"], chunk=chunk(50))
    made = lake.read(catalog.MODELS).first()
    later = held.lake
    changed = later.read(catalog.MODELS).na.replace("a", "b", "status")
    later.upsert(catalog.MODELS, changed, keys=["version"], chunk=chunk(51))
    [now] = later.read(catalog.MODELS).collect()
    assert (now["status"], now["run_id"], now["chunk"]) == ("b", made["run_id"], 50)
    assert later.run.run_id != made["run_id"]


def test_a_staged_chunk_that_was_overtaken_goes_on_under_a_fresh_number(held):
    lake = held.lake
    late = lake.plan([chunk(0)])[0].reached(State.STAGED)
    lake.stage(late, "rows", rejected(lake, "late"))
    lake.reached(late, State.BLOCKED)
    assert lake.renumbered(late, catalog.REJECTED) == late
    [early] = lake.plan([chunk(0)])
    lake.append(catalog.REJECTED, rejected(lake, "early"), chunk=early)
    fresh = lake.renumbered(late.reached(State.BLOCKED), catalog.REJECTED)
    assert fresh.number > early.number
    assert fresh.state is State.BLOCKED
    assert lake.staged(fresh, "rows").first()["object"] == "late"
    assert not lake.has_staged(late, "rows")
    again = held.lake
    assert again.chunks()[late.number].state is State.PLANNED
    again.drop_abandoned()
    assert again.has_staged(fresh, "rows")


def test_staged_files_of_a_killed_writer_go(held):
    lake = held.lake
    [planned] = lake.plan([chunk(0)])
    lake.stage(planned, "rows", rejected(lake, "z"))
    held.lake.drop_abandoned()
    assert not lake.files.exists(f"{STAGING}/bronze-{planned.number}")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": 99}, BadInput, "written by a later version of this product"),
        ({"key": "0" * 64}, Refused, "made with another key"),
    ],
)
def test_a_lake_that_is_not_ours_is_refused(place, change, error, message):
    files = place.lake.files
    marker = files.read_json(MARKER)
    files.write(MARKER, json.dumps(marker | change).encode())
    with pytest.raises(error, match=message):
        _ = place.lake


def test_tables_have_their_properties(held):
    from delta import DeltaTable

    lake = held.lake
    for table in catalog.TABLES:
        detail = DeltaTable.forPath(lake.spark, lake.files.uri(table.name)).detail().first()
        wanted = catalog.properties(held.settings.delta)
        assert {name: detail["properties"].get(name) for name in wanted} == dict(wanted)
        assert tuple(detail["partitionColumns"]) == table.partition_by
