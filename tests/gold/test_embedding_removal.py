"""Rows that leave silver: their part of the moments and of gold goes with them, once, wherever a run dies."""

import ast
import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import embedding_removal, lost_removal
from gold.moments import Moments
from lake import catalog
from lake.chunks import ChunkPlan, ChunkState
from lake.dataframe_queries import counts
from lake.enums import GOLD, REMOVAL, RETIRE, SILVER
from tests.support.generated_embeddings import EMBEDDER, add
from tests.support.gold_runs import agrees_with_silver, embeddings, no_embedding_waits, project
from tests.support.kills import Killed, dies
from tests.support.place import Place

ROOT = Path(__file__).resolve().parents[2]
POINTS = (
    "departure: planned",
    "departure: staged",
    "departure: silver/embeddings committed",
    "departure: gold/moments committed",
    "departure: gold/features committed",
    "departure: published",
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, spark):
    """A lake of three silver chunks, of 200, 60 and 20 embeddings; gold has projected the first two."""
    place = Place.of(tmp_path_factory.mktemp("fitted"), spark, "refit.growth=9")
    add(place, 200, seed=1)
    project(place)
    add(place, 60, seed=2)
    with no_embedding_waits():
        project(place)
    add(place, 20, seed=3)
    return place


@pytest.fixture
def place(fitted, tmp_path, spark):
    """A copy of it."""
    shutil.copytree(fitted.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark, "refit.growth=9")


def embedded(lake, where):
    """The keys of the embeddings of which something holds."""
    return lake.read(catalog.EMBEDDINGS).where(where).select("photo_id", "weights_id")


def leaving(lake, where):
    """The same, as `remove_embeddings` takes them."""
    return {EMBEDDER: photos(lake, *(row["photo_id"] for row in embedded(lake, where).collect()))}


def photos(lake, *ids):
    """Photos as keys."""
    return lake.values("photo_id", ids)


def sizes(place):
    """Photos of the silver chunks by the ledger, their rows in silver, and the rows of gold/features."""
    lake = place.lake
    chunks = list(lake.ledger.chunks().values())
    silver, gold = ([c for c in chunks if c.layer == layer] for layer in ("silver", "gold"))
    rows = counts(lake.read(catalog.EMBEDDINGS), "chunk")
    features = counts(lake.read(catalog.FEATURES), "chunk")
    published = [c for c in gold if c.is_published]
    assert [c.photos for c in published] == [features.get(c.number, 0) for c in published]
    held = [rows.get(c.number, 0) for c in silver]
    return [c.photos for c in silver], held, sum(features.values())


def moments(place):
    row = place.lake.read(catalog.MOMENTS).first()
    return Moments.read(row.asDict()), row


SOME = "substring(photo_id, 64, 1) = '3'"


def test_what_is_left_is_as_if_the_rows_had_never_been(place, fitted):
    before = {row["photo_id"] for row in fitted.lake.records(catalog.EMBEDDINGS)}
    _, kept = moments(fitted)
    with place.writing() as context:
        gone = leaving(context.lake, SOME)
        expected = embedded(context.lake, SOME).count()
        later = f"{SOME} and chunk > {kept['through_chunk']}"
        covered = expected - embedded(context.lake, later).count()
        removed = embedding_removal.remove_embeddings(context.lake, gone)
        assert embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME)) == {}
    assert 0 < covered < expected
    assert removed == {"silver/embeddings": expected, "gold/features": covered}
    left = {row["photo_id"] for row in place.lake.records(catalog.EMBEDDINGS)}
    assert left == {photo for photo in before if photo[-1] != "3"}
    ledger, held, features = sizes(place)
    assert ledger == held
    assert features == 260 - covered
    held_now, row = moments(place)
    assert row["table_version"] == place.lake.version(catalog.EMBEDDINGS)
    assert place.lake.files.folders("staging") == []
    x = np.array(
        [
            r["embedding"]
            for r in place.lake.read(catalog.EMBEDDINGS)
            .where(F.col("chunk") <= row["through_chunk"])
            .collect()
        ]
    )
    anew = Moments.of(x, held_now.shift)
    total = np.trace(anew.covariance())
    assert held_now.n == anew.n == 260 - covered
    assert np.abs(held_now.covariance() - anew.covariance()).max() <= 1e-9 * total
    assert (np.abs(held_now.mean - x.mean(axis=0)) ** 2).sum() <= 1e-9 * total


