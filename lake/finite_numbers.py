"""Numbers that are not finite, NaN and infinity: one spoils what a stored model or a measure says."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

FITTED = ("mean", "scale", "basis")
"""The columns of gold/models that hold float64 values as bytes."""

LISTED = ("scree", "principal_angles")
MEASURED = ("explained_variance", "variance", "drift")


def of_model(row: Mapping[str, Any]) -> int:
    """Return the number of numbers in a row of gold/models that are not finite, but for its metrics."""
    stored = sum(of_bytes(row[name]) for name in FITTED)
    numbers = [row[name] for name in MEASURED]
    for name in LISTED:
        numbers += row[name] or ()
    return (
        stored
        + of_numbers(number for number in numbers if number is not None)
        + of_text(row["reference"])
        + of_archive(row["parameters"])
    )


def of_bytes(values: bytes | None) -> int:
    """Return the number of float64 values in bytes that are not finite. Bytes of a broken value are none."""
    whole = (values or b"")[: len(values or b"") // 8 * 8]
    return _not_finite(np.frombuffer(whole))


def of_numbers(numbers: Iterable[float]) -> int:
    """Return how many of some numbers are not finite."""
    return _not_finite(np.array(list(numbers), np.float64))


def of_text(text: str | None) -> int:
    """Return how many numbers in a JSON text are not finite; 1 for a text that is no JSON."""
    found: list[str] = []

    def read(number: str) -> float:
        if math.isinf(float(number)):
            found.append(number)
        return float(number)

    try:
        json.loads(text or "null", parse_constant=found.append, parse_float=read)
    except ValueError:
        return 1
    return len(found)


def of_archive(parameters: bytes | None) -> int:
    """Return how many numbers in the arrays of NumPy's archive are not finite; 1 where it can't be read."""
    if not parameters:
        return 0
    try:
        with np.load(BytesIO(parameters), allow_pickle=False) as arrays:
            held = [arrays[name] for name in arrays.files]
    except (ValueError, OSError, EOFError, BadZipFile, TypeError, AttributeError, zlib.error):
        return 1
    return sum(_not_finite(array) for array in held if array.dtype.kind == "f")


def largest(measures: Sequence[float]) -> float:
    """Return the largest of some measures, 0 where there is none. One that is no number comes before any."""
    return float(np.max(measures, initial=0.0))


def _not_finite(values: NDArray[np.floating[Any]]) -> int:
    return int(values.size - np.isfinite(values).sum())
