"""The process that converts an extractor: TensorFlow and NNCF load, work and end in it.

    python -P -m silver.conversion_process MODEL FOLDER

MODEL are the settings `[model]` as JSON. The model file and its lineage are written to FOLDER, or else the
sentence that says why there is none, with the error's exit code. Where FOLDER has the flatbuffer already, it
is only quantised. The process ends with its standard input.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from threading import Thread

from conf.errors import BadInput
from conf.settings import ModelSettings
from lake.enums import Precision
from lake.model_identity import file_sha256
from silver import extractors, litert_conversion, quantisation
from silver.model_artifact import EXACT, REFUSAL, Lineage, file_name


def convert(model: ModelSettings, exact: bytes | None = None) -> tuple[Lineage, bytes]:
    """Return the extractor of the settings with its lineage, converted in this process by TensorFlow, and
    quantised by NNCF where the settings want int8. `exact` is its flatbuffer, where it was converted before.

    Raises BadInput for an unknown extractor, for weights that can't be fetched or used, and for a model that
    can't be quantised.
    """
    extractor = extractors.extractor(model.extractor)
    source = extractor.source(model.weights)
    content = exact or litert_conversion.convert(extractor.build(source))
    if Precision(model.precision) is Precision.INT8:
        content = quantisation.quantised(content)
    made = Lineage(
        extractor=model.extractor,
        weights=model.weights,
        source_sha256=source.sha256,
        model_sha256=file_sha256(content),
        precision=model.precision,
        pixels=model.pixels,
    )
    return made, content


def main(model: str, folder: str) -> int:
    """Convert, and return the exit code."""
    Thread(target=_end_with_input, daemon=True).start()
    settings, exact = ModelSettings.model_validate_json(model), Path(folder, EXACT)
    place = Path(folder, file_name(settings.precision))
    try:
        lineage, content = convert(settings, exact.read_bytes() if exact.exists() else None)
    except BadInput as error:
        Path(folder, REFUSAL).write_text(str(error), encoding="utf-8")
        return error.exit_code
    place.write_bytes(content)
    place.with_suffix(".json").write_text(lineage.json())
    return 0


def _end_with_input() -> None:
    """End this process when whoever waits for it does: the kernel closes the input, whatever ended that."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    code = 1
    try:
        code = main(*sys.argv[1:])
    except BaseException:
        traceback.print_exc()
    # All is written. The libraries' own end takes a second, and whoever waits would wait as long as it takes.
    sys.stderr.flush()
    os._exit(code)
