"""The facts that the report shows, read from the tables of a lake once, without Spark."""

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
from gold import accuracy_figures, calibration
from gold.accuracy_figures import KindFigures
from gold.calibration import ConfidenceBin
from gold.model_versions import NARROW
from lake import catalog, delta_rs_reader, finite_numbers
from lake.enums import ModelKind, ModelStatus
from lake.run_journal import code_revision
from lake.storage.folder import Folder
from report import scatter_points, thumbnails
from report.gate_history import GateHistory
from report.label_conflicts import LabelConflict, label_conflicts
from report.lake_counts import sums
from report.reconciliation import ModelSums, Sums
from report.run_cost import Rate, Spent
from report.run_history import RecordedRun, recorded
from report.scatter_points import Points
from silver.pixels import Limits

PICTURES = 6
"""The most pictures that the report shows for each reason of a refusal."""

MEASURES = {
    "mean_shift": "mean_shift",
    "reconstruction": "reconstruction_loss",
    "label_mix": "label_mix_index",
    "brightness": "brightness_index",
    "component": "component_index",
}
"""The measures of drift in `ops/drift`, and for each the column that the suite of gold/features bounds."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ModelFacts:
    """The facts about one extractor model.

    `pca` and `classifier` are the rows of its champions in gold/models, or None where there is none yet.
    `kinds` are the figures of the kinds that the champion classifier was tested on, in the order of its
    labels, and `reliability` has its confidence on the photos of that test that are still in the lake, by
    bins; it is empty for classifiers of earlier code. `points` is a sample of photos with their first
    components by the champion PCA. `drift` has the model's rows of `ops/drift`, the newest first.
    """

    sums: ModelSums
    pca: Row | None
    classifier: Row | None
    kinds: Sequence[KindFigures]
    reliability: Sequence[ConfidenceBin]
    points: Points
    drift: Sequence[Row]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """The confusion of the champion classifier, int64[labels, labels], with a row for each true kind."""
        assert self.classifier is not None
        n = len(self.classifier["labels"])
        return np.array(self.classifier["confusion"], np.int64).reshape(n, n)


@dataclass(frozen=True)
class ReportFacts:
    """All facts that the report shows.

    `runs` and `versions` (rows of gold/models) have the newest first. `drift_bounds` maps each measure of
    drift to the bound that the suite of gold/features sets, where it sets one. `pictures` has JPEGs of
    quarantined photos by reason; it is empty where nobody asked for pictures. `conflicts` are the photos with
    more than one label.
    """

    made_at: datetime
    code_revision: str
    lake: str
    sums: Sums
    runs: Sequence[RecordedRun]
    gate_history: GateHistory
    models: Sequence[ModelFacts]
    versions: Sequence[Row]
    drift_bounds: Mapping[str, float]
    rate: Rate
    spent: Spent
    sources: Sequence[Source]
    pictures: Mapping[str, Sequence[bytes]]
    conflicts: Sequence[LabelConflict]

    @classmethod
    def of(cls, files: Folder, settings: Settings, *, with_pictures: bool = False) -> Self:
        """Read the facts of a lake.

        Raises BadInput (there is no lake), BadSettings (there are no prices) and Blocked (a suite can't be
        read).
        """
        root = files.root
        lake_sums, runs, price_list = sums(files, settings.photos), recorded(root), prices()
        versions = _versions(root)
        drift = sorted(_drift(root), key=lambda row: row["measured_at"], reverse=True)
        rate = Rate.of(settings, price_list)
        return cls(
            made_at=datetime.now(UTC),
            code_revision=code_revision(),
            lake=settings.paths.lake,
            sums=lake_sums,
            runs=runs,
            gate_history=GateHistory.of(root),
            models=[_model(root, model, versions, drift) for model in lake_sums.models],
            versions=versions,
            drift_bounds=_bounds(),
            rate=rate,
            spent=Spent.on(runs, rate),
            sources=[price_list.sources[name] for name in ("on_demand", "emr")],
            pictures=_pictures(root, settings) if with_pictures else {},
            conflicts=label_conflicts(root),
        )

    @property
    def refused(self) -> list[tuple[str, str, int]]:
        """The photos that are refused now, as (table, reason, number of photos)."""
        found = [("bronze/rejected", why, n) for why, n in self.sums.rejected.items()]
        for model in self.sums.models:
            where = f"silver/quarantine of {model.extractor}"
            found += [(where, why, n) for why, n in model.reasons.items()]
        return found


def _versions(root: str) -> list[Row]:
    """The rows of gold/models without blobs, the newest first."""
    rows = delta_rs_reader.rows(root, catalog.MODELS, columns=NARROW)
    for row in rows:
        row["metrics"] = dict(row["metrics"] or [])
    return sorted(rows, key=lambda row: (row["created_at"], row["version"]), reverse=True)


def _drift(root: str) -> list[dict[str, Any]]:
    """The rows of `ops/drift`, with the largest measure of the components as `component`."""
    rows = delta_rs_reader.rows(root, catalog.DRIFT)
    return [row | {"component": finite_numbers.largest(row["components"])} for row in rows]


def _model(
    root: str, model_sums: ModelSums, versions: Sequence[Row], drift: Sequence[Row]
) -> ModelFacts:
    of_model = [row for row in versions if row["weights_id"] == model_sums.weights_id]
    champions = {row["kind"]: row for row in of_model if row["status"] == ModelStatus.CHAMPION}
    pca, classifier = (champions.get(kind) for kind in (ModelKind.PCA, ModelKind.CLASSIFIER))
    held_out = _held_out(root, classifier) if classifier else []
    return ModelFacts(
        model_sums,
        pca,
        classifier,
        accuracy_figures.of_kinds(classifier, held_out) if classifier else [],
        _reliability(classifier, held_out) if classifier else [],
        scatter_points.points(root, pca["version"]) if pca else scatter_points.NONE,
        [row for row in drift if row["weights_id"] == model_sums.weights_id],
    )


def _held_out(root: str, classifier: Row) -> Sequence[Row]:
    """The rows of gold/held_out of the own test of a classifier, a row of gold/models."""
    columns = [*accuracy_figures.HELD_OUT_COLUMNS, "confidence"]
    where = accuracy_figures.of_its_test(classifier)
    return delta_rs_reader.rows(root, catalog.HELD_OUT, columns=columns, where=where)


def _reliability(classifier: Row, held_out: Sequence[Row]) -> Sequence[ConfidenceBin]:
    """The confidence of a classifier about photos held out against the share of right answers, by bins.

    There are none where earlier code tested it, whose confidences were fitted on the very photos.
    """
    if "calibration_error" not in classifier["metrics"]:
        return []
    return calibration.reliability(
        np.array([row["confidence"] for row in held_out], np.float64),
        np.array([row["predicted"] == row["label"] for row in held_out], np.bool_),
    )


def _bounds() -> dict[str, float]:
    """The bound of each measure of drift that the suite of gold/features bounds."""
    expectations = suites.as_json(suites.name_of(catalog.FEATURES))["expectations"]
    bounds = {
        each["kwargs"].get("column"): each["kwargs"].get("max_value") for each in expectations
    }
    return {name: bounds[column] for name, column in MEASURES.items() if bounds.get(column)}


def _pictures(root: str, settings: Settings) -> dict[str, list[bytes]]:
    """Small JPEGs of photos that are quarantined now, by reason, without any photo of a person.

    For each reason they are the first PICTURES photos by id, without those that can't be decoded.
    """
    free = pc.field("replayed_at").is_null() & pc.field("subject").is_null()
    rows = delta_rs_reader.rows(
        root, catalog.QUARANTINE, columns=["photo_id", "reason"], where=free
    )
    by_reason: dict[str, list[str]] = {}
    for photo_id, reason in sorted({(row["photo_id"], row["reason"]) for row in rows}):
        by_reason.setdefault(reason, []).append(photo_id)
    chosen = {reason: ids[:PICTURES] for reason, ids in by_reason.items()}
    contents = thumbnails.contents(root, [photo for ids in chosen.values() for photo in ids])
    # Wider limits than silver's: a photo that is refused as too small or blank can still be shown.
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
    decoded = {reason: [each for each in found if each] for reason, found in shown.items()}
    return {reason: found for reason, found in decoded.items() if found}
