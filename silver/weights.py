"""The weights of an extractor: where they come from, and how a Keras model is filled with them.

Weights are always named, there is no default choice, and the SHA-256 of their source identifies them.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import secrets
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
from lake.storage.addresses import S3, is_s3
from lake.storage.local_folder import write_whole

CHOICES = (
    "`imagenet`, `random:<seed>`, or the path or s3:// URI of a Keras weights file (.weights.h5)"
)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

TORCH_MAGIC = 0x1950A86A20F9469CFC6C

DOWNLOAD_TIMEOUT = 10.0
"""Seconds without data after which a download has failed. It is not tried again."""


class WeightsUnavailable(BadInput, ValueError):
    """Weights can't be fetched or used; the message says what to name instead."""


@dataclass(frozen=True)
class WeightsSource:
    """The source of weights: a file on this machine, or a seed for random numbers.

    `sha256` is the hash, in hex, of the file's bytes or of the text `random:<seed>`. Together with the
    extractor's name it says, without loading TensorFlow, whether the flatbuffer exists already.
    """

    kind: Literal["imagenet", "file", "random"]
    sha256: str
    path: Path | None = None
    seed: int | None = None


def named(weights: str, *, imagenet: Callable[[], Path]) -> WeightsSource:
    """Return the source that the setting `weights` names.

    `imagenet` is a function that returns the path of the weights of that name. Raises WeightsUnavailable
    for a seed that is no number, and for a file that doesn't exist or isn't HDF5.
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
    # Keras recognises the layout of a weights file by its name alone.
    if not content.startswith(HDF5_SIGNATURE) or path.suffix != ".h5":
        raise WeightsUnavailable(f"Weights `{weights}`: no Keras weights file; name {CHOICES}.")
    return WeightsSource("file", hashed(content), path=path)


def hashed(content: bytes) -> str:
    """Return the SHA-256 of the bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def contents(weights: str, *, choices: str) -> tuple[Path, bytes]:
    """Return the path and the bytes of the file that a path or an s3:// URI names.

    An object of S3 is kept as a file in Keras's cache. Raises WeightsUnavailable, whose message lists the
    `choices`.
    """
    try:
        path = _s3_file(weights) if is_s3(weights) else Path(weights).expanduser()
        return path, path.read_bytes()
    except FileNotFoundError:
        raise WeightsUnavailable(f"Weights `{weights}`: no such file; name {choices}.") from None
    except OSError as error:
        raise WeightsUnavailable(
            f"Weights `{weights}` can't be read ({error.strerror}); name {choices}."
        ) from error


def _s3_file(uri: str) -> Path:
    """Return the file of an object of S3, fetched where the cache doesn't hold this version of it.

    Raises OSError where it can't be fetched.
    """
    # boto3 is imported here because most runs don't need it.
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, key = uri.removeprefix(S3).partition("/")
    if not (bucket and key):
        raise OSError(errno.EINVAL, "it must be s3://bucket/key")
    try:
        found = boto3.client("s3").get_object(Bucket=bucket, Key=key)
        version = hashed(f"{uri} {found['ETag']}".encode())[:16]
        path = _cache() / f"{version}-{key.rpartition('/')[2]}"
        with closing(found["Body"]) as body:  # the body isn't read where the cache holds it
            if not _is_kept(path):
                _save(body.read(), path)
    except ClientError as error:
        raise OSError(errno.EIO, error.response["Error"]["Code"]) from error
    except BotoCoreError as error:  # no credentials, no network
        raise OSError(errno.EIO, str(error).rstrip(".")) from error
    return path


def _cache() -> Path:
    """Return the folder where Keras keeps the files that it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


def _is_kept(path: Path) -> bool:
    """Return whether the cache has a file. A machine that lost power may have left an empty one."""
    return path.exists() and path.stat().st_size > 0


def _save(content: bytes, path: Path) -> None:
    """Write a file whole or not at all, also where several processes write it."""
    write_whole(path, content, part=path.with_name(f".{path.name}-{secrets.token_hex(4)}"))


def downloaded(url: str) -> Path:
    """Return the file of that URL in Keras's own cache, and download it first if it isn't there.

    Raises WeightsUnavailable where the download fails, and where the server sends nothing for
    DOWNLOAD_TIMEOUT seconds.
    """
    path = _cache() / url.rsplit("/", 1)[-1]
    if _is_kept(path):
        return path
    try:
        with urlopen(url, timeout=DOWNLOAD_TIMEOUT) as response:
            content = response.read()
        if not content.startswith(HDF5_SIGNATURE):
            raise OSError("the answer is no weights file")
        _save(content, path)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise WeightsUnavailable(
            f"Weights `imagenet`: the download of {url} failed ({reason}); name {CHOICES}, or take "
            "the extractor efficientnet_lite0, whose weights come with pip."
        ) from error
    return path


def fill(model: Any, source: WeightsSource) -> None:
    """Set the weights of a keras.Model: random ones of a seed, or those of a file that Keras wrote.

    Raises WeightsUnavailable where the file is broken or was saved from another model.
    """
    if source.seed is not None:
        _randomise(model, source.seed)
        return
    try:
        # Keras warns about each layer before it raises one error for all of them.
        with warnings.catch_warnings(action="ignore"):
            model.load_weights(str(source.path))
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise WeightsUnavailable(
            f"Weights `{source.path}`: the file is broken or was saved from another model than "
            f"{model.name}; name {CHOICES}."
        ) from error


def _randomise(model: Any, seed: int) -> None:
    """Set random weights: kernels scaled after He, batch statistics near one and zero.

    With these, signals neither vanish nor explode from layer to layer. NumPy's generator is used and not
    that of Keras: it changes no global state, and its numbers don't depend on the version of TensorFlow.
    """
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        match variable.name:
            case "mean" | "variance" | "count":
                continue  # belongs to a Normalization layer: the scaling of the input isn't random
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
    """A tensor as a view of a storage. Offset and strides count values, as in PyTorch."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def values(self, storage: bytes) -> NDArray[Any]:
        """Return the tensor's values from the bytes of its storage."""
        # NumPy checks the bounds, so a wrong stride can't read beyond the storage.
        item = np.dtype(self.dtype).itemsize
        strides = [item * stride for stride in self.strides]
        return np.ndarray(self.shape, self.dtype, storage, item * self.offset, strides)


def _rebuilt(storage: tuple[str, str], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(*storage, offset, shape, strides)


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that accepts only the four names that tensors need, none of which runs other code."""

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
    """Return the tensors of a state dict in PyTorch's format before 1.6, by name, without PyTorch.

    The file holds five pickles (magic number, protocol, machine, state dict, storage keys), and then each
    storage as a count (int64) and its values. Raises WeightsUnavailable for any other file, in particular
    for a pickle that names code.
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
