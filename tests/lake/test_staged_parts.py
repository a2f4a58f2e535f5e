"""Whether a staged part is there as it was written: that of the lake of format 5, harmed in any way."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.errors import BadInput
from lake import catalog
from lake.chunks import ChunkPlan
from lake.enums import SILVER
from lake.staging import Staging
from lake.storage.local_folder import LocalFolder
from lake.storage.s3_requests import StorageFailed
from silver.staged_embeddings import EMBEDDED, REFUSED
from tests.support.archives import unpack

ARCHIVE = Path(__file__).parents[1] / "lakes/format-5.tar.gz"
CHUNK = ChunkPlan(layer=SILVER).numbered(14)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    root = tmp_path_factory.mktemp("format-5")
    unpack(ARCHIVE, root)
    return root / "lake"


@pytest.fixture
def lake(unpacked, tmp_path):
    shutil.copytree(unpacked / "staging", tmp_path / "staging")
    return tmp_path


def staging(lake, files=LocalFolder):
    return Staging(lambda: pytest.fail("Spark"), files(str(lake)), check_lease=lambda: None)


def only(folder, pattern):
    [path] = folder.rglob(pattern)
    return path


def test_a_part_is_whole_and_what_was_never_written_is_not(lake):
    assert staging(lake).is_whole(CHUNK, EMBEDDED)
    assert not staging(lake).is_whole(CHUNK, REFUSED)


def test_a_part_of_delta_rs_and_one_without_rows_are_whole_too(lake):
    files = staging(lake)
    for part, values in (("few", [1, 2]), ("none", [])):
        files.write_rows(CHUNK, part, pa.table({"a": pa.array(values, pa.int64())}))
        assert files.is_whole(CHUNK, part)


def test_a_part_of_earlier_code_has_null_in_the_columns_that_came_later(lake):
    files = staging(lake)
    files.write_rows(CHUNK, "model", pa.table({"version": ["pca-1"], "chunk": [14]}))
    rows = files.source(CHUNK, "model", of=catalog.MODELS)
    [row] = pa.Table.from_batches(rows.batches("version", "pixels")).to_pylist()
    assert row == {"version": "pca-1", "pixels": None}
    assert "pixels" in rows.schema.names
    assert "pixels" not in files.source(CHUNK, "model").schema.names


def overwritten(path, place, content):
    data = bytearray(path.read_bytes())
    data[place : place + len(content)] = content
    path.write_bytes(data)


HARMS = {
    "its folder is gone": lambda part: shutil.rmtree(part),
    "all is gone": lambda part: shutil.rmtree(part.parent.parent),
    "its log is gone": lambda part: shutil.rmtree(part / "_delta_log"),
    "its log is empty": lambda part: only(part, "*.json").write_bytes(b""),
    "its log is torn": lambda part: only(part, "*.json").write_bytes(b'{"commitInfo":'),
    "a file is gone": lambda part: only(part, "*.parquet").unlink(),
    "a file is empty": lambda part: only(part, "*.parquet").write_bytes(b""),
    "a file is torn": lambda part: only(part, "*.parquet").write_bytes(b"PAR1"),
    "a file is another": lambda part: pq.write_table(pa.table({"a": [1]}), only(part, "*.parquet")),
    "a file has lost its end": lambda part: overwritten(only(part, "*.parquet"), -8, b"\0" * 8),
    "a page is damaged": lambda part: overwritten(only(part, "*.parquet"), 60, b"\xff" * 12),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_part_that_was_harmed_is_not_whole(lake, harm):
    harm(lake / "staging/silver-14" / EMBEDDED)
    assert not staging(lake).is_whole(CHUNK, EMBEDDED)


@pytest.mark.parametrize(
    "error", [StorageFailed(BadInput("busy"), code="SlowDown"), PermissionError(13, "closed")]
)
def test_a_storage_that_does_not_answer_says_nothing_of_a_part(lake, error):
    class Silent(LocalFolder):
        def open(self, name, *, version=None):
            raise error

    with pytest.raises(type(error)):
        staging(lake, Silent).is_whole(CHUNK, EMBEDDED)
