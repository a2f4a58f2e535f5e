"""All that the report tells, read from the tables once, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from conf.prices import Source, prices
from conf.settings import Settings
from expectations import suites
from lake import catalog, delta_rs_reader
from lake.run_journal import code_revision
from lake.storage.folder import Folder
from report import scatter_points, thumbnails
from report.gate_history import Quality
from report.lake_sums import ModelSums, Sums, sums
from report.run_cost import Rate, Spent
from report.run_history import RecordedRun, recorded
from report.scatter_points import Points
from silver.pixels import Limits

BLOBS = ("mean", "scale", "basis", "parameters", "reference")
"""Columns of gold/models that a report doesn't need: megabytes."""

PICTURES = 6
"""Of a reason, at most."""

MEASURES = {
    "mean_shift": "mean_shift",
    "reconstruction": "reconstruction_loss",
    "label_mix": "label_mix_index",
    "brightness": "brightness_index",
    "component": "component_index",
}
"""The measures of a drift, and the columns of the suite of gold/features that hold them to a bound."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ModelFacts:
    """One extractor model, and its champions: rows of gold/models, None where there is none.

    `points`: photos by the champion PCA's first components; `drift`: rows of ops/drift, the last first.
    """

    sums: ModelSums
    pca: Row | None
    classifier: Row | None
    points: Points
    drift: Sequence[Row]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Of the champion classifier: int64[labels, labels], a row a true kind."""
        assert self.classifier is not None
        n = len(self.classifier["labels"])
        return np.array(self.classifier["confusion"], np.int64).reshape(n, n)


@dataclass(frozen=True)
class ReportFacts:
    """What the report shows. `drift_bounds`: what the suite holds each measure to, where it does; `pictures`:
    of quarantined photos, by reason, if asked for."""

    made_at: datetime
    code_revision: str
    lake: str
    sums: Sums
    runs: Sequence[RecordedRun]
    quality: Quality
    models: Sequence[ModelFacts]
    versions: Sequence[Row]
    drift_bounds: Mapping[str, float]
    rate: Rate
    spent: Spent
    sources: Sequence[Source]
    pictures: Mapping[str, Sequence[bytes]]

    @classmethod
    def of(cls, files: Folder, settings: Settings, *, with_pictures: bool = False) -> Self:
        """Raises BadInput (no lake there), BadSettings (no prices), Blocked (a suite can't be read)."""
        root = files.root
        held, runs, known = sums(files), recorded(root), prices()
        versions = _versions(root)
        drift = sorted(_drift(root), key=lambda row: row["measured_at"], reverse=True)
        rate = Rate.of(settings, known)
        return cls(
            made_at=datetime.now(UTC),
            code_revision=code_revision(),
            lake=settings.paths.lake,
            sums=held,
            runs=runs,
            quality=Quality.of(root),
            models=[_model(root, model, versions, drift) for model in held.models],
            versions=versions,
            drift_bounds=_bounds(),
            rate=rate,
            spent=Spent.on(runs, rate),
            sources=[known.sources[name] for name in ("on_demand", "emr")],
            pictures=_pictures(root, settings) if with_pictures else {},
        )

    @property
    def refused(self) -> list[tuple[str, str, int]]:
        """(Where, reason, photos), of photos that are refused now."""
        found = [("bronze/rejected", why, n) for why, n in self.sums.rejected.items()]
        for model in self.sums.models:
            where = f"silver/quarantine of {model.extractor}"
            found += [(where, why, n) for why, n in model.reasons.items()]
        return found


def _versions(root: str) -> list[Row]:
    """Every model version, the last one first."""
    columns = [name for name in catalog.MODELS.schema.names if name not in BLOBS]
    rows = delta_rs_reader.rows(root, catalog.MODELS, columns=columns)
    for row in rows:
        row["metrics"] = dict(row["metrics"] or [])
    return sorted(rows, key=lambda row: (row["created_at"], row["version"]), reverse=True)


def _drift(root: str) -> list[dict[str, Any]]:
    """The rows of ops/drift, of the components' measures the largest."""
    rows = delta_rs_reader.rows(root, catalog.DRIFT)
    return [row | {"component": max(row["components"], default=0.0)} for row in rows]


def _model(root: str, held: ModelSums, versions: Sequence[Row], drift: Sequence[Row]) -> ModelFacts:
    own = [row for row in versions if row["weights_id"] == held.weights_id]
    champions = {row["kind"]: row for row in own if row["status"] == "champion"}
    pca = champions.get("pca")
    return ModelFacts(
        held,
        pca,
        champions.get("classifier"),
        scatter_points.points(root, pca["version"]) if pca else scatter_points.NONE,
        [row for row in drift if row["weights_id"] == held.weights_id],
    )


def _bounds() -> dict[str, float]:
    written = suites.written(suites.name_of(catalog.FEATURES))["expectations"]
    held = {each["kwargs"].get("column"): each["kwargs"].get("max_value") for each in written}
    return {name: held[column] for name, column in MEASURES.items() if held.get(column)}


def _pictures(root: str, settings: Settings) -> dict[str, list[bytes]]:
    """Small JPEGs of photos that are quarantined now, by reason: the first ones by their ids of those that
    are nobody's and can be decoded."""
    free = pc.field("replayed_at").is_null() & pc.field("subject").is_null()
    rows = delta_rs_reader.rows(
        root, catalog.QUARANTINE, columns=["photo_id", "reason"], where=free
    )
    by_reason: dict[str, list[str]] = {}
    for photo_id, reason in sorted({(row["photo_id"], row["reason"]) for row in rows}):
        by_reason.setdefault(reason, []).append(photo_id)
    chosen = {reason: ids[:PICTURES] for reason, ids in by_reason.items()}
    contents = thumbnails.contents(root, [photo for ids in chosen.values() for photo in ids])
    # A photo that is too small, or blank, can be shown all the same.
    decoder = thumbnails.decoder(
        replace(Limits(**settings.photos.model_dump()), min_side=1, blank_range=-1)
    )
    try:
        shown = {
            reason: thumbnails.pictures([contents[i] for i in ids if i in contents], by=decoder)
            for reason, ids in sorted(chosen.items())
        }
    finally:
        decoder.close()
    made = {reason: [each for each in found if each] for reason, found in shown.items()}
    return {reason: found for reason, found in made.items() if found}
