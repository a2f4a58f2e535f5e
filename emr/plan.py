"""`run.py emr plan`: nodes, memory, hours and cost for so many photos, and what that rests on."""

from __future__ import annotations

import re

from conf import prices
from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr.cluster_shapes import ClusterPlan, Reckoning, plan
from emr.run_estimate import Work


def planned(
    settings: Settings, own: EmrSettings, *, photos: int, photo_bytes: int, hours: float
) -> ClusterPlan:
    """The plan for so many photos of so many bytes each, on average, that end in time.

    Raises BadInput where a photo may not have so many bytes, or no cluster ends in time.
    """
    if photo_bytes > settings.photos.max_bytes:
        raise BadInput(
            f"--photo-bytes {photo_bytes} is more than a photo may have (photos.max_bytes = "
            f"{settings.photos.max_bytes}); give less, or raise that."
        )
    reckoning = Reckoning(
        Work.of(photos, photo_bytes, settings.chunks),
        prices.calibration(settings.model.extractor),
        prices.prices(),
        own,
        driver_heap=_mebibytes(settings, "spark.driver.memory", otherwise="1g"),
        driver_overhead=_mebibytes(settings, "spark.driver.memoryOverhead", otherwise="0"),
    )
    return plan(reckoning, hours=hours)


def _mebibytes(settings: Settings, key: str, *, otherwise: str) -> int:
    text = settings.spark.config.get(key, otherwise)
    found = re.fullmatch(r"([0-9]+)([mg]?)b?", text.lower())
    if not found:
        raise BadInput(f"{key} = {text} is no size; write it as 512m or 4g.")
    return int(found[1]) * (1024 if found[2] == "g" else 1)
