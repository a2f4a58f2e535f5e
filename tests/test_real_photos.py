"""1,142 real photos of 28 kinds of fruit: everything arrives, and the features tell kinds apart."""

import shutil
from collections import Counter
from functools import partial

import numpy as np
import pytest
from PIL import Image
from sklearn.model_selection import ShuffleSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from cli.commands.train import train_step
from cli.lake_access import writing
from cli.step_runner import run_steps
from conf.errors import BadInput
from gold.cross_validation import evaluate, nearest_neighbours
from gold.model_versions import PcaVersion
from gold.training_examples import Examples
from lake import catalog
from lake.enums import PixelWay, Precision
from lake.model_identity import ModelIdentity, file_sha256
from report import html_report
from report.lake_counts import sums
from report.report_facts import ReportFacts
from silver import extractors, litert_conversion
from silver.pixels import Limits
from tests.support.bad_photos import spoil
from tests.support.decoded_photos import decoded_pixels
from tests.support.place import Place
from tests.support.real_photos import PHOTOS, WEIGHTS

pytestmark = pytest.mark.skipif(
    not PHOTOS.is_dir(), reason="the real photos (../shared/photos) are not on this machine"
)
MODELS = {
    "efficientnet_lite0": ["model.extractor=efficientnet_lite0", "model.weights=imagenet"],
    "mobilenet_v2": ["model.extractor=mobilenet_v2", f"model.weights={WEIGHTS}"],
}


@pytest.fixture(scope="module")
def real(tmp_path_factory, spark):
    """One lake of the real photos, with both extractors' rows side by side."""
    place = Place.of(tmp_path_factory.mktemp("real"), spark)
    (place.root / "landing").symlink_to(PHOTOS)
    place.run("bronze")
    for name, overrides in MODELS.items():
        if name == "mobilenet_v2" and not WEIGHTS.exists():
            continue
        place.set(*overrides).run("silver", "gold")
    return place


@pytest.fixture(params=MODELS)
def model(request, real):
    """The rows of gold/models about one extractor: (extractor, PCA)."""
    rows = real.lake.records(catalog.MODELS)
    own = [row for row in rows if row["extractor"] == request.param]
    if not own:
        pytest.skip("the real MobileNetV2 weights (../shared/weights) are not on this machine")
    [pca] = [r for r in rows if r["kind"] == "pca" and r["weights_id"] == own[0]["weights_id"]]
    return own[0], pca


def test_every_photo_is_in_bronze_and_the_licence_is_rejected(real):
    assert real.lake.source(catalog.PHOTOS).count() == 1142
    [refused] = real.lake.records(catalog.REJECTED)
    assert (refused["path"], refused["reason"]) == ("LICENSE", "not_a_photo")


def test_every_photo_is_embedded_or_refused_and_has_features(real, model):
    extractor, pca = model
    own = f"weights_id = '{extractor['weights_id']}'"
    embedded = real.lake.read(catalog.EMBEDDINGS).where(own).count()
    assert embedded + real.lake.read(catalog.QUARANTINE).where(own).count() == 1142
    features = real.lake.read(catalog.FEATURES).where(f"model_version = '{pca['version']}'")
    assert features.count() == embedded
    assert (pca["components"], pca["photos"]) == (20, embedded)
    assert 0.4 < pca["explained_variance"] < 0.9


def test_of_a_chunk_with_one_in_twenty_spoiled_the_rest_is_published(tmp_path, spark):
    """Every kind of spoiling, four times; the good among them (palette, CMYK, 16 bits, …) go along."""
    place = Place.of(tmp_path, spark)
    shutil.copytree(PHOTOS, place.landing)
    refused = Counter()
    for person in range(4):
        refused += Counter(spoil(place.landing / f"subject=p{person}"))
    did = place.run("bronze", "silver")
    held = sums(place.files)
    assert held.disagreements() == []
    assert held.objects == 1143 + 4 * 14
    assert Counter(did["bronze"].reasons) + Counter(did["silver"].reasons) == refused + Counter(
        not_a_photo=1  # LICENSE
    )
    [model] = held.models
    assert model.embedded == 1142 + 4 * 8
    assert model.quarantined == 4 * 3


