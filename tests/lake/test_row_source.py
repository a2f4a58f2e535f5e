"""Rows that Spark reads, or this process where they are few: both give the same."""

import shutil

import numpy as np
import pytest

from conf.errors import BadInput
from lake import catalog, row_source
from lake.chunks import ChunkPlan
from lake.delta_rs_reader import most_rows
from lake.enums import BRONZE
from lake.small_tables import arrow_rows
from report.lake_counts import sums
from tests.support.canary import jpeg, send
from tests.support.erasures import erased
from tests.support.place import Place
from tests.support.table_contents import features, same_tables

MODEL = "a" * 64


def sources(lake):
    """Sources of different kinds, each with how many rows a scan reads for it."""
    everything = lake.source(catalog.EMBEDDINGS)
    [weights_id] = {b.column("weights_id")[0].as_py() for b in everything.batches("weights_id")}
    version = lake.version(catalog.EMBEDDINGS)
    n = everything.count()
    return {
        "all": (everything, n),
        "a chunk of no number": (lake.source(catalog.EMBEDDINGS, chunks=(900, 901)), 0),
        "a model": (lake.source(catalog.EMBEDDINGS, chunks=(0, 900), weights_id=weights_id), n),
        "no model": (lake.source(catalog.EMBEDDINGS, weights_id=MODEL), n),
        "a version": (lake.version_source(catalog.EMBEDDINGS, version), n),
        "an empty version": (lake.version_source(catalog.EMBEDDINGS, 0), 0),
    }


def told(source):
    """What a source says of its rows."""
    names, least, labels = source.schema.names, source.least("chunk"), source.counts("label")
    return source.scan.most(), names, source.count(), least, labels, source.frame().count()


def test_both_ways_give_the_same_rows(samples_lake, monkeypatch):
    few = {name: told(source) for name, (source, _) in sources(samples_lake.lake).items()}
    assert all(source.are_few for source, _ in sources(samples_lake.lake).values())
    read = {
        name: sum(batch.num_rows for batch in source.batches())
        for name, (source, _) in sources(samples_lake.lake).items()
    }
    monkeypatch.setattr(row_source, "FEW", -1)
    for name, (source, most) in sources(samples_lake.lake).items():
        assert not source.are_few
        assert told(source) == few[name], name
        assert few[name][0] == most
        assert few[name][2] == few[name][-1] == read[name] == sum(few[name][4].values())


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
