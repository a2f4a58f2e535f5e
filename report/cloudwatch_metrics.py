"""A run's numbers to CloudWatch, where the settings say so: those that ops/runs has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from conf.errors import FruitLakeError
from conf.settings import Settings
from lake import aws, metric_names
from lake.run_journal import LayerRun

ATTEMPTS, SECONDS = 2, 5.0
"""How often CloudWatch is asked, and how long for: a run doesn't wait for what watches it."""


def publish(root: str, layers: Sequence[LayerRun], settings: Settings) -> str | None:
    """Sends the numbers of the layers of one run over the lake under `root`.

    Returns a sentence where that can't be, which is no reason for the run to fail; None where it was done, or
    nobody asked for it.
    """
    monitoring = settings.monitoring
    if not monitoring.cloudwatch:
        return None
    data = list(numbers(root, layers, at=datetime.now(UTC)))
    region = settings.emr.region if settings.emr else None
    try:
        with aws.asking("to keep the run's metrics"):
            client = aws.client("cloudwatch", region, attempts=ATTEMPTS, seconds=SECONDS)
            client.put_metric_data(Namespace=monitoring.cloudwatch, MetricData=data)
    except Exception as error:  # whatever it is: a run does not fail for what watches it
        why = (
            str(error) if isinstance(error, FruitLakeError) else f"{type(error).__name__}: {error}"
        )
        return f"CloudWatch has no metrics of this run, ops/runs has them. {why}"
    return None


def numbers(root: str, layers: Sequence[LayerRun], *, at: datetime) -> Iterator[dict[str, Any]]:
    """As CloudWatch takes them: those of each layer, and those of the whole run."""
    for did in layers:
        of = {metric_names.LAKE: root, metric_names.LAYER: did.layer}
        for name, value in did.numbers.items():
            if name in metric_names.OF_LAYER:
                yield _datum(name, value, metric_names.OF_LAYER[name], of, at)
    failed = any(did.status in ("failed", "blocked") for did in layers)
    of_run = {metric_names.RUNS: 1.0, metric_names.RUNS_FAILED: float(failed)}
    for did in layers:
        if metric_names.ERASURES_DUE in did.measured:
            of_run[metric_names.ERASURES_DUE] = did.measured[metric_names.ERASURES_DUE]
    for name, value in of_run.items():
        yield _datum(name, value, metric_names.OF_RUN[name], {metric_names.LAKE: root}, at)


def _datum(
    name: str, value: float, unit: str, dimensions: dict[str, str], at: datetime
) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": held} for key, held in dimensions.items()],
        "Timestamp": at,
        "Value": float(value),
        "Unit": unit,
    }
