"""A second model embeds what lacks it, and beside the first; a retired one leaves nothing but its name."""

import shutil
from pathlib import Path

import pytest

from cli.output import status_lines
from conf.errors import BadInput
from gold.retire_extractor import retire
from lake import catalog
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import SILVER
from lake.run_journal import LayerRun
from report.lake_counts import sums
from report.reconciliation import ModelSums, Sums
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.table_contents import repeated

OTHER = ("model.extractor=mobilenet_v2", "model.weights=random:7")


def files_of(lake, weights_id):
    """The data files of a model's embeddings, by name, with their times."""
    folder = f"{lake.files.root}/{catalog.EMBEDDINGS.name}"
    return {
        path.name: path.stat().st_mtime_ns
        for path in Path(folder).glob(f"weights_id={weights_id}/*.parquet")
    }


class TwoModels(Place):
    """A lake of two models: the first one's sums, its files before the second run, and what that did."""

    first: ModelSums
    files_before: dict[str, int]
    did: dict[str, LayerRun]


class RetiredModel(Place):
    """A lake of which one model was retired: the sums after each point at which the command died."""

    half: list[Sums]


@pytest.fixture(scope="module")
def two(samples_lake, tmp_path_factory, spark):
    """The samples' lake, and in it a second model."""
    root = tmp_path_factory.mktemp("two") / "place"
    shutil.copytree(samples_lake.root, root)
    place = TwoModels.of(root, spark, *OTHER)
    [first] = sums(place.files).models
    place.first = first
    place.files_before = files_of(place.lake, first.weights_id)
    place.did = place.run()
    return place


def test_a_second_model_embeds_every_photo_once(two, samples_lake):
    photos = samples_lake.did["bronze"].counts["kept"]
    assert two.did["bronze"].counts == {}
    assert two.did["silver"].counts["in"] == photos
    first, second = sorted(sums(two.files).models, key=lambda m: m.extractor)
    assert (second.embedded, second.quarantined) == (first.embedded, first.quarantined)
    assert repeated(two.lake) == {}


def test_the_first_models_rows_are_left_alone(two):
    assert two.files_before
    assert files_of(two.lake, two.first.weights_id) == two.files_before
    assert two.first in sums(two.files).models


def test_status_shows_coverage_by_model(two):
    status_lines.show(two.console, two.files, two.settings)
    photos = two.first.embedded + two.first.quarantined
    assert two.screen.count(f": {photos} photos stored = ") == 2
    assert two.screen.count("; it has looked at 100.0% of them") == 2


@pytest.fixture(scope="module")
def retired(two, tmp_path_factory, spark):
    """The lake of two models, of which the second was retired, by a command that died at every point."""
    root = tmp_path_factory.mktemp("retired") / "place"
    shutil.copytree(two.root, root)
    place = RetiredModel.of(root, spark, *OTHER)
    place.half = []
    with place.writing() as context:
        for point in POINTS:
            with dies(point), pytest.raises(Killed, match=point):
                retire(context.lake, "mobilenet_v2")
            place.half.append(sums(place.files))
        retire(context.lake, "mobilenet_v2")
    return place


POINTS = (
    "retire: marked",
    "departure: planned",
    "departure: staged",
    "departure: silver/embeddings committed",
    "departure: gold/moments committed",
    "departure: gold/features committed",
    "departure: before published",
    "departure: published",
    "retire: departed",
    "retire: gold/moments",
    "retire: silver/quarantine",
    "retire: chunks",
)


def test_a_retired_models_rows_are_gone_and_the_others_stay(retired, two):
    held = sums(retired.files)
    assert held.models == [two.first]
    assert held.disagreements() == held.open_ends == []
    for table in (catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.MOMENTS):
        found = {row["weights_id"] for row in retired.lake.records(table, columns=["weights_id"])}
        assert found == {two.first.weights_id}, table.name
    assert files_of(retired.lake, two.first.weights_id) == two.files_before
    statuses = {
        (row["kind"], row["status"])
        for row in retired.lake.records(catalog.MODELS)
        if row["weights_id"] != two.first.weights_id
    }
    assert statuses == {("extractor", "retired"), ("pca", "retired")}


def test_half_retired_it_is_said_and_the_sums_of_the_rest_agree(retired):
    for held in retired.half:
        assert held.disagreements() == []
        assert "mobilenet_v2" in held.open_ends[0]
        assert "is half retired: run.py retire " in held.open_ends[0]


def test_a_model_that_is_half_retired_embeds_nothing(retired, two, tmp_path, spark):
    shutil.copytree(two.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark, *OTHER)
    with place.writing() as context, dies("retire: marked"), pytest.raises(Killed):
        retire(context.lake, "mobilenet_v2")
    with pytest.raises(BadInput, match="was interrupted: finish it"):
        place.run("silver")


def test_a_retired_model_can_be_used_again(retired):
    """Under the same weights_id, every photo once; its next PCA version has a name of its own."""
    did = retired.run("silver", "gold")
    held = sums(retired.files)
    assert len(held.models) == 2
    assert held.disagreements() == []
    assert repeated(retired.lake) == {}
    assert "-2 fitted (first)" in did["gold"].notes[0]


def test_it_waits_for_a_chunk_that_is_half_published(two):
    with two.writing() as context:
        ledger = context.lake.ledger
        [chunk] = ledger.plan([ChunkPlan(layer=SILVER, weights_id="another")])
        judged = ledger.reached(chunk, ChunkState.JUDGED)
        with pytest.raises(BadInput, match="half published: finish it first with"):
            retire(context.lake, "mobilenet_v2")
        ledger.retire([judged])
    assert len(sums(two.files).models) == 2


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("resnet", "There is no model resnet; the lake has efficientnet_lite0-"),
        ("efficientnet", "There is no model efficientnet; the lake has efficientnet_lite0-"),
        ("", "There is no model .*; the lake has efficientnet_lite0-"),
    ],
)
def test_a_model_that_is_not_there_is_refused(two, model, said):
    with two.writing() as context, pytest.raises(BadInput, match=said):
        retire(context.lake, model)
