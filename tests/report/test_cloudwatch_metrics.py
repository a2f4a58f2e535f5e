"""A run's numbers in ops/runs, in CloudWatch and as JSON lines; and that nobody is in any of them."""

import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws
from rich.markup import escape

from bronze import new_objects
from cli import json_console, step_runner
from conf.errors import LeftBehind
from conf.settings import Settings
from lake import aws, catalog, delta_rs_reader, metric_names
from lake.run_journal import Judgement, LayerRun
from report import cloudwatch_metrics
from tests.support import canary

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
    layer.measure(metric_names.MEAN_SHIFT, 0.2)
    layer.measure(metric_names.MEAN_SHIFT, 0.1)
    numbers = layer.numbers
    assert numbers.pop(metric_names.RATE) == pytest.approx(2, rel=0.2)
    assert numbers == {
        metric_names.IN: 20,
        metric_names.KEPT: 15,
        metric_names.REFUSED: 5,
        metric_names.REFUSED_SHARE: 0.25,
        metric_names.GATE_FAILURES: 2,
        metric_names.GATE_WARNINGS: 2,
        metric_names.MEAN_SHIFT: 0.2,
    }
    assert numbers.keys() <= metric_names.OF_LAYER.keys()


def test_a_blocked_layer_has_a_failure_also_where_no_expectation_failed():
    """As where a suite is missing: the gate could not run, and so found nothing."""
    assert did(status="blocked").numbers[metric_names.GATE_FAILURES] == 1
    assert did(status="failed").numbers[metric_names.GATE_FAILURES] == 0


def test_a_layer_without_photos_has_no_rate_and_no_share():
    assert not {metric_names.RATE, metric_names.REFUSED_SHARE} & did().numbers.keys()


@pytest.mark.parametrize(("status", "failed"), [("done", 0), ("failed", 1), ("blocked", 1)])
def test_cloudwatch_gets_each_layer_and_the_run(cloudwatch, status, failed):
    layers = [did("bronze", **{"in": 60, "kept": 57}), did("silver", status=status)]
    layers[-1].measure(metric_names.ERASURES_DUE, 2)
    assert cloudwatch_metrics.publish("s3://tables/lake", layers, settings()) is None
    held = {
        (each["MetricName"], *sorted(d["Value"] for d in each["Dimensions"]))
        for each in cloudwatch.list_metrics(Namespace="Fruit")["Metrics"]
    }
    assert (metric_names.IN, "bronze", "s3://tables/lake") in held
    assert (metric_names.GATE_FAILURES, "s3://tables/lake", "silver") in held
    assert {name for name, *of in held if of == ["s3://tables/lake"]} == metric_names.OF_RUN.keys()

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

    assert most(metric_names.RUNS_FAILED, Lake="s3://tables/lake") == failed
    assert most(metric_names.ERASURES_DUE, Lake="s3://tables/lake") == 2
    assert most(metric_names.IN, Lake="s3://tables/lake", Layer="bronze") == 60


def test_without_a_namespace_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(aws, "client", lambda *_, **__: pytest.fail("AWS was asked"))
    assert cloudwatch_metrics.publish("lake", [did()], settings("")) is None


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "InternalFailure"])
def test_a_cloudwatch_that_fails_is_a_sentence(code):
    client = aws.client(
        "cloudwatch", None, attempts=cloudwatch_metrics.ATTEMPTS, seconds=cloudwatch_metrics.SECONDS
    )
    with Stubber(client) as stub:
        stub.add_client_error("put_metric_data", code, "no", 400)
        said = cloudwatch_metrics.publish("lake", [did()], settings())
    assert said.startswith(
        "CloudWatch did not get the metrics of this run; they are in ops/runs. AWS "
    )


