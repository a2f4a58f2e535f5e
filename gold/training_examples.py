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

from gold import scenes
from gold.moments import matrix
from gold.near_duplicates import Indices
from gold.scenes import Scenes


@dataclass(frozen=True)
class Examples:
    """The n labelled photos of a training, in the order of their ids.

    `embeddings` are float32[n, d]. Photos of one scene must be in the same fold; `grouping` says how scenes
    were told apart. `days` are the days on which the photos were taken, None where a photo didn't say.
    `left_out` are the labels of which there was no room for any photo.
    """

    photo_ids: Sequence[str]
    subjects: Sequence[str | None]
    labels: Sequence[str]
    grouping: Scenes
    days: Sequence[date | None]
    embeddings: NDArray[np.float32]
    left_out: Sequence[str]

    @property
    def scenes(self) -> Indices:
        """The scene of each photo, int64[n]."""
        return self.grouping.numbers

    @classmethod
    def of(cls, embeddings: DataFrame, photos: DataFrame, *, at_most: int) -> Self:
        """Return the labelled photos among rows of silver/embeddings, at most `at_most` of them.

        Where there are more, a hash of their photo_id chooses, so that the same photos are taken each time.
        Of `photos`, rows of bronze/photos, only the days and the paths are read. The day of the upload is
        never taken for the day of a photo: it is that of its file, and copying a folder past midnight would
        make two days of one.
        """
        labelled = embeddings.where(F.col("label").isNotNull())
        chosen = labelled.orderBy(F.xxhash64("photo_id"), "photo_id").limit(at_most)
        examples = chosen.select("photo_id", "subject", "label", "dhash", "embedding")
        said = photos.select("photo_id", "taken_on", "path")
        table = examples.join(said, "photo_id", "left").toArrow()
        table = table.sort_by("photo_id").combine_chunks()
        subjects, labels = table["subject"].to_pylist(), table["label"].to_pylist()
        days = scenes.days_taken(table["taken_on"].to_pylist(), table["path"].to_pylist())
        vectors = matrix(table["embedding"].combine_chunks())
        grouping = Scenes.of(
            vectors,
            labels=labels,
            subjects=subjects,
            visits=scenes.visits(subjects, days),
            dhash=table["dhash"].to_numpy(),
        )
        left_out: set[str] = set()
        if len(labels) == at_most:
            kinds = labelled.select("label").distinct().toArrow()["label"].to_pylist()
            left_out = set(kinds) - set(labels)
        return cls(
            photo_ids=table["photo_id"].to_pylist(),
            subjects=subjects,
            labels=labels,
            grouping=grouping,
            days=days,
            embeddings=vectors,
            left_out=sorted(left_out),
        )
