"""An extractor in this process, without Spark, for a few photos: embeddings are those of the workers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lake.cpu_cores import cores
from lake.enums import PixelWay
from silver import pixels
from silver.decoder_process import decoder
from silver.fingerprints import Fingerprint
from silver.litert_runtime import interpreter
from silver.pixels import Limits, RefusedPhoto

THREADS = min(4, cores())
"""The threads that embed one of several photos. More of them gain little on one photo of 224 × 224."""


class LookedAt(NamedTuple):
    """What a model makes of one photo: its embedding float32[d], and the fingerprint of its pixels."""

    embedding: NDArray[np.float32]
    fingerprint: Fingerprint


@dataclass(frozen=True)
class InProcessModel:
    """A flatbuffer and the limits on photos.

    As in silver, photos are decoded in a child process.
    """

    weights_id: str
    flatbuffer: bytes
    limits: Limits

    def look(
        self, photos: Iterable[bytes], *, are_many: bool
    ) -> Generator[LookedAt | RefusedPhoto]:
        """Yield what the model makes of each clean photo, or its refusal, in order.

        While a photo is embedded, the child decodes the next ones: many photos at once take less time than
        one after another. The caller closes the generator where it doesn't exhaust it. Raises UnusableModel
        where the flatbuffer can't be used.
        """
        model = interpreter(self.flatbuffer, self.weights_id)
        child = decoder(pixels.decode, size=model.size, limits=self.limits, way=PixelWay.HAMMING)
        if are_many:
            model = interpreter(self.flatbuffer, self.weights_id, threads=THREADS)
        with closing(child.decoded(photos)) as decoded:
            for photo in decoded:
                if isinstance(photo, RefusedPhoto):
                    yield photo
                else:
                    yield LookedAt(model.embed(photo.pixels), photo.fingerprint)
