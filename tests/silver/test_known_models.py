"""Which of a lake's extractors the settings mean."""

from datetime import UTC, datetime, timedelta

import pytest

from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import ModelStatus, PixelWay, Precision
from lake.model_identity import ModelIdentity
from silver.known_models import WantedModel, known_model
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
BILINEAR = row(day=1, pixels="bilinear")
ROUGH = row(day=2, pixels="bilinear", precision="bfloat16")
RETIRED = ModelStatus.RETIRED


def test_a_new_lake_gets_bilinear_pixels():
    wanted = WantedModel.of([], settings())
    assert (wanted.known, wanted.beside) == (None, None)
    assert wanted.identity(SHA) == ModelIdentity(SHA, Precision.FLOAT32, PixelWay.BILINEAR)


@pytest.mark.parametrize(
    ("overrides", "rows", "expected"),
    [
        ((), [BEFORE], BEFORE),
        ((), [BILINEAR, BEFORE], BILINEAR),
        ((), [BEFORE, ROUGH], BEFORE),
        ((), [BEFORE, {**BILINEAR, "status": RETIRED}], BEFORE),
        (("model.pixels=hamming",), [BEFORE, BILINEAR], BEFORE),
        (("model.pixels=bilinear",), [BEFORE], None),
        (("model.precision=bfloat16",), [BEFORE, BILINEAR], None),
        (("model.precision=bfloat16",), [BEFORE, ROUGH], ROUGH),
        (("model.precision=bfloat16", "model.pixels=hamming"), [BEFORE, ROUGH], None),
        (("model.weights=random:4",), [BEFORE, BILINEAR], None),
        ((), [{**BEFORE, "extractor": "resnet50"}], None),
        # A retired one comes back where the settings mean it, and else the new way is taken.
        (("model.pixels=hamming",), [{**BEFORE, "status": RETIRED}], {**BEFORE, "status": RETIRED}),
        ((), [{**BEFORE, "status": RETIRED}], None),
        ((), [{**BILINEAR, "status": RETIRED}], {**BILINEAR, "status": RETIRED}),
    ],
)
def test_the_settings_mean_one_model(overrides, rows, expected):
    assert known_model(rows, settings(*overrides)) == expected


def test_another_precision_and_way_share_the_model_file():
    wanted = WantedModel.of([BEFORE], settings("model.precision=bfloat16", "model.pixels=bilinear"))
    assert (wanted.known, wanted.beside) == (None, BEFORE)
    kept = WantedModel.of(
        [{**BILINEAR, "status": RETIRED}, BEFORE], settings("model.precision=bfloat16")
    )
    assert kept.beside == BEFORE
    assert WantedModel.of([BEFORE], settings("model.weights=random:4")).beside is None
    quantised = row(day=3, precision="int8", pixels="bilinear")
    assert WantedModel.of([quantised], settings()).beside is None


def test_one_that_is_half_retired_is_refused():
    half = {**BILINEAR, "status": ModelStatus.RETIRING}
    with pytest.raises(
        BadInput, match=f"finish it first with run.py retire {half['weights_id'][:12]}"
    ):
        known_model([BEFORE, half], settings())
    assert known_model([BEFORE, half], settings("model.pixels=hamming")) == BEFORE
