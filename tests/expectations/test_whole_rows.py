"""What views add from all rows together, and from rows of other chunks: without Spark but for one test."""

from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest

from conf.errors import Blocked
from conf.settings import Settings
from expectations.gate import SuiteGate
from expectations.suite_views import Views
from lake import catalog
from lake.chunks import Chunk, ChunkState
from lake.enums import RESTORE
from lake.row_source import RowSource
from lake.run_journal import LayerRun
from lake.small_tables import arrow_rows
from tests.support.small_lake import small_lake
from tests.support.suite_cases import EMBEDDING, EXTRACTOR, FEATURE, PCA, PHOTO, SHA, UPLOADED

IDS = [letter * 64 for letter in "abcd"]
"""Of photos: the first of bronze chunk 2, the second rejected there, the others nowhere."""

HELD = {
    catalog.OBJECTS: [
        {"object": IDS[0], "outcome": "stored", "photo_id": IDS[0]},
        {"object": IDS[1], "outcome": "duplicate", "photo_id": IDS[1]},
        {"object": IDS[2], "outcome": "stored", "photo_id": IDS[2], "chunk": 9},
    ],
    catalog.EMBEDDINGS: [
        EMBEDDING | {"photo_id": IDS[0]},
        EMBEDDING | {"photo_id": IDS[1], "weights_id": "f" * 64},
        EMBEDDING | {"photo_id": IDS[2], "chunk": 9},
    ],
    catalog.FEATURES: [
        FEATURE | {"photo_id": IDS[0]},
        FEATURE | {"photo_id": IDS[1], "model_version": "pca-0"},
        FEATURE | {"photo_id": IDS[2], "chunk": 9},
    ],
    catalog.MODELS: [EXTRACTOR | {"version": "e"}, PCA | {"version": "pca-1"}],
}
PLAIN = {catalog.PHOTOS: PHOTO, catalog.EMBEDDINGS: EMBEDDING, catalog.FEATURES: FEATURE}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    with small_lake(tmp_path_factory.mktemp("held"), HELD) as made:
        yield made


def chunk(number, layer="gold", sources=(1, 1)):
    return Chunk(
        number=number,
        layer=layer,
        state=ChunkState.PLANNED,
        weights_id=SHA,
        model_version="pca-1" if layer == "gold" else None,
        source_from=sources[0],
        source_to=sources[1],
    )


LAYER = {catalog.PHOTOS: "bronze", catalog.EMBEDDINGS: "silver", catalog.FEATURES: "gold"}


def source(table, differences):
    rows = [PLAIN[table] | {"photo_id": IDS[3]} | each for each in differences]
    return RowSource.of(arrow_rows(table, rows), lambda: None)


def planned(number, layer, source):
    """The row of ops/chunks of a chunk that was made from another one."""
    plan = {"chunk": number, "layer": layer, "state": "published", "entry": number}
    return plan | {"weights_id": SHA, "source_from": source, "source_to": source}


def before(lake, table, of):
    rows = source(table, [{"photo_id": each} for each in IDS])
    view = Views(lake, history_chunks=30).of(table, rows, chunk=of)
    return view.on_driver(most=100)["chunks_before"].to_pylist()


