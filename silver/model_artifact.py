"""The extractor as a flatbuffer with its lineage, converted on this machine or read from a file.

A cluster has no TensorFlow and can't reach the weights. There, the setting `model.flatbuffer` names a
flatbuffer that `run.py emr package` converted, with its lineage beside it as JSON. The weights are named as
everywhere else. So the lake's row of the model is the one that a laptop would write, and a laptop and a
cluster can continue each other's work.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from conf.errors import BadInput, FruitLakeError
from conf.settings import ModelSettings
from silver import extractors, litert_conversion

PRECISION = "float32"


@dataclass(frozen=True)
class Lineage:
    """What a flatbuffer was made from.

    `weights` is the name in the settings, `source_sha256` the hash of the weights' source in hex, and
    `weights_id` the hash of the flatbuffer.
    """

    extractor: str
    weights: str
    source_sha256: str
    precision: str
    weights_id: str

    def json(self) -> str:
        """Return the JSON text of the file that lies beside the flatbuffer."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"


class Conversion:
    """A conversion of the settings' extractor, which goes on in a process of its own.

    TensorFlow takes seconds to load and another one to leave, and a gigabyte that this process would keep.
    The process ends with its answer, also where nobody waits for it any more.
    """

    def __init__(self, model: ModelSettings) -> None:
        context = get_context("spawn")
        self._answers, there = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(there, model), daemon=True)
        process.start()
        there.close()  # the process has the only other end, so that its death ends the answers

    @cached_property
    def _told(self) -> tuple[Lineage, bytes] | Exception:
        try:
            answer: tuple[Lineage, bytes] | Exception = self._answers.recv()
        except EOFError:
            return FruitLakeError(
                "The process that converts the model was killed, as where memory runs out (it takes a "
                "gigabyte); run again."
            )
        return answer

    def result(self) -> tuple[Lineage, bytes]:
        """Return the flatbuffer with its lineage, and wait for them.

        Raises BadInput for an unknown extractor, and for weights that can't be fetched or used;
        FruitLakeError where the process was killed.
        """
        if isinstance(self._told, Exception):
            raise self._told
        return self._told


def begin(model: ModelSettings) -> Conversion:
    """Begin to convert the extractor of the settings."""
    return Conversion(model)


def convert(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the extractor of the settings, converted by TensorFlow, with its lineage. Raises as
    `Conversion.result`."""
    return begin(model).result()


def _answer(answers: Connection, model: ModelSettings) -> None:
    """Send what `_convert` returns or raises."""
    try:
        answers.send(_convert(model))
    except BrokenPipeError:
        return  # who asked has gone
    except Exception as error:
        answers.send(error)


def _convert(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the extractor of the settings, converted in this process. Raises BadInput as
    `Conversion.result`."""
    extractor = extractors.extractor(model.extractor)
    source = extractor.source(model.weights)
    content = litert_conversion.convert(extractor.build(source))
    weights_id = litert_conversion.weights_id(content)
    return Lineage(model.extractor, model.weights, source.sha256, PRECISION, weights_id), content


def read(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the flatbuffer that the settings name, with its lineage.

    Raises BadInput where one of the two is missing or was changed, or is of another extractor or weights.
    """
    path = Path(model.flatbuffer)
    try:
        content = path.read_bytes()
        lineage = Lineage(**json.loads(path.with_suffix(".json").read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"model.flatbuffer {path}: it or the lineage beside it can't be read ({type(error).__name__}); "
            f"make both again with run.py emr package."
        ) from error
    if litert_conversion.weights_id(content) != lineage.weights_id:
        raise BadInput(
            f"model.flatbuffer {path}: it isn't the one that its lineage tells of; make both again with "
            f"run.py emr package."
        )
    if (lineage.extractor, lineage.weights) != (model.extractor, model.weights):
        raise BadInput(
            f"model.flatbuffer {path} is {lineage.extractor} with the weights {lineage.weights}, and the "
            f"settings want {model.extractor} with {model.weights}; make a package of these settings."
        )
    return lineage, content


def converted(model: ModelSettings) -> tuple[Lineage, bytes]:
    """Return the flatbuffer that the settings name, or else one converted here, with its lineage.

    Raises BadInput as `read` and `convert` do.
    """
    return read(model) if model.flatbuffer else convert(model)


def source_sha256(model: ModelSettings) -> str:
    """Return the hash of the weights' source, in hex, without loading TensorFlow.

    Where the settings name a flatbuffer, the hash is that of its lineage. Raises BadInput as `read` and
    `convert` do.
    """
    if model.flatbuffer:
        return read(model)[0].source_sha256
    return extractors.extractor(model.extractor).source(model.weights).sha256
