"""Other people's readers give the rows of the tables' files, as they lie, that Spark gives."""

import duckdb
import polars
import pytest

from lake import catalog, delta_rs_reader

OF_WORKERS = (catalog.OBJECTS, catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES)
"""The tables whose files workers write."""


def in_one_order(rows):
    """The values of rows, whatever the order in which they were read. Spark gives bytes that can change."""
    found = [[bytes(v) if isinstance(v, bytearray) else v for v in row] for row in rows]
    return sorted(found, key=repr)


@pytest.fixture(params=OF_WORKERS, ids=lambda table: table.name)
def table(request):
    return request.param


@pytest.fixture
def files(samples_lake, table):
    """Their files by the log."""
    return delta_rs_reader.delta_table(samples_lake.lake.files.root, table).file_uris()


@pytest.fixture
def expected(samples_lake, table):
    """The rows that Spark gives, and the names of their columns without times, which each reader has in a
    type of its own."""
    frame = samples_lake.lake.read(table)
    names = [name for name, kind in frame.dtypes if not kind.startswith("timestamp")]
    return names, in_one_order(frame.select(*names).collect())


def test_duckdb_gives_the_rows_that_spark_gives(files, expected):
    names, rows = expected
    found = duckdb.read_parquet(files, hive_partitioning=True).select(*names).fetchall()
    assert len(rows) > 40
    assert in_one_order(found) == rows


def test_polars_gives_the_rows_that_spark_gives(files, expected):
    names, rows = expected
    found = polars.read_parquet(files, hive_partitioning=True).select(names)
    assert in_one_order(found.rows()) == rows
