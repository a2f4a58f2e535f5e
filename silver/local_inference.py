"""An extractor in this process, without Spark, for a few photos: embeddings are those of the workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from silver import pixels
from silver.decoder_process import decoder
from silver.litert_runtime import interpreter
from silver.pixels import Limits, RefusedPhoto


@dataclass(frozen=True)
class InProcessModel:
    """A flatbuffer and the limits on photos.

    As in silver, photos are decoded in a child process.
    """

    weights_id: str
    flatbuffer: bytes
    limits: Limits

    def embed(self, photos: Sequence[bytes]) -> Iterator[NDArray[np.float32] | RefusedPhoto]:
        """Yield each photo's embedding float32[d], or its refusal, in order.

        Raises UnusableModel where the flatbuffer can't be used.
        """
        model = interpreter(self.flatbuffer, self.weights_id)
        child = decoder(pixels.decode, size=model.size, limits=self.limits)
        with closing(child.decoded(photos)) as decoded:
            for photo in decoded:
                yield photo if isinstance(photo, RefusedPhoto) else model.embed(photo)