def test_a_removal_whose_keys_are_lost_is_finished_from_what_the_tables_hold(place):
    _, kept = moments(place)
    with place.writing() as context:
        gone = leaving(context.lake, SOME)
        later = f"{SOME} and chunk > {kept['through_chunk']}"
        covered = (
            sum(rows.count() for rows in gone.values()) - embedded(context.lake, later).count()
        )
    point = "departure: silver/embeddings committed"
    with dies(point), pytest.raises(Killed), place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, gone)
    place.bury()
    shutil.rmtree(place.root / "lake/staging")
    assert sizes(place)[2] == 260
    with place.writing() as context:
        assert context.lake.ledger.unfinished() == []
        lost_removal.finish(context.lake, weights_id=EMBEDDER, made=embedding_removal.MADE)
    ledger, held, features = sizes(place)
    assert ledger == held
    assert features == 260 - covered
    held_now, row = moments(place)
    assert row["table_version"] == place.lake.version(catalog.EMBEDDINGS)
    assert held_now.n == 260 - covered
    project(place)
    assert agrees_with_silver(place)


def test_the_moments_are_subtracted_from_and_move_to_the_mean_of_what_is_left(place):
    """Nothing of silver is read but what goes: taken anew, they would be about the mean of the first chunk.

    Embeddings that come later leave the shift where it is."""
    before = moments(place)[0].shift
    with place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME))
    held, row = moments(place)
    assert (held.shift != before).all()
    np.testing.assert_array_equal(held.shift, held.shift.astype(np.float32))
    rows = place.lake.read(catalog.EMBEDDINGS).where(F.col("chunk") <= row["through_chunk"])
    x = np.array([each["embedding"] for each in rows.collect()])
    np.testing.assert_allclose(held.shift, x.mean(axis=0), rtol=1e-6, atol=1e-6)
    project(place)
    assert agrees_with_silver(place)
    np.testing.assert_array_equal(moments(place)[0].shift, held.shift)


def test_of_embeddings_that_wait_nothing_is_subtracted(place):
    project(place)
    assert sizes(place)[2] == 280
    with place.writing() as context:
        gone = embedded(context.lake, SOME).count()
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME))
    assert moments(place)[0].n < sum(sizes(place)[0]) == 280 - gone == sizes(place)[2]
    assert agrees_with_silver(place)
    project(place)
    assert moments(place)[0].n == 280 - gone
    assert agrees_with_silver(place)


def test_where_all_leave_that_the_moments_had_the_next_fit_takes_those_that_waited(place):
    project(place)
    had = f"chunk <= {moments(place)[1]['through_chunk']}"
    with place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, had))
    assert place.lake.source(catalog.MOMENTS).count() == 0
    assert sizes(place)[0] == [0, 0, 20]
    did = project(place)
    assert any("fitted" in note for note in did.notes)
    assert moments(place)[0].n == 20
    assert agrees_with_silver(place)


def test_the_next_version_is_fitted_without_them_and_says_so(place):
    with place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME))
    did = project(place)
    assert any("fitted (removal)" in note for note in did.notes)
    x = embeddings(place)
    row = place.lake.read(catalog.MODELS).where("status = 'champion'").first()
    assert row["photos"] == len(x)
    centred = x - x.mean(axis=0)
    basis = np.frombuffer(row["basis"]).reshape(row["dimensions"], row["components"])
    explained = ((centred @ basis) ** 2).sum() / (centred**2).sum()
    best = np.linalg.svd(centred, compute_uv=False) ** 2
    assert explained == pytest.approx(best[: row["components"]].sum() / best.sum(), abs=1e-9)


@pytest.mark.parametrize("where", ["chunk = 1", "true"], ids=["a chunk", "a model"])
def test_all_rows_of_a_chunk_or_of_a_model(place, where):
    with place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, where))
    ledger, held, features = sizes(place)
    assert ledger == held
    assert ledger == ([0, 0, 0] if where == "true" else [0, 60, 20])
    assert features == (0 if where == "true" else 60)
    if where == "true":
        assert place.lake.source(catalog.MOMENTS).count() == 0
        assert project(place).counts == {}
    else:
        assert moments(place)[0].n == 60
        project(place)
        assert agrees_with_silver(place)


def test_rows_that_are_not_there_change_nothing(place):
    before = {table.name: place.lake.version(table) for table in catalog.TABLES}
    with place.writing() as context:
        lake = context.lake
        other = {"another": leaving(lake, SOME)[EMBEDDER]}
        for nothing in ({}, {EMBEDDER: photos(lake)}, {EMBEDDER: photos(lake, "f" * 64)}, other):
            assert embedding_removal.remove_embeddings(lake, nothing) == {}
    assert {table.name: place.lake.version(table) for table in catalog.TABLES} == before


