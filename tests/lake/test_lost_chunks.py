"""What each layer knows of a chunk whose staged files are lost: by the tables alone, and without Spark."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import CommitProperties, Transaction, write_deltalake

from bronze.bronze_layer import ARRIVED, CLEANED, BronzeChunks
from gold.embedding_removal import FOLD, KEYS, RemovalChunks
from gold.gold_layer import FEATURES, MODEL, GoldChunks
from gold.moments import Moments
from gold.training import HELD_OUT, MODELS, TrainingChunks
from lake import catalog
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import BRONZE, GOLD, REMOVAL, SILVER, TRAINING, GateAction
from lake.publication import Publication
from lake.run_journal import LayerRun
from lake.small_tables import arrow_rows
from silver.silver_layer import SilverChunks
from silver.staged_embeddings import EMBEDDED, REFUSED, WITHOUT
from tests.support.photo_tables import WEIGHTS, embedding
from tests.support.small_lake import small_lake

NUMBER = 7
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class InContext:
    """What a layer of gold needs to know of its context here."""

    def __init__(self, lake):
        self.lake = lake


LAYERS = {
    BRONZE: BronzeChunks,
    SILVER: lambda lake: SilverChunks(lake, None),
    GOLD: lambda lake: GoldChunks(InContext(lake)),
    TRAINING: TrainingChunks,
    REMOVAL: RemovalChunks,
}


@pytest.fixture
def lake(tmp_path):
    with small_lake(tmp_path) as lake:
        yield lake


def chunk(layer, state=ChunkState.JUDGED, **facts):
    plan = ChunkPlan(layer=layer, weights_id=None if layer == BRONZE else WEIGHTS, **facts)
    return plan.numbered(NUMBER).reached(state)


def commit(lake, table, *rows, number=NUMBER):
    """Rows of a chunk, committed under its number."""
    whole = arrow_rows(table, [{"run_id": "run", "chunk": number, **row} for row in rows])
    known = CommitProperties(app_transactions=[Transaction(table.name, number)])
    write_deltalake(
        f"{lake.files.root}/{table.name}", whole, mode="append", commit_properties=known
    )


def published(lake, of):
    """How many photos the layer finds published of a chunk."""
    return LAYERS[of.layer](lake).published_photos(of)


PHOTOS = [{"photo_id": "a"}, {"photo_id": "b"}]


def test_bronze_is_published_once_its_last_table_has_the_chunk(lake):
    of = chunk(BRONZE, ChunkState.STAGED, photos=3)
    commit(lake, catalog.PHOTOS, *PHOTOS)
    assert published(lake, of) is None
    commit(lake, catalog.OBJECTS, {"object": "o"})
    assert published(lake, of) == 2
    commit(lake, catalog.OBJECTS, {"object": "o"}, number=NUMBER + 1)
    assert published(lake, of) is None


def test_silver_is_published_with_its_last_table_or_where_nothing_was_refused(lake):
    of = chunk(SILVER, photos=2, source_from=1, source_to=1)
    assert published(lake, of) is None
    commit(lake, catalog.EMBEDDINGS, embedding("a"))
    assert published(lake, of) is None
    commit(lake, catalog.EMBEDDINGS, embedding("b"))
    assert published(lake, of) == 2
    replay = chunk(SILVER, photos=2)
    assert published(lake, replay) is None
    commit(lake, catalog.QUARANTINE, {"photo_id": "c"})
    assert published(lake, replay) == published(lake, chunk(SILVER, photos=9)) == 2


def test_silver_that_was_withdrawn_from_is_not_published(lake):
    """Its photos are counted anew meanwhile: none of none is not all."""
    assert published(lake, chunk(SILVER, photos=0, source_from=1, source_to=1)) is None


def test_gold_and_trainings_are_published_with_the_row_of_their_version(lake):
    gold = chunk(GOLD, photos=5, model_version="pca-1")
    training = chunk(TRAINING, ChunkState.STAGED, photos=6)
    commit(lake, catalog.MODELS, {"version": "pca-2"}, number=NUMBER - 1)
    assert published(lake, gold) is published(lake, training) is None
    commit(lake, catalog.MODELS, {"version": "pca-1"})
    assert (published(lake, gold), published(lake, training)) == (5, 6)


def judged(lake, *, at, **facts):
    suite = {"suite": "silver_embeddings", "action": GateAction.PASSED, "element_count": 9}
    commit(lake, catalog.QUALITY, {**suite, "table_version": 3, "judged_at": at, **facts})


def parts(lake, layer, **facts):
    return list(LAYERS[layer](lake).parts(chunk(layer, **facts)))


def test_each_layer_says_which_parts_a_chunk_must_have(lake):
    assert parts(lake, BRONZE) == [ARRIVED, CLEANED]
    assert parts(lake, TRAINING) == [MODELS, HELD_OUT]
    assert parts(lake, GOLD, model_version="pca-1") == [FEATURES, MODEL]
    assert parts(lake, REMOVAL) == [KEYS]
    commit(lake, catalog.MODELS, {"version": "pca-1"})
    moments = Moments.of(pa.array([1.0, 2.0]).to_numpy().reshape(2, 1), pa.array([0.0]).to_numpy())
    row = moments.row(weights_id=WEIGHTS, through_chunk=1) | {"table_version": 0}
    commit(lake, catalog.MOMENTS, row)
    assert parts(lake, GOLD, model_version="pca-1") == [FEATURES]
    assert parts(lake, REMOVAL) == [KEYS, FOLD]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, [EMBEDDED, WITHOUT]),
        ({"action": GateAction.QUARANTINED}, [EMBEDDED, WITHOUT, REFUSED]),
        ({"action": GateAction.RELEASED}, [EMBEDDED, WITHOUT, REFUSED]),
        ({"table_version": None}, [EMBEDDED, WITHOUT, REFUSED]),  # all were refused
        (
            {"table_version": None, "element_count": 0},
            [EMBEDDED, WITHOUT],
        ),  # none was left to judge
        ({"action": GateAction.QUARANTINED, "suite": "bronze_photos"}, [EMBEDDED, WITHOUT]),
        ({"action": GateAction.QUARANTINED, "chunk": NUMBER + 1}, [EMBEDDED, WITHOUT]),
    ],
)
def test_what_silver_refused_must_be_there_once_a_gate_has_refused_it(lake, facts, expected):
    judged(lake, at=NOW, **facts)
    assert parts(lake, SILVER) == expected
    assert parts(lake, SILVER, state=ChunkState.STAGED) == [EMBEDDED, WITHOUT]


def test_the_last_verdict_counts(lake):
    judged(lake, at=NOW, action=GateAction.QUARANTINED)
    judged(lake, at=NOW + timedelta(hours=1))
    assert parts(lake, SILVER) == [EMBEDDED, WITHOUT]


@pytest.mark.parametrize("layer", [SILVER, GOLD])
@pytest.mark.parametrize("state", [ChunkState.STAGED, ChunkState.JUDGED, ChunkState.BLOCKED])
def test_what_no_table_has_is_given_up_and_its_number_stays_used(lake, layer, state):
    plan = ChunkPlan(layer=layer, weights_id=WEIGHTS, model_version="pca-1", photos=3)
    [planned] = lake.ledger.plan([plan])
    lake.ledger.reached(planned, state)
    publication = Publication(lake, LAYERS[layer](lake), LayerRun(layer))
    publication.finish(weights_id=WEIGHTS)
    assert lake.ledger.chunks()[planned.number].state is ChunkState.PLANNED
    [fresh] = lake.ledger.plan([plan])
    assert fresh.number > planned.number
