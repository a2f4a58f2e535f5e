"""Photos by their first components, as the report and the page draw them: a sample of gold/features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lake import catalog, delta_rs_reader
from report.svg_plots import Scatter, scatter

SAMPLE = 3_000
"""Photos, at most: more marks hide one another, and each is some 250 bytes of a page."""

UNLABELLED = "no label"


@dataclass(frozen=True)
class Points:
    """So many of `photos`: the kind of each, and its first two components, float32[n, 2]."""

    photos: int
    kinds: list[str]
    components: NDArray[np.float32]

    def drawn(self, scree: Sequence[float]) -> Scatter | None:
        """As a scatter, where there are any; `scree` has each component's share of the variance."""
        if not self.kinds:
            return None
        return scatter(self.kinds, self.components, explained=first_two(scree))


NONE = Points(0, [], np.empty((0, 2), np.float32))
"""Of no photos."""


def first_two(values: Sequence[float]) -> tuple[float, float]:
    """Of components, of which there may be one alone."""
    first, second, *_ = [*values, 0.0]
    return first, second


def points(root: str, version: str) -> Points:
    """Of the photos that a PCA version has features of, the same ones each time: those with the lowest
    ids, which are hashes. Read batch by batch. Raises BadInput where there is no lake."""
    columns = {
        "photo_id": pc.field("photo_id"),
        "label": pc.field("label"),
        "first": pc.list_slice(pc.field("features"), 0, 2),
    }
    held = delta_rs_reader.delta_table(root, catalog.FEATURES).to_pyarrow_dataset()
    scanner = held.scanner(columns=columns, filter=pc.field("model_version") == version)
    chosen, photos = None, 0
    for batch in scanner.to_reader():
        photos += batch.num_rows
        both = pa.Table.from_batches([batch])
        both = pa.concat_tables([chosen, both]) if chosen is not None else both
        chosen = both.take(pc.select_k_unstable(both, SAMPLE, [("photo_id", "ascending")]))
    if chosen is None or not photos:
        return NONE
    first = np.array(chosen["first"].to_pylist(), np.float32)
    return Points(
        photos,
        [label or UNLABELLED for label in chosen["label"].to_pylist()],
        # A version of one component has no second.
        np.pad(first, ((0, 0), (0, 2 - first.shape[1]))),
    )
