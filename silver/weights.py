"""Weights of an extractor: always named, never guessed, known by the SHA-256 of their source."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.request import urlopen

import numpy as np
from numpy.typing import NDArray

from conf.errors import BadInput

CHOICES = (
    "`imagenet`, `random:<seed>`, or the path or s3:// URI of a Keras weights file (.weights.h5)"
)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

TORCH_MAGIC = 0x1950A86A20F9469CFC6C

DOWNLOAD_TIMEOUT = 10.0
"""Seconds of silence after which a download counts as failed. There is no retry."""


class WeightsUnavailable(BadInput, ValueError):
    """Weights that can't be had or used; the message says what to name instead."""


@dataclass(frozen=True)
class WeightsSource:
    """Where weights come from: a file on this machine, or a seed. `sha256` is the source's, in hex.

    The hash is of the file's bytes, or of the text `random:<seed>`. With the extractor's name it
    tells whether a flatbuffer was made already, before TensorFlow is loaded.
    """

    kind: Literal["imagenet", "file", "random"]
    sha256: str
    path: Path | None = None
    seed: int | None = None


def named(weights: str, *, imagenet: Callable[[], Path]) -> WeightsSource:
    """The source that the setting `weights` names; `imagenet` gives the path of those weights.

    Raises WeightsUnavailable for a seed that is no number, a file that isn't there, or isn't HDF5.
    """
    if weights == "imagenet":
        path = imagenet()
        return WeightsSource("imagenet", hashed(path.read_bytes()), path=path)
    if weights.startswith("random:"):
        seed = weights.removeprefix("random:")
        if not (seed.isascii() and seed.isdigit()):
            raise WeightsUnavailable(
                f"Weights `{weights}`: the seed must be a whole number from 0."
            )
        return WeightsSource("random", hashed(f"random:{int(seed)}".encode()), seed=int(seed))
    path, content = contents(weights, choices=CHOICES)
    # Keras tells the two layouts of a weights file apart by its name alone.
    if not content.startswith(HDF5_SIGNATURE) or path.suffix != ".h5":
        raise WeightsUnavailable(f"Weights `{weights}`: no Keras weights file; name {CHOICES}.")
    return WeightsSource("file", hashed(content), path=path)


