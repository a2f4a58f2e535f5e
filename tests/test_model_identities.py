"""A model file in several precisions and on several ways of the pixels: each is a model of its own."""

import shutil
from functools import partial

import numpy as np
import pytest

from lake import catalog
from lake.enums import ModelKind
from lake.model_identity import ModelIdentity
from page import predictions
from page.predictions import local_model
from report.lake_counts import sums
from silver import model_artifact, model_broadcast, precision_quality
from silver.embedding_rows import BroadcastModel
from silver.local_inference import InProcessModel
from silver.model_files import unpacked
from silver.precision_quality import compared, sentence
from silver.processor_features import BFLOAT16, INT8, features
from tests.lakes import make
from tests.support import older_processor
from tests.support.earlier_lakes import MODEL, SETTINGS, calls, place_of, unpack_lake
from tests.support.place import Place
from tests.support.table_contents import repeated

PHOTOS = 12
ROUGH, BYTES = "model.precision=bfloat16", "model.precision=int8"
BICUBIC = "model.pixels=bicubic"
ALL_PASS = "gates.refused_share=1.0"
"""A chunk of the lake has eight photos of one colour, which each model refuses, and a gate blocks."""


class EarlierLake(Place):
    """A lake of format 5 that went on with new photos: its model's row and files before and after."""

    row_before: dict
    files_before: dict
    photos_before: int


def under(place, *overrides):
    """The same lake under other settings, its own among them."""
    return place.set(*SETTINGS, *MODEL, ALL_PASS, *overrides)


def models_of(place):
    """The rows of the extractors."""
    rows = place.lake.records(catalog.MODELS)
    return [row for row in rows if row["kind"] == ModelKind.EXTRACTOR]


def embedded_files(place, weights_id):
    """The files of a model's embeddings, by name, with their times."""
    folder = place.root / "lake" / catalog.EMBEDDINGS.name / f"weights_id={weights_id}"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}


