"""Sends the numbers of a run, which `ops/runs` has too, to CloudWatch where the settings ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from conf.errors import FruitLakeError
from conf.settings import Settings
from lake import aws, metric_names
from lake.enums import RunStatus
from lake.run_journal import LayerRun

ATTEMPTS, SECONDS = 2, 5.0
"""The attempts to reach CloudWatch, and the seconds that each may take. They are few, because monitoring must
not hold up a run."""


def publish(root: str, layers: Sequence[LayerRun], settings: Settings) -> str | None:
    """Send the numbers of one run over the lake under `root` to CloudWatch.

    Returns None where they were sent or the settings don't ask for it. Where sending fails, the run goes on,
    and the result is a sentence that says why.
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
    except (
        Exception
    ) as error:  # a run must not fail because its monitoring does, whatever the error is
        reason = (
            str(error) if isinstance(error, FruitLakeError) else f"{type(error).__name__}: {error}"
        )
        return f"CloudWatch did not get the metrics of this run; they are in ops/runs. {reason}"
    return None


def numbers(root: str, layers: Sequence[LayerRun], *, at: datetime) -> Iterator[dict[str, Any]]:
    """The numbers of each layer and of the whole run, in the form that `put_metric_data` takes.

    `at` is the time that CloudWatch files them under.
    """
    for layer in layers:
        dimensions = {metric_names.LAKE: root, metric_names.LAYER: layer.layer}
        for name, value in layer.numbers.items():
            if name in metric_names.OF_LAYER:
                yield _datum(name, value, metric_names.OF_LAYER[name], dimensions, at)
    failed = any(layer.status in (RunStatus.FAILED, RunStatus.BLOCKED) for layer in layers)
    run_numbers = {metric_names.RUNS: 1.0, metric_names.RUNS_FAILED: float(failed)}
    for layer in layers:
        if metric_names.ERASURES_DUE in layer.measured:
            run_numbers[metric_names.ERASURES_DUE] = layer.measured[metric_names.ERASURES_DUE]
    for name, value in run_numbers.items():
        yield _datum(name, value, metric_names.OF_RUN[name], {metric_names.LAKE: root}, at)


def _datum(
    name: str, value: float, unit: str, dimensions: dict[str, str], at: datetime
) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
        "Timestamp": at,
        "Value": float(value),
        "Unit": unit,
    }
