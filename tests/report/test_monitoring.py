"""A run's numbers in ops/runs, in CloudWatch and as JSON lines; and that nobody is in any of them."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from conf.settings import Settings
from lake import aws, catalog, lines, metrics, reading
from lake.journal import Judgement, LayerRun
from report import monitoring
from tests.privacy import canary

REGION = "eu-west-3"


@pytest.fixture
def credentials(monkeypatch):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    aws.client.cache_clear()
    yield
    aws.client.cache_clear()


@pytest.fixture
def cloudwatch(credentials):
    with mock_aws():
        yield boto3.client("cloudwatch")


def did(layer="silver", *, status="done", **counts):
    found = LayerRun(layer, started_at=datetime.now(UTC) - timedelta(seconds=10))
    found.add(counts)
    found.finish(status)
    return found


def settings(namespace="Fruit"):
    return Settings.load("local", overrides=[f"monitoring.cloudwatch={namespace}"])


def test_the_numbers_of_a_layer():
    layer = did(**{"in": 20, "kept": 15})
    layer.refuse({"blank": 4})
    layer.refuse({"too_small": 1})
    layer.judgements += [
        Judgement("silver_embeddings", 3, 20, ("a",), ("b",), ("c", "d")),
        Judgement("silver_embeddings", 4, 22, ("a",), (), ()),
    ]
    layer.measure(metrics.MEAN_SHIFT, 0.2)
    layer.measure(metrics.MEAN_SHIFT, 0.1)
    numbers = layer.numbers
    assert numbers.pop(metrics.RATE) == pytest.approx(2, rel=0.2)
    assert numbers == {
        metrics.IN: 20,
        metrics.KEPT: 15,
        metrics.REFUSED: 5,
        metrics.REFUSED_SHARE: 0.25,
        metrics.GATE_FAILURES: 2,
        metrics.GATE_WARNINGS: 2,
        metrics.MEAN_SHIFT: 0.2,
    }
    assert numbers.keys() <= metrics.OF_LAYER.keys()


def test_a_layer_without_photos_has_no_rate_and_no_share():
    assert not {metrics.RATE, metrics.REFUSED_SHARE} & did().numbers.keys()


@pytest.mark.parametrize(("status", "failed"), [("done", 0), ("failed", 1), ("blocked", 1)])
def test_cloudwatch_gets_each_layer_and_the_run(cloudwatch, status, failed):
    layers = [did("bronze", **{"in": 60, "kept": 57}), did("silver", status=status)]
    layers[-1].measure(metrics.ERASURES_DUE, 2)
    assert monitoring.publish("s3://tables/lake", layers, settings()) is None
    held = {
        (each["MetricName"], *sorted(d["Value"] for d in each["Dimensions"]))
        for each in cloudwatch.list_metrics(Namespace="Fruit")["Metrics"]
    }
    assert (metrics.IN, "bronze", "s3://tables/lake") in held
    assert (metrics.GATE_FAILURES, "s3://tables/lake", "silver") in held
    assert {name for name, *of in held if of == ["s3://tables/lake"]} == metrics.OF_RUN.keys()

    def most(name, **of):
        [point] = cloudwatch.get_metric_statistics(
            Namespace="Fruit",
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in of.items()],
            StartTime=datetime.now(UTC) - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(hours=1),
            Period=86400,
            Statistics=["Maximum"],
        )["Datapoints"]
        return point["Maximum"]

    assert most(metrics.RUNS_FAILED, Lake="s3://tables/lake") == failed
    assert most(metrics.ERASURES_DUE, Lake="s3://tables/lake") == 2
    assert most(metrics.IN, Lake="s3://tables/lake", Layer="bronze") == 60


def test_without_a_namespace_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(aws, "client", lambda *_, **__: pytest.fail("AWS was asked"))
    assert monitoring.publish("lake", [did()], settings("")) is None


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "InternalFailure"])
def test_a_cloudwatch_that_fails_is_a_sentence(code):
    client = aws.client(
        "cloudwatch", None, attempts=monitoring.ATTEMPTS, seconds=monitoring.SECONDS
    )
    with Stubber(client) as stub:
        stub.add_client_error("put_metric_data", code, "no", 400)
        said = monitoring.publish("lake", [did()], settings())
    assert said.startswith("CloudWatch has no metrics of this run, ops/runs has them. AWS ")


@pytest.mark.usefixtures("credentials")
def test_a_cloudwatch_that_is_out_of_reach_does_not_hold_up_a_run(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    assert "did not answer" in monitoring.publish("lake", [did()], settings())


def test_a_run_leaves_its_numbers_in_ops_runs(samples_lake):
    held = {
        row["layer"]: dict(row["metrics"])
        for row in reading.rows(samples_lake.files.root, catalog.RUNS)
    }
    assert held.keys() == {"bronze", "silver", "gold"}
    did = samples_lake.did
    for layer, numbers in held.items():
        assert numbers[metrics.IN] == did[layer].counts["in"]
        assert numbers[metrics.KEPT] == did[layer].counts["kept"]
        assert numbers[metrics.REFUSED] == sum(did[layer].reasons.values())
        assert numbers[metrics.GATE_FAILURES] == 0
    assert held["silver"][metrics.REFUSED] > 0
    assert 0 <= held["bronze"][metrics.LAG] < 3600
    assert held["gold"][metrics.ERASURES_DUE] == 0


def test_a_chunk_that_drifts_is_measured(told):
    [row] = [
        row
        for row in reading.rows(told.files.root, catalog.RUNS)
        if row["layer"] == "gold" and metrics.MEAN_SHIFT in dict(row["metrics"])
    ]
    [drift] = reading.rows(told.files.root, catalog.DRIFT)
    numbers = dict(row["metrics"])
    for name in ("mean_shift", "reconstruction", "label_mix", "brightness"):
        assert numbers[f"{metrics.DRIFT}{name}"] == drift[name]
    assert numbers[f"{metrics.DRIFT}component"] == max(drift["components"])


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def marked(copied):
    """New photos of a marked subject, one of them broken."""
    photos = {f"{canary.MARKER}-{n}.jpg": canary.jpeg(n) for n in range(3)}
    canary.send(copied.landing, photos | {f"{canary.MARKER}-text.jpg": b"no photo"})
    return copied


def test_lines_of_a_run_are_json_with_numbers_and_nobody_in_them(marked, command):
    lake, landing = marked.settings.paths.lake, marked.settings.paths.landing
    code, out, err = command(
        "--layer", "all", "--log", "json", "--lake", lake, "--landing", landing
    )
    assert (code, err) == (0, "")
    said = parsed(out)
    layers = {line["layer"]: line for line in said if line["event"] == "layer"}
    assert (layers["bronze"]["counts"]["in"], layers["bronze"]["counts"]["kept"]) == (4, 3)
    assert layers["bronze"]["counts"]["refused:not_a_photo"] == 1
    assert layers["bronze"]["metrics"][metrics.REFUSED_SHARE] == 0.25
    gates = {line["suite"] for line in said if line["event"] == "gate"}
    assert gates == {"bronze_photos", "silver_embeddings", "gold_features"}
    for line in said:
        assert {"at", "level", "event"} <= line.keys()
        assert datetime.fromisoformat(line["at"]).tzinfo
    assert len({line["run_id"] for line in said if "run_id" in line}) == 1
    assert canary.MARKER not in out
    assert landing not in out.replace(lake, "")


def test_lines_of_a_run_that_is_blocked_say_so(marked, command):
    """Two of three photos are refused, where one of a hundred may be."""
    paths = ("--lake", marked.settings.paths.lake, "--landing", marked.settings.paths.landing)
    few = ("--set", "gates.counted_from=1", "--set", "gates.refused_share=0.01")
    small = ("--set", "photos.min_side=97")
    code, out, err = command("--layer", "all", "--log=json", *paths, *few, *small)
    assert code == 3
    [error] = parsed(err)
    assert (error["level"], error["event"], error["exit_code"]) == ("error", "error", 3)
    assert "is blocked" in error["message"]
    silver = next(
        line for line in parsed(out) if line.get("layer") == "silver" and line["event"] == "layer"
    )
    assert silver["status"] == "blocked"
    assert canary.MARKER not in out + err
    held = [
        dict(row["metrics"])
        for row in reading.rows(marked.files.root, catalog.RUNS)
        if row["status"] == "blocked"
    ]
    assert len(held) == 1


def test_errors_before_a_run_are_lines_too(command):
    code, out, err = command("status", "--lake", "nowhere", "--log", "json")
    assert (code, out) == (2, "")
    [line] = parsed(err)
    assert line["message"].startswith("There is no lake in nowhere")
    code, _, err = command("--log=json", "--layer", "tin")
    assert (code, parsed(err)[0]["exit_code"]) == (2, 2)


def test_an_unknown_form_is_refused(command):
    code, _, err = command("status", "--log", "xml")
    assert code == 2
    assert "xml" in err


def test_a_table_is_a_line_a_row(capsys):
    from rich.table import Table

    table = Table("version", "photos", title="models")
    table.add_row("[bold]pca-1[/bold]", "7")
    console = lines.JsonLines(level="info")
    console.print(table, markup=False)
    [line] = parsed(capsys.readouterr().out)
    assert (line["table"], line["row"]) == ("models", {"version": "pca-1", "photos": "7"})