def model_files(place):
    return sorted(path.name for path in (place.root / "lake" / "models").iterdir())


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, spark):
    """The lake of format 5 after its blocked chunk was released and new photos came."""
    root = tmp_path_factory.mktemp("earlier")
    unpack_lake(5, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        place = EarlierLake.of(root, spark, *SETTINGS, *MODEL)
        [place.row_before] = models_of(place)
        weights_id = place.row_before["weights_id"]
        place.files_before = embedded_files(place, weights_id)
        place.photos_before = place.lake.source(catalog.EMBEDDINGS).count()
        for seed in range(60, 60 + PHOTOS):
            make.put(place.landing, f"kiwi/{seed}.jpg", make.photo(seed, kind="kiwi"))
        under(place).run()
        yield place


@pytest.fixture
def place(earlier, tmp_path, monkeypatch, spark):
    """A copy of that lake, in the folder of now."""
    shutil.copytree(earlier.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return under(place_of(tmp_path, spark))


def test_a_lake_of_before_goes_on_under_its_name_and_embeds_nothing_again(earlier):
    [row] = models_of(earlier)
    assert (row["weights_id"], row["status"]) == (earlier.row_before["weights_id"], "converted")
    assert (row["pixels"], row["model_sha256"], row["precision"]) == (None, None, "float32")
    held = embedded_files(earlier, row["weights_id"])
    assert earlier.files_before.items() <= held.items()
    assert earlier.lake.source(catalog.EMBEDDINGS).count() >= earlier.photos_before + PHOTOS
    assert repeated(earlier.lake) == {}
    [model] = sums(earlier.files).models
    assert (model.precision, model.pixels, model.waiting) == ("float32", "hamming", 0)
    assert model_files(earlier) == [f"tflite-{row['weights_id']}.tflite"]


def test_another_way_is_another_model_and_the_newest_one_goes_on(place, command):
    [before] = models_of(place)
    held = embedded_files(place, before["weights_id"])
    did = under(place, BICUBIC).run()
    assert did["bronze"].counts == {}
    first, second = sorted(models_of(place), key=lambda row: row["created_at"])
    assert first["weights_id"] == before["weights_id"]
    identity = ModelIdentity.of(second)
    assert str(identity) == "float32, bicubic pixels"
    assert identity.model_sha256 == before["weights_id"] != second["weights_id"]
    assert second["weights_id"] == identity.weights_id
    assert embedded_files(place, before["weights_id"]) == held
    assert model_files(place) == [f"tflite-{before['weights_id']}.tflite"]
    # Without the setting, the newest way goes on; the other one by its name.
    for override in ("model.pixels=as_before", "model.pixels=hamming"):
        assert under(place, override).run("silver")["silver"].counts == {}
    names = {model.name: model.pixels for model in sums(place.files).models}
    assert sorted(names.values()) == ["bicubic", "hamming"]
    code, told = calls(command)("status")
    assert code == 0
    for way in ("hamming", "bicubic"):
        assert f"(float32, {way} pixels): " in told
    code, told = calls(command)("models")
    assert "float32, bicubic pixels" in " ".join(told.split())


def test_a_retired_one_leaves_the_file_to_the_other(place, command):
    call = calls(command)
    [before] = models_of(place)
    under(place, BICUBIC).run()
    [new] = [row for row in models_of(place) if row["weights_id"] != before["weights_id"]]
    code, told = call("retire", "tflite")
    assert (code, "bicubic pixels" in told, "hamming pixels" in told) == (2, True, True)
    code, told = call("retire", new["version"])
    assert code == 0, told
    assert model_files(place) == [f"tflite-{before['weights_id']}.tflite"]
    [left] = sums(place.files).models
    assert left.weights_id == before["weights_id"]
    assert place.run("silver")["silver"].counts == {}  # the first one goes on
    make.put(place.landing, "kiwi/90.jpg", make.photo(90, kind="kiwi"))
    assert place.run()["silver"].counts["kept"] == 1
    assert {row.weights_id for row in place.lake.read(catalog.EMBEDDINGS).collect()} == {
        before["weights_id"]
    }
    # The other way round, the second one comes back under its name.
    assert call("retire", before["version"])[0] == 0
    assert under(place, BICUBIC).run("silver")["silver"].counts["kept"] > PHOTOS
    assert sums(place.files).models[0].weights_id == new["weights_id"]


def skip_without(*needed, precision):
    """Skips a test where this machine's processor has none of the features that a precision needs."""
    if not set(needed).intersection(features()):
        pytest.skip(f"this machine's processor has no {precision}")


@pytest.mark.parametrize(
    "overrides",
    [(BICUBIC,), (ROUGH, BICUBIC), (ROUGH, "model.pixels=hamming"), (BYTES, BICUBIC)],
)
def test_this_process_embeds_as_the_workers_do(place, overrides):
    if ROUGH in overrides:
        skip_without(*BFLOAT16, precision="bfloat16")
    if BYTES in overrides:
        skip_without(*INT8, precision="int8")
    place = under(place, *overrides)
    place.run("silver")
    model = local_model(place.files, place.settings)
    of_model = f"weights_id = '{model.weights_id}'"
    rows = place.lake.read(catalog.EMBEDDINGS).where(of_model).collect()
    contents = {row.photo_id: row.content for row in place.lake.read(catalog.PHOTOS).collect()}
    assert len(rows) > PHOTOS
    for are_many in (False, True):
        found = list(model.look([contents[row.photo_id] for row in rows], are_many=are_many))
        for row, looked in zip(rows, found, strict=True):
            np.testing.assert_array_equal(looked.embedding, np.float32(row.embedding))
            assert looked.fingerprint == (row.dhash, row.brightness, row.sharpness)


def test_photos_that_nobody_waits_for_leave_the_model_free(place):
    model = local_model(place.files, place.settings)
    photos = [row.content for row in place.lake.read(catalog.PHOTOS).limit(8).collect()]
    for _ in range(3):
        looks = model.look(photos, are_many=True)
        next(looks)
        looks.close()
    assert len(list(model.look(photos, are_many=True))) == len(photos)


def test_bfloat16_is_other_rows_of_the_same_file(place):
    skip_without(*BFLOAT16, precision="bfloat16")
    [before] = models_of(place)
    under(place, ROUGH, "model.pixels=hamming").run("silver")
    [new] = [row for row in models_of(place) if row["weights_id"] != before["weights_id"]]
    assert str(ModelIdentity.of(new)) == "bfloat16, hamming pixels"
    assert model_files(place) == [f"tflite-{before['weights_id']}.tflite"]
    held = {}
    for row in place.lake.read(catalog.EMBEDDINGS).collect():
        held.setdefault(row.weights_id, {})[row.photo_id] = np.float32(row.embedding)
    exact, rough = held[before["weights_id"]], held[new["weights_id"]]
    assert exact.keys() == rough.keys()
    of_all = [np.stack([held[photo] for photo in sorted(held)]) for held in (exact, rough)]
    metrics = dict(new["metrics"])
    assert metrics.pop("tried_photos") >= metrics["judged_photos"] == len(exact)
    assert metrics == pytest.approx(compared(*of_all))
    assert metrics["cosine_mean"] < 1
    [told] = [model.judged for model in sums(place.files).models if model.judged]
    assert told == sentence(dict(new["metrics"]))
    apart = [np.abs(exact[photo] - rough[photo]).max() for photo in exact]
    assert 0 < max(apart) < 0.05 * max(np.abs(each).max() for each in exact.values())


def test_a_precision_that_loses_too_much_embeds_nothing(place, command, monkeypatch):
    skip_without(*BFLOAT16, precision="bfloat16")

    def astray(exact, rough):
        return compared(exact, -rough)

    monkeypatch.setattr(precision_quality, "compared", astray)
    before = place.lake.version(catalog.EMBEDDINGS)
    words = ("--layer", "silver", "--precision", "bfloat16", "--set", ALL_PASS)
    for _ in range(2):
        code, told = calls(command)(*words)
        assert code == 3, told
        assert "is blocked, and nothing of it goes on: " in told
        assert "precision-cosine-near" in told
        assert "run the command again. Or use --precision float32." in told
        assert "in bfloat16 has a cosine of -1.0000 to float32" in " ".join(told.split())
        assert place.lake.version(catalog.EMBEDDINGS) == before
    [new] = [row for row in models_of(place) if row["precision"] == "bfloat16"]
    assert not new["metrics"]
    judged = place.lake.records(catalog.QUALITY)
    rule = "precision-cosine-near"
    actions = [row["action"] for row in judged if row["expectation"] == rule]
    assert actions.count("blocked") == 2
    assert under(place, "model.precision=float32").run()["silver"].counts == {}
    monkeypatch.undo()
    assert under(place, ROUGH).run("silver")["silver"].counts["kept"] > PHOTOS
    assert calls(command)("check")[0] == 0


def test_a_precision_is_judged_again_on_twice_as_many_photos(place):
    skip_without(*BFLOAT16, precision="bfloat16")
    rough = under(place, ROUGH)

    def judged():
        rough.run()
        [row] = [row for row in models_of(place) if row["precision"] == "bfloat16"]
        return dict(row["metrics"])["judged_photos"]

    held = judged()
    make.put(place.landing, "kiwi/91.jpg", make.photo(91, kind="kiwi"))
    assert judged() == held
    for seed in range(100, 100 + int(held) + 8):
        make.put(place.landing, f"kiwi/{seed}.jpg", make.photo(seed, kind="kiwi"))
    assert judged() > 2 * held


def embeddings_of(place):
    """The embeddings of each model, by photo."""
    held = {}
    for row in place.lake.read(catalog.EMBEDDINGS).collect():
        held.setdefault(row.weights_id, {})[row.photo_id] = np.float32(row.embedding)
    return held


def test_int8_is_other_rows_of_a_file_that_holds_the_flatbuffer(place, command):
    skip_without(*INT8, precision="int8")
    [before] = models_of(place)
    exact = f"tflite-{before['weights_id']}.tflite"
    held = embedded_files(place, before["weights_id"])
    under(place, BYTES, "model.pixels=hamming").run("silver")
    [new] = [row for row in models_of(place) if row["weights_id"] != before["weights_id"]]
    identity = ModelIdentity.of(new)
    assert str(identity) == "int8, hamming pixels"
    assert new["weights_id"] == identity.weights_id != identity.model_sha256
    assert new["source_sha256"] == before["source_sha256"]
    packed = f"tflite-{identity.model_sha256}.zip"
    assert model_files(place) == sorted([exact, packed])
    content = (place.root / "lake" / "models" / packed).read_bytes()
    assert unpacked(content).exact == (place.root / "lake" / "models" / exact).read_bytes()
    # Nothing is embedded again, and no file is converted again: not for another way either.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_artifact, "begin", None)
        assert under(place, BYTES, "model.pixels=hamming").run("silver")["silver"].counts == {}
        assert under(place).run("silver")["silver"].counts == {}
        under(place, BYTES, BICUBIC).run("silver")
    assert len(models_of(place)) == 3
    assert model_files(place) == sorted([exact, packed])
    assert embedded_files(place, before["weights_id"]) == held
    found = embeddings_of(place)
    first, rough = found[before["weights_id"]], found[new["weights_id"]]
    assert first.keys() == rough.keys()
    near = [cosine(first[photo], rough[photo]) for photo in first]
    assert 0.99 < np.mean(near) < 1
    code, told = calls(command)("status")
    assert (code, "(int8, hamming pixels): " in told) == (0, True)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_flatbuffer_of_the_lake_is_quantised_whatever_the_weights_convert_to_now(
    place, monkeypatch
):
    """Another TensorFlow converts to other bytes; in int8, it is the model that the lake has."""
    skip_without(*INT8, precision="int8")
    given, convert = [], model_artifact.begin

    def begin(model, exact=None):
        given.append(exact)
        return convert(model, exact)

    monkeypatch.setattr(model_artifact, "begin", begin)
    [before] = models_of(place)
    under(place, BYTES).run("silver")
    name = f"tflite-{before['weights_id']}.tflite"
    assert given == [(place.root / "lake" / "models" / name).read_bytes()]


def test_float32_after_int8_is_the_model_that_was_quantised(tmp_path, samples_lake, spark):
    """Another TensorFlow may convert to other bytes, which would be another model."""
    skip_without(*INT8, precision="int8")
    place = Place.of(tmp_path, spark)
    shutil.copytree(samples_lake.landing, place.landing)
    place.set(BYTES).run()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_artifact, "begin", None)
        place.run("silver")
    packed, exact = sorted(model_files(place), key=lambda name: name.endswith(".tflite"))
    folder = place.root / "lake" / "models"
    assert unpacked((folder / packed).read_bytes()).exact == (folder / exact).read_bytes()
    assert sorted(model.precision for model in sums(place.files).models) == ["float32", "int8"]


def test_a_package_in_int8_is_taken_as_it_is(place):
    """A cluster has no NNCF, whatever flatbuffer its lake has."""
    skip_without(*INT8, precision="int8")
    lineage, content = model_artifact.convert(under(place, BYTES).settings.model)
    path = place.root / "model.zip"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(lineage.json())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_artifact, "begin", None)
        under(place, BYTES, f"model.flatbuffer={path}").run("silver")
    held = {ModelIdentity.of(row).model_sha256 for row in models_of(place)}
    assert lineage.model_sha256 in held


