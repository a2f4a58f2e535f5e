"""Extractors: photos to embeddings, one module each, chosen by the module's name.

A new file in this folder is a new extractor; nothing else has to know of it. It gives what
`Extractor` lists. Its layers carry names of their own: Keras's automatic ones count up within a
process and would give equal weights another flatbuffer, hence another `weights_id`.
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
    """No extractor has that name; the message lists those there are."""


class Extractor(Protocol):
    """What a module of this folder gives."""

    def source(self, weights: str) -> WeightsSource:
        """Where the weights of that name come from. Loads no TensorFlow.

        Raises WeightsUnavailable.
        """

    def build(self, source: WeightsSource) -> keras.Model | bytes:
        """float32[n, s, s, 3], RGB in [0, 255] -> float32[n, d], pooled, no top; or a flatbuffer of that.

        The scaling is in the model, so that the flatbuffer's hash covers it.

        Raises WeightsUnavailable.
        """


def names() -> tuple[str, ...]:
    """Every known extractor, sorted."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in modules if not name.startswith("_")))


def extractor(name: str) -> Extractor:
    """The extractor of that name. Raises UnknownExtractor."""
    known = names()
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise UnknownExtractor(
            f"Extractor `{name}` is unknown; did you mean `{nearest}`? Known: {', '.join(known)}."
        )
    return cast(Extractor, importlib.import_module(f"{__name__}.{name}"))
