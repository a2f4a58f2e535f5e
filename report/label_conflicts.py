"""Photos that lie in the landing folder with more than one label, as the last run of bronze found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake import catalog, delta_rs_reader


@dataclass(frozen=True)
class Told:
    """What one object tells of its photo: its path as bronze keeps it, and its label and split, None where it
    tells none."""

    path: str
    label: str | None
    split: str | None

    def __str__(self) -> str:
        return ", ".join(each for each in (self.label, self.split) if each) or "no label"


@dataclass(frozen=True)
class LabelConflict:
    """A photo, what its row in bronze/photos says, and what other objects with the same bytes tell."""

    photo_id: str
    kept: Told
    others: Sequence[Told]

    def facts(self) -> dict[str, Any]:
        """Return the conflict in types that JSON has."""
        return asdict(self)


def label_conflicts(root: str) -> list[LabelConflict]:
    """Return the conflicts of the lake under `root`, in the order of the photos' paths. Raises BadInput where
    there is no lake."""
    found: dict[str, list[Told]] = {}
    for row in _rows(root, catalog.OBJECTS, pc.field("path").is_valid()):
        found.setdefault(row["photo_id"], []).append(_told(row))
    if not found:
        return []
    of_photos = pc.field("photo_id").isin(pa.array(sorted(found), pa.string()))
    conflicts = [
        LabelConflict(
            row["photo_id"],
            _told(row),
            sorted(found[row["photo_id"]], key=lambda told: told.path),
        )
        for row in _rows(root, catalog.PHOTOS, of_photos)
    ]
    return sorted(conflicts, key=lambda each: each.kept.path)


def _rows(root: str, table: catalog.Table, where: pc.Expression) -> list[dict[str, Any]]:
    """Return what rows of a table say of photos; what a table of earlier code lacks is None."""
    known = delta_rs_reader.delta_table(root, table)
    columns = ["photo_id", "path", "label", "split"]
    found = delta_rs_reader.batches(known, columns=columns, where=where, of=table)
    return [row for batch in found for row in batch.to_pylist()]


def _told(row: dict[str, Any]) -> Told:
    return Told(row["path"], row["label"] or None, row["split"] or None)
