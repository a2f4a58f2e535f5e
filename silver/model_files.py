"""The two kinds of model files: a flatbuffer, and the ZIP of a model in int8.

The ZIP holds the flatbuffer that the model was quantised from, and OpenVINO's own form of the model that
quantisation made of it. So one file, and one SHA-256, names both. The members are stored as they are, with
one date and in one order: the same model gives the same bytes.
"""

from __future__ import annotations

import io
import struct
from typing import NamedTuple
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from conf.errors import BadInput
from lake.enums import Precision

MEMBERS = ("exact.tflite", "model.xml", "model.bin")
"""The members of the ZIP, in their order."""

MOST_BYTES = 1 << 30
"""The most bytes that the members may promise to have together. ResNet-50 has an eighth of that."""

DATE = (1980, 1, 1, 0, 0, 0)
"""The date of each member: the earliest that a ZIP can tell."""


class UnusableModel(BadInput, ValueError):
    """A model file can't be loaded by OpenVINO, or doesn't turn one photo into one embedding."""


class QuantisedModel(NamedTuple):
    """What the ZIP of a model in int8 holds, as bytes.

    `exact` is the flatbuffer that it was quantised from. `xml` and `weights` are the two files of the
    quantised model in OpenVINO's form (IR).
    """

    exact: bytes
    xml: bytes
    weights: bytes

    def packed(self) -> bytes:
        """Return the content of the ZIP."""
        target = io.BytesIO()
        with ZipFile(target, "w", ZIP_STORED) as archive:
            for name, content in zip(MEMBERS, self, strict=True):
                archive.writestr(ZipInfo(name, DATE), content)
        return target.getvalue()


def is_flatbuffer(content: bytes) -> bool:
    """Return whether a file's content begins as that of a LiteRT flatbuffer."""
    return content[4:8] == b"TFL3"


def is_quantised(content: bytes) -> bool:
    """Return whether a file's content begins as the ZIP of a model in int8."""
    return content.startswith(b"PK\x03\x04")


def ending(precision: Precision) -> str:
    """Return what the name of a model file ends with, for a model that runs in that precision."""
    return ".zip" if precision is Precision.INT8 else ".tflite"


def unpacked(content: bytes) -> QuantisedModel:
    """Return what the ZIP of a model in int8 holds. Raises UnusableModel where it is no such ZIP."""
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            is_whole = tuple(member.filename for member in members) == MEMBERS
            are_stored = all(member.compress_type == ZIP_STORED for member in members)
            if is_whole and are_stored and sum(each.file_size for each in members) <= MOST_BYTES:
                return QuantisedModel(*(archive.read(member) for member in members))
    # What zipfile raises for bytes of any kind.
    except (BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error) as error:
        raise _unusable() from error
    raise _unusable()


def _unusable() -> UnusableModel:
    return UnusableModel(
        f"The model can't be loaded: its file is no whole ZIP of {', '.join(MEMBERS)}; put back the file "
        f"that was made, or make it again with model.precision=int8."
    )
