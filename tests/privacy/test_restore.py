"""Restore: a table as it was, but for what may not come back; chunks, moments and objects follow."""

import shutil
from functools import partial

import numpy as np
import pyarrow.compute as pc
import pytest
from delta import DeltaTable
from pyspark.sql import functions as F

from cli.commands.replay import replay_step
from cli.parser import parse
from cli.step_runner import run_steps
from conf.errors import BadInput, Pending
from gold import gold_layer, model_versions, moments_table
from lake import catalog, secret_places
from lake.chunks import ChunkState
from lake.enums import GOLD, RESTORE
from lake.pseudonyms import Pseudonyms
from privacy.restore import named, restore
from privacy.returning_rows import KEYS, _not_erased
from report.lake_counts import sums
from tests.support.canary import SUBJECT, jpeg, send
from tests.support.erasures import erased
from tests.support.grown_lake import NEW, everything, versions
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.table_contents import repeated

TAKEN_BACK = tuple(KEYS)


@pytest.fixture
def place(grown, tmp_path, spark):
    """A copy of that lake."""
    shutil.copytree(grown.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark, "refit.growth=9")


def restored(place, table, version):
    with place.writing() as context:
        return restore(context.step(RESTORE), table, version)


def embedded_once(place):
    """Sums agree, nothing is there twice, and moments are those of silver's rows."""
    lake = place.lake
    assert sums(lake.files).disagreements() == []
    assert repeated(lake) == {}
    [model] = lake.records(catalog.MOMENTS, columns=["weights_id"])
    held = moments_table.stored(lake, model["weights_id"])
    assert moments_table.match_silver(lake, held, weights_id=model["weights_id"])
    anew = moments_table.from_embeddings(
        lake, weights_id=model["weights_id"], through=held.through_chunk
    )
    np.testing.assert_allclose(held.moments.covariance(), anew.covariance(), rtol=0, atol=1e-9)


def by_hand(place, table):
    return DeltaTable.forPath(place.spark, place.files.uri(table.name))


def test_what_somebody_changed_by_hand_is_undone(grown, place):
    """Rows deleted and changed in a notebook: each table holds again what it held, row by row. Features of
    what was changed are made again."""
    held = {table: everything(place, table) for table in (catalog.PHOTOS, catalog.EMBEDDINGS)}
    photos = by_hand(place, catalog.PHOTOS)
    photos.delete("width > 1000")
    photos.update("label is not null", {"label": F.lit("wrong")})
    silver = by_hand(place, catalog.EMBEDDINGS)
    silver.update("brightness > 0.5", {"brightness": F.lit(0.0)})
    silver.delete("sharpness > 100")
    for table in (catalog.PHOTOS, catalog.EMBEDDINGS):
        assert everything(place, table) != held[table], table.name
        done = restored(place, table, grown.after[table])
        assert (done.left > 0, done.returned > 0, done.kept_out) == (True, True, 0), table.name
        assert everything(place, table) == held[table], table.name
    place.run("gold")
    embedded_once(place)
    np.testing.assert_allclose(
        features_by_photo(place), features_by_photo(grown), rtol=0, atol=1e-5
    )


def features_by_photo(place):
    rows = place.lake.records(catalog.FEATURES, columns=["photo_id", "features"])
    return np.array([row["features"] for row in sorted(rows, key=lambda row: row["photo_id"])])


def test_features_deleted_or_added_by_hand_are_undone(grown, place):
    held = everything(place, catalog.FEATURES)
    by_hand(place, catalog.FEATURES).delete("label like 'a%'")
    lost = len(held) - len(everything(place, catalog.FEATURES))
    made_up = place.lake.read(catalog.FEATURES).limit(1).withColumn("photo_id", F.lit("0" * 64))
    made_up.write.format("delta").mode("append").save(place.files.uri(catalog.FEATURES.name))
    done = restored(place, catalog.FEATURES, grown.after[catalog.FEATURES])
    assert (done.left, done.returned) == (1, lost)
    assert everything(place, catalog.FEATURES) == held
    embedded_once(place)


@pytest.mark.parametrize("table", TAKEN_BACK, ids=lambda table: table.name)
def test_what_came_since_is_withdrawn_and_made_again(grown, place, table):
    done = restored(place, table, grown.before[table])
    assert (done.left, done.returned, done.withdrawn) == (NEW + (table is catalog.PHOTOS), 0, 1)
    assert everything(place, table) == grown.rows[table]
    lake = place.lake
    assert sums(lake.files).disagreements() == []
    [model] = sums(lake.files).models
    waiting = {catalog.EMBEDDINGS: NEW + 1}.get(table, 0)
    assert (model.waiting, sums(lake.files).photos) == (
        waiting,
        lake.source(catalog.PHOTOS).count(),
    )
    if table is catalog.PHOTOS:
        assert everything(place, catalog.EMBEDDINGS) == grown.rows[catalog.EMBEDDINGS]
        assert (
            lake.read(catalog.OBJECTS).where("outcome = 'stored'").count()
            == sums(lake.files).photos
        )
    did = place.run()
    again = {catalog.PHOTOS: "bronze", catalog.EMBEDDINGS: "silver", catalog.FEATURES: "gold"}
    assert did[again[table]].counts["kept"] == NEW + (table is catalog.PHOTOS)
    embedded_once(place)
    keys = [repr(row) for row in place.lake.read(table).select(*KEYS[table]).collect()]
    then = [repr(row) for row in grown.lake.read(table).select(*KEYS[table]).collect()]
    assert sorted(keys) == sorted(then)


