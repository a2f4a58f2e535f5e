"""A run that dies anywhere between two commits, started again, ends with the tables of one that did not."""

import shutil

import numpy as np
import pytest

from lake import catalog
from lake.chunks import State
from lake.lake import Lake


class Killed(BaseException):
    """As a kill would: nothing below catches it."""


def dies(patch, method, wanted, *, after):
    """The next call of a Lake's method about `wanted` (a table, a state, a staged part) is the last."""
    original = getattr(Lake, method)

    def call(lake, first, *others, **named):
        if wanted not in (first, *others):
            return original(lake, first, *others, **named)
        if after:
            original(lake, first, *others, **named)
        raise Killed(f"{method} {wanted}")

    patch.setattr(Lake, method, call)


# Every run but the last dies at the next of these, the first time that it comes there.
DEATHS = [
    ("stage", "arrived", True),
    ("append", catalog.PHOTOS, True),
    ("append", catalog.REJECTED, True),
    ("append", catalog.OBJECTS, True),
    ("stage", "embedded", True),
    ("reached", State.STAGED, True),
    ("reached", State.JUDGED, True),
    ("append", catalog.EMBEDDINGS, True),
    ("append", catalog.QUARANTINE, True),
    ("upsert", catalog.MOMENTS, True),
    ("stage", "features", True),
    ("stage", "model", False),
    ("append", catalog.FEATURES, True),
    ("upsert", catalog.MODELS, True),
]


@pytest.fixture(scope="module")
def disturbed(samples_lake, tmp_path_factory, spark):
    """The samples' photos under the samples' key, in a lake whose runs died at every one of DEATHS."""
    from tests.place import Place

    root = tmp_path_factory.mktemp("disturbed")
    shutil.copytree(samples_lake.landing, root / "landing")
    shutil.copy(samples_lake.root / "lake.key", root / "lake.key")
    place = Place(root, spark, None).set()
    for method, wanted, after in DEATHS:
        with pytest.MonkeyPatch.context() as patch:
            dies(patch, method, wanted, after=after)
            with pytest.raises(Killed, match=str(method)):
                place.run()
    place.did = place.run()
    return place


@pytest.mark.parametrize(
    "table",
    [catalog.OBJECTS, catalog.PHOTOS, catalog.REJECTED, catalog.QUARANTINE, catalog.EMBEDDINGS],
    ids=lambda table: table.name,
)
def test_the_tables_are_those_of_an_undisturbed_run(disturbed, samples_lake, table):
    assert rows(disturbed.lake, table) == rows(samples_lake.lake, table)


def rows(lake, table):
    """Every row as text, but for run_id, chunk and times."""
    times = [f.name for f in table.schema if f.dataType.typeName() == "timestamp"]
    return sorted(map(repr, lake.read(table).drop("run_id", "chunk", *times).collect()))


def test_the_features_are_those_of_an_undisturbed_run(disturbed, samples_lake):
    ours, theirs = features(disturbed.lake), features(samples_lake.lake)
    assert ours.keys() == theirs.keys()
    difference = [np.abs(np.subtract(ours[key], theirs[key])).max() for key in ours]
    assert max(difference) < 1e-3  # sums are taken in another order


def features(lake):
    return {
        (row["photo_id"], row["model_version"]): row["features"]
        for row in lake.read(catalog.FEATURES).collect()
    }


def test_no_number_is_used_twice_and_nothing_is_left_staged(disturbed):
    lake = disturbed.lake
    published = [c for c in lake.chunks().values() if c.is_published]
    assert [c.layer for c in published] == ["bronze", "silver", "gold"]
    abandoned = {n for n, c in lake.chunks().items() if c.state is State.PLANNED}
    assert len(abandoned) >= 3
    for table in (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES):
        used = {row[0] for row in lake.read(table).select("chunk").distinct().collect()}
        assert not used & abandoned
    assert lake.files.folders("staging") == []


def test_what_was_staged_is_not_embedded_again(disturbed):
    """Of the runs after the one that staged silver's chunk, none prints that it embeds."""
    assert "silver chunk" not in disturbed.screen
