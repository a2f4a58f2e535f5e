"""An extractor in this process, without Spark, for a few photos: embeddings are those of the workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lake.cpu_cores import cores
from lake.model_identity import ModelIdentity
from silver import pixels, processor_features, resizing
from silver.decoder_process import decoder
from silver.fingerprints import Fingerprint
from silver.inference_runtime import CompiledModel, compiled_model
from silver.pixels import DecodedPhoto, Limits, RefusedPhoto
from silver.processor_features import Features, features

STREAMS = min(4, cores())
"""How many photos of several are embedded at once. The child decodes for no more of them."""


class LookedAt(NamedTuple):
    """What a model makes of one photo: its embedding float32[d], and the fingerprint of its pixels."""

    embedding: NDArray[np.float32]
    fingerprint: Fingerprint


@dataclass(frozen=True)
class InProcessModel:
    """A model file with what else makes an embedding, and the limits on photos.

    As in silver, photos are decoded in a child process.
    """

    identity: ModelIdentity
    content: bytes
    limits: Limits
    processor: Features = features

    @property
    def weights_id(self) -> str:
        """The name of the model in the rows of the tables."""
        return self.identity.weights_id

    def check(self) -> None:
        """Raise UnsupportedPrecision where this machine's processor lacks the model's precision, and BadInput
        where it lacks the way of the pixels."""
        processor_features.check(self.identity.precision, self.processor)
        resizing.check(self.identity.pixels)

    def look(
        self, photos: Iterable[bytes], *, are_many: bool
    ) -> Generator[LookedAt | RefusedPhoto]:
        """Yield what the model makes of each clean photo, or its refusal, in order.

        While a photo is embedded, the child decodes the next ones, and of many photos several are embedded at
        once: together they take less time than one after another. The caller closes the generator where it
        doesn't exhaust it. Raises UnusableModel where the model file can't be used, UnsupportedPrecision
        where the processor lacks the model's precision, and BadInput where this machine lacks the way of the
        pixels.
        """
        model = self._compiled(streams=1)
        way = self.identity.pixels
        child = decoder(pixels.decode, size=model.size, limits=self.limits, way=way)
        if are_many and STREAMS > 1:
            model = self._compiled(streams=STREAMS)
        begun: deque[Callable[[], LookedAt | RefusedPhoto]] = deque()
        with closing(child.decoded(photos, has_own_core=True)) as decoded:
            try:
                for photo in decoded:
                    begun.append(_begun(model, photo))
                    if len(begun) == model.streams:
                        yield begun.popleft()()
                while begun:
                    yield begun.popleft()()
            finally:
                # This process keeps the model, so its streams must be free again.
                for finish in begun:
                    finish()

    def _compiled(self, *, streams: int) -> CompiledModel:
        return compiled_model(
            self.content,
            self.identity.model_sha256,
            precision=self.identity.precision,
            streams=streams,
            processor=self.processor,
        )


def _begun(
    model: CompiledModel, photo: DecodedPhoto | RefusedPhoto
) -> Callable[[], LookedAt | RefusedPhoto]:
    """Begin to embed a decoded photo; return a function that waits for what the model makes of it."""
    if isinstance(photo, RefusedPhoto):
        return lambda: photo
    embedding = model.begin(photo.pixels)
    return lambda: LookedAt(embedding(), photo.fingerprint)
