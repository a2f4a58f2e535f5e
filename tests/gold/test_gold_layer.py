"""PCA versions over a lake: moments that are trusted or not, refits and their reasons, drift, rollback."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from operator import itemgetter

import numpy as np
import pyarrow.compute as pc
import pytest
from delta import DeltaTable
from pyspark.sql import functions as F

from conf.errors import BadInput, Blocked, Inconsistent
from gold import model_versions, moments_table, pca_refit
from gold import promote as by_hand
from gold.gold_layer import published_embeddings
from lake import catalog, delta_log, row_source
from lake.enums import GOLD
from lake.measured_values import FEWEST
from report.lake_counts import sums
from tests.support.generated_embeddings import DIMENSIONS, EMBEDDER, add
from tests.support.gold_runs import (
    agrees_with_silver,
    embeddings,
    no_embedding_waits,
    project,
    promote,
)
from tests.support.kills import Killed, dies
from tests.support.place import Place


def versions(place):
    """Of each PCA version, oldest first: why it was fitted, and its status."""
    rows = model_versions.versions(place.lake.records(catalog.MODELS), weights_id=EMBEDDER)
    return [(r["reason"], r["status"]) for r in sorted(rows, key=itemgetter("created_at"))]


def counted(place):
    """Features by version, oldest version first."""
    rows = place.lake.read(catalog.FEATURES).groupBy("model_version").count()
    return [row["count"] for row in rows.orderBy("model_version").collect()]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, spark):
    """A lake with a champion that was fitted on 200 embeddings."""
    place = Place.of(tmp_path_factory.mktemp("fitted"), spark)
    add(place, 200, seed=1)
    project(place)
    return place


@pytest.fixture
def place(fitted, tmp_path, spark):
    """A copy of it."""
    shutil.copytree(fitted.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark)


def test_new_rows_are_projected_and_no_version_is_made_without_a_reason(place):
    add(place, 20, seed=2)
    with no_embedding_waits():
        did = project(place)
    assert versions(place) == [("first", "champion")]
    assert did.counts == {"in": 20, "kept": 20}
    assert counted(place) == [220]
    assert agrees_with_silver(place)
    assert project(place).counts == {}


def test_growth_makes_a_version_with_its_lineage(place):
    add(place, 50, seed=2)
    did = project(place)
    assert versions(place) == [("first", "retired"), ("growth", "champion")]
    assert counted(place) == [250, 250]
    assert did.counts["in"] == 50 + 250
    new = model_versions.champion(place.lake.records(catalog.MODELS), weights_id=EMBEDDER)
    assert (new.photos, new.supersedes) == (250, new.version[:-1] + "1")
    assert new.embeddings_version == place.lake.version(catalog.EMBEDDINGS)
    assert new.settings["components"] == 20
    assert 0 < new.metrics["explained_before"] <= new.metrics["explained_after"]
    assert new.metrics["explained_after"] == pytest.approx(new.pca.explained_variance)
    assert new.principal_angles.shape == (new.pca.components,)
    assert (new.principal_angles >= 0).all()


def test_on_request_a_version_is_fitted_and_one_can_be_rolled_back(place):
    project(place, reason=pca_refit.REQUEST)
    assert versions(place) == [("first", "retired"), ("request", "champion")]
    rows = place.lake.records(catalog.MODELS)
    first = model_versions.previous(rows, weights_id=EMBEDDER)
    add(place, 20, seed=2)
    project(place)
    assert counted(place) == [200, 220]
    promote(place, first)
    assert versions(place) == [("first", "champion"), ("request", "retired")]
    assert counted(place) == [220, 220]
    assert sums(place.files).models == [] or not sums(place.files).models[0].open_ends
    assert project(place).counts == {}
    with pytest.raises(BadInput, match="nothing to roll back to"):
        model_versions.previous(place.lake.records(catalog.MODELS), weights_id=EMBEDDER)


REFIT_POINTS = (
    "gold: moments folded",
    "gold: planned",
    "gold: features staged",
    "gold: before staged",
    "gold: staged",
    "gold: before judged",
    "gold: judged",
    "gold: gold/features committed",
    "gold: gold/models committed",
    "gold: before published",
)


def test_a_refit_that_dies_anywhere_ends_as_one_that_did_not(place, tmp_path, spark):
    """Between moments, features and model, at each point in turn; the same command, until it is done."""
    shutil.copytree(place.root, tmp_path / "undisturbed")
    undisturbed = Place.of(tmp_path / "undisturbed", spark)
    for each in (place, undisturbed):
        add(each, 60, seed=2)
    for point in REFIT_POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            project(place)
        place.bury()
        champions = [status for _, status in versions(place)].count("champion")
        assert champions == 1, point
    project(place), project(undisturbed)
    assert (
        versions(place) == versions(undisturbed) == [("first", "retired"), ("growth", "champion")]
    )
    assert agrees_with_silver(place)
    assert counted(place) == counted(undisturbed) == [260, 260]
    ours, theirs = (features_by_photo(each) for each in (place, undisturbed))
    assert ours.keys() == theirs.keys()
    assert max(np.abs(np.subtract(ours[key], theirs[key])).max() for key in ours) < 1e-3


def features_by_photo(place):
    rows = place.lake.records(catalog.FEATURES)
    found = {(row["photo_id"], row["model_version"]): row["features"] for row in rows}
    assert len(found) == len(rows)
    return found


def test_a_candidate_waits_for_its_promotion(place):
    waiting = place.set("refit.promote=false")
    project(waiting, reason=pca_refit.REQUEST)
    assert versions(place) == [("first", "champion"), ("request", "candidate")]
    add(place, 20, seed=2)
    project(waiting)
    assert counted(place) == [220, 200]
    candidate = place.lake.read(catalog.MODELS).where("status = 'candidate'").first()["version"]
    promote(place, candidate)
    assert versions(place) == [("first", "retired"), ("request", "champion")]
    assert counted(place) == [220, 220]


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_drift_is_measured_and_past_its_bound_a_reason(place, shift):
    add(place, 40, seed=2, shift=shift)
    project(place)
    found = place.lake.read(catalog.DRIFT).first()
    assert found["photos"] == 40
    why = [reason for reason, _ in versions(place)]
    quality = place.lake.read(catalog.QUALITY).where("expectation = 'drift-of-mean'").collect()
    if shift:
        assert found["mean_shift"] > 0.5
        assert why == ["first", "drift"]
        assert "warned" in {row["action"] for row in quality}
    else:
        assert found["mean_shift"] < 0.1
        assert why == ["first"]
        assert {row["action"] for row in quality} == {"passed"}


def test_of_a_chunk_of_few_photos_no_measured_value_is_kept(place):
    """They would be the photos' own. The verdicts stand, and a larger chunk is measured."""
    add(place, FEWEST - 1, seed=2, shift=3.0)
    did = project(place)
    assert place.lake.records(catalog.DRIFT) == []
    rows = place.lake.records(catalog.QUALITY)
    last = max(row["chunk"] for row in rows)
    judged = [row for row in rows if row["chunk"] == last and row["suite"] == "gold_features"]
    assert judged
    assert {row["observed"] for row in judged} == {None}
    assert {row["action"] for row in judged} == {"passed"}
    assert [name for name in did.measured if name.startswith("drift_")] == []
    add(place, FEWEST, seed=3)
    project(place)
    [measured] = place.lake.records(catalog.DRIFT)
    assert measured["photos"] == FEWEST
    rows = place.lake.records(catalog.QUALITY, where=pc.field("chunk") == measured["chunk"])
    assert any(row["observed"] is not None for row in rows)


