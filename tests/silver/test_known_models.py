"""Which of a lake's extractors the settings mean."""

from datetime import UTC, datetime, timedelta

import pytest

from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import ModelStatus, PixelWay, Precision
from lake.model_identity import ModelIdentity
from silver.known_models import WantedModel, file_name, known_model
from silver.model_artifact import source_sha256

SHA = "ab" * 32
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def settings(*overrides):
    words = ["model.extractor=mobilenet_v2", "model.weights=random:3", *overrides]
    return Settings.load("local", environment={}, overrides=words).model


def row(*, day, precision="float32", pixels=None, status=ModelStatus.CONVERTED, **more):
    """A row of gold/models. Without `pixels` it is one of earlier code."""
    identity = ModelIdentity(SHA, Precision(precision), PixelWay(pixels or "hamming"))
    return {
        "extractor": "mobilenet_v2",
        "source_sha256": source_sha256(settings()),
        "precision": precision,
        "pixels": pixels,
        "model_sha256": pixels and SHA,
        "weights_id": identity.weights_id,
        "status": status,
        "created_at": FIRST + timedelta(days=day),
        **more,
    }


BEFORE = row(day=0)
BICUBIC = row(day=1, pixels="bicubic")
ROUGH = row(day=2, pixels="bicubic", precision="bfloat16")
RETIRED = ModelStatus.RETIRED


def test_a_new_lake_gets_bicubic_pixels():
    wanted = WantedModel.of([], settings())
    assert (wanted.known, wanted.beside) == (None, None)
    assert wanted.identity(SHA) == ModelIdentity(SHA, Precision.FLOAT32, PixelWay.BICUBIC)


@pytest.mark.parametrize(
    ("overrides", "rows", "expected"),
    [
        ((), [BEFORE], BEFORE),
        # A newer one may only have been tried, and have no embedding.
        ((), [BICUBIC, BEFORE], BEFORE),
        ((), [BICUBIC, {**BEFORE, "status": RETIRED}], BICUBIC),
        ((), [BEFORE, ROUGH], BEFORE),
        ((), [BEFORE, {**BICUBIC, "status": RETIRED}], BEFORE),
        (("model.pixels=hamming",), [BEFORE, BICUBIC], BEFORE),
        (("model.pixels=bicubic",), [BEFORE], None),
        (("model.precision=bfloat16",), [BEFORE, BICUBIC], None),
        (("model.precision=bfloat16",), [BEFORE, ROUGH], ROUGH),
        (("model.precision=bfloat16", "model.pixels=hamming"), [BEFORE, ROUGH], None),
        (("model.weights=random:4",), [BEFORE, BICUBIC], None),
        ((), [{**BEFORE, "extractor": "resnet50"}], None),
        # Retired ones come back, the last one first.
        (("model.pixels=hamming",), [{**BEFORE, "status": RETIRED}], {**BEFORE, "status": RETIRED}),
        ((), [{**BEFORE, "status": RETIRED}], {**BEFORE, "status": RETIRED}),
        (
            (),
            [{**BEFORE, "status": RETIRED}, {**BICUBIC, "status": RETIRED}],
            {**BICUBIC, "status": RETIRED},
        ),
        ((), [{**BICUBIC, "status": RETIRED}], {**BICUBIC, "status": RETIRED}),
    ],
)
def test_the_settings_mean_one_model(overrides, rows, expected):
    assert known_model(rows, settings(*overrides)) == expected


def test_another_precision_and_way_share_the_model_file():
    wanted = WantedModel.of([BEFORE], settings("model.precision=bfloat16", "model.pixels=bicubic"))
    assert (wanted.known, wanted.beside) == (None, BEFORE)
    kept = WantedModel.of(
        [{**BICUBIC, "status": RETIRED}, BEFORE], settings("model.precision=bfloat16")
    )
    assert kept.beside == BEFORE
    assert WantedModel.of([BEFORE], settings("model.weights=random:4")).beside is None
    quantised = row(day=3, precision="int8", pixels="bicubic")
    assert WantedModel.of([quantised], settings()).beside is None


def test_int8_has_a_file_of_its_own_and_is_made_of_the_flatbuffer():
    quantised = row(day=3, precision="int8", pixels="bicubic")
    wanted = WantedModel.of([ROUGH], settings("model.precision=int8"))
    assert (wanted.known, wanted.beside, wanted.exact) == (None, None, ROUGH)
    way = settings("model.precision=int8", "model.pixels=hamming")
    wanted = WantedModel.of([BEFORE, quantised], way)
    assert (wanted.known, wanted.beside, wanted.exact) == (None, quantised, BEFORE)
    assert WantedModel.of([quantised], settings("model.precision=int8")).known == quantised
    names = [file_name("own", ModelIdentity.of(each)) for each in (BEFORE, ROUGH, quantised)]
    assert names == [f"models/own-{SHA}.tflite"] * 2 + [f"models/own-{SHA}.zip"]


def test_one_that_is_half_retired_is_refused():
    half = {**BICUBIC, "status": ModelStatus.RETIRING}
    with pytest.raises(
        BadInput, match=f"finish it first with run.py retire {half['weights_id'][:12]}"
    ):
        known_model([BEFORE, half], settings("model.pixels=bicubic"))
    assert known_model([BEFORE, half], settings()) == BEFORE


def test_the_same_model_file_of_other_weights_is_the_model_that_the_lake_has():
    """Weights that were saved to another file convert to the same flatbuffer."""
    elsewhere = settings("model.weights=random:4")
    wanted = WantedModel.of([BEFORE], elsewhere)
    assert wanted.known is None
    held = wanted.with_file([BEFORE], elsewhere, model_sha256=SHA)
    assert (held.known, held.identity(SHA).weights_id) == (BEFORE, BEFORE["weights_id"])
    other = wanted.with_file([BEFORE], elsewhere, model_sha256="0" * 64)
    assert (other.known, other.pixels) == (None, PixelWay.BICUBIC)
    said = settings("model.weights=random:4", "model.pixels=bicubic")
    told = WantedModel.of([BEFORE], said).with_file([BEFORE], said, model_sha256=SHA)
    assert (told.known, told.pixels) == (None, PixelWay.BICUBIC)


def test_a_model_of_later_code_is_told():
    with pytest.raises(BadInput, match="update the code"):
        ModelIdentity.of({**BICUBIC, "precision": "float8"})
