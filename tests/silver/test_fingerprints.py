"""What is measured of a photo is what earlier code measured, from the luminance that its pixels have."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from lake import catalog, delta_rs_reader
from lake.enums import PixelWay
from silver import pixels
from silver.fingerprints import STRONGEST, Fingerprint, luminance
from silver.pixels import Limits
from tests.lakes import make
from tests.support.earlier_lakes import unpack_lake
from tests.support.photo_files import encoded, picture

LIMITS = Limits(50_000_000, 20_000_000, 16, 4, 30, 10**9)


@pytest.mark.parametrize("number", [4, 5])
def test_photos_of_a_lake_of_before_decode_to_what_its_rows_say(
    tmp_path: Path, number: int
) -> None:
    unpack_lake(number, tmp_path)
    lake = str(tmp_path / "lake")
    contents = {
        row["photo_id"]: bytes(row["content"]) for row in delta_rs_reader.rows(lake, catalog.PHOTOS)
    }
    rows = delta_rs_reader.rows(lake, catalog.EMBEDDINGS)
    assert len(rows) > 20
    for row in rows:
        photo = pixels.decode(
            contents[row["photo_id"]], size=make.SIDE, limits=LIMITS, way=PixelWay.HAMMING
        )
        found = photo.fingerprint
        assert (found.dhash, found.brightness) == (row["dhash"], row["brightness"])
        # On another processor the sums of float32 may round otherwise.
        assert found.sharpness == pytest.approx(row["sharpness"], rel=1e-5)


@pytest.mark.parametrize("way", PixelWay)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_a_fingerprint_is_of_the_pixels_that_come_with_it(mode: str, way: PixelWay) -> None:
    content = encoded(picture(mode, (90, 70)), "PNG")
    photo = pixels.decode(content, size=64, limits=LIMITS, way=way)
    assert photo.fingerprint == Fingerprint.of(photo.pixels)
    assert photo.fingerprint == Fingerprint.of(luminance(photo.pixels))
    assert photo.fingerprint.is_possible


@pytest.mark.parametrize(
    ("brightness", "sharpness", "is_possible"),
    [
        (0.0, 0.0, True),
        (1.0, STRONGEST, True),
        (float(np.nextafter(1, 2)), 0.0, False),
        (-0.01, 0.0, False),
        (math.nan, 0.0, False),
        (math.inf, 0.0, False),
        (0.5, float(np.nextafter(STRONGEST, math.inf)), False),
        (0.5, -1.0, False),
        (0.5, math.nan, False),
        (0.5, math.inf, False),
    ],
)
def test_no_pixels_have_numbers_out_of_range(
    brightness: float, sharpness: float, is_possible: bool
) -> None:
    assert Fingerprint(0, brightness, sharpness).is_possible is is_possible


@pytest.mark.parametrize("size", [8, 33, 224, 384, 1000])
def test_the_strongest_contrast_has_a_possible_fingerprint(size: int) -> None:
    chess = np.indices((size, size)).sum(axis=0) % 2 * 255
    found = Fingerprint.of(chess.astype(np.uint8))
    assert found.sharpness == pytest.approx((4 * 255) ** 2, rel=1e-3)
    assert found.is_possible