def test_features_without_an_embedding_go_too(place):
    with place.writing() as context:
        lake = context.lake
        photo = lake.read(catalog.FEATURES).first()["photo_id"]
        embedding_removal.remove_embeddings(lake, {EMBEDDER: photos(lake, photo)})
        lone = lake.read(catalog.FEATURES).limit(1).withColumn("photo_id", F.lit("f" * 64))
        [chunk] = lake.ledger.plan([ChunkPlan(layer=GOLD)])
        lake.append(catalog.FEATURES, lone, chunk=chunk)
        without = {EMBEDDER: photos(lake, "f" * 64)}
        assert embedding_removal.remove_embeddings(lake, without) == {"gold/features": 1}


def test_it_dies_anywhere_and_the_next_writer_finishes_it_once(place):
    """At each point another part of the rows leaves, and the next writer does nothing but come."""
    for place_, point in enumerate(POINTS):
        digit = "0123456789abcdef"[place_]
        with place.writing() as context:
            gone = leaving(context.lake, f"substring(photo_id, 64, 1) = '{digit}'")
            with dies(point), pytest.raises(Killed, match=point):
                embedding_removal.remove_embeddings(context.lake, gone)
        with place.writing() as context:
            pass
        was_staged = point != "departure: planned"
        held = place.lake.read(catalog.EMBEDDINGS).where(f"substring(photo_id, 64, 1) = '{digit}'")
        assert (held.count() == 0) is was_staged, point
        ledger, rows, _ = sizes(place)
        assert ledger == rows, point
        held_now, row = moments(place)
        covered = place.lake.read(catalog.EMBEDDINGS).where(F.col("chunk") <= row["through_chunk"])
        assert held_now.n == covered.count(), point
    project(place)
    assert agrees_with_silver(place)


def test_moments_that_are_not_of_silver_are_taken_anew(place):
    from delta import DeltaTable

    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.EMBEDDINGS.name))
    table.delete("substring(photo_id, 64, 1) = '5'")
    with place.writing() as context:
        embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME))
    held, row = moments(place)
    covered = place.lake.read(catalog.EMBEDDINGS).where(F.col("chunk") <= row["through_chunk"])
    assert held.n == covered.count()


def test_it_waits_for_a_chunk_that_is_half_published(place):
    with place.writing() as context:
        ledger = context.lake.ledger
        [chunk] = ledger.plan([ChunkPlan(layer=SILVER, weights_id="another")])
        judged = ledger.reached(chunk, ChunkState.JUDGED)
        with pytest.raises(BadInput, match="half published: finish it first with"):
            embedding_removal.remove_embeddings(context.lake, leaving(context.lake, SOME))
        ledger.retire([judged])


def test_no_other_module_takes_rows_from_silver(place):
    with place.writing() as context:
        lake = context.lake
        [chunk] = lake.ledger.plan([ChunkPlan(layer=RETIRE)])
        with pytest.raises(RuntimeError, match="rows leave silver/embeddings through"):
            lake.delete(catalog.EMBEDDINGS, "true", chunk=chunk)
        with pytest.raises(RuntimeError, match="rows leave silver/embeddings through"):
            lake.remove(catalog.EMBEDDINGS, embedded(lake, "true"), on=["photo_id"], chunk=chunk)
    rooms = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [ROOT / "run.py", *(path for room in rooms for path in room.rglob("*.py"))]
    # The other two take rows of other tables that were made from what left silver, or of a lost chunk.
    assert {str(p.relative_to(ROOT)) for p in files if plans_removals(p.read_text())} == {
        "gold/embedding_removal.py",
        "gold/lost_removal.py",
        "privacy/chunk_withdrawal.py",
    }


def plans_removals(source):
    """Whether a module plans chunks of the layer that may take rows from silver, by its name or its value."""
    tree = ast.walk(ast.parse(source))
    calls = [n for n in tree if isinstance(n, ast.Call)]
    plans = [n for n in calls if getattr(n.func, "id", "") in ("Chunk", "ChunkPlan")]
    words = [ast.unparse(a) for n in plans for a in [*n.args, *(k.value for k in n.keywords)]]
    return any(word.endswith("REMOVAL") or word.strip("'\"") == REMOVAL for word in words)