def test_a_second_restore_finds_nothing_and_a_withdrawn_chunk_stays_away(grown, place):
    restored(place, catalog.EMBEDDINGS, grown.before[catalog.EMBEDDINGS])
    again = restored(place, catalog.EMBEDDINGS, grown.before[catalog.EMBEDDINGS])
    assert vars(again) == {"left": 0, "returned": 0, "kept_out": 0, "withdrawn": 0}
    forward = restored(place, catalog.EMBEDDINGS, grown.after[catalog.EMBEDDINGS])
    assert vars(forward) == {"left": 0, "returned": 0, "kept_out": NEW, "withdrawn": 0}
    chunks = place.lake.ledger.chunks().values()
    assert [c.layer for c in chunks if c.state is ChunkState.RETIRED] == ["silver"]
    assert sums(place.files).disagreements() == []


def test_erased_rows_do_not_come_back(grown, place, command):
    """Neither before their files are due, when the versions can still be read, nor once the tombstone was
    lifted."""
    who = secret_places.load(
        place.settings.subjects.key, lake=place.files.root, make=False
    ).subject(SUBJECT)
    photos = place.lake.records(catalog.PHOTOS, columns=["photo_id", "subject"])
    own = {row["photo_id"] for row in photos if row["subject"] == who}
    assert len(own) == 3
    before = versions(place)
    with pytest.raises(Pending):
        erased(place, mode="deferred")
    words = ("--lake", str(place.root / "lake"), "--landing", str(place.landing))
    for table in TAKEN_BACK:
        assert place.lake.version_source(table, before[table]).count() > len(own)
        code, out, err = command(
            "restore", "--table", table.name, "--version", str(before[table]), *words
        )
        assert (code, err) == (0, "")
        assert "3 may not (erased" in out
    assert held_of(place, own) == 0
    # Somebody takes bronze/objects back by Delta's own RESTORE: tombstones hold all the same.
    by_hand(place, catalog.OBJECTS).restoreToVersion(before[catalog.OBJECTS])
    assert restored(place, catalog.PHOTOS, before[catalog.PHOTOS]).kept_out == len(own)
    assert held_of(place, own) == 0
    assert sums(place.files).disagreements() == []
    code, _, err = command("lift", "--subject", SUBJECT, *words)
    assert (code, "request-1 is not certified yet" in err) == (2, True)
    erased(place, mode="immediate")
    last = str(before[catalog.PHOTOS])
    assert command("lift", "--subject", SUBJECT, *words)[0] == 0
    code, _, err = command("lift", "--subject", SUBJECT, *words)
    assert (code, "there is nothing to lift" in err) == (2, True)
    code, _, err = command("erase", "--verify", "request-1", *words)
    assert (code, "was lifted or has expired" in err) == (2, True)
    code, _, err = command("restore", "--table", "bronze/photos", "--version", last, *words)
    assert (code, "can't be read any more" in err) == (2, True)
    send(place.landing, {"again.jpg": jpeg(0)})
    assert place.run("bronze")["bronze"].counts["stored"] == 1


def test_each_kind_of_tombstone_keeps_rows_of_photos_from_coming_back(spark):
    keys = Pseudonyms(b"0123456789abcdef")
    rows = {
        "an erased subject's": ("anna", "1"),
        "one erased photo of a subject": ("bert", "2"),
        "another photo of that subject": ("bert", "3"),
        "the same bytes of another subject": ("carl", "2"),
        "erased bytes without a subject": (None, "3"),
        "other bytes without a subject": (None, "2"),
        "an erased id": ("carl", "4"),
    }
    barred = set(map(keys.tombstone, ("anna", "3", "an erased id")))
    barred.add(keys.subjects_photo_tombstone("bert", "2"))
    values = [(photo_id, *row) for photo_id, row in rows.items()]
    photos = spark.createDataFrame(values, "photo_id string, subject string, original string")
    left = _not_erased(photos, keys, frozenset(barred)).collect()
    assert {row["photo_id"] for row in left} == {
        "another photo of that subject",
        "the same bytes of another subject",
        "other bytes without a subject",
    }


