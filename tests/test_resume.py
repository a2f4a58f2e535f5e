"""A run that dies at any fault point, started again, ends with the tables of one that did not."""

import re
import shutil
from collections import Counter

import numpy as np
import pytest

from cli.step_runner import RECORDED
from lake import catalog, fault_points, known_keys
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import SILVER, KeyKind
from lake.publication import Publication
from lake.run_journal import LayerRun
from tests.support.kills import Killed, dies
from tests.support.memory_store import MODEL, Disk, PairChunks, UnjudgedChunks
from tests.support.place import Place
from tests.support.table_contents import features, repeated, rows

MUST_BE_AMONG_THEM = {
    "lake: tables made",
    *(f"{layer}: planned" for layer in ("bronze", "silver", "gold")),
    *(
        f"{layer}: before {state}"
        for layer in ("silver", "gold")
        for state in list(ChunkState)[1:3]
    ),
    *(f"{layer}: {state}" for layer in ("silver", "gold") for state in ("staged", "judged")),
    *(f"{layer}: published" for layer in ("bronze", "silver", "gold")),
    "bronze: photos written",
    "bronze: photos recorded",
    "lake: files of bronze/photos placed",
    "bronze: bronze/photos committed",
    "bronze: bronze/rejected committed",
    "bronze: bronze/objects committed",
    "silver: flatbuffer written",
    "silver: embeddings written",
    "silver: embeddings recorded",
    "lake: files of silver/embeddings placed",
    "silver: silver/embeddings committed",
    "silver: silver/quarantine committed",
    "gold: moments folded",
    "gold: features staged",
    "gold: gold/features committed",
    "gold: gold/models committed",
}

INDEXED = "bronze: index of keys made"
"""The point after the commit of the index, which a lake as small as the samples' has only where FEWEST is
smaller."""

BESIDE_THE_WAY = {
    # Silver's run judges what bronze has published.
    "bronze": {"before judged", "judged", "photos written", "photos recorded"},
    "silver": {
        "flatbuffer written",
        "embeddings written",
        "embeddings recorded",
        "refused staged",
    },
    "gold": {"moments folded", "features staged"},
}
"""Points of layers that the way of a chunk doesn't have."""


class DisturbedLake(Place):
    """A lake whose runs died: the points after which photos were embedded, and what the last run did."""

    embedded_by: list[str]
    did: dict[str, LayerRun]


@pytest.fixture(scope="module")
def disturbed(samples_lake, tmp_path_factory, spark):
    """The samples' photos under the samples' key, in a lake whose runs died at every point in turn."""
    root = tmp_path_factory.mktemp("disturbed")
    shutil.copytree(samples_lake.landing, root / "landing")
    shutil.copy(samples_lake.root / "lake.key", root / "lake.key")
    place = DisturbedLake.of(root, spark)
    place.embedded_by = []
    # Every run comes to the last of these, with or without anything to do.
    points = sorted(dict.fromkeys(samples_lake.points), key=lambda point: point == RECORDED)
    points.insert(points.index("bronze: published") + 1, INDEXED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_keys, "FEWEST", 20)
        for point in points:
            with dies(point), pytest.raises(Killed, match=point):
                place.run()
            place.bury()
            if "silver chunk" in place.screen:
                place.embedded_by.append(point)
            if point != "lake: tables made":
                assert repeated(place.lake) == {}, point
        place.did = place.run()
    return place


def test_the_points_are_those_that_we_know_of(samples_lake):
    assert set(samples_lake.points) >= MUST_BE_AMONG_THEM


def way(points, layer):
    """The points of a layer in the order of their first time, whatever its tables are called."""
    own = [point.partition(": ")[2] for point in points if point.startswith(f"{layer}: ")]
    return list(dict.fromkeys(re.sub(r"^\S+ committed", "a table committed", name) for name in own))


def way_in_memory(kind):
    """The points that a chunk passes in memory."""
    passed, store = [], Disk([]).store()
    publication = Publication(store, kind(store), LayerRun(SILVER))
    plan = ChunkPlan(layer=SILVER, weights_id=MODEL)
    with fault_points.armed(passed.append):
        publication.run(plan, lambda chunk: store.staging.write(chunk, "rows", ["a", "bad-b"]))
    return way(passed, SILVER)


@pytest.mark.parametrize(
    ("layer", "kind"), [("bronze", UnjudgedChunks), ("silver", PairChunks), ("gold", PairChunks)]
)
def test_chunks_take_the_way_that_may_end_at_every_operation_in_memory(samples_lake, layer, kind):
    """There a process dies before and after each change of the disk (tests/lake/test_publication.py)."""
    real = [name for name in way(samples_lake.points, layer) if name not in BESIDE_THE_WAY[layer]]
    assert real == way_in_memory(kind)


@pytest.mark.parametrize(
    "table",
    [catalog.OBJECTS, catalog.PHOTOS, catalog.REJECTED, catalog.QUARANTINE, catalog.EMBEDDINGS],
    ids=lambda table: table.name,
)
def test_the_tables_are_those_of_an_undisturbed_run(disturbed, samples_lake, table):
    assert rows(disturbed.lake, table) == rows(samples_lake.lake, table)


def test_the_features_are_those_of_an_undisturbed_run(disturbed, samples_lake):
    ours, theirs = features(disturbed.lake), features(samples_lake.lake)
    assert ours.keys() == theirs.keys()
    difference = [np.abs(np.subtract(ours[key], theirs[key])).max() for key in ours]
    assert max(difference) < 1e-3  # sums are taken in another order


def test_the_index_of_keys_was_made_once_and_is_whole(disturbed):
    """The run after the one that died behind its commit found it, and made no other."""
    rows = disturbed.lake.records(catalog.KNOWN_KEYS)
    objects = disturbed.lake.records(catalog.OBJECTS)
    assert Counter(row["of"] for row in rows) == {
        KeyKind.VERSION: len(objects),
        KeyKind.PHOTO: sum(row["outcome"] == "stored" for row in objects),
    }
    assert len({row["run_id"] for row in rows}) == 1


def test_nothing_is_seen_twice(disturbed):
    assert repeated(disturbed.lake) == {}


def test_no_number_is_used_twice_and_nothing_is_left_staged(disturbed):
    lake = disturbed.lake
    published = [c for c in lake.ledger.chunks().values() if c.is_published]
    assert [c.layer for c in published] == ["bronze", "silver", "gold"]
    abandoned = {n for n, c in lake.ledger.chunks().items() if c.state is ChunkState.PLANNED}
    assert len(abandoned) >= 3
    for table in (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES):
        used = {row[0] for row in lake.read(table).select("chunk").distinct().collect()}
        assert not used & abandoned
    assert lake.files.folders("staging") == []


def test_what_was_staged_is_not_embedded_again(disturbed):
    """Photos were embedded until a run recorded them as staged, and by none of those after it."""
    until = ["embeddings written", "embeddings recorded", "before staged", "staged"]
    assert disturbed.embedded_by == [f"silver: {point}" for point in until]
