"""Files that workers wrote come into a table as they lie, once, and without the rows that don't count."""

import json
import os
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.errors import FruitLakeError
from lake import catalog, file_commits, parquet_files
from lake.arrow_tasks import arrow_tasks
from lake.chunks import ChunkPlan
from lake.delta_rs_reader import open_table
from lake.enums import SILVER
from lake.file_parts import FilePart, file_schema
from lake.parquet_files import RowSpan
from lake.storage.local_folder import LocalFolder
from silver.embedding_files import left_out
from tests.support.place import Place

WEIGHTS = "w" * 8
VALUES = 700


def values(photo_id):
    seed = list(photo_id.encode())
    return np.random.default_rng(seed).random(VALUES).astype(np.float32).tolist()


def embeddings(*ids, chunk):
    """Rows of silver/embeddings, without the column by which it is partitioned."""
    rows = [
        {"photo_id": each, "chunk": chunk, "run_id": "r1", "embedding": values(each)}
        for each in ids
    ]
    return pa.Table.from_pylist(rows, file_schema(catalog.EMBEDDINGS))


@pytest.fixture(scope="module")
def place(tmp_path_factory, spark):
    return Place.of(tmp_path_factory.mktemp("files"), spark)


@pytest.fixture
def lake(place):
    with place.writing() as context:
        yield context.lake


def staged(lake, *files):
    """A planned chunk, and its part with a file for each group of ids."""
    [chunk] = lake.ledger.plan([ChunkPlan(layer=SILVER, weights_id=WEIGHTS)])
    folder = lake.staging.worker_files(chunk, "rows", run_id="r1").folder
    written = [
        parquet_files.write(
            lake.files,
            parquet_files.new_name(folder),
            embeddings(*ids, chunk=chunk.number).to_batches(),
            file_schema(catalog.EMBEDDINGS),
        )
        for ids in files
    ]
    lake.staging.record_files(
        chunk, "rows", FilePart(catalog.EMBEDDINGS, written, "r1", chunk.number)
    )
    part = lake.staging.file_part(chunk, "rows", catalog.EMBEDDINGS)
    assert list(part.files) == written
    return chunk, replace(part, partition={"weights_id": WEIGHTS})


def of_chunk(lake, chunk):
    """The ids that Spark and delta-rs read of a chunk: the same ones."""
    rows = lake.read(catalog.EMBEDDINGS, chunks=(chunk.number, chunk.number)).collect()
    found = sorted(row["photo_id"] for row in rows)
    assert {row["weights_id"] for row in rows} <= {WEIGHTS}
    assert all(row["embedding"] == values(row["photo_id"]) for row in rows)
    table = lake.log(catalog.EMBEDDINGS).table().to_pyarrow_table()
    assert sorted(r["photo_id"] for r in table.to_pylist() if r["chunk"] == chunk.number) == found
    return found


def added(lake):
    """The files that the last commit added."""
    version = lake.version(catalog.EMBEDDINGS)
    log = lake.files.read(f"{catalog.EMBEDDINGS.name}/_delta_log/{version:020}.json")
    return [json.loads(line)["add"] for line in log.splitlines() if b'"add"' in line]


def test_a_large_file_gets_a_second_name_and_small_ones_are_joined(lake, monkeypatch):
    monkeypatch.setattr(file_commits, "SMALL", 30_000)
    many = [f"{n:064x}" for n in range(40)]
    chunk, part = staged(lake, many, ["a"], ["b", "c"])
    version = lake.append_files(part, chunk=chunk)
    assert of_chunk(lake, chunk) == sorted([*many, "a", "b", "c"])
    assert [os.stat(f"{lake.files.root}/{f.name}").st_nlink for f in part.files] == [2, 1, 1]
    files = added(lake)
    assert [json.loads(each["stats"])["numRecords"] for each in files] == [40, 3]
    for each in files:
        told = json.loads(each["stats"])
        origin = {"run_id": "r1", "chunk": chunk.number}
        assert told["minValues"] == told["maxValues"] == origin
        assert "a" * 64 not in str(each)
        path = f"{lake.files.root}/{catalog.EMBEDDINGS.name}/{each['path']}"
        assert os.stat(path).st_size == each["size"]
    assert lake.append_files(part, chunk=chunk) == version
    assert added(lake) == files


