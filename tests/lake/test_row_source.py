"""Rows that Spark reads, or this process where they are few: both give the same."""

from lake import catalog, row_source
from lake.chunks import ChunkPlan
from lake.delta_rs_reader import most_rows
from lake.enums import BRONZE
from lake.small_tables import arrow_rows

MODEL = "a" * 64


def sources(lake):
    """Sources of different kinds, each with how many rows a scan reads for it."""
    everything = lake.source(catalog.EMBEDDINGS)
    [weights_id] = {b.column("weights_id")[0].as_py() for b in everything.batches("weights_id")}
    version = lake.version(catalog.EMBEDDINGS)
    values = [{"version": "v1"}, {"version": "v2"}]
    n = everything.count()
    return {
        "all": (everything, n),
        "a chunk of no number": (lake.source(catalog.EMBEDDINGS, chunks=(900, 901)), 0),
        "a model": (lake.source(catalog.EMBEDDINGS, chunks=(0, 900), weights_id=weights_id), n),
        "no model": (lake.source(catalog.EMBEDDINGS, weights_id=MODEL), n),
        "a version": (lake.version_source(catalog.EMBEDDINGS, version), n),
        "an empty version": (lake.version_source(catalog.EMBEDDINGS, 0), 0),
        "values": (lake.source_of(catalog.MODELS, values), 2),
    }


def told(source):
    """What a source says of its rows."""
    key = "version" if "version" in source.schema.names else "photo_id"
    chunk = source.least("chunk")
    return source.schema.names, source.count(), chunk, source.frame().select(key).count()


def test_both_ways_give_the_same_rows(samples_lake, monkeypatch):
    few = {
        name: (told(source), most) for name, (source, most) in sources(samples_lake.lake).items()
    }
    read = {
        name: sum(batch.num_rows for batch in source.batches())
        for name, (source, _) in sources(samples_lake.lake).items()
    }
    monkeypatch.setattr(row_source, "FEW", -1)
    for name, (source, most) in sources(samples_lake.lake).items():
        assert not source.are_few
        assert (told(source), source.scan.most) == few[name], (name, most)
        assert few[name][0][1] == few[name][0][3] == read[name]


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
        numbers = [lake.source(catalog.PHOTOS, chunks=(n, n)).scan.most for n in (1, 2, 3, 4)]
        assert numbers == [1, 3, 5, 0]
        assert lake.source(catalog.PHOTOS, chunks=(2, 3)).scan.most == 8
        lake.compact(catalog.PHOTOS)
        joined = lake.source(catalog.PHOTOS, chunks=(2, 2))
        assert (joined.scan.most, joined.count()) == (9, 3)
        assert most_rows(lake.log(catalog.PHOTOS).table()) == 9