@pytest.mark.usefixtures("credentials")
def test_a_cloudwatch_that_is_out_of_reach_does_not_hold_up_a_run(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:9")
    assert "did not answer" in cloudwatch_metrics.publish("lake", [did()], settings())


@pytest.mark.usefixtures("credentials")
def test_an_error_that_is_not_of_aws_fails_no_run_either(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "no address")
    said = cloudwatch_metrics.publish("lake", [did()], settings())
    assert said.startswith(
        "CloudWatch did not get the metrics of this run; they are in ops/runs. ValueError"
    )


def test_an_older_lake_gets_the_column(place):
    """ops/runs as code before there were metrics made it."""
    with place.writing() as context:
        uri = context.lake.files.uri(catalog.RUNS.name)
        older = context.lake.read(catalog.RUNS).drop("metrics")
        write = older.write.format("delta").mode("overwrite").option("overwriteSchema", True)
        write.save(uri)
        known = context.lake.log(catalog.RUNS).table().schema().fields
        assert "metrics" not in {field.name for field in known}
        context.lake.record(catalog.RUNS, [did().row(context.lake.run)], layer="silver")
    [row] = delta_rs_reader.rows(place.files.root, catalog.RUNS)
    assert dict(row["metrics"])[metric_names.KEPT] == 0


def test_a_run_leaves_its_numbers_in_ops_runs(samples_lake):
    held = {
        row["layer"]: dict(row["metrics"])
        for row in delta_rs_reader.rows(samples_lake.files.root, catalog.RUNS)
    }
    assert held.keys() == {"bronze", "silver", "gold"}
    did = samples_lake.did
    for layer, numbers in held.items():
        assert numbers[metric_names.IN] == did[layer].counts["in"]
        assert numbers[metric_names.KEPT] == did[layer].counts["kept"]
        assert numbers[metric_names.REFUSED] == sum(did[layer].reasons.values())
        assert numbers[metric_names.GATE_FAILURES] == 0
    assert held["silver"][metric_names.REFUSED] > 0
    assert 0 <= held["bronze"][metric_names.LAG] < 3600
    assert held["gold"][metric_names.ERASURES_DUE] == 0


def test_a_chunk_that_drifts_is_measured(told):
    [row] = [
        row
        for row in delta_rs_reader.rows(told.files.root, catalog.RUNS)
        if row["layer"] == "gold" and metric_names.MEAN_SHIFT in dict(row["metrics"])
    ]
    [drift] = delta_rs_reader.rows(told.files.root, catalog.DRIFT)
    numbers = dict(row["metrics"])
    for name in ("mean_shift", "reconstruction", "label_mix", "brightness"):
        assert numbers[f"{metric_names.DRIFT}{name}"] == drift[name]
    assert numbers[f"{metric_names.DRIFT}component"] == max(drift["components"])


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
    assert layers["bronze"]["metrics"][metric_names.REFUSED_SHARE] == 0.25
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
    assert error["run_id"] == silver["run_id"]
    gates = [line for line in parsed(out) if line["event"] == "gate"]
    assert [gate["blocked"] for gate in gates if gate["blocked"]] == [["refused_share"]]
    assert canary.MARKER not in out + err
    held = [
        dict(row["metrics"])
        for row in delta_rs_reader.rows(marked.files.root, catalog.RUNS)
        if row["status"] == "blocked"
    ]
    assert [numbers[metric_names.GATE_FAILURES] for numbers in held] == [1]


@pytest.fixture
def failing(place, command, monkeypatch):
    """A run whose bronze raises an error: its exit code, and what it printed on both streams."""

    def call(error, *words):
        def fails(*_, **__):
            raise error

        monkeypatch.setattr(new_objects, "new_groups", fails)
        paths = ("--lake", place.settings.paths.lake, "--landing", place.settings.paths.landing)
        return command("--layer", "all", "--log", "json", *paths, *words)

    return call


PERSONAL = f"/landing/subject={canary.SUBJECT}/a.jpg"


@pytest.mark.parametrize("words", [(), ("--debug",)], ids=["plain", "debug"])
@pytest.mark.parametrize(
    ("error", "exit_code", "told"),
    [
        (OSError(5, "Input/output error", PERSONAL), 1, "unexpected OSError"),
        (
            LeftBehind(f"1 file could not be deleted: {PERSONAL}."),
            6,
            "Something of an erased subject",
        ),
    ],
    ids=["unexpected", "left behind"],
)
def test_lines_of_a_run_that_fails_name_nobody(failing, error, exit_code, told, words):
    code, out, err = failing(error, *words)
    [line] = parsed(err)
    [layer] = [each for each in parsed(out) if each["event"] == "layer"]
    assert (code, line["exit_code"], layer["status"]) == (exit_code, exit_code, "failed")
    assert line["message"].startswith(told)
    assert "--log text" in line["message"]
    assert line["run_id"] == layer["run_id"]
    assert canary.MARKER not in out + err
    assert ("traceback" in line) == bool(words)


def test_a_run_that_fails_is_told_to_cloudwatch_also_where_the_lake_cannot_be_written(
    failing, cloudwatch, monkeypatch
):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(step_runner, "record", full)
    code, _, _ = failing(OSError(28, "No space left on device"), "--set", "monitoring.cloudwatch=F")
    assert code == 1
    sent = {each["MetricName"] for each in cloudwatch.list_metrics(Namespace="F")["Metrics"]}
    assert metric_names.RUNS_FAILED in sent


def test_an_audit_in_lines_does_not_name_whom_it_is_about(marked, command):
    paths = ("--lake", marked.settings.paths.lake, "--landing", marked.settings.paths.landing)
    assert command("--layer", "bronze", *paths)[0] == 0
    code, out, _ = command("audit", "--subject", canary.SUBJECT, "--log", "json", *paths)
    assert code == 0
    held = {line["row"]["table"]: line["row"]["status"] for line in parsed(out) if "row" in line}
    assert held["bronze/photos"] == "HELD"
    assert canary.MARKER not in out


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


def test_what_turns_elsewhere_is_silent_and_can_be_told_anew(capsys):
    """`emr launch` says in it which state the cluster is in."""
    console = json_console.JsonConsole(level="info")
    with console.status("waiting") as status:
        status.update("still waiting")
        console.print("done")
    assert [line["message"] for line in parsed(capsys.readouterr().out)] == ["done"]


def test_a_line_says_what_a_terminal_shows(capsys):
    console = json_console.JsonConsole(level="info")
    console.print(escape("a [bold]name[/bold]"))
    console.print("[bold]a[/bold] name")
    console.print("a [bold]name", markup=False)
    said = [line["message"] for line in parsed(capsys.readouterr().out)]
    assert said == ["a [bold]name[/bold]", "a name", "a [bold]name"]


def test_times_in_lines_are_iso_8601(capsys):
    at = datetime(2026, 1, 1, 6, tzinfo=UTC)
    json_console.JsonConsole(level="info").event("layer", started_at=at)
    assert parsed(capsys.readouterr().out)[0]["started_at"] == "2026-01-01T06:00:00+00:00"


def test_a_table_is_a_line_a_row(capsys):
    from rich.table import Table

    table = Table("version", "photos", title="models")
    table.add_row("[bold]pca-1[/bold]", "7")
    console = json_console.JsonConsole(level="info")
    console.print(table, markup=False)
    [line] = parsed(capsys.readouterr().out)
    assert (line["table"], line["row"]) == ("models", {"version": "pca-1", "photos": "7"})