def test_features_tell_kinds_of_fruit_apart(real, model):
    """Right weights, right scaling, right channel order: with random weights it is about a third."""
    features = real.lake.read(catalog.FEATURES).where(f"model_version = '{model[1]['version']}'")
    rows = features.orderBy("photo_id").collect()
    x, y = np.array([row["features"] for row in rows]), [row["label"] for row in rows]
    # The order of ids, and so each split, depends on the key of the lake: one split alone is off by chance.
    splits = ShuffleSplit(40, test_size=0.5, random_state=0)
    found = cross_val_score(KNeighborsClassifier(5), x, y, cv=splits)
    print(f"{model[0]['extractor']}: {found.mean():.1%} by 5 neighbours on 20 components")
    assert found.mean() >= 0.8


def test_classifiers_tell_kinds_apart_on_photos_held_out(real, model):
    """The baseline of them; `train` fits the others as well, which takes minutes."""
    extractor, pca = model
    own = real.lake.read(catalog.EMBEDDINGS).where(f"weights_id = '{extractor['weights_id']}'")
    examples = Examples.of(own, real.lake.read(catalog.PHOTOS), at_most=10_000)
    features = PcaVersion.read(pca).project(examples.embeddings)
    for vectors, wanted in ((examples.embeddings, 0.64), (features, 0.6)):
        known = (vectors, examples.labels, examples.scenes)
        found = evaluate(*known, kind="logistic_regression")
        print(f"{extractor['extractor']}: {found.accuracy:.1%}, macro F1 {found.macro_f1:.1%}")
        assert found.tested == 1142
        assert found.accuracy > wanted > 10 * found.baseline
        assert found.accuracy > nearest_neighbours(*known) - 0.02


def test_grey_photos_and_a_new_kind_are_drift_and_more_of_the_same_is_none(tmp_path, spark):
    """Of 27 kinds two photos in three were there before; the others come alone, then grey, then limes."""
    place = Place.of(tmp_path, spark, "refit.growth=100")
    others = []
    for number, photo in enumerate(sorted(PHOTOS.glob("*/*.jpg"))):
        if photo.parent.name == "Lime":
            continue
        if number % 3:
            copy(photo, place.landing)
        else:
            others.append(photo)
    place.run()
    for photo in others[::2]:
        copy(photo, place.landing)
    place.run()
    assert warnings(place) == set()
    for photo in others[1::2]:
        grey = place.landing / photo.parent.name / f"grey-{photo.name}"
        Image.open(photo).convert("L").save(grey)
    place.run()
    assert warnings(place) >= {"drift-of-mean", "drift-of-components"}
    shutil.copytree(PHOTOS / "Lime", place.landing / "Lime")
    place.run()
    assert warnings(place) >= {"drift-of-mean", "drift-of-labels"}
    versions = place.lake.read(catalog.MODELS).where("kind = 'pca'").orderBy("created_at")
    assert [row["reason"] for row in versions.collect()] == ["first", "drift", "drift"]


def copy(photo, landing):
    folder = landing / photo.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(photo, folder)


def warnings(place):
    """What the gate warned of in the last gold chunk that was measured."""
    last = place.lake.read(catalog.DRIFT).orderBy("measured_at", ascending=False).first()
    judged = place.lake.read(catalog.QUALITY).where(f"chunk = {last['chunk']}")
    print(last)
    return {row["expectation"] for row in judged.where("action = 'warned'").collect()}


@pytest.mark.tensorflow
def test_the_lake_holds_what_keras_computes(real, model):
    """Embeddings as published, against Keras on the same pixels."""
    name = model[0]["extractor"]
    found, batch = embedded(real, weights_id=model[0]["weights_id"])
    chosen = extractors.extractor(name)
    weights = MODELS[name][1].removeprefix("model.weights=")
    keras = chosen.build(chosen.source(weights))
    expected = np.asarray(keras(batch.astype(np.float32), training=False))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def embedded(place, *, weights_id):
    """Of 16 photos the embeddings as published, and the pixels."""
    limits = Limits(**place.settings.photos.model_dump())
    own = f"weights_id = '{weights_id}'"
    held = place.lake.read(catalog.EMBEDDINGS).where(own).select("photo_id", "embedding")
    rows = held.join(place.lake.read(catalog.PHOTOS), "photo_id").orderBy("photo_id").limit(16)
    some = rows.select("embedding", "content").collect()
    decoded = partial(decoded_pixels, size=224, limits=limits, way=PixelWay.BICUBIC)
    batch = [decoded(bytes(row["content"])) for row in some]
    return np.array([r["embedding"] for r in some]), np.stack(batch)


