"""The worker's side of inference: a flatbuffer, run by LiteRT on one thread. No TensorFlow."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHATTER = re.compile(rb"INFO: |WARNING: All log messages before absl|[IWE]\d{4} ")
NOTHING = re.compile(rb"(?!)")


class UnusableModel(ValueError):
    """A flatbuffer that LiteRT can't load, or that doesn't turn one photo into one embedding."""


class Interpreter:
    """One model of one Python process. Not for several threads: its input is one buffer.

    `size` is the side of its input in pixels, `dimensions` the length of an embedding.
    """

    def __init__(self, flatbuffer: bytes) -> None:
        """Raises UnusableModel."""
        # Loaded here: only workers need it.
        from ai_edge_litert.interpreter import Interpreter as LiteRT

        try:
            # LiteRT announces its XNNPACK delegate on every worker's stderr.
            with quiet_stderr():
                # One thread: Spark's task slots are the parallelism.
                self._litert = LiteRT(model_content=flatbuffer, num_threads=1)
                self._litert.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UnusableModel("The model can't be loaded: it is no LiteRT flatbuffer.") from error
        given, made = self._litert.get_input_details(), self._litert.get_output_details()
        if [_kind(tensor) for tensor in (*given, *made)] != [(np.float32, 4), (np.float32, 2)]:
            raise UnusableModel("The model must turn float32[1, s, s, 3] into float32[1, d].")
        batch, height, width, channels = (int(n) for n in given[0]["shape"])
        if (batch, height, channels) != (1, width, 3):
            raise UnusableModel("The model must take one square RGB photo, float32[1, s, s, 3].")
        self.size = width
        self.dimensions = int(made[0]["shape"][1])
        self._input = self._litert.tensor(given[0]["index"])
        self._output: int = made[0]["index"]

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8[size, size, 3] RGB -> float32[dimensions]. Raises ValueError for another shape."""
        if pixels.shape != (self.size, self.size, 3):
            raise ValueError(f"The model takes {self.size} x {self.size} RGB, not {pixels.shape}.")
        # Converted straight into LiteRT's own buffer. The view must not live on: LiteRT refuses to
        # run while one does.
        np.copyto(self._input()[0], pixels)
        self._litert.invoke()
        embedding: NDArray[np.float32] = self._litert.get_tensor(self._output)[0]
        return embedding


def _kind(tensor: dict[str, Any]) -> tuple[type, int]:
    return tensor["dtype"], len(tensor["shape"])


_loaded: dict[str, Interpreter] = {}


def interpreter(flatbuffer: bytes, weights_id: str) -> Interpreter:
    """The interpreter of that model, loaded once a process, in about 25 ms.

    Raises UnusableModel, also for a flatbuffer that isn't the one which `weights_id` names.
    """
    if weights_id not in _loaded:
        if hashlib.sha256(flatbuffer).hexdigest() != weights_id:
            raise UnusableModel(f"The model's bytes are not those of weights_id {weights_id}.")
        _loaded[weights_id] = Interpreter(flatbuffer)
    return _loaded[weights_id]


_stderr = threading.RLock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep the chatter of native libraries off the terminal; other lines appear when this ends.

    They write to file descriptor 2 past Python. With an exception everything appears.
    """
    with _stderr, tempfile.TemporaryFile() as aside:
        terminal = os.dup(2)
        os.dup2(aside.fileno(), 2)
        dropped = CHATTER
        try:
            yield
        except BaseException:
            dropped = NOTHING
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            aside.seek(0)
            for line in aside:
                if not dropped.match(line):
                    os.write(2, line)
