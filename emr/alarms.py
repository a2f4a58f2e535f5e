"""The CloudWatch alarms on the metrics that each run sends, as requests of PutMetricAlarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conf.settings import EmrSettings, Settings
from lake import aws, metric_names
from lake.enums import BRONZE, GOLD, SILVER
from lake.storage.locate import folder

HOUR = 3600
DAY = 24 * HOUR

Alarm = dict[str, Any]
"""A request of PutMetricAlarm."""


@dataclass(frozen=True)
class WatchedMetric:
    """A metric of `lake.metric_names`, and when an alarm goes off on it.

    Without `hours`, it goes off where a value within a day is above `limit`. With `hours`, it goes off where
    no value came within that many hours. `description` says what the alarm means and what to do. `layer` is
    None for metrics of the whole run.
    """

    name: str
    description: str
    metric: str
    limit: float = 0.0
    layer: str | None = None
    hours: int | None = None

    def request(self, settings: Settings, emr_settings: EmrSettings) -> Alarm:
        """Return the request that creates the alarm."""
        dimensions = {metric_names.LAKE: folder(settings.paths.lake).root}
        if self.layer:
            dimensions[metric_names.LAYER] = self.layer
        actions = [settings.monitoring.topic] if settings.monitoring.topic else []
        return {
            "AlarmName": f"{emr_settings.name}-{self.name}",
            "AlarmDescription": self.description,
            "Namespace": settings.monitoring.cloudwatch,
            "MetricName": self.metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "ActionsEnabled": True,
            "AlarmActions": actions,
            "OKActions": actions,
            **(self._silence(self.hours) if self.hours else self._excess()),
        }

    def _excess(self) -> Alarm:
        """The condition that the highest value of a day is above `limit`; a day without values is fine."""
        return {
            "Statistic": "Maximum",
            "Period": DAY,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "Threshold": float(self.limit),
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }

    def _silence(self, hours: int) -> Alarm:
        """The condition that each of the last `hours` hours is without a value."""
        return {
            "Statistic": "Sum",
            "Period": HOUR,
            "EvaluationPeriods": hours,
            "DatapointsToAlarm": hours,
            "Threshold": 1.0,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",
        }


def watched_metrics(settings: Settings) -> list[WatchedMetric]:
    """Return the metrics that have an alarm, with the limits of the settings."""
    monitoring, refit = settings.monitoring, settings.refit
    silent = (
        f"No run ended in {monitoring.silent_hours} hours: see the schedule, and run.py emr status."
    )
    failed = "A run failed, or a gate blocked it: run.py emr logs, run.py status."
    due = "An erasure is due and no run finished it: run.py status names the request."
    lag = f"A photo waited more than {monitoring.lag_hours:g} hours in the landing folder."
    refused = (
        f"More than {monitoring.refused_share:.0%} of what came in was refused: run.py report."
    )
    drift = "New photos are beyond a bound of [refit]: run.py report."
    accuracy = (
        "A champion classifier is right about photos labelled in the last weeks less often than its test "
        "promised: run.py status, run.py train."
    )
    share = monitoring.refused_share
    return [
        WatchedMetric("silent", silent, metric_names.RUNS, hours=monitoring.silent_hours),
        WatchedMetric("failed", failed, metric_names.RUNS_FAILED),
        WatchedMetric("erasures-due", due, metric_names.ERASURES_DUE),
        WatchedMetric("lag", lag, metric_names.LAG, monitoring.lag_hours * HOUR, BRONZE),
        WatchedMetric("refused-bronze", refused, metric_names.REFUSED_SHARE, share, BRONZE),
        WatchedMetric("refused-silver", refused, metric_names.REFUSED_SHARE, share, SILVER),
        WatchedMetric("drift-mean", drift, metric_names.MEAN_SHIFT, refit.mean_shift, GOLD),
        WatchedMetric(
            "drift-reconstruction", drift, metric_names.RECONSTRUCTION, refit.reconstruction, GOLD
        ),
        WatchedMetric("accuracy", accuracy, metric_names.ACCURACY_SHORTFALL, layer=GOLD),
    ]


def alarm_requests(settings: Settings, emr_settings: EmrSettings) -> list[Alarm]:
    """Return the requests of all alarms, or [] where the settings name no namespace for metrics."""
    if not settings.monitoring.cloudwatch:
        return []
    return [watched.request(settings, emr_settings) for watched in watched_metrics(settings)]


def ensure_alarms(alarms: list[Alarm], emr_settings: EmrSettings) -> list[str]:
    """Create the alarms that don't exist, and correct those that differ.

    Returns one line for each alarm that was created or changed. Raises as `aws.asking`.
    """
    if not alarms:
        return []
    client = aws.client("cloudwatch", emr_settings.region)
    names = [alarm["AlarmName"] for alarm in alarms]
    with aws.asking("the alarms"):
        answer = client.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])
    existing = {alarm["AlarmName"]: alarm for alarm in answer["MetricAlarms"]}
    changed = []
    for alarm in alarms:
        name = alarm["AlarmName"]
        if _differs(existing.get(name, {}), alarm):
            with aws.asking(f"the alarm {name}"):
                client.put_metric_alarm(**alarm)
            changed.append(f"alarm {name}: {'changed' if name in existing else 'made'}.")
    return changed


def _differs(existing: Alarm, alarm: Alarm) -> bool:
    """Whether a field of `alarm` differs. CloudWatch returns lists in no fixed order."""
    return any(_sorted(existing.get(key)) != _sorted(value) for key, value in alarm.items())


def _sorted(value: Any) -> Any:
    return sorted(value, key=str) if isinstance(value, list) else value
