"""Photos that lie in the landing folder with more than one label, as the last run of bronze found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        return _words(self.label, self.split)


@dataclass(frozen=True)
class LabelConflict:
    """A photo with the label and the split that it keeps, and what its objects in the landing folder tell."""

    photo_id: str
    label: str | None
    split: str | None
    objects: Sequence[Told]

    @property
    def kept(self) -> str:
        """What the photo keeps, in words."""
        return _words(self.label, self.split)

    @property
    def told(self) -> list[str]:
        """What its objects tell, in words, each once."""
        return sorted({str(each) for each in self.objects})

    def facts(self) -> dict[str, Any]:
        """Return the conflict in types that JSON has."""
        return asdict(self)


def label_conflicts(root: str) -> list[LabelConflict]:
    """Return the conflicts of the lake under `root`, in the order of their objects' paths. Raises BadInput
    where there is no lake."""
    found: dict[str, list[Told]] = {}
    for row in _rows(root, catalog.OBJECTS, pc.field("path").is_valid()):
        told = Told(row["path"], row["label"] or None, row["split"] or None)
        found.setdefault(row["photo_id"], []).append(told)
    if not found:
        return []
    of_photos = pc.field("photo_id").isin(pa.array(sorted(found), pa.string()))
    conflicts = [
        LabelConflict(
            row["photo_id"],
            row["label"],
            row["split"],
            sorted(found[row["photo_id"]], key=lambda told: told.path),
        )
        for row in _rows(root, catalog.PHOTOS, of_photos)
    ]
    return sorted(conflicts, key=lambda each: each.objects[0].path)


def _rows(root: str, table: catalog.Table, where: pc.Expression) -> list[Mapping[str, Any]]:
    """Return what rows of a table say of photos; what a table of earlier code lacks is None."""
    known = delta_rs_reader.delta_table(root, table)
    columns = ["photo_id", "path", "label", "split"]
    found = delta_rs_reader.batches(known, columns=columns, where=where, of=table)
    return [row for batch in found for row in batch.to_pylist()]


def _words(label: str | None, split: str | None) -> str:
    return ", ".join(each for each in (label, split) if each) or "no label"
