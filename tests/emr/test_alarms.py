"""Each alarm watches a number that a run sends, and is created in the account once."""

import boto3
import pytest
from moto import mock_aws

from conf.errors import BadSettings
from conf.settings import Settings
from emr import alarms
from lake import aws, metric_names
from lake.run_journal import LayerRun
from report import cloudwatch_metrics

TOPIC = "arn:aws:sns:eu-west-3:123456789012:on-call"


def load(*overrides):
    return Settings.load("emr", environment={}, overrides=list(overrides))


def wanted(*overrides):
    settings = load(*overrides)
    return {alarm["AlarmName"]: alarm for alarm in alarms.alarm_requests(settings, settings.emr)}


@pytest.fixture
def cloudwatch(monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    aws.client.cache_clear()
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-west-3")
    aws.client.cache_clear()


def test_each_watches_a_number_that_a_run_sends():
    """The run goes through all layers, and its first chunk is compared with a fit."""
    settings = load()
    layers = [LayerRun(name, counts={"in": 10, "kept": 9}) for name in ("bronze", "silver", "gold")]
    layers[0].measure(metric_names.LAG, 5)
    for name in metric_names.OF_LAYER:
        if name.startswith(metric_names.DRIFT):
            layers[2].measure(name, 0.0)
    layers[2].measure(metric_names.ACCURACY_SHORTFALL, 0.0)
    layers[2].measure(metric_names.ERASURES_DUE, 0)
    sent = {
        (each["MetricName"], tuple((d["Name"], d["Value"]) for d in each["Dimensions"]))
        for each in cloudwatch_metrics.numbers(settings.paths.lake, layers, at=layers[0].started_at)
    }
    for alarm in wanted().values():
        of = tuple((d["Name"], d["Value"]) for d in alarm["Dimensions"])
        assert (alarm["MetricName"], of) in sent
        assert alarm["Namespace"] == settings.monitoring.cloudwatch


def test_bounds_are_those_of_the_settings():
    held = wanted(
        "monitoring.lag_hours=3",
        "monitoring.refused_share=0.25",
        "monitoring.silent_hours=30",
        "refit.mean_shift=0.75",
        f"monitoring.topic={TOPIC}",
    )
    assert held["fruit-lake-lag"]["Threshold"] == 3 * 3600
    assert held["fruit-lake-refused-silver"]["Threshold"] == 0.25
    assert held["fruit-lake-drift-mean"]["Threshold"] == 0.75
    silent = held["fruit-lake-silent"]
    assert (silent["Period"] * silent["EvaluationPeriods"], silent["TreatMissingData"]) == (
        30 * 3600,
        "breaching",
    )
    assert all(alarm["AlarmActions"] == [TOPIC] for alarm in held.values())


def rings(alarm, values):
    """Whether CloudWatch rings an alarm for the values of one period, where no other period has any."""
    if not values:
        return alarm["TreatMissingData"] == "breaching"
    value = {"Maximum": max, "Minimum": min, "Sum": sum}[alarm["Statistic"]](values)
    bound = alarm["Threshold"]
    return {
        "GreaterThanThreshold": value > bound,
        "LessThanThreshold": value < bound,
    }[alarm["ComparisonOperator"]]


@pytest.mark.parametrize(
    ("name", "calm", "ringing"),
    [
        ("silent", [1], []),
        ("failed", [0, 0], [0, 1]),
        ("erasures-due", [0, 0], [2, 0]),
        ("lag", [48 * 3600, 0], [48 * 3600 + 1, 0]),
        ("refused-bronze", [0.2, 0], [0.21, 0]),
        ("refused-silver", [0.2, 0], [0, 0.21]),
        ("drift-mean", [0.5, 0], [0.51, 0]),
        ("drift-reconstruction", [0.1, 0], [0.11, 0]),
        ("accuracy", [0, 0], [0.01, 0]),
    ],
)
def test_it_rings_for_one_bad_run_of_a_day_and_for_no_good_one(name, calm, ringing):
    alarm = wanted()[f"fruit-lake-{name}"]
    assert not rings(alarm, calm)
    assert rings(alarm, ringing)


def test_a_day_without_a_run_rings_one_alarm_and_not_all():
    assert [name for name, alarm in wanted().items() if rings(alarm, [])] == ["fruit-lake-silent"]


def test_one_hour_with_a_run_ends_the_silence_and_one_bad_day_rings():
    for name, alarm in wanted().items():
        hours = 26 if name == "fruit-lake-silent" else 1
        assert alarm["EvaluationPeriods"] == alarm["DatapointsToAlarm"] == hours


def test_without_a_namespace_there_are_none():
    assert wanted("monitoring.cloudwatch=") == {}


@pytest.mark.parametrize(
    "override",
    ["monitoring.silent_hours=169", "monitoring.topic=on-call", "monitoring.cloudwatch=a b"],
)
def test_settings_that_cloudwatch_would_refuse_are_refused(override):
    with pytest.raises(BadSettings, match=override.partition("=")[0]):
        load(override)


def test_they_are_made_once_and_changed_where_they_differ(cloudwatch):
    settings = load()
    asked = alarms.alarm_requests(settings, settings.emr)
    assert len(alarms.ensure_alarms(asked, settings.emr)) == len(asked)
    held = {a["AlarmName"]: a for a in cloudwatch.describe_alarms()["MetricAlarms"]}
    for alarm in asked:
        assert {key: held[alarm["AlarmName"]][key] for key in alarm} == alarm
    assert alarms.ensure_alarms(asked, settings.emr) == []
    for alarm in asked:  # CloudWatch may tell dimensions in another order than it was given them
        turned = {"Dimensions": alarm["Dimensions"][::-1]}
        cloudwatch.put_metric_alarm(**alarm | turned)
    assert alarms.ensure_alarms(asked, settings.emr) == []
    later = load("monitoring.lag_hours=72")
    assert alarms.ensure_alarms(alarms.alarm_requests(later, later.emr), later.emr) == [
        "alarm fruit-lake-lag: changed."
    ]
