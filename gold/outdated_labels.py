"""Classifiers that learned labels which were corrected since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lake.chunks import Chunk
from lake.enums import LABELLING, ModelKind, ModelStatus


def sentences(chunks: Iterable[Chunk], versions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each champion classifier since whose training photos got other labels, without a
    full stop. `versions` are rows of gold/models."""
    labelled = [chunk for chunk in chunks if chunk.layer == LABELLING and chunk.is_published]
    found = []
    for row in versions:
        if (row["kind"], row["status"]) != (ModelKind.CLASSIFIER, ModelStatus.CHAMPION):
            continue
        if photos := _relabelled_since(labelled, row["chunk"]):
            found.append(
                f"{row['version']} learned earlier labels: {photos:,} were corrected since its training; "
                f"run.py train learns those of now"
            )
    return found


def _relabelled_since(labelled: Sequence[Chunk], number: int) -> int:
    """Return how many corrections of a photo's label, or split, came after the chunk of a number."""
    return sum(chunk.photos for chunk in labelled if chunk.number > number)
