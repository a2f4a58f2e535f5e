"""Quantisation of an extractor to int8, after its training, by NNCF: in the process that converts it, alone.

NNCF has the extractor embed some scenes, and scales each layer's numbers to the range that it sees. The
scenes are drawn, so no person's photo is in any model, and every lake gets the same file. That file is the
same for each way of the pixels: the scenes are resized in one way, which gives the same bytes anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conf.errors import BadInput
from lake.samples.fruit_drawings import FRUITS
from lake.samples.scene import photo
from silver import inference_runtime
from silver.model_files import QuantisedModel

SCENES = 200
"""How many scenes are drawn. MobileNetV2's embeddings of real photos had a cosine to those of float32 of
0.9923 with 200 of them, and of 0.9888 with 60."""

SEED = 8
SCENE_SIZE = (640, 480)
"""The width and height of a scene in pixels, as it is drawn."""

NARROW = ("i4", "u4", "i8", "u8")
"""OpenVINO's names of the types that numbers of a quantised model have."""

QUANTISED = "FakeQuantize"
"""The operation by which OpenVINO's form of a model tells that a layer's numbers are quantised."""


class Unquantisable(BadInput):
    """A model can't be quantised; the message says why."""


def quantised(flatbuffer: bytes) -> bytes:
    """Return the model file of a flatbuffer in int8. Equal flatbuffers give equal files, in any process.

    Raises UnusableModel where the flatbuffer can't be used, and Unquantisable where it is quantised already,
    or has nothing to quantise.
    """
    model, shape = inference_runtime.read(flatbuffer)
    _check(model)
    # OpenVINO was imported without its telemetry, so NNCF has none either.
    import nncf

    _name_anew(model)
    scenes = list(calibration_scenes(shape.size))
    made = nncf.quantize(model, nncf.Dataset(scenes, _input), subset_size=SCENES)
    if not any(op.get_type_name() == QUANTISED for op in made.get_ops()):
        raise Unquantisable(
            "The model can't be quantised: it has no layer that calculates in int8, such as a convolution; "
            "set model.precision=float32."
        )
    _name_anew(made)
    return QuantisedModel(flatbuffer, *_files(made)).packed()


def calibration_scenes(size: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the scenes that models are calibrated on: RGB uint8[size, size, 3], SCENES of them."""
    kinds = list(FRUITS)
    for number in range(SCENES):
        rng = np.random.default_rng([SEED, number])
        drawn = photo(kinds[number % len(kinds)], SCENE_SIZE, rng)
        yield np.asarray(drawn.resize((size, size), Image.Resampling.HAMMING))


def _input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pixels[None].astype(np.float32)


def _check(model: Any) -> None:
    """Raise Unquantisable where OpenVINO's model is quantised already, in all or in part."""
    for op in model.get_ops():
        types = {each.get_element_type().get_type_name() for each in op.outputs()}
        if op.get_type_name() == QUANTISED or types.intersection(NARROW):
            raise Unquantisable(
                "The model is quantised already, or takes bytes, so it can't be quantised to int8: set "
                "model.precision=float32, which runs it as it is."
            )


def _name_anew(model: Any) -> None:
    """Name the operations of OpenVINO's model by their order.

    OpenVINO's own names count the operations of the process, whichever model they belong to.
    """
    model.set_friendly_name("model")
    for number, op in enumerate(model.get_ordered_ops()):
        op.set_friendly_name(str(number))


def _files(model: Any) -> tuple[bytes, bytes]:
    """Return the content of the two files of OpenVINO's model in its own form."""
    with inference_runtime.folder_aside() as folder:
        path = folder / "model.xml"
        inference_runtime.openvino().save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
