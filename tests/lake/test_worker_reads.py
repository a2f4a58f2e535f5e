"""Workers that read the files of a table themselves give the rows that Spark gives."""

from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from lake import catalog, delta_rs_reader
from lake.arrow_tasks import slots
from lake.chunks import ChunkPlan
from lake.enums import SILVER
from lake.row_source import RowSource
from lake.small_tables import arrow_rows
from lake.worker_reads import TableFiles
from tests.support.place import Place

TAKEN = "photo_id string, weights_id string, chunk bigint, embedding array<float>"
NAMES = ["photo_id", "weights_id", "chunk", "embedding"]
MODELS = {1: "a" * 64, 2: "a" * 64, 3: "b c/" * 16}
ROWS = 500


@contextmanager
def small_groups(spark):
    hadoop = spark._jsc.hadoopConfiguration()
    before = hadoop.get("parquet.block.size")
    hadoop.set("parquet.block.size", "200000")
    try:
        yield
    finally:
        hadoop.set("parquet.block.size", before)


@pytest.fixture(scope="module")
def lake(tmp_path_factory, spark):
    """Three chunks of two models, of which one has a name that paths escape, in files of several groups."""
    place = Place.of(tmp_path_factory.mktemp("reads"), spark)
    random = np.random.default_rng(0)
    with place.writing() as context, small_groups(spark):
        for number, weights_id in MODELS.items():
            [chunk] = context.lake.ledger.plan([ChunkPlan(layer=SILVER, weights_id=weights_id)])
            embeddings = random.random((ROWS, 700), np.float32).tolist()
            rows = [
                {"photo_id": f"{number}-{n}", "weights_id": weights_id, "embedding": embedding}
                for n, embedding in enumerate(embeddings)
            ]
            frame = spark.createDataFrame(
                arrow_rows(catalog.EMBEDDINGS, rows), catalog.EMBEDDINGS.schema
            )
            context.lake.append(catalog.EMBEDDINGS, frame, chunk=chunk)
        yield context.lake


def as_it_is(batches):
    yield from (pa.RecordBatch.from_arrays(batch.columns, names=NAMES) for batch in batches)


def rows(frame):
    """The rows by their photo."""
    return {row["photo_id"]: (*row[:3], tuple(row["embedding"])) for row in frame.collect()}


def sources(lake):
    everything = lake.source(catalog.EMBEDDINGS)
    return {
        "all": (everything, 3 * ROWS),
        "a model": (everything.having("weights_id", [MODELS[1]]), 2 * ROWS),
        "another": (everything.having("weights_id", [MODELS[3]]), ROWS),
        "a chunk": (lake.source(catalog.EMBEDDINGS, chunks=(2, 2)), ROWS),
        "some photos": (everything.having("photo_id", ["1-3", "3-499", "none"]), 2),
        "none": (everything.having("weights_id", ["c"]), 0),
    }


def test_workers_get_the_rows_that_spark_gets(lake):
    for name, (source, number) in sources(lake).items():
        here = rows(source.on_workers(NAMES, as_it_is, TAKEN))
        assert here == rows(source.frame().select(*NAMES)), name
        assert len(here) == number, name


def test_no_value_of_an_embedding_passes_through_java(lake):
    made = lake.source(catalog.EMBEDDINGS).on_workers(NAMES, as_it_is, TAKEN)
    plan = made._jdf.queryExecution().toString()
    assert "Range" in plan
    assert "parquet" not in plan.lower()


def test_workers_read_a_bucket_that_throttles(lake, spark, s3):
    root = s3.copied(lake.files.root, Path(lake.files.root, catalog.EMBEDDINGS.name).rglob("*"))
    known = delta_rs_reader.delta_table(root, catalog.EMBEDDINGS)
    source = RowSource(
        lambda: pytest.fail("Spark reads the rows"),
        delta_rs_reader.scan(known),
        TableFiles(known.table_uri, lambda: spark),
    )
    asked = count()
    s3.trouble = lambda method, path: "503" if next(asked) % 17 == 0 else None
    found = rows(source.on_workers(NAMES, as_it_is, TAKEN))
    assert s3.troubled > 1
    assert found == rows(lake.read(catalog.EMBEDDINGS).select(*NAMES))


def shared(source, *, tasks):
    """The groups of rows of a source that each task reads."""
    return source.table.shares(source.scan.dataset(), source.scan.where, tasks=tasks)


def test_a_share_has_as_many_rows_as_another(lake):
    source = lake.source(catalog.EMBEDDINGS)
    assert len(shared(source, tasks=1000)) > 3, "a file has several groups"
    for tasks in (1, 2, 3, 1000):
        shares = shared(source, tasks=tasks)
        groups = [group for share in shares for group in share]
        assert len({(group.name, group.number) for group in groups}) == len(groups)
        assert sum(group.rows for group in groups) == 3 * ROWS
        assert len(shares) <= min(tasks, len(groups))
        largest = max(group.rows for group in groups)
        sizes = [sum(group.rows for group in share) for share in shares]
        assert max(sizes) < 3 * ROWS / tasks + largest


def test_files_that_a_condition_excludes_are_not_opened(lake):
    source = lake.source(catalog.EMBEDDINGS).having("weights_id", [MODELS[3]])
    others = shared(lake.source(catalog.EMBEDDINGS).having("weights_id", [MODELS[1]]), tasks=1)
    folder = Path(lake.files.root, catalog.EMBEDDINGS.name)
    aside = {folder / group.name for share in others for group in share}
    assert len(aside) > 1
    for path in aside:
        path.rename(f"{path}.aside")
    try:
        shares = shared(source, tasks=slots(lake.spark))
    finally:
        for path in aside:
            Path(f"{path}.aside").rename(path)
    assert sum(group.rows for share in shares for group in share) == ROWS
    names = [group.name for share in shares for group in share]
    assert {name.split("weights_id=")[1][0] for name in names} == {"b"}


def test_groups_without_a_row_of_the_condition_are_read_by_nobody(lake):
    """A file that was joined has rows of many chunks, one after another."""
    source = lake.source(catalog.EMBEDDINGS).having("photo_id", ["1-3"])
    every = lake.source(catalog.EMBEDDINGS)
    assert 0 < len(shared(source, tasks=1000)) < len(shared(every, tasks=1000))


def test_workers_are_told_nothing_of_rows_but_what_a_table_is_partitioned_by(lake):
    shares = shared(lake.source(catalog.EMBEDDINGS), tasks=2)
    partitions = {tuple(group.partition.items()) for share in shares for group in share}
    assert partitions == {(("weights_id", each),) for each in set(MODELS.values())}


def test_rows_that_spark_alone_can_make_come_by_spark(lake, spark):
    frame = lake.read(catalog.EMBEDDINGS).where(F.col("chunk") == 1)
    assert len(rows(RowSource(lambda: frame).on_workers(NAMES, as_it_is, TAKEN))) == ROWS
    among = lake.source(catalog.EMBEDDINGS).among(RowSource(lambda: frame), "photo_id")
    assert len(rows(among.on_workers(NAMES, as_it_is, TAKEN))) == ROWS