@pytest.mark.parametrize(
    ("table", "number", "found"),
    [
        (catalog.PHOTOS, 9, [1, 0, 0, 0]),  # what chunk 9 and later ones stored came after it
        (catalog.PHOTOS, 10, [1, 0, 1, 0]),
        (catalog.PHOTOS, 2, [0, 0, 0, 0]),
        (catalog.EMBEDDINGS, 9, [1, 0, 0, 0]),
        (catalog.EMBEDDINGS, 7, [1, 0, 1, 0]),
        (catalog.EMBEDDINGS, 2, [0, 0, 1, 0]),  # its own rows, of which a crash left some published
        (catalog.FEATURES, 9, [1, 0, 0, 0]),
        (catalog.FEATURES, 7, [1, 0, 1, 0]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_photo_of_another_chunk_is_told(lake, table, number, found):
    assert before(lake, table, chunk(number, LAYER[table])) == found


@pytest.mark.parametrize("table", [catalog.EMBEDDINGS, catalog.FEATURES], ids=lambda t: t.name)
def test_chunks_that_were_made_from_others_are_not_read(table, tmp_path):
    layer = LAYER[table]
    chunks = [planned(2, layer, 1), planned(9, layer, 5), planned(3, "bronze", None)]
    with small_lake(tmp_path, HELD | {catalog.CHUNKS: chunks}) as lake:
        for sources, found in (
            ((1, 1), [1, 0, 0, 0]),
            ((5, 5), [0, 0, 1, 0]),
            ((1, 5), [1, 0, 1, 0]),
            ((2, 4), [0, 0, 0, 0]),
            ((None, None), [1, 0, 1, 0]),  # replayed photos may be of any chunk
        ):
            assert before(lake, table, chunk(11, layer, sources)) == found, sources
        assert before(lake, table, chunk(2, layer, (1, 9))) == [0, 0, 1, 0]


@pytest.mark.parametrize("table", [catalog.EMBEDDINGS, catalog.FEATURES], ids=lambda t: t.name)
def test_what_was_there_before_a_restore_is_read_whatever_it_was_made_from(table, tmp_path):
    """A restore brought a photo of chunk 5 back as one of chunk 1, whose photos are now taken."""
    layer = LAYER[table]
    chunks = [planned(2, layer, 4), planned(9, layer, 5), planned(12, layer, 10)]
    restored = planned(11, RESTORE, None) | {"state": "planned"}
    with small_lake(tmp_path, HELD | {catalog.CHUNKS: [*chunks, restored]}) as lake:
        assert before(lake, table, chunk(13, layer)) == [1, 0, 1, 0]


def test_many_chunks_between_others_are_compared_whole(tmp_path):
    """Every second chunk is of other photos: a condition for each of the others would be too long."""
    chunks = [planned(number, "gold", number) for number in range(101, 401, 2)]
    with small_lake(tmp_path, HELD | {catalog.CHUNKS: chunks}) as lake:
        assert before(lake, catalog.FEATURES, chunk(11)) == [1, 0, 1, 0]


@pytest.mark.parametrize("table", PLAIN, ids=lambda table: table.name)
def test_a_whole_table_has_no_other_chunk(lake, table):
    assert before(lake, table, None) == [0, 0, 0, 0]


def test_replayed_photos_were_judged_with_their_own_chunk(lake):
    replay = Chunk(number=9, layer="silver", state=ChunkState.PLANNED, weights_id=SHA)
    assert before(lake, catalog.PHOTOS, replay) == [0, 0, 0, 0]
    assert before(lake, catalog.EMBEDDINGS, replay) == [1, 0, 0, 0]


def judged(lake, table, differences):
    """The verdict of the gate on rows of a chunk: None, or what blocks it."""
    gate = SuiteGate(lake, Settings.load("local", environment={}).gates, LayerRun(LAYER[table]))
    rows = source(table, differences)
    try:
        gate(rows, chunk=chunk(9, LAYER[table]), table=table, expected=len(differences))
    except Blocked as error:
        return str(error)
    return None


def test_a_photo_of_another_chunk_blocks_gold_before_the_commit(lake):
    ids = [{"photo_id": f"{place:064x}"} for place in range(3)]
    assert judged(lake, catalog.FEATURES, ids) is None
    why = judged(lake, catalog.FEATURES, [*ids, {"photo_id": IDS[0]}])
    assert "photo-in-one-chunk: 1 of 4 rows fail" in why
    assert IDS[0] not in why


def test_one_vector_for_all_photos_blocks_silver_before_the_commit(lake):
    looks = [{"photo_id": f"{place:064x}", "dhash": place} for place in range(10)]
    assert "vectors-differ: observed 1" in judged(lake, catalog.EMBEDDINGS, looks)
    vector = [0.5, 0.5, 0.5]
    pairs = [each | {"embedding": [*vector, place // 2 / 100]} for place, each in enumerate(looks)]
    assert "vectors-differ: observed 1" in judged(lake, catalog.EMBEDDINGS, pairs)
    alike = [each | {"dhash": 1} for each in looks]
    assert judged(lake, catalog.EMBEDDINGS, alike) is None
    vectors = [
        each | {"embedding": [0.5, 0.5, 0.5, place / 100]} for place, each in enumerate(looks)
    ]
    assert judged(lake, catalog.EMBEDDINGS, vectors) is None


def test_a_drift_that_is_no_number_blocks_gold_before_the_commit(tmp_path):
    measures = {"mean_shift": 0.0, "reconstruction": 0.0, "label_mix": 0.0, "brightness": 0.0}
    for components, blocks in (([0.0, 0.1], False), ([0.0, float("nan"), 0.1], True)):
        row = measures | {"chunk": 9, "components": components, "measured_at": UPLOADED}
        with small_lake(tmp_path / str(blocks), HELD | {catalog.DRIFT: [row]}) as lake:
            why = judged(lake, catalog.FEATURES, [{"photo_id": "0" * 64}])
        assert ("drift-measured" in (why or "")) is blocks


def test_both_engines_tell_of_other_chunks_alike(samples_lake):
    lake = samples_lake.lake
    for table in PLAIN:
        rows = RowSource(lambda table=table: lake.read(table))
        version = SimpleNamespace(**lake.read(table).limit(1).toPandas().iloc[0].to_dict())
        for sources, found in (((1, 98), 1), ((97, 98), int(table is catalog.PHOTOS))):
            of = replace(
                chunk(99, LAYER[table], sources),
                weights_id=getattr(version, "weights_id", None),
                model_version=getattr(version, "model_version", None),
            )
            view = Views(lake, history_chunks=30).of(table, rows, chunk=of)
            here, there = view.on_driver(most=1000), view.in_spark().toArrow()
            assert isinstance(here, pa.Table)
            for each in (here, there):
                assert set(each["chunks_before"].to_pylist()) == {found}, (table.name, sources)
