"""Inference on the workers: LiteRT runs a flatbuffer on one thread, without TensorFlow."""

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
"""Patterns of lines on stderr: CHATTER matches those that native libraries write, NOTHING no line."""

INPUT: tuple[tuple[type, ...], int] = ((np.uint8, np.float32), 4)
OUTPUT: tuple[tuple[type, ...], int] = ((np.float32,), 2)
"""The allowed types and the number of axes of a model's one input, and of its one output."""


class UnusableModel(BadInput, ValueError):
    """A flatbuffer can't be loaded by LiteRT, or doesn't turn one photo into one embedding."""


class Interpreter:
    """A model that is loaded into this Python process.

    Only one thread may use it, because its input is one buffer. `size` is the side of its input in
    pixels, `dimensions` the length of an embedding.
    """

    def __init__(self, flatbuffer: bytes, *, threads: int = 1) -> None:
        """Load the model, which runs on so many threads. Raises UnusableModel where the flatbuffer can't be
        used."""
        # LiteRT is imported here because only workers need it.
        from ai_edge_litert.interpreter import Interpreter as LiteRT

        try:
            # LiteRT writes a line about its XNNPACK delegate to every worker's stderr.
            with quiet_stderr():
                self._litert = LiteRT(model_content=flatbuffer, num_threads=threads)
                self._litert.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise UnusableModel("The model can't be loaded: it is no LiteRT flatbuffer.") from error
        inputs, outputs = self._litert.get_input_details(), self._litert.get_output_details()
        shape = tuple(map(int, inputs[0]["shape"]))
        is_square = _fits(inputs, INPUT) and shape == (1, shape[1], shape[1], 3)
        if not is_square or not _fits(outputs, OUTPUT):
            raise UnusableModel(
                "The model must turn one square RGB photo, float32 or uint8[1, s, s, 3], into one embedding, "
                "float32[1, d]; convert it to that form."
            )
        self.size = shape[1]
        self.dimensions = int(outputs[0]["shape"][1])
        self._input = self._litert.tensor(inputs[0]["index"])
        self._output: int = outputs[0]["index"]

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embedding float32[dimensions] of RGB pixels uint8[size, size, 3].

        Raises ValueError for pixels of another shape.
        """
        if pixels.shape != (self.size, self.size, 3):
            raise ValueError(f"The model takes {self.size} x {self.size} RGB, not {pixels.shape}.")
        # The pixels are copied into LiteRT's own buffer, whatever its type. The view of that buffer must be
        # gone before `invoke`: LiteRT refuses to run while there is one.
        np.copyto(self._input()[0], pixels)
        self._litert.invoke()
        embedding: NDArray[np.float32] = self._litert.get_tensor(self._output)[0]
        return embedding


def _fits(tensors: Sequence[dict[str, Any]], allowed: tuple[tuple[type, ...], int]) -> bool:
    """Return whether there is just one tensor, with one of the allowed types and that number of axes."""
    types, axes = allowed
    return [t["dtype"] in types and len(t["shape"]) == axes for t in tensors] == [True]


_loaded: dict[tuple[str, int], Interpreter] = {}


def interpreter(flatbuffer: bytes, weights_id: str, *, threads: int = 1) -> Interpreter:
    """Return the interpreter of that model, which each process loads once, in about 25 ms.

    One thread is enough for a worker: Spark runs as many tasks as there are cores. More threads give the same
    embeddings, as each value is still the sum of the same products in the same order.

    Raises UnusableModel where the flatbuffer can't be used, or isn't the one that `weights_id` names.
    """
    if (weights_id, threads) not in _loaded:
        if hashlib.sha256(flatbuffer).hexdigest() != weights_id:
            raise UnusableModel(f"The model's bytes are not those of weights_id {weights_id}.")
        _loaded[weights_id, threads] = Interpreter(flatbuffer, threads=threads)
    return _loaded[weights_id, threads]


_stderr = threading.RLock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep the log lines of native libraries off the terminal; other lines appear when the block ends.

    Native libraries write to file descriptor 2 without Python's sys.stderr. Where the block raises, every
    line appears.
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
