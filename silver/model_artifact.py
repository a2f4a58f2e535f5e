"""The extractor as a model file with its lineage, converted on this machine or read from a file.

A cluster has no TensorFlow and can't reach the weights. There, the setting `model.flatbuffer` names a
model file that `run.py emr package` converted, with its lineage beside it as JSON. The weights are named as
everywhere else. So the lake's row of the model is the one that a laptop would write, and a laptop and a
cluster can continue each other's work.
"""

from __future__ import annotations

import json
import os
import sys
import weakref
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Self

from conf.errors import BadInput, FruitLakeError
from conf.settings import ModelSettings
from lake.enums import Precision
from lake.isolated_python import import_path
from lake.model_identity import file_sha256
from lake.working_files import own_folder
from silver import extractors
from silver.model_files import ending, is_quantised

AS_BEFORE = "as_before"
"""The setting `model.pixels` that leaves the way of the pixels to the lake."""

EXACT = "exact.tflite"
"""The name of a flatbuffer that was converted before, and is to be quantised."""

REFUSAL = "refusal.txt"
"""The name of the sentence that says why a model can't be converted."""


def file_name(precision: str) -> str:
    """Return the name of the file of a converted model; its lineage lies beside it as `model.json`."""
    return f"model{ending(Precision(precision))}"


@dataclass(frozen=True)
class Lineage:
    """What a model file was made from, and for which settings.

    `weights` is the name in the settings, `source_sha256` the hash of the weights' source in hex, and
    `model_sha256` that of the model file. `precision` and `pixels` are the settings of those names. The lake
    decides which way of the pixels `as_before` is, so no `weights_id` is known yet.
    """

    extractor: str
    weights: str
    source_sha256: str
    model_sha256: str
    precision: str
    pixels: str

    def json(self) -> str:
        """Return the JSON text of the file that lies beside the model file."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the lineage that a JSON text holds. Raises ValueError or TypeError where it holds none.

        Earlier code wrote the flatbuffer's hash as `weights_id`, and nothing of pixels.
        """
        held = json.loads(text)
        if "weights_id" in held:
            held |= {"model_sha256": held.pop("weights_id"), "pixels": AS_BEFORE}
        return cls(**held)


class Conversion:
    """A conversion of the settings' extractor, which goes on in a process of its own. `exact` is its
    flatbuffer, where it was converted before and is only to be quantised.

    TensorFlow takes seconds to load and another one to leave, and a gigabyte that this process would keep.
    The process ends when it is done, or earlier with this one or when nobody waits for it any more.
    """

    def __init__(self, model: ModelSettings, exact: bytes | None = None) -> None:
        self._model = model
        own_folder().mkdir(exist_ok=True)
        self._folder = TemporaryDirectory(dir=own_folder())
        if exact is not None:
            self._file(EXACT).write_bytes(exact)
        # Without -P, a module in the folder that somebody works in would take the place of one of ours.
        words = [sys.executable, "-P", "-m", "silver.conversion_process", model.model_dump_json()]
        # In a session of its own, it gets no signal of the terminal, which stops this process.
        with self._file("log").open("wb") as log:
            self._process = Popen(
                [*words, self._folder.name],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(import_path())},
                stdin=PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        weakref.finalize(self, _end, self._process, self._folder)

    def _file(self, name: str) -> Path:
        return Path(self._folder.name, name)

    def result(self) -> tuple[Lineage, bytes]:
        """Return the model file with its lineage, and wait for them.

        Raises BadInput for an unknown extractor, for weights that can't be fetched or used, and for a model
        that can't be quantised; FruitLakeError where the process was killed, and ConversionFailed.
        """
        code = self._process.wait()
        if self._file(REFUSAL).exists():
            raise BadInput(self._file(REFUSAL).read_text(encoding="utf-8"))
        if code < 0:
            raise FruitLakeError(
                "The process that converts the model was killed, perhaps because memory ran out: it "
                "takes a gigabyte. End other programs, and run again."
            )
        if code:
            error = ConversionFailed(f"the process that converts the model ended with {code}")
            error.add_note(self._file("log").read_text(errors="replace"))
            raise error
        made = self._file(file_name(self._model.precision))
        return read(self._model.model_copy(update={"flatbuffer": str(made)}))


class ConversionFailed(Exception):
    """A conversion ended by something that nobody foresaw, which the note tells."""


def _end(process: Popen[bytes], folder: TemporaryDirectory[str]) -> None:
    """End a process, if it hasn't ended, and remove its folder."""
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    folder.cleanup()
    with suppress(OSError):  # Spark has files there
        own_folder().rmdir()


def begin(model: ModelSettings, exact: bytes | None = None) -> Conversion:
    """Begin to convert the extractor of the settings, or only to quantise its flatbuffer `exact`."""
    return Conversion(model, exact)


def convert(model: ModelSettings, exact: bytes | None = None) -> tuple[Lineage, bytes]:
    """Return the extractor of the settings, converted by TensorFlow, with its lineage. `exact` is its
    flatbuffer, where it is only to be quantised. Raises as `Conversion.result`."""
    return begin(model, exact).result()


def read(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the model file that the settings name, with its lineage.

    Raises BadInput where one of the two is missing or was changed, is of another extractor or weights, or
    was not made for the precision.
    """
    path = Path(model.flatbuffer)
    try:
        content = path.read_bytes()
        lineage = Lineage.read(path.with_suffix(".json").read_text())
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"model.flatbuffer {path}: it or the lineage beside it can't be read ({type(error).__name__}); "
            f"make both again with run.py emr package."
        ) from error
    if file_sha256(content) != lineage.model_sha256:
        raise BadInput(
            f"model.flatbuffer {path} was changed: the lineage file beside it is of another one; make both "
            f"again with run.py emr package."
        )
    if (lineage.extractor, lineage.weights) != (model.extractor, model.weights):
        raise BadInput(
            f"model.flatbuffer {path} is {lineage.extractor} with the weights {lineage.weights}, and the "
            f"settings want {model.extractor} with {model.weights}; make a package for these settings with "
            f"run.py emr package."
        )
    if is_quantised(content) != (Precision(model.precision) is Precision.INT8):
        raise BadInput(
            f"model.flatbuffer {path} was made for {lineage.precision}, and the settings want "
            f"{model.precision}; make a package for these settings with run.py emr package."
        )
    return lineage, content


def converted(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the model file that the settings name, or else one converted here, with its lineage.

    Raises BadInput as `read` and `convert` do.
    """
    return read(model) if model.flatbuffer else convert(model)


def source_sha256(model: ModelSettings) -> str:
    """Return the hash of the weights' source, in hex, without loading TensorFlow.

    Where the settings name a model file, the hash is that of its lineage. Raises BadInput as `read` and
    `convert` do.
    """
    if model.flatbuffer:
        return read(model)[0].source_sha256
    return extractors.extractor(model.extractor).source(model.weights).sha256
