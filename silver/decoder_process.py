"""Decoding of photos in an isolated process, so that a decoder that crashes, hangs or takes too much memory
costs one photo only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lake import isolated_process
from lake.enums import SILVER
from lake.isolated_process import Failure, FailureKind, IsolatedProcess, ProcessLimits, WorkDone
from lake.isolated_work import AHEAD, memory_ran_out
from silver.pixels import Limits, RefusalReason, RefusedPhoto

REASONS = {
    FailureKind.CRASHED: RefusalReason.DECODER_CRASHED,
    FailureKind.TIMEOUT: RefusalReason.DECODER_TIMEOUT,
    FailureKind.MEMORY: RefusalReason.TOO_LARGE,
}

BROKEN = (RefusalReason.TRUNCATED, RefusalReason.UNDECODABLE)
"""The refusals of a decoder that gave up, which it does also where it gets no memory."""


class Decode(Protocol):
    """A function that decodes a photo to uint8[size, size, 3], such as `pixels.decode`.

    It raises RefusedPhoto for a photo that it refuses. For a photo longer than `limits.max_bytes` it may
    get only the first bytes, which are still more than `limits.max_bytes`. It belongs to a module.
    """

    def __call__(self, content: bytes, *, size: int, limits: Limits) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Decoding:
    """The work of the child: a photo's pixels, or as text the reason and the detail of its refusal."""

    decode: Decode
    size: int
    limits: Limits

    def __call__(self, content: bytes) -> tuple[str, bytes | memoryview]:
        """Decode one photo. Raises MemoryError where that takes too much memory."""
        try:
            pixels = self.decode(content, size=self.size, limits=self.limits)
        except RefusedPhoto as refused:
            if refused.reason in BROKEN and memory_ran_out():
                raise MemoryError from None
            return f"{refused.reason}\n{refused.detail}", b""
        return "", pixels.data if pixels.flags.c_contiguous else pixels.tobytes()


class Decoder:
    """A decoder of photos, one batch at a time, in a child process that is replaced when it fails."""

    def __init__(
        self,
        decode: Decode,
        *,
        size: int,
        limits: Limits,
        start: Callable[..., IsolatedProcess] = IsolatedProcess,
    ) -> None:
        """Start the child. Raises OSError where no process can be started."""
        self._shape = size, size, 3
        self._process = start(
            Decoding(decode, size, limits),
            limits=ProcessLimits(limits.max_bytes, limits.decode_seconds, limits.decoder_memory),
            most_made=AHEAD * size * size * 3,
        )

    def decoded(
        self, contents: Iterable[bytes | memoryview]
    ) -> Generator[NDArray[np.uint8] | RefusedPhoto]:
        """Yield each photo's pixels or its refusal, in order.

        The caller closes the generator where it doesn't exhaust it. Pixels are uint8[size, size, 3] and
        read-only. A photo that kills the child, or whose decoding raises anything but RefusedPhoto, is
        refused as `decoder_crashed`; one that takes longer than `limits.decode_seconds` as
        `decoder_timeout`, and one that takes more than `limits.decoder_memory` as `too_large`. Raises
        OSError where no process can be started.
        """
        with closing(self._process.answers(contents, self._photo)) as answers:
            for answer in answers:
                if isinstance(answer, Failure):
                    yield RefusedPhoto(REASONS[answer.kind], answer.detail)
                else:
                    yield answer

    def close(self) -> int:
        """End the child, if there is one, and return its exit code, which is negative for a signal."""
        return self._process.close()

    def _photo(self, done: WorkDone) -> NDArray[np.uint8] | RefusedPhoto:
        """Return the pixels, or the refusal. Raises ValueError where a photo has taken over the child."""
        if done.text:
            reason, _, detail = done.text.partition("\n")
            return RefusedPhoto(RefusalReason(reason), detail)
        return np.frombuffer(done.made, np.uint8).reshape(self._shape)


def decoder(decode: Decode, *, size: int, limits: Limits) -> Decoder:
    """Return a decoder in the isolated process of this process (`isolated_process.kept`).

    Raises OSError where no process can be started.
    """
    return Decoder(decode, size=size, limits=limits, start=partial(isolated_process.kept, SILVER))
