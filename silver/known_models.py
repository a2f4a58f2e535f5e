"""Which of a lake's extractors the settings mean, and the model files under its `models/`.

An extractor is looked up by its name, the hash of its weights' source, its precision and the way of its
pixels: what makes an embedding is one model, and what differs in any of it is another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from conf.errors import BadInput, Inconsistent
from conf.settings import ModelSettings
from lake.enums import ModelStatus, PixelWay, Precision
from lake.model_identity import FROM_FLATBUFFER, ModelIdentity, file_sha256
from lake.storage.folder import Folder
from silver import model_files
from silver.model_artifact import AS_BEFORE, source_sha256

Row = Mapping[str, Any]
"""A row of gold/models, by column name."""


@dataclass(frozen=True)
class WantedModel:
    """The extractor that the settings want of a lake.

    `source_sha256` is the hash of its weights' source, in hex. `known` is its row of gold/models, `beside`
    that of any extractor with the same model file, and `exact` that of any whose model file is, or holds, the
    flatbuffer of the same weights (`exact_of`); None where the lake has no such row.
    """

    source_sha256: str
    precision: Precision
    pixels: PixelWay
    known: Row | None
    beside: Row | None
    exact: Row | None

    @classmethod
    def of(cls, rows: Iterable[Row], model: ModelSettings) -> Self:
        """Look it up among the rows of gold/models about extractors.

        Raises BadInput for an unknown extractor, weights that can't be had, and a model that is half retired.
        """
        source, precision = source_sha256(model), Precision(model.precision)
        same = [row for row in rows if _source(row) == (model.extractor, source)]
        same.sort(key=lambda row: row["created_at"], reverse=True)
        same.sort(key=lambda row: bool(row["status"] == ModelStatus.RETIRED))
        alike = [row for row in same if ModelIdentity.of(row).precision is precision]
        way = _way(alike, model)
        known = _in_way(alike, way)
        if known and known["status"] == ModelStatus.RETIRING:
            raise BadInput(
                f"The retirement of {model.extractor} {known['weights_id'][:12]} was interrupted: "
                f"finish it first with run.py retire {known['weights_id'][:12]}."
            )
        plain, quantised = (
            _in_precision(same, *FROM_FLATBUFFER),
            _in_precision(same, Precision.INT8),
        )
        beside = plain if precision in FROM_FLATBUFFER else quantised
        return cls(source, precision, way, known, beside, plain or quantised)

    def identity(self, model_sha256: str) -> ModelIdentity:
        """What makes its embeddings, with the model file of that SHA-256 in hex."""
        return ModelIdentity(model_sha256, self.precision, self.pixels)

    def with_file(self, rows: Iterable[Row], model: ModelSettings, *, model_sha256: str) -> Self:
        """The same where the settings leave the way of the pixels to the lake, and other weights made a model
        of it from the same model file: in the way of that one, which it is."""
        alike = sorted(
            (row for row in rows if _is_of_file(row, model.extractor, model_sha256)),
            key=lambda row: row["created_at"],
            reverse=True,
        )
        alike = [row for row in alike if ModelIdentity.of(row).precision is self.precision]
        if not alike:
            return self
        way = _way(alike, model)
        return replace(self, pixels=way, known=_in_way(alike, way))


def known_model(rows: Iterable[Row], model: ModelSettings) -> Row | None:
    """The row of the settings' extractor among the rows of gold/models about extractors; None where it is not
    among them. Raises BadInput as `WantedModel.of`."""
    return WantedModel.of(rows, model).known


def _source(row: Row) -> tuple[str, str]:
    return row["extractor"], row["source_sha256"]


def _is_of_file(row: Row, extractor: str, model_sha256: str) -> bool:
    is_same = ModelIdentity.of(row).model_sha256 == model_sha256
    return bool(row["extractor"] == extractor and is_same)


def _in_precision(same: Sequence[Row], *precisions: Precision) -> Row | None:
    """The first of some models in one of the precisions."""
    return next((row for row in same if ModelIdentity.of(row).precision in precisions), None)


def _in_way(alike: Sequence[Row], way: PixelWay) -> Row | None:
    """The newest of some models in a way of the pixels."""
    return next((row for row in alike if ModelIdentity.of(row).pixels is way), None)


def _way(alike: Sequence[Row], model: ModelSettings) -> PixelWay:
    """The way of the pixels that the settings mean, for models that differ in it alone, the newest first.

    With `as_before` it is that of the oldest model that is not retired: another one may only have been tried,
    and have no embedding. Where all are retired, it is that of the one that came last.
    """
    if model.pixels != AS_BEFORE:
        return PixelWay(model.pixels)
    held = [row for row in alike if row["status"] != ModelStatus.RETIRED]
    return ModelIdentity.of((held[-1:] or alike)[0]).pixels if alike else PixelWay.BICUBIC


def content_of(files: Folder, known: Row) -> bytes:
    """The content of the model file of an extractor's row. Raises Inconsistent where the file is missing or
    was changed."""
    identity = ModelIdentity.of(known)
    name = file_name(known["extractor"], identity)
    content = files.read(name)
    if content is None or file_sha256(content) != identity.model_sha256:
        state = "was changed" if content else "is missing" if content is None else "is empty"
        raise Inconsistent(
            f"The model file {files.uri(name)} {state}; put back the file whose SHA-256 is in its name."
        )
    return content


def exact_of(files: Folder, known: Row) -> bytes:
    """The flatbuffer of an extractor's row: its model file, or what that was quantised from. Raises
    Inconsistent as `content_of`."""
    content = content_of(files, known)
    is_quantised = ModelIdentity.of(known).precision is Precision.INT8
    return model_files.unpacked(content).exact if is_quantised else content


def file_name(extractor: str, identity: ModelIdentity) -> str:
    """The name of a model file under the lake's root. Models that differ in pixels alone share it, and those
    in float32 and bfloat16."""
    return f"models/{extractor}-{identity.model_sha256}{model_files.ending(identity.precision)}"