def test_moments_behind_or_ahead_of_silver_are_taken_anew(place):
    """After a RESTORE, or rows that somebody removed."""
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.EMBEDDINGS.name))
    table.delete("substring(photo_id, 64, 1) < '8'")
    add(place, 20, seed=2)
    with no_embedding_waits():
        project(place)
    assert agrees_with_silver(place)
    table.restoreToVersion(place.lake.version(catalog.EMBEDDINGS))
    add(place, 20, seed=3)
    with no_embedding_waits():
        project(place)
    assert agrees_with_silver(place)


def waiting(place):
    """How many embeddings gold/moments don't have yet."""
    return place.lake.source(catalog.EMBEDDINGS).count() - moments_n(place)


def moments_n(place):
    [row] = place.lake.records(catalog.MOMENTS, columns=["n"])
    return row["n"]


def test_few_embeddings_wait_and_many_are_folded(place):
    """A run that fits nothing writes no moments, until eight times as many wait as one has values."""
    patient = place.set("refit.growth=9")
    before = place.lake.version(catalog.MOMENTS)
    most = moments_table.WAITING * DIMENSIONS
    add(place, 20, seed=2), project(patient)
    add(place, most - 21, seed=3), project(patient)
    assert (waiting(place), place.lake.version(catalog.MOMENTS)) == (most - 1, before)
    assert counted(place) == [200 + most - 1]
    assert agrees_with_silver(place)
    add(place, 1, seed=4), project(patient)
    assert waiting(place) == 0
    assert agrees_with_silver(place)


def test_a_fit_takes_what_waits(place):
    patient = place.set("refit.growth=9")
    add(place, 20, seed=2), project(patient)
    assert waiting(place) == 20
    project(patient, reason=pca_refit.REQUEST)
    assert waiting(place) == 0
    new = model_versions.champion(place.lake.records(catalog.MODELS), weights_id=EMBEDDER)
    assert new.photos == 220
    assert agrees_with_silver(place)