def test_a_changed_file_of_int8_is_told(place, command):
    skip_without(*INT8, precision="int8")
    under(place, BYTES).run("silver")
    [path] = (place.root / "lake" / "models").glob("*.zip")
    path.write_bytes(path.read_bytes()[:-1])
    code, told = calls(command)("--layer", "silver", "--precision", "int8", "--set", ALL_PASS)
    assert code == 6
    assert f"The model file {path} was changed; put back the file" in " ".join(told.split())


def test_a_worker_without_int8_refuses_it(place, command, monkeypatch):
    older = partial(BroadcastModel, processor=older_processor.features)
    monkeypatch.setattr(model_broadcast, "BroadcastModel", older)
    before = place.lake.version(catalog.EMBEDDINGS)
    code, told = calls(command)("--layer", "silver", "--precision", "int8", "--set", ALL_PASS)
    [sentence] = [line for line in told.splitlines() if line.startswith("error: ")]
    assert (code, "Traceback" in told) == (2, False)
    assert sentence.startswith("error: model.precision = int8 needs a processor with avx512_vnni")
    assert place.lake.version(catalog.EMBEDDINGS) == before


def test_a_worker_without_bfloat16_refuses_it(place, command, monkeypatch):
    """Where the driver's own processor has it, or not: the driver doesn't embed."""
    older = partial(BroadcastModel, processor=older_processor.features)
    monkeypatch.setattr(model_broadcast, "BroadcastModel", older)
    before = place.lake.version(catalog.EMBEDDINGS)
    code, told = calls(command)("--layer", "silver", "--precision", "bfloat16", "--set", ALL_PASS)
    assert code == 2
    [sentence] = [line for line in told.splitlines() if line.startswith("error: ")]
    assert sentence.startswith(
        "error: model.precision = bfloat16 needs a processor with avx512_bf16"
    )
    assert "set model.precision=float32" in sentence
    assert "Traceback" not in told
    assert place.lake.version(catalog.EMBEDDINGS) == before
    last = max(place.lake.records(catalog.RUNS), key=lambda row: row["started_at"])
    assert last["error"] == sentence.removeprefix("error: ")


def test_a_driver_without_bfloat16_refuses_it_where_it_embeds_itself(place, command, monkeypatch):
    skip_without(*BFLOAT16, precision="bfloat16")
    under(place, ROUGH).run()
    older = partial(InProcessModel, processor=older_processor.features)
    monkeypatch.setattr(predictions, "InProcessModel", older)
    photo = next((place.landing / "kiwi").glob("*.jpg"))
    code, told = calls(command)("similar", str(photo), "--precision", "bfloat16")
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith("error: model.precision = bfloat16 needs a processor with avx512_bf16")
    code, told = calls(command)("similar", str(photo))
    assert code == 0, told
