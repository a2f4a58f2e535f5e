"""A model of the user's own: a LiteRT flatbuffer as it is, `--extractor tflite --weights FILE.tflite`.

It takes one square RGB photo in [0, 255], float32 or uint8[1, s, s, 3], and gives one embedding,
float32[1, d]. What it wants of scaling must be within it: only then does `weights_id` say it all.
"""

from __future__ import annotations

from silver.weights import WeightsSource, WeightsUnavailable, contents, hashed

CHOICES = "the path or s3:// URI of a LiteRT flatbuffer (.tflite)"
IDENTIFIER = slice(4, 8)


def source(weights: str) -> WeightsSource:
    """The file of that name. Raises WeightsUnavailable."""
    path, content = contents(weights, choices=CHOICES)
    if content[IDENTIFIER] != b"TFL3":
        raise WeightsUnavailable(f"Weights `{weights}`: no LiteRT flatbuffer; name {CHOICES}.")
    return WeightsSource("file", hashed(content), path=path)


def build(source: WeightsSource) -> bytes:
    """The flatbuffer."""
    assert source.path
    return source.path.read_bytes()
