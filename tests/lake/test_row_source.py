"""Rows that Spark reads, or this process where they are few: both give the same."""

import shutil
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from conf.errors import BadInput
from lake import catalog, row_source
from lake.chunks import ChunkPlan
from lake.delta_rs_reader import most_rows
from lake.enums import BRONZE
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from report.lake_counts import sums
from tests.support.canary import jpeg, send
from tests.support.erasures import erased
from tests.support.place import Place
from tests.support.table_contents import features, same_tables

MODEL = "a" * 64
KEY = ("photo_id", "weights_id", "chunk")


def sources(lake):
    """Sources of different kinds, each with how many rows a scan reads for it."""
    everything = lake.source(catalog.EMBEDDINGS)
    [weights_id] = everything.counts("weights_id")
    version = lake.version(catalog.EMBEDDINGS)
    n = everything.count()
    times = sorted(row["embedded_at"] for row in lake.records(catalog.EMBEDDINGS))
    after_all = times[-1] + timedelta(microseconds=1)
    ids = sorted(photo_id for (photo_id,) in everything.distinct("photo_id"))
    some = lake.values("photo_id", [*ids[:3], MODEL])
    pairs = pa.table({"photo_id": [*ids[:4], None], "weights_id": [weights_id] * 3 + [MODEL] * 2})
    both = RowSource.of(pairs, lambda: lake.spark)
    return {
        "all": (everything, n),
        "a chunk of no number": (lake.source(catalog.EMBEDDINGS, chunks=(900, 901)), 0),
        "a model": (
            lake.source(catalog.EMBEDDINGS, chunks=(0, 900)).having("weights_id", [weights_id]),
            n,
        ),
        "no model": (everything.having("weights_id", [MODEL]), n),
        "one of two": (everything.having("photo_id", ids[:2]), n),
        "before a time": (everything.before("embedded_at", after_all), n),
        "before the first": (everything.before("embedded_at", times[0]), n),
        "among keys": (everything.among(some, "photo_id"), n),
        "among pairs": (everything.among(both, "photo_id", "weights_id"), n),
        "among none": (everything.among(lake.values("photo_id", []), "photo_id"), n),
        "among those of some": (
            everything.among(everything.among(some, "photo_id"), "photo_id"),
            n,
        ),
        "a version": (lake.version_source(catalog.EMBEDDINGS, version), n),
        "an empty version": (lake.version_source(catalog.EMBEDDINGS, 0), 0),
    }


def told(source):
    """What a source says of its rows."""
    least, labels, found = source.least("chunk"), source.counts("label"), source.distinct(*KEY)
    return len(found), source.count(), least, labels, found, source.frame().count()


def test_both_ways_give_the_same_rows(samples_lake, monkeypatch):
    few = {}
    for name, (source, most) in sources(samples_lake.lake).items():
        assert source.are_few
        assert source.scan.most() == most, name
        few[name] = (*told(source), sorted(source.schema.names))
        read = sum(batch.num_rows for batch in source.batches())
        assert few[name][0] == few[name][1] == read == sum(few[name][3].values()), name
    sizes = {name: seen[0] for name, seen in few.items()}
    assert sizes["one of two"] == 2
    assert sizes["among keys"] == sizes["among pairs"] == sizes["among those of some"] == 3
    whole = {name for name, size in sizes.items() if size == sizes["all"] > 4}
    assert whole == {"all", "a model", "a version", "before a time"}
    assert sum(sizes.values()) == len(whole) * sizes["all"] + 2 + 3 * 3
    monkeypatch.setattr(row_source, "FEW", -1)
    for name, (source, _) in sources(samples_lake.lake).items():
        assert not source.are_few
        assert (*told(source), sorted(source.schema.names)) == few[name], name


def test_only_files_that_may_hold_the_chunks_count(place):
    """Each chunk lies in files of its own, until they are joined."""
    with place.writing() as context:
        lake = context.lake
        for size in (1, 3, 5):
            [chunk] = lake.ledger.plan([ChunkPlan(layer=BRONZE, photos=size, bytes=size)])
            rows = [{"photo_id": f"{chunk.number}-{n}"} for n in range(size)]
            frame = lake.spark.createDataFrame(
                arrow_rows(catalog.PHOTOS, rows), catalog.PHOTOS.schema
            )
            lake.append(catalog.PHOTOS, frame, chunk=chunk)
        numbers = [lake.source(catalog.PHOTOS, chunks=(n, n)).scan.most() for n in (1, 2, 3, 4)]
        assert numbers == [1, 3, 5, 0]
        assert lake.source(catalog.PHOTOS, chunks=(2, 3)).scan.most() == 8
        lake.compact(catalog.PHOTOS)
        joined = lake.source(catalog.PHOTOS, chunks=(2, 2))
        assert (joined.scan.most(), joined.count()) == (9, 3)
        assert most_rows(lake.log(catalog.PHOTOS).table()) == 9


def test_a_version_that_the_log_has_forgotten_is_told(copied):
    """What the retention of logs leaves: a checkpoint, and the entries from it on."""
    table = copied.lake.log(catalog.EMBEDDINGS).table()
    table.create_checkpoint()
    for entry in (copied.root / "lake" / "silver" / "embeddings" / "_delta_log").glob("*.json"):
        if int(entry.stem) < table.version():
            entry.unlink()
    with pytest.raises(BadInput, match=r"^Version 0 of silver/embeddings .+ past the"):
        copied.lake.version_source(catalog.EMBEDDINGS, 0)
    with pytest.raises(BadInput, match="but no version 99"):
        copied.lake.version_source(catalog.EMBEDDINGS, 99)
    assert copied.lake.source(catalog.EMBEDDINGS).count()


def test_a_lake_of_many_rows_is_the_same(samples_lake, tmp_path, spark, monkeypatch):
    """Where nothing counts as few, Spark reads for gates, drift and moments."""
    monkeypatch.setattr(row_source, "FEW", -1)
    for name in ("landing", "lake.key"):
        source = samples_lake.root / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    place = Place.of(tmp_path, spark)
    place.run()
    same_tables(place, samples_lake)
    assert judged(place) == judged(samples_lake)
    found, wanted = (features(each.lake) for each in (place, samples_lake))
    assert found.keys() == wanted.keys()
    for photo, values in wanted.items():
        np.testing.assert_allclose(found[photo], values, atol=1e-3)
    [one], [other] = (each.lake.records(catalog.MOMENTS) for each in (place, samples_lake))
    assert one["n"] == other["n"]
    for name in ("shift", "sum", "gram"):
        here, there = (np.frombuffer(row[name]) for row in (one, other))
        np.testing.assert_allclose(here, there, rtol=1e-9, atol=1e-6)
    send(place.landing, {f"{n}.jpg": jpeg(n) for n in range(3)})
    assert place.run()["gold"].counts["kept"] == 3
    erased(place, mode="immediate")
    assert sums(place.files).disagreements() == []


def judged(place):
    """What the gates found."""
    columns = ["suite", "expectation", "success", "unexpected_count", "element_count", "action"]
    return sorted(map(repr, place.lake.records(catalog.QUALITY, columns=columns)))
