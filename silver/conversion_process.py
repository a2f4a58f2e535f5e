"""The process that converts an extractor: TensorFlow loads, works and ends in it.

    python -m silver.conversion_process MODEL FOLDER

MODEL are the settings `[model]` as JSON. The flatbuffer and its lineage are written to FOLDER. A sentence
that says why there is none goes to the standard output, and the exit code is the error's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conf.errors import FruitLakeError
from conf.settings import ModelSettings
from silver import extractors, litert_conversion
from silver.model_artifact import FLATBUFFER, PRECISION, Lineage


def convert(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the extractor of the settings with its lineage, converted in this process by TensorFlow.

    Raises BadInput for an unknown extractor, and for weights that can't be fetched or used.
    """
    extractor = extractors.extractor(model.extractor)
    source = extractor.source(model.weights)
    content = litert_conversion.convert(extractor.build(source))
    weights_id = litert_conversion.weights_id(content)
    return Lineage(model.extractor, model.weights, source.sha256, PRECISION, weights_id), content


def main(model: str, folder: str) -> int:
    """Convert, and return the exit code."""
    try:
        lineage, content = convert(ModelSettings.model_validate_json(model))
    except FruitLakeError as error:
        print(error)
        return error.exit_code
    place = Path(folder, FLATBUFFER)
    place.write_bytes(content)
    place.with_suffix(".json").write_text(lineage.json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
