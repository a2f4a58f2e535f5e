"""CloudWatch's alarms over what each run measures, as the requests that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conf.settings import EmrSettings, Settings
from lake import aws, metric_names
from lake.column_values import BRONZE, GOLD, SILVER
from lake.storage.locate import folder

HOUR = 3600
DAY = 24 * HOUR

Alarm = dict[str, Any]
"""A request of PutMetricAlarm."""


@dataclass(frozen=True)
class Watch:
    """A number of `lake.metric_names`, and what it may be at most in a day; `hours`: it must be there at least
    once in so many. `what` says what an alarm means, and what to do."""

    name: str
    what: str
    metric: str
    most: float = 0.0
    layer: str | None = None
    hours: int | None = None

    def request(self, settings: Settings, own: EmrSettings) -> Alarm:
        """As CloudWatch takes it."""
        dimensions = {metric_names.LAKE: folder(settings.paths.lake).root}
        if self.layer:
            dimensions[metric_names.LAYER] = self.layer
        actions = [settings.monitoring.topic] if settings.monitoring.topic else []
        return {
            "AlarmName": f"{own.name}-{self.name}",
            "AlarmDescription": self.what,
            "Namespace": settings.monitoring.cloudwatch,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "ActionsEnabled": True,
            "AlarmActions": actions,
            "OKActions": actions,
            **(self._presence(self.hours) if self.hours else self._bound()),
        }

    def _bound(self) -> Alarm:
        return {
            "Statistic": "Maximum",
            "Period": DAY,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "Threshold": float(self.most),
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }

    def _presence(self, hours: int) -> Alarm:
        return {
            "Statistic": "Sum",
            "Period": HOUR,
            "EvaluationPeriods": hours,
            "DatapointsToAlarm": hours,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
        }


def watches(settings: Settings) -> list[Watch]:
    """What is watched, with the bounds of the settings."""
    hold, refit = settings.monitoring, settings.refit
    silent = f"No run ended in {hold.silent_hours} hours: see the schedule, and run.py emr status."
    failed = "A run failed, or a gate blocked it: run.py emr logs, run.py status."
    due = "An erasure is due and no run finished it: run.py status names the request."
    lag = f"A photo waited more than {hold.lag_hours:g} hours in the landing folder."
    refused = f"More than {hold.refused_share:.0%} of what came in was refused: run.py report."
    drift = "New photos are beyond a bound of [refit]: run.py report."
    return [
        Watch("silent", silent, metric_names.RUNS, hours=hold.silent_hours),
        Watch("failed", failed, metric_names.RUNS_FAILED),
        Watch("erasures-due", due, metric_names.ERASURES_DUE),
        Watch("lag", lag, metric_names.LAG, hold.lag_hours * HOUR, BRONZE),
        Watch("refused-bronze", refused, metric_names.REFUSED_SHARE, hold.refused_share, BRONZE),
        Watch("refused-silver", refused, metric_names.REFUSED_SHARE, hold.refused_share, SILVER),
        Watch("drift-mean", drift, metric_names.MEAN_SHIFT, refit.mean_shift, GOLD),
        Watch(
            "drift-reconstruction", drift, metric_names.RECONSTRUCTION, refit.reconstruction, GOLD
        ),
    ]


def alarms(settings: Settings, own: EmrSettings) -> list[Alarm]:
    """None where the settings name no namespace."""
    if not settings.monitoring.cloudwatch:
        return []
    return [watch.request(settings, own) for watch in watches(settings)]


def applied(wanted: list[Alarm], own: EmrSettings) -> list[str]:
    """Makes the alarms as they should be; what was changed, in words. Raises as `aws.asking`."""
    if not wanted:
        return []
    client = aws.client("cloudwatch", own.region)
    names = [alarm["AlarmName"] for alarm in wanted]
    with aws.asking("the alarms"):
        told = client.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])
    held = {alarm["AlarmName"]: alarm for alarm in told["MetricAlarms"]}
    changed = []
    for alarm in wanted:
        name = alarm["AlarmName"]
        if _differs(held.get(name, {}), alarm):
            with aws.asking(f"the alarm {name}"):
                client.put_metric_alarm(**alarm)
            changed.append(f"alarm {name}: {'changed' if name in held else 'made'}.")
    return changed


def _differs(held: Alarm, wanted: Alarm) -> bool:
    """CloudWatch promises no order of what it tells in lists."""
    return any(_in_order(held.get(key)) != _in_order(value) for key, value in wanted.items())


def _in_order(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value
