"""The plan that `run.py emr plan` shows: nodes, memory, hours and cost of a run over a number of photos."""

from __future__ import annotations

import re

from conf import prices
from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr.cluster_sizing import ClusterPlan, CostModel, plan_cluster
from emr.run_estimate import Work, photo_memory


def planned(
    settings: Settings, emr_settings: EmrSettings, *, photos: int, photo_bytes: int, hours: float
) -> ClusterPlan:
    """Return the plan of a run over so many photos that ends within `hours`.

    `photo_bytes` is the average size of a photo. Raises BadInput where it is more than `photos.max_bytes`, or
    where no cluster ends in time.
    """
    if photo_bytes > settings.photos.max_bytes:
        raise BadInput(
            f"--photo-bytes {photo_bytes} is more than a photo may have (photos.max_bytes = "
            f"{settings.photos.max_bytes}); give less, or raise photos.max_bytes."
        )
    model = CostModel(
        Work.in_chunks(photos, photo_bytes, settings.chunks),
        prices.calibration(settings.model.extractor),
        prices.prices(),
        emr_settings,
        photo_memory=photo_memory(settings.photos),
        driver_heap=_mebibytes(settings, "spark.driver.memory", default="1g"),
        driver_overhead=_mebibytes(settings, "spark.driver.memoryOverhead", default="0"),
    )
    return plan_cluster(model, hours=hours)


def _mebibytes(settings: Settings, key: str, *, default: str) -> int:
    """Return a size in Spark's settings in MiB. Raises BadInput where the text is no size."""
    text = settings.spark.config.get(key, default)
    found = re.fullmatch(r"([0-9]+)([mg]?)b?", text.lower())
    if not found:
        raise BadInput(f"{key} = {text} is no size; write it as 512m or 4g.")
    return int(found[1]) * (1024 if found[2] == "g" else 1)
