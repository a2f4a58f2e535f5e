"""`run.py emr plan`: nodes, memory, hours and cost for so many photos, and what that rests on."""

from __future__ import annotations

import argparse
import re

from rich.console import Console

from cli.tables import emr_plan
from conf import prices
from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr.cluster_shapes import Reckoning, plan
from emr.run_estimate import Work

HOURS, PHOTO_BYTES = "1", "100000"


def plan_command(
    words: argparse.Namespace, settings: Settings, own: EmrSettings, console: Console
) -> None:
    """Reckons, and prints. Raises BadInput: a number that is none, or no cluster ends in time."""
    photos = _whole("--photos", words.photos)
    photo_bytes = _whole("--photo-bytes", words.photo_bytes or PHOTO_BYTES)
    if photo_bytes > settings.photos.max_bytes:
        raise BadInput(
            f"--photo-bytes {photo_bytes} is more than a photo may have (photos.max_bytes = "
            f"{settings.photos.max_bytes}); give less, or raise that."
        )
    hours = _hours(words.hours or HOURS)
    reckoning = Reckoning(
        Work.of(photos, photo_bytes, settings.chunks),
        prices.calibration(settings.model.extractor),
        prices.prices(),
        own,
        driver_heap=_mebibytes(settings, "spark.driver.memory", otherwise="1g"),
        driver_overhead=_mebibytes(settings, "spark.driver.memoryOverhead", otherwise="0"),
    )
    emr_plan.show(console, plan(reckoning, hours=hours), settings)


def _whole(flag: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not int(text):
        raise BadInput(f"{flag} {text} is no whole number above 0; write it as 1000000.")
    return int(text)


def _hours(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text) or not float(text):
        raise BadInput(f"--hours {text} is no number of hours above 0; write it as 1.5.")
    return float(text)


def _mebibytes(settings: Settings, key: str, *, otherwise: str) -> int:
    text = settings.spark.config.get(key, otherwise)
    found = re.fullmatch(r"([0-9]+)([mg]?)b?", text.lower())
    if not found:
        raise BadInput(f"{key} = {text} is no size; write it as 512m or 4g.")
    return int(found[1]) * (1024 if found[2] == "g" else 1)
