"""The photos that the scatter of the report and of the page shows: a sample of `gold/features`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake import arrow_reads, catalog, delta_rs_reader
from report.svg_plots import Scatter, scatter

SAMPLE = 3_000
"""The most photos that a scatter shows. More marks would hide one another, and each takes some 250 bytes of a
page."""

UNLABELLED = "no label"


@dataclass(frozen=True)
class Points:
    """A sample of the photos that have features of one PCA version.

    `photos` counts all of them. The sample has the kind of each photo in `kinds`, and its first two
    components in `components`, float32[n, 2].
    """

    photos: int
    kinds: list[str]
    components: NDArray[np.float32]

    def drawn(self, scree: Sequence[float]) -> Scatter | None:
        """Draw the sample as a scatter; returns None where it is empty.

        `scree` has the share of the variance of each component, in [0, 1].
        """
        if not self.kinds:
            return None
        return scatter(self.kinds, self.components, explained=first_two(scree))


NONE = Points(0, [], np.empty((0, 2), np.float32))
"""The points of a PCA version that no photo has features of."""


def first_two(values: Sequence[float]) -> tuple[float, float]:
    """Return the first two values of a sequence with one value for each component; a missing second is 0."""
    first, second, *_ = [*values, 0.0]
    return first, second


def points(root: str, version: str) -> Points:
    """Return at most SAMPLE of the photos that have features of a PCA version in the lake under `root`.

    They are the same ones each time: those with the lowest ids, which are hashes. The table is read batch by
    batch, so memory is bounded. Raises BadInput where there is no lake.
    """
    columns = {
        "photo_id": pc.field("photo_id"),
        "label": pc.field("label"),
        "first": pc.list_slice(pc.field("features"), 0, 2),
    }
    features = delta_rs_reader.dataset(delta_rs_reader.delta_table(root, catalog.FEATURES))
    of_version = pc.field("model_version") == version
    chosen, photos = None, 0
    for batch in arrow_reads.batches(features, columns=columns, filter=of_version):
        photos += batch.num_rows
        candidates = pa.Table.from_batches([batch])
        if chosen is not None:
            candidates = pa.concat_tables([chosen, candidates])
        lowest = pc.select_k_unstable(candidates, SAMPLE, [("photo_id", "ascending")])
        chosen = candidates.take(lowest)
    if chosen is None or not photos:
        return NONE
    first = np.array(chosen["first"].to_pylist(), np.float32)
    return Points(
        photos,
        [label or UNLABELLED for label in chosen["label"].to_pylist()],
        # A version with a single component has no second one.
        np.pad(first, ((0, 0), (0, 2 - first.shape[1]))),
    )
