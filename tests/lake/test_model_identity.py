"""The name of all that makes an embedding: each part counts, and names of before stay."""

import hashlib
from itertools import product

import pytest

from lake.enums import PixelWay, Precision
from lake.model_identity import ModelIdentity, file_sha256, weights_id

SHA, OTHER = "ab" * 32, "cd" * 32


def test_what_earlier_code_made_keeps_its_name():
    assert weights_id(SHA, precision=Precision.FLOAT32, pixels=PixelWay.HAMMING) == SHA


def test_any_other_part_makes_another_name():
    parts = list(product((SHA, OTHER), Precision, PixelWay))
    names = {weights_id(sha, precision=precision, pixels=way) for sha, precision, way in parts}
    assert len(names) == len(parts)
    assert all(len(name) == 64 and int(name, 16) for name in names)


def test_a_name_is_the_hash_of_three_lines():
    """Lakes keep the names for good, so the text never changes."""
    text = f"model_sha256={SHA}\nprecision=bfloat16\npixels=bicubic\n"
    found = weights_id(SHA, precision=Precision.BFLOAT16, pixels=PixelWay.BICUBIC)
    assert found == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("precision", [None, "float32"])
def test_a_row_of_earlier_code_has_the_identity_of_its_flatbuffer(precision):
    row = {"weights_id": SHA, "model_sha256": None, "precision": precision, "pixels": None}
    found = ModelIdentity.of(row)
    assert found == ModelIdentity(SHA, Precision.FLOAT32, PixelWay.HAMMING)
    assert found.weights_id == SHA


def test_a_row_has_the_identity_that_it_tells():
    made = ModelIdentity(SHA, Precision.BFLOAT16, PixelWay.HAMMING)
    row = {"weights_id": made.weights_id, "model_sha256": SHA, "precision": "bfloat16"}
    assert ModelIdentity.of({**row, "pixels": "hamming"}) == made
    assert str(made) == "bfloat16, hamming pixels"


def test_a_file_is_known_by_its_sha256():
    assert file_sha256(b"") == hashlib.sha256(b"").hexdigest()
