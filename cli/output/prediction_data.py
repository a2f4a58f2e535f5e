"""Predictions and similar photos for programs: JSON and CSV on the standard output, photo by photo."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from typing import Any, Protocol

from rich.console import Console

from gold.model_versions import ClassifierVersion
from page.predictions import Prediction

KINDS = 3
"""The number of kinds that are given of each photo, the likeliest ones, as in the page's API."""

CSV_COLUMNS = (
    *("photo", "kind", "confidence", "second_kind", "second_confidence", "third_kind"),
    *("third_confidence", "label", "trained_on", "refused", "verdict"),
)


class PredictionWriter(Protocol):
    """Where predictions go, one after another; `end` follows the last one."""

    def add(self, prediction: Prediction) -> None: ...

    def end(self) -> None: ...


class JsonWriter:
    """One JSON document: the classifier, and a line for each photo. Nothing is kept in memory."""

    def __init__(self, console: Console, by: ClassifierVersion) -> None:
        self._console = console
        self._is_first = True
        figures = ("calibration_error", "sure_from", "sure_share", "sure_accuracy")
        facts = {
            "version": by.version,
            "algorithm": by.algorithm,
            "input": by.input,
            "accuracy": by.metrics["accuracy"],
            "accuracy_low": by.metrics.get("accuracy_low"),
            "accuracy_high": by.metrics.get("accuracy_high"),
            "groups": int(by.metrics["groups"]) if "groups" in by.metrics else None,
            **{name: by.metrics.get(name) for name in figures},
        }
        _write(console, f'{{\n  "classifier": {json.dumps(facts)},\n  "photos": [')

    def add(self, prediction: Prediction) -> None:
        """Write a photo: what is said of it, or why it was refused."""
        facts = {
            "photo": prediction.photo,
            "kinds": [
                {"kind": kind, "confidence": confidence}
                for kind, confidence in prediction.kinds[:KINDS]
            ],
            "label": prediction.label,
            "trained_on": prediction.trained_on,
            "verdict": prediction.verdict,
            "refused": prediction.refused,
        }
        _write(self._console, f"{'' if self._is_first else ','}\n    {json.dumps(facts)}")
        self._is_first = False

    def end(self) -> None:
        """End the document."""
        _write(self._console, "\n  ]\n}\n")


class CsvWriter:
    """CSV as RFC 4180 has it, but for lines that end with a line feed: a header, and a row for each photo.

    What is not known is an empty cell; `trained_on` is true or false.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._row(CSV_COLUMNS)

    def add(self, prediction: Prediction) -> None:
        """Write the row of a photo."""
        kinds = [cell for pair in prediction.kinds[:KINDS] for cell in pair]
        trained = {True: "true", False: "false", None: ""}[prediction.trained_on]
        ends = (prediction.label, trained, prediction.refused, prediction.verdict)
        self._row((prediction.photo, *kinds, *[None] * (2 * KINDS - len(kinds)), *ends))

    def end(self) -> None:
        """Do nothing: CSV has no end of its own."""

    def _row(self, cells: tuple[Any, ...]) -> None:
        made = io.StringIO()
        # Only signs of the line's end are quoted, so this has both: a name may have either.
        csv.writer(made, lineterminator="\r\n").writerow(cells)
        row = made.getvalue().removesuffix("\r\n")
        # A name that is no Unicode has signs that no text file can hold.
        _write(self._console, f"{os.fsencode(row).decode(errors='replace')}\n")


def document(console: Console, facts: Mapping[str, Any]) -> None:
    """Write facts as one JSON document."""
    _write(console, f"{json.dumps(facts, indent=2)}\n")


def _write(console: Console, text: str) -> None:
    """Write text as it is: Rich would change tabs and other signs in names."""
    try:
        console.file.write(text)
        console.file.flush()
    except BrokenPipeError:  # whoever reads it has seen enough, as `head` does
        console.on_broken_pipe()