@pytest.mark.parametrize(
    ("age", "still_waiting"),
    [(timedelta(days=6, hours=23), 20), (timedelta(days=7, hours=1), 0)],
)
def test_embeddings_wait_no_longer_than_a_week(place, monkeypatch, age, still_waiting):
    """It is the age of the version that they are pinned to that counts: of no later one, and of no write to
    gold/moments."""
    add(place, 20, seed=2), project(place)
    held = moments_table.stored(place.lake, EMBEDDER)
    actions, long_ago = delta_log.actions, timedelta(days=100)

    def aged(files, table, version):
        is_pinned = (table, version) == (catalog.EMBEDDINGS, held.table_version)
        made_at = datetime.now(UTC) - (age if is_pinned else long_ago)
        time = int(made_at.timestamp() * 1000)
        found = actions(files, table, version)
        for each in found or []:
            if "commitInfo" in each:
                each["commitInfo"] |= {"inCommitTimestamp": time, "timestamp": time}
        return found

    monkeypatch.setattr(delta_log, "actions", aged)
    long_ago = long_ago if still_waiting else timedelta(0)
    project(place)
    assert waiting(place) == still_waiting


def test_no_embedding_waits_whose_log_is_gone(place, monkeypatch):
    """Then nothing tells that the others are those of the moments, and they are taken anew."""
    add(place, 20, seed=2), project(place)
    assert waiting(place) == 20
    with monkeypatch.context() as patched:
        patched.setattr(moments_table.delta_log, "actions", lambda *_: None)
        project(place)
    assert waiting(place) == 0
    assert agrees_with_silver(place)


def test_of_a_run_that_writes_no_moments_no_matrix_is_read(place, monkeypatch):
    add(place, 20, seed=2), project(place)
    read = []
    records = type(place.lake).records
    monkeypatch.setattr(
        type(place.lake),
        "records",
        lambda lake, table, **how: read.append((table, how)) or records(lake, table, **how),
    )
    project(place)
    asked = [how for table, how in read if table is catalog.MOMENTS]
    assert asked == [{"columns": ["weights_id", *moments_table.PLACE]}]


def test_moments_that_are_lost_are_taken_again(place):
    """Silver's gate needs their centre: it doesn't wait for a fit."""
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.MOMENTS.name))
    table.delete()
    fresh = Place.of(place.root, place.spark)
    add(fresh, 20, seed=2), project(fresh)
    assert (versions(fresh), waiting(fresh)) == ([("first", "champion")], 0)
    assert agrees_with_silver(fresh)


def test_the_moments_of_another_model_change_nothing(place):
    """Gold/moments has a row a model, in any order."""
    with place.writing() as context:
        held = moments_table.stored(context.lake, EMBEDDER)
        for other in ("0" * 64, "f" * 64):
            moments_table.store(context.lake, held.moments, weights_id=other, through=1000)
    most = moments_table.WAITING * DIMENSIONS
    add(place, most - 1, seed=2), project(place.set("refit.growth=9"))
    assert moments_table.stored(place.lake, EMBEDDER).moments.n == 200
    add(place, 1, seed=3), project(place.set("refit.growth=9"))
    assert moments_table.stored(place.lake, EMBEDDER).moments.n == 200 + most


def test_values_that_are_not_finite_are_refused_and_not_kept(place):
    add(place, 20, seed=2, value=float("nan"))
    with pytest.raises(Inconsistent, match="not finite"):
        project(place)
    place.bury()
    [*_, last] = published_embeddings(place.lake, EMBEDDER)
    with place.writing() as context, pytest.raises(Inconsistent, match="not finite"):
        moments_table.bring_up(context.lake, weights_id=EMBEDDER, through=last.number)
    place.bury()
    assert (moments_n(place), counted(place)) == (200, [200])
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.EMBEDDINGS.name))
    table.delete("isnan(embedding[0])")
    assert (waiting(place), agrees_with_silver(place)) == (0, True)


def test_values_that_are_not_finite_are_refused_by_spark_too(place, monkeypatch):
    monkeypatch.setattr(row_source, "FEW", -1)
    add(place, 20, seed=2, value=float("nan"))
    with pytest.raises(Inconsistent, match="values of embeddings are not finite"):
        project(place)


