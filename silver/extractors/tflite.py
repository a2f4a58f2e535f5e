"""A LiteRT flatbuffer of the user, taken unchanged: `--extractor tflite --weights FILE.tflite`.

It takes one square RGB photo in [0, 255], float32 or uint8[1, s, s, 3], and returns one embedding,
float32[1, d]. Any scaling of pixels must be part of the model, so that the file's hash covers it.
"""

from __future__ import annotations

from silver.model_files import is_flatbuffer
from silver.weights import WeightsSource, WeightsUnavailable, contents, hashed

CHOICES = "the path or s3:// URI of a LiteRT flatbuffer (.tflite)"


def source(weights: str) -> WeightsSource:
    """Return the flatbuffer's file as the source. Raises WeightsUnavailable where it can't be used."""
    path, content = contents(weights, choices=CHOICES)
    if not is_flatbuffer(content):
        raise WeightsUnavailable(f"Weights `{weights}`: no LiteRT flatbuffer; name {CHOICES}.")
    return WeightsSource("file", hashed(content), path=path)


def build(source: WeightsSource) -> bytes:
    """Return the bytes of the flatbuffer, float32 or uint8[1, s, s, 3] -> float32[1, d]."""
    assert source.path
    return source.path.read_bytes()
