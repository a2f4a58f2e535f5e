"""Inference on the workers: OpenVINO runs a model file in streams of one thread each, without TensorFlow."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lake.enums import Precision
from lake.model_identity import file_sha256
from lake.working_files import own_folder
from silver import model_files, processor_features
from silver.model_files import UnusableModel
from silver.processor_features import Features, features

PHOTO_TYPES = ("u8", "f32")
"""The types that a model's input may have, as OpenVINO names them."""

HINTS = {Precision.FLOAT32: "f32", Precision.BFLOAT16: "bf16", Precision.INT8: "f32"}
"""OpenVINO's names of the precisions, for the layers that aren't quantised. It is always told one: otherwise
it takes bfloat16 by itself where the processor has amx_bf16."""


class ModelShape(NamedTuple):
    """What a model takes and returns: the side of its input in pixels, and the length of an embedding."""

    size: int
    dimensions: int


def shape_of(content: bytes, *, precision: Precision = Precision.FLOAT32) -> ModelShape:
    """Return the shape of the model in a file's content, which is read but not made ready to run.

    Raises UnusableModel where it can't be used in that precision.
    """
    return read(content, precision=precision)[1]


class CompiledModel:
    """A model that is loaded into this Python process. Only one thread may use it.

    `size` is the side of its input in pixels, `dimensions` the length of an embedding. Each of its `streams`
    embeds a photo at a time on a thread of its own.
    """

    def __init__(
        self,
        content: bytes,
        *,
        precision: Precision = Precision.FLOAT32,
        streams: int = 1,
    ) -> None:
        """Load the content of a model file. Raises UnusableModel where it can't be used in that precision.

        The file of a model in int8 runs in float32 too, as the model that it was quantised from. The
        processor has the precision: `compiled_model` checks that.
        """
        model, (self.size, self.dimensions) = read(content, precision=precision)
        options = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            # Two workers that pin their threads pin them to the same core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = _core().compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise UnusableModel(
                "OpenVINO can't run the model on this machine; install the versions of requirements.txt, or "
                "convert the model again, with TensorFlow Lite's own operations alone."
            ) from error
        self.streams = streams
        self._free = deque(compiled.create_infer_request() for _ in range(streams))

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the embedding float32[dimensions] of RGB pixels uint8[size, size, 3].

        Raises ValueError for pixels of another shape.
        """
        request = self._fed(pixels)
        try:
            request.infer()  # on this thread: to wake another one costs some 1 % of the time
            return _embedding(request)
        finally:
            self._free.append(request)  # else a failure would take the stream with it

    def begin(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.float32]]:
        """Begin to embed a photo, as `embed`; return a function that waits for the embedding, and is called
        once. At most as many photos as there are streams may have begun."""
        request = self._fed(pixels)
        request.start_async()

        def embedding() -> NDArray[np.float32]:
            try:
                request.wait()
                return _embedding(request)
            finally:
                self._free.append(request)

        return embedding

    def _fed(self, pixels: NDArray[np.uint8]) -> Any:
        """Return a free request of OpenVINO with the pixels of a photo. Raises ValueError, as `embed`."""
        if pixels.shape != (self.size, self.size, 3):
            raise ValueError(f"The model takes {self.size} x {self.size} RGB, not {pixels.shape}.")
        request = self._free.popleft()
        # The pixels are copied into OpenVINO's own buffer, whatever its type.
        np.copyto(request.get_input_tensor().data[0], pixels)
        return request


def _embedding(request: Any) -> NDArray[np.float32]:
    """Return a copy of what a request of OpenVINO has made."""
    made: NDArray[np.float32] = request.get_output_tensor().data[0].copy()
    return made


_loaded: dict[tuple[str, Precision, int], CompiledModel] = {}


def compiled_model(
    content: bytes,
    model_sha256: str,
    *,
    precision: Precision = Precision.FLOAT32,
    streams: int = 1,
    processor: Features = features,
) -> CompiledModel:
    """Return the model of a file's content, which each process loads once, in about 0.2 s.

    One stream is enough for a worker: Spark runs as many tasks as there are cores. More of them give the same
    embeddings, as each photo is embedded on one thread in any case.

    Raises UnusableModel where the content can't be used, or isn't that of the file whose SHA-256 is
    `model_sha256`, in hex, and UnsupportedPrecision where the processor lacks the precision.
    """
    processor_features.check(precision, processor)
    key = model_sha256, precision, streams
    if key not in _loaded:
        if file_sha256(content) != model_sha256:
            raise UnusableModel(f"The model's bytes are not those of model_sha256 {model_sha256}.")
        _loaded[key] = CompiledModel(content, precision=precision, streams=streams)
    return _loaded[key]


def forget(model_sha256: str, precision: Precision) -> None:
    """Let the memory go of a model that this process has loaded."""
    for key in [each for each in _loaded if each[:2] == (model_sha256, precision)]:
        del _loaded[key]


@cache
def _core() -> Any:
    """Return OpenVINO's core, the one of this process.

    Each core gives the thread that first compiles by it another stack for signals, and frees that one with
    itself, though the thread may still be told to use it: of two cores, a signal would end the process.
    """
    return openvino().Core()


def openvino() -> Any:
    """Return the module `openvino`, which sends nothing to anybody.

    It imports its tools for other formats, which tell Google Analytics of each import by the package
    `openvino_telemetry`, unasked. Without that package they tell nobody; so here it can't be imported.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        # Else the environment could have float32 calculated in fewer bits, under the name of float32.
        os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "STRICT"
    import openvino

    return openvino


