"""Extractors turn photos into embeddings. Each is a module of this folder, chosen by its name.

A new extractor is a new file in this folder with the functions of `Extractor`; no other file changes.
Its layers must have explicit names: Keras's automatic names count up within a process, so equal weights
would give another flatbuffer, and so another `weights_id`.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from typing import TYPE_CHECKING, Protocol, cast

from conf.errors import BadInput
from silver.weights import WeightsSource

if TYPE_CHECKING:
    import keras

__all__ = ["Extractor", "UnknownExtractor", "extractor", "names"]


class UnknownExtractor(BadInput, ValueError):
    """No extractor has that name; the message lists the known ones."""


class Extractor(Protocol):
    """The functions that every module of this folder has."""

    def source(self, weights: str) -> WeightsSource:
        """Return the source of the weights of that name, without loading TensorFlow.

        Raises WeightsUnavailable where the weights can't be fetched or used.
        """

    def build(self, source: WeightsSource) -> keras.Model | bytes:
        """Return the model, as a Keras model or as a flatbuffer.

        It turns photos float32[n, s, s, 3], RGB in [0, 255], into embeddings float32[n, d]: pooled, without
        the layers of a classifier. The scaling of pixels is part of the model, so that the flatbuffer's
        hash covers it. Raises WeightsUnavailable where the weights can't be used.
        """


def names() -> tuple[str, ...]:
    """Return the names of all extractors, sorted."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in modules if not name.startswith("_")))


def extractor(name: str) -> Extractor:
    """Return the extractor of that name. Raises UnknownExtractor where there is none."""
    known = names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise UnknownExtractor(
            f"Extractor `{name}` is unknown; did you mean `{nearest}`? Known: {', '.join(known)}."
        )
    return cast(Extractor, importlib.import_module(f"{__name__}.{name}"))
