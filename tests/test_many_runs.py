"""What the benchmark of daily runs reads of a lake's tables, and what it puts into them."""

from pathlib import Path

import pytest

from benchmarks import many_runs
from benchmarks.many_runs import Size
from lake import catalog, delta_rs_reader
from silver.inference_runtime import CompiledModel
from tests.support.archives import unpack

LAKES = Path(__file__).parent / "lakes"


@pytest.fixture
def root(tmp_path):
    """A small lake of earlier code."""
    unpack(LAKES / "format-5.tar.gz", tmp_path)
    return str(tmp_path / "lake")


def test_files_that_are_joined_are_written_again_and_nothing_came(root):
    name = catalog.RUNS.name
    before = many_runs.sizes(root)[name]
    lying = [file.stat().st_size for file in Path(root, name).glob("*.parquet")]
    assert (before.files, before.now) == (len(lying), sum(lying))
    assert (before.came, before.amplification) == (before.written, 1.0)
    delta_rs_reader.delta_table(root, catalog.RUNS).optimize.compact()
    joined = many_runs.sizes(root)[name]
    assert (joined.files, joined.came) == (1, before.came)
    assert joined.written == before.written + joined.now
    assert joined.amplification == joined.written / before.came > 1
    assert joined.entries == before.entries + 1


def test_a_table_whose_rows_are_only_replaced_has_no_amplification():
    assert Size(1, 10, 30, 0, 3).amplification is None


def test_the_photos_of_a_run_are_new_and_those_of_the_one_before_have_left(tmp_path):
    contents = []
    for run in range(3):
        many_runs.deliver(tmp_path / "landing", run, 8)
        files = sorted((tmp_path / "landing").rglob("*.png"))
        assert len(files) == 8
        contents += [file.read_bytes() for file in files]
    assert len(set(contents)) == 24


def test_the_ratio_is_that_of_medians():
    assert many_runs.ratio({"early": [1.0, 9.0, 2.0], "late": [3.0, 0.1, 3.0]}) == 1.5


@pytest.mark.tensorflow
def test_the_model_takes_a_photo_and_gives_whole_embeddings():
    model = CompiledModel(many_runs.model())
    assert (model.size, model.dimensions) == (many_runs.SIDE, many_runs.VALUES)
