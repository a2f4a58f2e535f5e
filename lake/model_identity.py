"""What makes an embedding: a model file, the precision that it runs with, and the way of the pixels into it.

The three together are an identity. Its name, the `weights_id`, stands in every row that a model made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from conf.errors import BadInput
from lake.enums import PixelWay, Precision

FROM_FLATBUFFER = (Precision.FLOAT32, Precision.BFLOAT16)
"""The precisions whose model file is the flatbuffer as it was converted: they share it."""


def file_sha256(content: bytes) -> str:
    """Return the SHA-256 of a model file, in hex."""
    return hashlib.sha256(content).hexdigest()


def weights_id(model_sha256: str, *, precision: Precision, pixels: PixelWay) -> str:
    """Return the name of an identity, 64 hex digits. `model_sha256` is the SHA-256 of the model file in hex.

    For float32 and Hamming it is the `model_sha256` itself: earlier code had nothing else, so the rows of its
    lakes keep their name. For others it is the SHA-256 of a text with a line for each of the three.
    """
    if (precision, pixels) == (Precision.FLOAT32, PixelWay.HAMMING):
        return model_sha256
    text = f"model_sha256={model_sha256}\nprecision={precision.value}\npixels={pixels.value}\n"
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ModelIdentity:
    """What makes an embedding. `model_sha256` is the SHA-256 of the model file, in hex."""

    model_sha256: str
    precision: Precision
    pixels: PixelWay

    @property
    def weights_id(self) -> str:
        """The name of the identity: in every row that the model made."""
        return weights_id(self.model_sha256, precision=self.precision, pixels=self.pixels)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the identity of an extractor, a row of gold/models.

        A row of earlier code has neither a `model_sha256` nor `pixels`: its flatbuffer ran in float32, on
        pixels of the Hamming filter, under the flatbuffer's own hash. Raises BadInput for a model of later
        code.
        """
        try:
            precision = Precision(row["precision"] or Precision.FLOAT32)
            way = PixelWay(row["pixels"] or PixelWay.HAMMING)
        except ValueError:
            raise BadInput(
                f"The lake has a model in {row['precision']} with {row['pixels']} pixels, which this code "
                f"doesn't know; update the code."
            ) from None
        return cls(row["model_sha256"] or row["weights_id"], precision, way)

    def __str__(self) -> str:
        """The precision and the way of the pixels, as tables and sentences name them."""
        return f"{self.precision}, {self.pixels} pixels"
