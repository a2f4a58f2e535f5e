"""The worker's side of inference: a flatbuffer, run by LiteRT on one thread. No TensorFlow."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput

CHATTER = re.compile(rb"INFO: |WARNING: All log messages before absl|[IWE]\d{4} ")
NOTHING = re.compile(rb"(?!)")


TAKES: tuple[tuple[type, ...], int] = ((np.uint8, np.float32), 4)
GIVES: tuple[tuple[type, ...], int] = ((np.float32,), 2)
"""Types and number of axes of a model's one input, and of its one output."""


class UnusableModel(BadInput, ValueError):
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
        shape = tuple(map(int, given[0]["shape"]))
        is_square = _fits(given, TAKES) and shape == (1, shape[1], shape[1], 3)
        if not is_square or not _fits(made, GIVES):
            raise UnusableModel(
                "The model must turn one square RGB photo, float32 or uint8[1, s, s, 3], into one embedding, "
                "float32[1, d]; convert it so."
            )
        self.size = shape[1]
        self.dimensions = int(made[0]["shape"][1])
        self._input = self._litert.tensor(given[0]["index"])
        self._output: int = made[0]["index"]

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8[size, size, 3] RGB -> float32[dimensions]. Raises ValueError for another shape."""
        if pixels.shape != (self.size, self.size, 3):
            raise ValueError(f"The model takes {self.size} x {self.size} RGB, not {pixels.shape}.")
        # Straight into LiteRT's own buffer, of whichever type. The view must not live on: LiteRT refuses to
        # run while one does.
        np.copyto(self._input()[0], pixels)
        self._litert.invoke()
        embedding: NDArray[np.float32] = self._litert.get_tensor(self._output)[0]
        return embedding


def _fits(tensors: Sequence[dict[str, Any]], wanted: tuple[tuple[type, ...], int]) -> bool:
    """Whether there is one tensor, of one of the types and of so many axes."""
    types, axes = wanted
    return [t["dtype"] in types and len(t["shape"]) == axes for t in tensors] == [True]


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