def read(content: bytes, *, precision: Precision = Precision.FLOAT32) -> tuple[Any, ModelShape]:
    """Return OpenVINO's model of a file's content, and its shape.

    Raises UnusableModel where the content can't be used in that precision.
    """
    model = _quantised(content) if precision is Precision.INT8 else _exact(content, precision)
    with _told():
        shape = _shape(model)
    if shape is None:
        raise UnusableModel(
            "The model must turn one square RGB photo, float32 or uint8[1, s, s, 3], into one embedding, "
            "float32[1, d]; convert it to that form."
        )
    return model, shape


def _quantised(content: bytes) -> Any:
    """Return the model in int8 of a ZIP. Raises UnusableModel where the content is none."""
    if model_files.is_flatbuffer(content):
        raise UnusableModel(
            "The model can't run in int8: its file is a flatbuffer, which nobody quantised; set "
            "model.precision=float32, or have it quantised by a run with model.precision=int8."
        )
    held = model_files.unpacked(content)
    with _told():
        return _core().read_model(held.xml, held.weights)


def _exact(content: bytes, precision: Precision) -> Any:
    """Return the model of a flatbuffer, or of the one that a model in int8 was quantised from.

    Raises UnusableModel where the content has none, or none for that precision.
    """
    if model_files.is_quantised(content):
        if precision is not Precision.FLOAT32:
            raise UnusableModel(
                f"The model can't run in {precision}: its file was made for int8; set model.precision=int8."
            )
        content = model_files.unpacked(content).exact
    if not model_files.is_flatbuffer(content):
        raise UnusableModel("The model can't be loaded: it is no LiteRT flatbuffer.")
    with _told(), _file(content) as path:
        return _core().read_model(path)


def _shape(model: Any) -> ModelShape | None:
    """Return the shape of OpenVINO's model, which then takes one photo at a time; None for another form."""
    if (len(model.inputs), len(model.outputs)) != (1, 1):
        return None
    [photo], [embedding] = model.inputs, model.outputs
    taken = photo.get_partial_shape()
    if taken.rank.is_dynamic or len(taken) != 4 or any(side.is_dynamic for side in list(taken)[1:]):
        return None
    if taken[0].is_dynamic:
        model.reshape([1, *(side.get_length() for side in list(taken)[1:])])
    made = embedding.get_partial_shape()
    types = [each.get_element_type().get_type_name() for each in (photo, embedding)]
    if types[0] not in PHOTO_TYPES or types[1] != "f32" or made.is_dynamic:
        return None
    pixels, values = tuple(photo.get_shape()), tuple(embedding.get_shape())
    is_photo = pixels == (1, pixels[1], pixels[1], 3)
    is_embedding = len(values) == 2 and values[0] == 1
    return ModelShape(pixels[1], values[1]) if is_photo and is_embedding else None


@contextmanager
def _told() -> Iterator[None]:
    """Turn OpenVINO's errors about a model into UnusableModel."""
    try:
        yield
    except RuntimeError as error:
        raise UnusableModel(
            "The model can't be loaded: its file is damaged, or has an operation that OpenVINO doesn't know; "
            "convert it again, with TensorFlow Lite's own operations alone."
        ) from error


_writing = threading.Lock()


@contextmanager
def folder_aside() -> Iterator[Path]:
    """Have a folder for a moment, in which OpenVINO reads or writes what it does in files alone."""
    with _writing:
        own_folder().mkdir(exist_ok=True)
        with TemporaryDirectory(dir=own_folder()) as folder:
            yield Path(folder)
        with suppress(OSError):  # Spark has files there
            own_folder().rmdir()


@contextmanager
def _file(content: bytes) -> Iterator[Path]:
    """Keep a flatbuffer in a file, from which alone OpenVINO reads one: it tells the format by the name."""
    with folder_aside() as folder:
        path = folder / "model.tflite"
        path.write_bytes(content)
        yield path
