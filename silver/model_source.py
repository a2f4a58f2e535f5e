"""An extractor as a flatbuffer with its lineage: converted here, or elsewhere and read.

A cluster has no TensorFlow and reaches no weights. There the setting `model.flatbuffer` names a flatbuffer
that `run.py emr package` converted, with its lineage beside it as JSON. Weights keep the name that they have
everywhere, so that the lake's row of the model is the one that a laptop would have written, and each goes on
where the other stopped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from conf.errors import BadInput
from conf.settings import ModelSettings
from silver import extractors, litert_conversion

PRECISION = "float32"


@dataclass(frozen=True)
class Lineage:
    """What a flatbuffer was made from: `weights` as the settings name them, `source_sha256` their hash."""

    extractor: str
    weights: str
    source_sha256: str
    precision: str
    weights_id: str

    def json(self) -> str:
        """As it stands beside the flatbuffer."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


def convert(model: ModelSettings) -> tuple[Lineage, bytes]:
    """The extractor of the settings, converted in this process by TensorFlow.

    Raises BadInput (unknown extractor, weights that can't be had or used).
    """
    extractor = extractors.extractor(model.extractor)
    source = extractor.source(model.weights)
    content = litert_conversion.convert(extractor.build(source))
    made = litert_conversion.weights_id(content)
    return Lineage(model.extractor, model.weights, source.sha256, PRECISION, made), content


def read(model: ModelSettings) -> tuple[Lineage, bytes]:
    """The flatbuffer that the settings name, and its lineage.

    Raises BadInput where one of the two is missing or was changed, or is of another extractor or weights.
    """
    place = Path(model.flatbuffer)
    try:
        content = place.read_bytes()
        lineage = Lineage(**json.loads(place.with_suffix(".json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"model.flatbuffer {place}: it or the lineage beside it can't be read ({type(error).__name__}); "
            f"make both anew with run.py emr package."
        ) from error
    if litert_conversion.weights_id(content) != lineage.weights_id:
        raise BadInput(
            f"model.flatbuffer {place}: it isn't the one that its lineage tells of; make both anew with "
            f"run.py emr package."
        )
    if (lineage.extractor, lineage.weights) != (model.extractor, model.weights):
        raise BadInput(
            f"model.flatbuffer {place} is {lineage.extractor} with the weights {lineage.weights}, and the "
            f"settings want {model.extractor} with {model.weights}: make a package of these settings."
        )
    return lineage, content


def converted(model: ModelSettings) -> tuple[Lineage, bytes]:
    """The flatbuffer that the settings name, or else one that is converted here. Raises as both."""
    return read(model) if model.flatbuffer else convert(model)


def source_sha256(model: ModelSettings) -> str:
    """The hash of the weights, without TensorFlow; where the settings name a flatbuffer, as its lineage has
    it. Raises BadInput."""
    if model.flatbuffer:
        return read(model)[0].source_sha256
    return extractors.extractor(model.extractor).source(model.weights).sha256
