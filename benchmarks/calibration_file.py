"""What `emr plan` reckons with, from the numbers of a benchmark: see `Calibration` in conf/prices.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.marginal_rates import Rate, Results, medians, most_others
from benchmarks.workloads import CHUNKS
from conf.errors import BadInput

NEEDED = ("roofline", "all", "chunked", "listing", "large", "one_executor", "two_executors")
"""Peers without which there is no calibration."""

ONE, TWO = "one_executor staging", "two_executors staging"
"""What of silver is spread over executors: the rest is counted by chunk."""


def calibration(
    results: Results, found: Mapping[str, Rate], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry of one extractor. Raises BadInput where a peer is missing, or its rate is doubtful."""
    for name in (*NEEDED, ONE, TWO):
        if name not in found:
            raise BadInput(f"There is no calibration without {name}; name it with --only, too.")
        if found[name].doubt:
            raise BadInput(f"There is no calibration: {name} gave no rate, {found[name].doubt}.")
    cores, mean_bytes = facts["cores"], facts["photo_bytes"]
    photo = {name: 1 / (found[name].per_second or 1) for name in (*NEEDED, ONE, TWO)}
    small, large = facts["listed"]
    driver = [max(each.memory["driver"] for each in rounds) for rounds in results["listing"]]
    an_object = (driver[1] - driver[0]) / (large - small)
    whole, apart = medians(results["all"]), medians(results["chunked"])
    chunk = fmean(b - a for a, b in zip(whole, apart, strict=True)) / (CHUNKS - 1)
    return {
        **{name: facts[name] for name in ("date", "cpu", "machine", "cores", "threads_per_core")},
        **{name: facts[name] for name in ("code_revision", "weights", "sizes")},
        **{name: facts[name] for name in ("rounds", "dimensions")},
        "others": round(max(map(most_others, results.values())), 3),
        "photo_bytes": round(mean_bytes["all"]),
        "roofline_seconds": _digits(cores * photo["roofline"]),
        "core_seconds": _digits(cores * (photo["all"] - photo["listing"])),
        "byte_seconds": _digits(
            cores
            * (photo["large"] - photo["roofline"])
            / (mean_bytes["large"] - mean_bytes["roofline"])
        ),
        "driver_seconds": _digits(photo["listing"]),
        "driver_bytes": round(an_object),
        "efficiency": _digits(min(1.0, photo[ONE] / photo[TWO] / 2)),
        "fixed_seconds": round((found["all"].fixed or 0) - chunk, 1),
        "chunk_seconds": round(chunk, 1),
        "memory_bytes": {
            # A cluster's driver converts no model, as that of `all` does: that of `listing`, without objects.
            "driver": round(driver[0] - small * an_object),
            **{
                kind: max(each.memory[kind] for rounds in results["all"] for each in rounds)
                for kind in ("JVM", "workers", "a worker")
            },
        },
    }


def write(entry: Mapping[str, Any], *, extractor: str, file: Path) -> None:
    """Puts the entry of an extractor into the file; those of others stay."""
    held = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(held | {extractor: entry}, indent=2, sort_keys=True) + "\n")


def _digits(seconds: float) -> float:
    return float(f"{seconds:.4g}")
