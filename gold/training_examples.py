"""The labelled photos of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold import near_duplicates
from gold.moments import matrix
from gold.near_duplicates import Indices


@dataclass(frozen=True)
class Examples:
    """The n labelled photos of a training, in the order of their ids.

    `embeddings` are float32[n, d]. `scenes` int64[n] are groups of near duplicates, which must be in the same
    fold. `days` are the days on which the photos were taken, None where a photo didn't say. `left_out` are
    the labels of which there was no room for any photo.
    """

    photo_ids: Sequence[str]
    subjects: Sequence[str | None]
    labels: Sequence[str]
    scenes: Indices
    days: Sequence[date | None]
    embeddings: NDArray[np.float32]
    left_out: Sequence[str]

    @classmethod
    def of(cls, embeddings: DataFrame, photos: DataFrame, *, at_most: int) -> Self:
        """Return the labelled photos among rows of silver/embeddings, at most `at_most` of them.

        Where there are more, a hash of their photo_id chooses, so that the same photos are taken each time.
        Of `photos`, rows of bronze/photos, only the days are read. The day of the upload is never taken for
        the day of a photo: it is that of its file, and copying a folder past midnight would make two days of
        one.
        """
        labelled = embeddings.where(F.col("label").isNotNull())
        chosen = labelled.orderBy(F.xxhash64("photo_id"), "photo_id").limit(at_most)
        examples = chosen.select("photo_id", "subject", "label", "dhash", "embedding")
        days = photos.select("photo_id", "taken_on")
        table = examples.join(days, "photo_id", "left").toArrow()
        table = table.sort_by("photo_id").combine_chunks()
        subjects, labels = table["subject"].to_pylist(), table["label"].to_pylist()
        hashes = table["dhash"].to_numpy()
        scenes = near_duplicates.groups(hashes, subjects=subjects, labels=labels)
        vectors = matrix(table["embedding"].combine_chunks())
        left_out: set[str] = set()
        if len(labels) == at_most:
            kinds = labelled.select("label").distinct().toArrow()["label"].to_pylist()
            left_out = set(kinds) - set(labels)
        return cls(
            photo_ids=table["photo_id"].to_pylist(),
            subjects=subjects,
            labels=labels,
            scenes=scenes,
            days=table["taken_on"].to_pylist(),
            embeddings=vectors,
            left_out=sorted(left_out),
        )