def test_rows_that_do_not_count_are_left_out_and_other_files_stay_as_they_are(lake, monkeypatch):
    monkeypatch.setattr(file_commits, "SMALL", 0)
    chunk, part = staged(lake, ["a", "b"], ["c"], ["d", "e", "f"])
    gone = left_out(lake.files, part, ["b", "c", "d", "f", "nobody's"])
    first, second, third = (file.name for file in part.files)
    assert gone == {first: [1], second: [0], third: [0, 2]}
    lake.append_files(replace(part, left_out={first: [1]}), chunk=chunk)
    assert of_chunk(lake, chunk) == ["a", "c", "d", "e", "f"]
    assert [os.stat(f"{lake.files.root}/{f.name}").st_nlink for f in part.files] == [1, 2, 2]
    chunk, part = staged(lake, ["a", "b"], ["c"])
    lake.append_files(replace(part, left_out={part.files[1].name: [0]}), chunk=chunk)
    assert of_chunk(lake, chunk) == ["a", "b"]
    assert len(added(lake)) == 1


def test_many_bytes_are_written_again_by_workers(lake, monkeypatch):
    monkeypatch.setattr(file_commits, "FEW_BYTES", 0)
    monkeypatch.setattr(file_commits, "FILE_BYTES", 40_000)
    chunk, part = staged(lake, *([f"{n}{m}" for m in range(4)] for n in range(5)))
    lake.append_files(part, chunk=chunk)
    assert of_chunk(lake, chunk) == sorted(f"{n}{m}" for n in range(5) for m in range(4))
    assert 1 < len(added(lake)) < 5