def hashed(content: bytes) -> str:
    """SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


def contents(weights: str, *, choices: str) -> tuple[Path, bytes]:
    """The file that a path or an s3:// URI names, and its bytes; an object's is kept in Keras's cache.

    Raises WeightsUnavailable, which lists the `choices`.
    """
    try:
        path = _of_s3(weights) if weights.startswith("s3://") else Path(weights).expanduser()
        return path, path.read_bytes()
    except FileNotFoundError:
        raise WeightsUnavailable(f"Weights `{weights}`: no such file; name {choices}.") from None
    except OSError as error:
        raise WeightsUnavailable(
            f"Weights `{weights}` can't be read ({error.strerror}); name {choices}."
        ) from error


def _of_s3(uri: str) -> Path:
    """The file of an object, fetched where the cache lacks this version of it. Raises OSError."""
    # Loaded here: most runs need it for nothing.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not (bucket and key):
        raise OSError(errno.EINVAL, "it must be s3://bucket/key")
    try:
        found = boto3.client("s3").get_object(Bucket=bucket, Key=key)
        version = hashed(f"{uri} {found['ETag']}".encode())[:16]
        path = _cache() / f"{version}-{key.rpartition('/')[2]}"
        with closing(found["Body"]) as body:  # unread where the cache has it
            if not path.exists():
                _keep(body.read(), path)
    except ClientError as error:
        raise OSError(errno.EIO, error.response["Error"]["Code"]) from error
    except BotoCoreError as error:  # no credentials, no network
        raise OSError(errno.EIO, str(error).rstrip(".")) from error
    return path


def _cache() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def _keep(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when complete, so that a kill never leaves half a file under the good name.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(content)
    os.replace(part.name, path)


def downloaded(url: str) -> Path:
    """The file of that address in Keras's own cache, fetched if it isn't there.

    Raises WeightsUnavailable after DOWNLOAD_TIMEOUT at most for each silence of the server.
    """
    path = _cache() / url.rsplit("/", 1)[-1]
    if path.exists():
        return path
    try:
        with urlopen(url, timeout=DOWNLOAD_TIMEOUT) as response:
            content = response.read()
        if not content.startswith(HDF5_SIGNATURE):
            raise OSError("the answer is no weights file")
        _keep(content, path)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise WeightsUnavailable(
            f"Weights `imagenet`: the download of {url} failed ({reason}); name {CHOICES}, or take "
            "the extractor efficientnet_lite0, whose weights come with pip."
        ) from error
    return path


def fill(model: Any, source: WeightsSource) -> None:
    """Give a keras.Model the weights of a seed, or of a file that Keras wrote for that model.

    Raises WeightsUnavailable where the file is broken or belongs to another model.
    """
    if source.seed is not None:
        _randomise(model, source.seed)
        return
    try:
        # Keras warns of each layer before it raises for all of them.
        with warnings.catch_warnings(action="ignore"):
            model.load_weights(str(source.path))
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise WeightsUnavailable(
            f"Weights `{source.path}`: the file is broken or was saved from another model than "
            f"{model.name}; name {CHOICES}."
        ) from error


def _randomise(model: Any, seed: int) -> None:
    """He-scaled kernels, and batch statistics near one and zero: signals neither die nor explode.

    NumPy's generator and not Keras's: no global state is touched, and no TensorFlow version
    changes the numbers.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        match variable.name:
            case "mean" | "variance" | "count":
                continue  # of a Normalization: how the input is scaled is no matter of chance
            case "gamma" | "moving_variance":
                values = rng.uniform(0.8, 1.2, shape)
            case "beta" | "moving_mean":
                values = rng.normal(0.0, 0.1, shape)
            case _:
                is_depthwise = shape[-1] == 1
                fan_in = np.prod(shape[:2] if is_depthwise else shape[:-1])
                values = rng.normal(0.0, np.sqrt(2.0 / fan_in), shape)
        variable.assign(values.astype(np.float32))


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides in values, as PyTorch counts them."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def values(self, storage: bytes) -> NDArray[Any]:
        # NumPy checks the bounds, so a wrong stride can't read past the storage.
        item = np.dtype(self.dtype).itemsize
        strides = [item * stride for stride in self.strides]
        return np.ndarray(self.shape, self.dtype, storage, item * self.offset, strides)


def _rebuilt(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


class _TensorUnpickler(pickle.Unpickler):
    """Resolves the four names that tensors need, none of them to code that does anything else."""

    names: ClassVar = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
        ("torch", "FloatStorage"): "<f4",
        ("torch", "LongStorage"): "<i8",
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return self.names[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        _, dtype, key, *_ = pid
        return key, dtype


def torch_tensors(content: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a state dict in PyTorch's format before 1.6, by name, without PyTorch.

    Five pickles (magic, protocol, machine, state dict, storage keys), then each storage as an int64
    count and its values.

    Raises WeightsUnavailable for anything else, in particular for a pickle that names code.
    """
    stream = BytesIO(content)
    try:
        magic, _, machine, state, keys = (_TensorUnpickler(stream).load() for _ in range(5))
        if magic != TORCH_MAGIC or not machine["little_endian"]:
            raise ValueError("unknown magic number or byte order")
        dtypes = {tensor.key: np.dtype(tensor.dtype) for tensor in state.values()}
        storages = {}
        for key in keys:
            count = int.from_bytes(stream.read(8), "little")
            storages[key] = stream.read(count * dtypes[key].itemsize)
        return {name: tensor.values(storages[tensor.key]) for name, tensor in state.items()}
    except Exception as error:  # a foreign pickle can fail in any way
        raise WeightsUnavailable(f"This is no PyTorch file of tensors alone ({error}).") from error