def test_of_a_broken_version_no_embedding_is_blamed(place):
    """What it makes is judged by the gate."""
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.MODELS.name))
    [row] = place.lake.records(catalog.MODELS, columns=["basis"])
    broken = np.full(len(row["basis"]) // 8, np.nan).tobytes()
    table.update(F.lit(True), {"basis": F.lit(broken)})
    fresh = Place.of(place.root, place.spark)
    add(fresh, 20, seed=2)
    with pytest.raises(Blocked, match="features"):
        project(fresh)


def test_a_chunk_whose_drift_is_no_number_is_blocked_and_not_published(place):
    add(place, 20, seed=2)
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.EMBEDDINGS.name))
    table.update(
        f"chunk = {place.lake.last_chunk(catalog.EMBEDDINGS)}", {"brightness": "double('NaN')"}
    )
    before = counted(place)
    with pytest.raises(Blocked, match="drift-measured"):
        project(place)
    place.bury()
    assert counted(place) == before
    assert np.isnan(place.lake.read(catalog.DRIFT).first()["brightness"])


def test_embeddings_of_another_length_are_refused_and_the_moments_stay(place):
    """Appended by something else than the silver layer, whose gate lets none through."""
    lake = place.lake
    short = (
        lake.read(catalog.EMBEDDINGS)
        .limit(3)
        .withColumns(
            {
                "photo_id": F.sha2("photo_id", 256),
                "embedding": F.slice("embedding", 1, 5),
            }
        )
    )
    add(place, 20, seed=2)
    [*_, last] = published_embeddings(place.lake, EMBEDDER)
    short = short.withColumn("chunk", F.lit(last.number).cast("bigint"))
    short.write.format("delta").mode("append").save(place.files.uri(catalog.EMBEDDINGS.name))
    with pytest.raises(Inconsistent, match=r"can't be used for a PCA of .*differ in length"):
        project(place)
    place.bury()
    assert counted(place) == [200]
    assert place.lake.read(catalog.MOMENTS).first()["n"] == 200


def test_new_rows_are_projected_from_new_files_alone(place):
    before = set(moments_table.embeddings(place.lake, EMBEDDER, 0, 1000).frame().inputFiles())
    add(place, 20, seed=2)
    [*_, last] = published_embeddings(place.lake, EMBEDDER)
    new = moments_table.embeddings(place.lake, EMBEDDER, last.number, last.number)
    read = set(new.frame().inputFiles())
    assert read
    assert not read & before


def test_one_embedding_waits_for_more(tmp_path, spark):
    place = Place.of(tmp_path, spark)
    add(place, 1, seed=1)
    assert "too few" in project(place).notes[0]
    assert versions(place) == []
    add(place, 2, seed=2)
    project(place)
    assert counted(place) == [3]


def recomputed(place):
    """The note of `models --recompute`."""
    with place.writing() as context:
        step = context.step(GOLD)
        by_hand.recompute(step, EMBEDDER)
    [note] = step.did.notes
    return note


def test_recomputed_moments_are_those_that_were_kept(place):
    note = recomputed(place)
    assert "differed by 0" in note or "e-" in note
    assert agrees_with_silver(place)


def test_moments_are_recomputed_with_what_waited_and_compared_without(place):
    add(place, 20, seed=2), project(place)
    assert waiting(place) == 20
    note = recomputed(place)
    assert "differed by 0" in note or "e-" in note
    assert waiting(place) == 0
    assert agrees_with_silver(place)


def test_broken_moments_are_recomputed_while_embeddings_wait(place):
    add(place, 20, seed=2), project(place)
    broken = np.full(DIMENSIONS, np.nan).tobytes()
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.MOMENTS.name))
    table.update(F.lit(True), {"sum": F.lit(broken)})
    fresh = Place.of(place.root, place.spark)
    recomputed(fresh)
    assert waiting(fresh) == 0
    assert agrees_with_silver(fresh)


def test_a_wiped_version_cannot_be_rolled_back_to(place):
    name = place.lake.read(catalog.MODELS).where("kind = 'pca'").first()["version"]
    table = DeltaTable.forPath(place.spark, place.files.uri(catalog.MODELS.name))
    table.update(F.col("version") == name, {"basis": F.lit(None)})
    with pytest.raises(BadInput, match="were removed, because"):
        promote(place, name)
    place.bury()
    with pytest.raises(BadInput, match=f"no version pca-9; did you mean {name}"):
        promote(place, "pca-9")


def test_what_a_version_says_of_itself_can_be_read_back(place):
    row = place.lake.read(catalog.MODELS).where("kind = 'pca'").first()
    held = model_versions.PcaVersion.read(row.asDict())
    assert json.loads(row["settings"])["components"] == 20
    projected = held.pca.project(embeddings(place))
    features = place.lake.read(catalog.FEATURES).orderBy("photo_id").collect()
    np.testing.assert_array_equal(projected, [f["features"] for f in features])
    assert held.pca.basis.shape == (DIMENSIONS, 20)
