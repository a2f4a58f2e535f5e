"""Decoding of photos in an isolated process, so that a decoder that crashes, hangs or takes too much memory
costs one photo only."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from lake import isolated_process
from lake.enums import SILVER, PixelWay
from lake.isolated_process import Failure, FailureKind, IsolatedProcess, ProcessLimits, WorkDone
from lake.isolated_work import AHEAD, memory_ran_out
from silver import resizing
from silver.fingerprints import Fingerprint
from silver.pixels import DecodedPhoto, Limits, RefusalReason, RefusedPhoto

REASONS = {
    FailureKind.CRASHED: RefusalReason.DECODER_CRASHED,
    FailureKind.TIMEOUT: RefusalReason.DECODER_TIMEOUT,
    FailureKind.MEMORY: RefusalReason.TOO_LARGE,
}

BROKEN = (RefusalReason.TRUNCATED, RefusalReason.UNDECODABLE)
"""The refusals of a decoder that gave up, which it does also where it gets no memory."""


FINGERPRINT = struct.Struct("<qdd")
"""What follows a photo's pixels on their way from the child: dhash, brightness and sharpness."""


class Decode(Protocol):
    """A function that decodes a photo to `size` x `size` pixels in a way, such as `pixels.decode`.

    It raises RefusedPhoto for a photo that it refuses. For a photo longer than `limits.max_bytes` it may
    get only the first bytes, which are still more than `limits.max_bytes`. It belongs to a module.
    """

    def __call__(
        self, content: bytes, *, size: int, limits: Limits, way: PixelWay
    ) -> DecodedPhoto: ...


@dataclass(frozen=True)
class Decoding:
    """The work of the child: a photo's pixels and their fingerprint, or as text the reason and the detail of
    its refusal."""

    decode: Decode
    size: int
    limits: Limits
    way: PixelWay

    def __call__(self, content: bytes) -> tuple[str, bytes | memoryview]:
        """Decode one photo. Raises MemoryError where that takes too much memory."""
        try:
            photo = self.decode(content, size=self.size, limits=self.limits, way=self.way)
        except RefusedPhoto as refused:
            if refused.reason in BROKEN and memory_ran_out():
                raise MemoryError from None
            return f"{refused.reason}\n{refused.detail}", b""
        return "", b"".join((photo.pixels.data, FINGERPRINT.pack(*photo.fingerprint)))


class Decoder:
    """A decoder of photos, one batch at a time, in a child process that is replaced when it fails."""

    def __init__(
        self,
        decode: Decode,
        *,
        size: int,
        limits: Limits,
        way: PixelWay,
        start: Callable[..., IsolatedProcess] = IsolatedProcess,
    ) -> None:
        """Start the child, which resizes photos in that way.

        Raises OSError where no process can be started, and BadInput where this machine has no such way.
        """
        resizing.check(way)
        self._shape = size, size, 3
        self._process = start(
            Decoding(decode, size, limits, way),
            limits=ProcessLimits(limits.max_bytes, limits.decode_seconds, limits.decoder_memory),
            most_made=AHEAD * (size * size * 3 + FINGERPRINT.size),
        )

    def decoded(
        self, contents: Iterable[bytes | memoryview], *, has_own_core: bool = False
    ) -> Generator[DecodedPhoto | RefusedPhoto]:
        """Yield each decoded photo or its refusal, in order.

        Where the child `has_own_core`, it decodes the next photos while the caller uses those before.
        The caller closes the generator where it doesn't exhaust it. A photo that kills the child, or whose
        decoding raises anything but RefusedPhoto, is refused as `decoder_crashed`; one that takes longer than
        `limits.decode_seconds` as `decoder_timeout`, and one that takes more than `limits.decoder_memory` as
        `too_large`. Raises OSError where no process can be started.
        """
        answers = self._process.answers(contents, self._photo, has_own_core=has_own_core)
        with closing(answers):
            for answer in answers:
                if isinstance(answer, Failure):
                    yield RefusedPhoto(REASONS[answer.kind], answer.detail)
                else:
                    yield answer

    def close(self) -> int:
        """End the child, if there is one, and return its exit code, which is negative for a signal."""
        return self._process.close()

    def _photo(self, done: WorkDone) -> DecodedPhoto | RefusedPhoto:
        """Return the photo, or the refusal. Raises ValueError where a photo has taken over the child."""
        if done.text:
            reason, _, detail = done.text.partition("\n")
            return RefusedPhoto(RefusalReason(reason), detail)
        length = math.prod(self._shape)
        if len(done.made) != length + FINGERPRINT.size:
            raise ValueError("There are not as many bytes as a decoded photo has.")
        pixels = np.frombuffer(done.made, np.uint8, length).reshape(self._shape)
        fingerprint = Fingerprint(*FINGERPRINT.unpack_from(done.made, length))
        if not fingerprint.is_possible:
            raise ValueError("No photo has such a fingerprint.")
        return DecodedPhoto(pixels, fingerprint)


def decoder(decode: Decode, *, size: int, limits: Limits, way: PixelWay) -> Decoder:
    """Return a decoder in the isolated process of this process (`isolated_process.kept`).

    Raises OSError where no process can be started, and BadInput where this machine has no such way.
    """
    return Decoder(
        decode, size=size, limits=limits, way=way, start=partial(isolated_process.kept, SILVER)
    )