@pytest.fixture(scope="module")
def few(tmp_path_factory, spark):
    """A lake with three photos of each kind, in bronze."""
    place = Place.of(tmp_path_factory.mktemp("few"), spark)
    for kind in PHOTOS.iterdir():
        for photo in sorted(kind.glob("*.jpg"))[:3]:
            copy(photo, place.landing)
    place.run("bronze")
    return place


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet50"])
def test_an_extractor_runs_from_photos_to_features(few, name):
    """With random weights, as no others are at hand."""
    place = few.set(f"model.extractor={name}", "model.weights=random:1")
    place.run("silver", "gold")
    chosen = extractors.extractor(name)
    keras = chosen.build(chosen.source("random:1"))
    found, batch = embedded(place, weights_id=features_of(place, name))
    expected = np.asarray(keras(batch.astype(np.float32), training=False))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.tensorflow
def test_a_flatbuffer_of_ones_own_runs_from_photos_to_features(few, tmp_path):
    """As it would come from elsewhere: 96 pixels, 8 values, no name that the product knows."""
    keras = litert_conversion.tensorflow().keras
    taken = keras.Input((96, 96, 3), name="some_input")
    chance = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    made = keras.layers.Conv2D(8, 3, 2, kernel_initializer=chance, name="some_layer")(taken)
    model = keras.Model(taken, keras.layers.GlobalAveragePooling2D(name="some_output")(made))
    (tmp_path / "own.tflite").write_bytes(litert_conversion.convert(model))
    own = ["model.extractor=tflite", f"model.weights={tmp_path}/own.tflite"]
    few.set(*own, "pca.components=2").run("silver", "gold")
    weights_id = features_of(few, "tflite")
    own = file_sha256((tmp_path / "own.tflite").read_bytes())
    assert weights_id == ModelIdentity(own, Precision.FLOAT32, PixelWay.BICUBIC).weights_id


def features_of(place, name):
    """The `weights_id` of an extractor whose features the lake holds for every photo."""
    models = place.lake.records(catalog.MODELS)
    [weights_id] = [row["weights_id"] for row in models if row["extractor"] == name]
    [pca] = [r for r in models if r["kind"] == "pca" and r["weights_id"] == weights_id]
    features = place.lake.read(catalog.FEATURES).where(f"model_version = '{pca['version']}'")
    assert features.count() == 3 * 28
    assert sums(place.files).disagreements() == []
    return weights_id


def test_a_model_that_the_lake_knows_by_another_name_is_refused(few):
    few.set("model.extractor=resnet50", "model.weights=random:1").run("silver")
    [known] = (few.root / "lake" / "models").glob("resnet50-*.tflite")
    place = few.set("model.extractor=tflite", f"model.weights={known}")
    with pytest.raises(BadInput, match="has the same model under the name resnet50"):
        place.run("silver")


def test_the_report_of_the_real_photos_opens_without_an_error_and_tells_what_status_does(
    real, tmp_path, page
):
    settings = real.set("training.max_photos=300", "training.folds=2").settings
    with writing(settings, real.console) as context:
        run_steps(context, [("train", train_step)])
    size = html_report.write(ReportFacts.of(real.files, settings), tmp_path / "report.html")
    assert size < 5_000_000
    page.goto((tmp_path / "report.html").as_uri())
    held = sums(real.files)
    assert page.locator("[data-sum=photos]").inner_text() == f"{held.photos:,}" == "1,142"
    assert page.locator("[data-sum=objects]").inner_text() == f"{held.objects:,}"
    assert len(held.models) == len({model.weights_id for model in held.models}) > 0
    for model in held.models:
        embedded = page.locator(f"[data-embedded='{model.weights_id}']")
        assert embedded.inner_text() == f"{model.embedded:,}"
    for name in html_report.SECTIONS:
        assert len(page.locator(f"#{name}").inner_text()) > 30
    plots = {name: page.locator(f"#{name} svg.plot").count() for name in html_report.SECTIONS}
    assert {name for name, count in plots.items() if not count} <= {
        "sums",
        "drift",
        "labels",
        "models",
        "erasures",
    }