def test_an_erasure_after_a_restore_wipes_the_version_that_saw_them(grown, place):
    """Silver lost their embeddings with the restore, and none of its rows tells that the version saw them."""
    [model] = place.lake.records(catalog.MOMENTS, columns=["weights_id"])
    with place.writing() as context:
        gold_layer.project(context.step(GOLD), model["weights_id"], reason="request")
    seen = champion_of(place, model["weights_id"])
    restored(place, catalog.EMBEDDINGS, grown.before[catalog.EMBEDDINGS])
    erasure = erased(place)
    assert seen["version"] in erasure.fitted
    [row] = place.lake.records(catalog.MODELS, where=pc.field("version") == seen["version"])
    assert all(row[name] is None for name in model_versions.WIPED)
    assert champion_of(place, model["weights_id"])["reason"] == "erasure"
    embedded_once(place)


def champion_of(place, weights_id):
    return model_versions.champion_row(place.lake.records(catalog.MODELS), weights_id=weights_id)


def held_of(place, photo_ids):
    """Rows of those photos, in the tables that can be taken back and in bronze/objects."""
    tables = (*TAKEN_BACK, catalog.OBJECTS)
    rows = (place.lake.records(table, columns=["photo_id"]) for table in tables)
    return sum(row["photo_id"] in photo_ids for each in rows for row in each)


def test_a_retired_models_rows_stay_away(grown, place, command):
    [model] = place.lake.records(catalog.MOMENTS, columns=["weights_id"])
    words = ("--lake", str(place.root / "lake"))
    code, shown, _ = command("retire", model["weights_id"][:12], *words)
    assert (code, f"the model with the weights_id {model['weights_id']}." in shown) == (0, True)
    done = restored(place, catalog.EMBEDDINGS, grown.after[catalog.EMBEDDINGS])
    assert (done.returned, done.kept_out) == (0, grown.lake.source(catalog.EMBEDDINGS).count())
    assert sums(place.files).disagreements() == []


def test_a_refusal_holds_again_where_its_replay_is_withdrawn(place):
    send(place.landing, {"small.jpg": jpeg(20)}, subject=None)
    place.set("photos.min_side=97").run("bronze", "silver")
    refused, before = open_ones_of(place), place.lake.version(catalog.EMBEDDINGS)
    step = partial(replay_step, reason="too_small", number=None)
    with place.writing() as context:
        run_steps(context, [("replay", step)])
    assert open_ones_of(place) == refused - 1
    done = restored(place, catalog.EMBEDDINGS, before)
    assert (done.left, done.withdrawn) == (1, 1)
    assert open_ones_of(place) == refused
    embedded_once(place)


def open_ones_of(place):
    return place.lake.read(catalog.QUARANTINE).where("replayed_at is null").count()


POINTS = {
    catalog.PHOTOS: ("departure: silver/embeddings committed", "restore: bronze/photos gone"),
    catalog.EMBEDDINGS: (
        "departure: gold/moments committed",
        "restore: silver/quarantine gone",
        "restore: chunks withdrawn",
        "restore: rows returned",
    ),
}


@pytest.mark.parametrize("table", POINTS, ids=lambda table: table.name)
def test_one_that_dies_goes_on(grown, place, table):
    """Rows lost by hand come back, and what came since goes, though it dies on the way."""
    by_hand(place, table).delete("width > 600 and chunk < 4")
    for point in POINTS[table]:
        with dies(point), pytest.raises(Killed):
            restored(place, table, grown.before[table])
        place.bury()
    restored(place, table, grown.before[table])
    assert everything(place, table) == grown.rows[table]
    stored = place.lake.read(catalog.OBJECTS).where("outcome = 'stored'")
    assert stored.count() == place.lake.source(catalog.PHOTOS).count()
    embedded_once(place)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("silver/embedding", "did you mean silver/embeddings"),
        ("bronze/objects", "it follows bronze/photos"),
        ("silver/quarantine", "it follows silver/embeddings"),
        ("gold/moments", "run.py models --recompute"),
        ("gold/models", "run.py models --promote"),
        ("gold/held_out", "run.py train"),
        ("ops/chunks", "is a journal"),
        ("privacy/tombstones", "is a journal"),
    ],
)
def test_a_table_that_has_no_way_back_says_what_to_do(name, said):
    with pytest.raises(BadInput, match=said):
        named(name)


def test_no_such_version(place):
    with pytest.raises(BadInput, match="but no version 99"):
        restored(place, catalog.PHOTOS, 99)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("restore", "--table", "bronze/photos"), "restore needs --version N"),
        (("restore", "--table", "bronze/photos", "--version", "x"), "--version x is no number"),
        (("lift",), "lift needs --subject S"),
        (("lift", "--subject", "anna/"), "that follows subject="),
    ],
)
def test_words_that_say_too_little_are_refused(given, said):
    with pytest.raises(BadInput, match=said):
        parse(given)
