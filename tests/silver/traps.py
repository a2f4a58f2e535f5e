"""Photos that a decoder fails on as real ones can't be made to, in a module that Spark's workers import."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
from numpy.typing import NDArray

from silver import pixels
from silver.pixels import Limits

NAP = 0.4
"""Seconds that the decoder sleeps over a `SLOW` photo, and then refuses it."""

KILLED, HANGING, SLOW = b"trap: killed", b"trap: hanging", b"trap: slow"
LEAVING, FAILING, OUT_OF_MEMORY = b"trap: leaving", b"trap: failing", b"trap: out of memory"


def decode(content: bytes, *, size: int, limits: Limits) -> NDArray[np.uint8]:
    """`pixels.decode`, but for the traps."""
    if content == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if content == HANGING:
        time.sleep(600)
    if content == SLOW:
        time.sleep(NAP)
    if content == LEAVING:
        raise SystemExit(0)
    if content == FAILING:
        raise KeyError("a secret of the photo")
    if content == OUT_OF_MEMORY:
        raise MemoryError("a secret of the photo")
    return pixels.decode(content, size=size, limits=limits)
