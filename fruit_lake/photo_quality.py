"""What silver measured of photos, or why it refused them, as columns beside those of bronze/photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fruit_lake.fitted_models import extractor_weights
from fruit_lake.opened_lake import OpenedLake
from lake import catalog

MEASURES = ("brightness", "sharpness", "dhash")
"""The columns of silver/embeddings that are measured from a photo's pixels."""

COLUMNS = pa.schema(
    [
        ("brightness", pa.float64()),
        ("sharpness", pa.float64()),
        ("dhash", pa.int64()),
        ("refused", pa.string()),
    ]
)
"""The columns of quality. `refused` is the reason for which silver refused a photo, null where it did not."""


class PhotoQuality:
    """The quality of photos, by their ids: `rows` has `photo_id` and COLUMNS."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        self._places = {photo: place for place, photo in enumerate(rows["photo_id"].to_pylist())}

    @classmethod
    def of(
        cls, opened: OpenedLake, wanted: Sequence[str], weights_id: str | None = None
    ) -> PhotoQuality:
        """Read the quality of all photos, where a wanted column is of quality. Raises BadInput."""
        empty = pa.schema([("photo_id", pa.string()), *COLUMNS]).empty_table()
        weights = (
            extractor_weights(opened, weights_id) if set(wanted) & set(COLUMNS.names) else None
        )
        if weights is None:
            return cls(empty)
        is_of_extractor = pc.field("weights_id") == weights
        holds = is_of_extractor & pc.field("replayed_at").is_null()
        measured = opened.rows(catalog.EMBEDDINGS, ("photo_id", *MEASURES), is_of_extractor)
        refused = opened.rows(catalog.QUARANTINE, ("photo_id", "reason"), holds)
        refused = refused.rename_columns(["photo_id", "refused"])
        rows = pa.concat_tables([empty, measured, refused], promote_options="default")
        return cls(rows.combine_chunks())

    def added_to(self, batch: pa.RecordBatch, wanted: Sequence[str]) -> pa.RecordBatch:
        """Return a batch of bronze/photos with the wanted columns, in their order."""
        ids = batch.column("photo_id").to_pylist()
        places = pa.array([self._places.get(photo) for photo in ids], pa.int64())
        columns: list[Any] = [
            pc.take(self._rows[name].combine_chunks(), places)
            if name in COLUMNS.names
            else batch.column(name)
            for name in wanted
        ]
        return pa.RecordBatch.from_arrays(columns, schema=schema(batch.schema, wanted))


def stored(wanted: Sequence[str]) -> list[str]:
    """Return the columns of bronze/photos that are read for the wanted ones."""
    of_bronze = (name for name in wanted if name not in COLUMNS.names)
    return list(dict.fromkeys(["photo_id", *of_bronze]))


def schema(of_bronze: pa.Schema, wanted: Sequence[str]) -> pa.Schema:
    """Return the schema of photos with the wanted columns; `of_bronze` has those of bronze/photos."""
    fields = (COLUMNS if name in COLUMNS.names else of_bronze for name in wanted)
    return pa.schema([each.field(name) for each, name in zip(fields, wanted, strict=True)])