def test_a_file_system_without_second_names_gets_a_copy(lake, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    chunk, part = staged(lake, ["a"])
    lake.append_files(part, chunk=chunk)
    assert of_chunk(lake, chunk) == ["a"]


def test_a_writer_that_was_overtaken_commits_nothing(lake):
    chunk, part = staged(lake, ["a"])
    later, other = staged(lake, ["b"])
    lake.append_files(other, chunk=later)
    version = lake.version(catalog.EMBEDDINGS)
    with pytest.raises(FruitLakeError, match=f"chunk {chunk.number} can't follow"):
        lake.append_files(part, chunk=chunk)
    found = file_commits.placed(lake, part)
    with pytest.raises(file_commits.Overtaken, match="another run committed before"):
        file_commits.append(lake, found, part, number=chunk.number)
    assert lake.version(catalog.EMBEDDINGS) == version


def test_a_commit_of_files_is_an_append_to_whoever_reads_the_log(lake):
    before = lake.version(catalog.EMBEDDINGS)
    chunk, part = staged(lake, ["a"])
    lake.append_files(part, chunk=chunk)
    assert lake.only_added_to(catalog.EMBEDDINGS, since=before)
    [last] = lake.log(catalog.EMBEDDINGS).table().history(1)
    assert (last["operation"], last["operationParameters"]["mode"]) == ("WRITE", "Append")
    assert json.loads(last["userMetadata"])["chunk"] == chunk.number


def test_files_that_no_commit_has_are_nobodys(lake):
    chunk, part = staged(lake, ["a"])
    stray = f"{lake.files.root}/{lake.staging.worker_files(chunk, 'none', run_id='r1').folder}"
    os.makedirs(stray)
    pq.write_table(embeddings("z", chunk=chunk.number), f"{stray}/part-stray.parquet")
    empty = FilePart(catalog.EMBEDDINGS, [], "r1", chunk.number)
    lake.staging.record_files(chunk, "none", empty)
    assert lake.staging.is_whole(chunk, "none")
    assert lake.staging.file_part(chunk, "none", catalog.EMBEDDINGS).files == []
    assert lake.staging.source(chunk, "none").count() == 0
    assert open_table(lake.files.root, f"staging/silver-{chunk.number}/rows").to_pyarrow_table()
    assert lake.staging.file_part(chunk, "never", catalog.EMBEDDINGS) is None
    assert [file.rows for file in part.files] == [1]


def test_groups_and_pages_of_photos_are_small(tmp_path):
    """A reader has a group of rows in memory at once, and reads a page for one photo."""
    files, schema = LocalFolder(str(tmp_path)), pa.schema([("content", pa.binary())])
    contents = [os.urandom(300_000) for _ in range(100)]
    batches = pa.table([contents], schema).to_batches(max_chunksize=8)
    written = parquet_files.write(files, "photos.parquet", batches, schema)
    file = pq.ParquetFile(tmp_path / "photos.parquet", page_checksum_verification=True)
    groups = [file.metadata.row_group(n) for n in range(file.num_row_groups)]
    assert sum(group.num_rows for group in groups) == written.rows == 100
    assert max(group.total_byte_size for group in groups) < parquet_files.GROUP_BYTES * 1.1
    assert min(group.num_rows for group in groups) > 3
    assert file.read()["content"].to_pylist() == contents


def test_a_span_of_rows_is_read_and_no_other_row(tmp_path):
    files, schema = LocalFolder(str(tmp_path)), pa.schema([("n", pa.int64())])
    pq.write_table(pa.table([range(1_000)], schema), tmp_path / "n.parquet", row_group_size=300)
    assert [span.rows for span in parquet_files.spans_of(files, "n.parquet")] == [300] * 3 + [100]
    spans = [RowSpan("n.parquet", 0, 10, 12), RowSpan("n.parquet", 1, 63, 66)]
    batches = parquet_files.read(files, spans, ["n"])
    found = [value for batch in batches for value in batch.column("n").to_pylist()]
    assert found == [10, 11, 363, 364, 365]


def test_groups_of_other_chunks_are_not_read(tmp_path):
    files = LocalFolder(str(tmp_path))
    rows = pa.table({"chunk": [1] * 5 + [2] * 5 + [3] * 5})
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=5)
    found = parquet_files.spans_of(files, "a.parquet", chunks=[2])
    assert [span.group for span in found] == [1]


def test_results_of_tasks_come_back_in_the_order_of_their_shares(spark):
    assert arrow_tasks(spark, [3, 1, 2], lambda share: {"twice": share * 2}) == [
        {"twice": 6},
        {"twice": 2},
        {"twice": 4},
    ]
    assert arrow_tasks(spark, [], lambda share: share) == []


def test_a_writer_that_was_paused_while_it_gave_names_changes_nothing_of_its_successor(
    place, monkeypatch
):
    """It goes on when the next writer has published the chunk, and has removed what was staged."""
    monkeypatch.setattr(file_commits, "SMALL", 0)
    with place.writing() as context:
        lake = context.lake
        chunk, part = staged(lake, ["a"], ["b"], ["c"])
        part = replace(part, left_out={part.files[2].name: [0]})
        add_name, given = LocalFolder.add_name, []

        def meanwhile(files, name, new):
            given.append(new)
            if len(given) == 2:
                lake.append_files(part, chunk=chunk)
                lake.staging.remove(chunk)
            add_name(files, name, new)

        monkeypatch.setattr(LocalFolder, "add_name", meanwhile)
        with pytest.raises(FileNotFoundError):
            lake.append_files(part, chunk=chunk)
        assert of_chunk(lake, chunk) == ["a", "b"]


def test_no_file_is_written_where_one_lies(tmp_path):
    files = LocalFolder(str(tmp_path))
    with files.create("a/b") as file:
        file.write(b"one")
    with pytest.raises(FileExistsError), files.create("a/b"):
        pass
    files.add_name("a/b", "c")
    with pytest.raises(FileExistsError):
        files.add_name("a/b", "c")
    assert (files.read("a/b"), files.read("c")) == (b"one", b"one")
