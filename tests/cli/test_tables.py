"""Every table of every command, at each width and in a pipe: no cell is cut, and every name is whole."""

import ast
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import cli.main
from cli.json_console import JsonConsole
from cli.output import (
    audit_table,
    check_table,
    conflict_lines,
    emr_cluster,
    emr_plan,
    model_tables,
    photo_tables,
    retention_table,
    run_tables,
    tables,
)
from conf.settings import Settings
from emr import plan
from emr.cluster import ClusterReport
from emr.cluster_state import Cluster, Step
from expectations.check_tables import Checked
from expectations.validation import ExpectationResult
from gold import accuracy_figures
from lake import catalog
from lake.enums import GateAction, RunStatus
from lake.run_clock import RunClock
from lake.run_journal import LayerRun, Run
from page.predictions import Prediction
from page.similar_photos import Neighbour, Neighbourhood
from privacy.audit.auditor import Audit
from privacy.audit.table_findings import AuditQuestion, HoldingStatus, TableFinding
from privacy.retention import PastAge
from report.label_conflicts import LabelConflict, Told

OUTPUT = Path(__file__).resolve().parents[2] / "cli" / "output"
AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
IDS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(4)]
WEIGHTS = IDS[0]
LONG = "data/landing/app/2026/label=granny_smith_apple/subject=somebody-of-ours/IMG_20260301_123000_1.jpg"
LOG = f"s3://fruit-lake-logs/emr/j-1ABCDEFGHIJKL/containers/{IDS[2]}/stderr.gz"
RUN = Run("20261127T183900.226Z-de0eec92", "38e744e12ced", "4e2d3168a95e3ca7")
WIDTHS = (40, 80, 120, cli.main.ANY_WIDTH)


def model(version, kind, **more):
    row = dict.fromkeys(
        (
            *("embeddings_version", "photos", "components", "extractor", "labels", "chunk"),
            *("model_sha256", "precision", "pixels"),
        )
    )
    row |= {"version": version, "kind": kind, "weights_id": WEIGHTS, "created_at": AT}
    return row | {"status": "candidate", "reason": "request", "dimensions": 1280} | more


METRICS = {
    "accuracy": 0.9444,
    "macro_f1": 0.9,
    "nearest_neighbours": 0.92,
    "baseline": 0.1,
    "tested": 54,
    "untested_labels": 0,
    "accuracy_low": 0.8123,
    "accuracy_high": 0.9876,
    "groups": 31,
    "days": 1,
    "dated": 12,
    "calibration_error": 0.0563,
    "sure_share": 0.38,
    "sure_from": 0.72,
    "sure_accuracy": 0.9123,
    "sure_low": 0.8,
    "sure_high": 0.96,
}
FITTED = {"photos": 1_000_054, "embeddings_version": 117}
PCA = {"components": 20, "explained_variance": 0.83, "metrics": {}, "status": "champion"}
CLASSIFIER = {"algorithm": "logistic_regression", "input": f"pca-{WEIGHTS[:8]}-12"}
KINDS = ["granny_smith_apple", *(f"kind {n}" for n in range(12))]
HELD_OUT = [
    {"label": kind, "predicted": kind, "scene": 3 * number + n}
    for number, kind in enumerate(KINDS[1:])
    for n in range(3)
]
MODELS = [
    model(f"efficientnet_lite0-{WEIGHTS[:12]}", "extractor", status="converted", metrics={}),
    model(f"pca-{WEIGHTS[:8]}-12", "pca", **FITTED, **PCA),
    model(f"classifier-{WEIGHTS[:8]}-104", "classifier", metrics=METRICS, **FITTED, **CLASSIFIER)
    | {"status": "champion", "labels": KINDS}
    | {"confusion": np.diag([3] * len(KINDS)).ravel().tolist()},
]
LAKE = SimpleNamespace(
    files=SimpleNamespace(root="/srv/fruit/lakes/of/ours"),
    records=lambda table, **_: HELD_OUT if table is catalog.HELD_OUT else MODELS,
    ledger=SimpleNamespace(chunks=dict),
)


def layer(name, **reasons):
    counts = {"in": 1_000_060, "kept": 1_000_000}
    return LayerRun(
        name, AT, AT + timedelta(seconds=71_234), counts, reasons, status=RunStatus.DONE
    )


def run_summary(console):
    many = dict.fromkeys(("not_a_photo", "too_many_pixels", "expectation:label-well-formed"), 20)
    done = [layer("bronze"), layer("silver", **many), layer("gold")]
    run_tables.summary(console, done, run=RUN, clock=RunClock(begun=AT - timedelta(seconds=12)))


def check(console):
    of = {"suite": "silver_embeddings", "severity": "warning", "success": True}
    found = [ExpectationResult(expectation="a", action=GateAction.PASSED, **of)]
    check_table.show(console, [Checked("silver_embeddings", "silver/embeddings", 12, found)])


def predictions(console):
    fitted = SimpleNamespace(acceptance=None)
    by = SimpleNamespace(
        version=MODELS[2]["version"], metrics=METRICS, classifier=fitted, **CLASSIFIER
    )
    kinds = [("granny_smith_apple", 0.9712), ("kiwi", 0.02), ("red_delicious_apple", 0.01)]
    found = [Prediction(LONG, kinds), Prediction("[red]x.jpg", refused="blank (one colour)")]
    table = photo_tables.PredictionTable(console, by)
    for each in found:
        table.add(each)
    table.end()


def similar(console):
    found = [Neighbour(each, "granny_smith_apple", 0.98765) for each in IDS]
    trained = dict.fromkeys(IDS, True)
    paths = {IDS[0]: f"label=kiwi/{LONG}"}
    around = Neighbourhood(found, 0.4)
    photo_tables.similar(console, around, paths=paths, trained=trained, to=LONG)


def audit(console, statuses=(HoldingStatus.OUT_OF_RETENTION,)):
    findings = [
        TableFinding("silver/quarantine", HoldingStatus(each), 12, AT, 1_234_567, IDS)
        for each in statuses
    ]
    storage = {"root": "/lake", "kind": "a disk", "region": "–", "encryption": "unknown"}
    question = AuditQuestion(subject="somebody")
    audit_table.show(console, Audit(AT, question, storage, findings, (), (), ()))


def conflicts(console):
    objects = [Told(LONG, "granny_smith_apple", "Test"), Told(f"label=kiwi/{LONG}", "kiwi", None)]
    found = [LabelConflict(IDS[0], "kiwi", None, objects)]
    conflict_lines.show(console, found, root="/srv/fruit/lakes/of/ours")


def retention(console):
    past = [PastAge("privacy/certificates of R-17", "3 years", AT, 1_234_567, "files")]
    retention_table.show(console, past, "would go")


def cluster(console):
    types = [{"InstanceType": name} for name in ("m5.xlarge", "c7i.2xlarge", "c7g.2xlarge")]
    fleet = {
        "Name": "task-fleet",
        "Status": {"State": "RUNNING"},
        "InstanceTypeSpecifications": types,
    }
    step = Step(
        "s-2ABCDEFGHIJKL", f"all {IDS[1][:12]}", "FAILED", f"{'an exception. ' * 9}{LOG}", AT, AT
    )
    of = Cluster("j-1ABCDEFGHIJKL", "fruit-lake", "RUNNING", "", AT)
    emr_cluster.show(console, ClusterReport(of, [fleet], [step]))


def planned(console):
    settings = Settings.load("emr", environment={})
    found = plan.planned(settings, settings.emr, photos=10**7, photo_bytes=10**5, hours=2)
    emr_plan.show(console, found, settings)


SCREENS = {
    "run": (run_summary, ["expectation:label-well-formed", "71,234.0", RUN.run_id]),
    "check": (check, ["silver/embeddings"]),
    "models": (
        lambda console: model_tables.versions(console, LAKE),
        [row["version"] for row in MODELS]
        + ["silver/embeddings 117", "2026-03-01 12:30", "logistic_regression"],
    ),
    "train": (
        lambda console: model_tables.classifiers(console, LAKE, weights_id=WEIGHTS),
        [MODELS[2]["version"], "logistic_regression", CLASSIFIER["input"], KINDS[0]],
    ),
    "predict": (predictions, [LONG, "granny_smith_apple", "[red]x.jpg", MODELS[2]["version"]]),
    "similar": (similar, [LONG, f"label=kiwi/{LONG}", "granny_smith_apple", *(each[:12] for each in IDS)]),
    "audit": (audit, ["OUT_OF_RETENTION", "silver/quarantine", *(each[:12] for each in IDS)]),
    "status": (conflicts, [LONG, f"label=kiwi/{LONG}", "granny_smith_apple, Test", IDS[0][:12]]),
    "retain": (retention, ["privacy/certificates of R-17", "1,234,567 files"]),
    "emr status": (cluster, ["s-2ABCDEFGHIJKL", LOG, f"all {IDS[1][:12]}", "c7i.2xlarge", "c7g.2xlarge"]),
    "emr plan": (planned, ["m5.xlarge", "c7i.2xlarge", "c7g.2xlarge"]),
}  # fmt: skip
"""How each command's tables are shown, and the names in them that somebody copies."""


def screen(show, width):
    printed = io.StringIO()
    show(Console(file=printed, width=width))
    return printed.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SCREENS)
def test_no_cell_is_cut_and_no_name_is_broken(name, width):
    show, names = SCREENS[name]
    shown = screen(show, width)
    assert "…" not in shown.replace("EUW3-…", "")  # a source's own words
    assert [each for each in names if each not in shown] == []


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_screen(name, width):
    """Lines that only begin with a word are sentences or addresses, which a terminal wraps itself."""
    of_tables = [
        line for line in screen(SCREENS[name][0], width).splitlines() if line[:1] in "┃│┡└"
    ]
    assert max(map(len, of_tables), default=0) <= width


def test_no_command_makes_tables_in_another_way():
    made = [path for path in OUTPUT.glob("*.py") if "rich.table" in imported(path)]
    assert made == [OUTPUT / "tables.py"]
    users = [path.stem for path in OUTPUT.glob("*.py") if "cli.output.tables" in imported(path)]
    assert len(users) == len(SCREENS) - 2  # two modules show the tables of two commands each


def imported(path):
    """The modules that a module imports."""
    imports = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    return {f"{n.module}.{a.name}" for n in imports for a in n.names} | {n.module for n in imports}


def test_a_wide_screen_shows_rules_and_a_narrow_one_words_below_their_row():
    wide, narrow, lists = (screen(SCREENS["models"][0], width) for width in (200, 80, 40))
    assert wide.count("┃") == 8
    assert "┃" not in narrow
    below = "  what it holds: 20 components, 83.0% of the variance; from: silver/embeddings\n"
    assert below in narrow
    assert f"version        {MODELS[1]['version']}\n" in lists


def test_a_training_shows_how_sure_its_figures_are():
    shown = screen(SCREENS["train"][0], 240)
    assert "94.4% │ 81.2% to 98.8% │     31 │" in shown
    assert "│ calibration error 0.056, 38.0% sure and 91.2% of these right │" in shown
    below = "  what: logistic_regression on pca-6e340b9c-12; confidence: calibration error"
    assert below in screen(SCREENS["train"][0], 80)
    assert "answers are sure from a confidence of 72.0% on: 38.0% of those" in shown
    assert "its 10 worst kinds of 13" in shown
    rows = [" ".join(line.strip("│").replace("│", " ").split()) for line in shown.splitlines()]
    assert "granny_smith_apple 100.0% – 3 –" in rows  # its photos have left the lake
    [kind] = [row for row in rows if row.startswith("kind 0 ")]
    assert kind.endswith("to 100.0% 3 3")
    assert accuracy_figures.DASH in shown
    assert (
        "right for 94.4% of 54 photos held out, of 31 scenes (95% interval 81.2% to 98.8%)."
        in shown
    )
    assert "no test on later days: the 12 photos that say their day are of one day." in shown


def test_versions_show_an_accuracy_with_its_interval():
    shown = screen(SCREENS["models"][0], 300)
    known = ", calibration error 0.056, 38.0% sure and 91.2% of these right"
    assert f"94.4% right (81.2% to 98.8%){known}" in shown


EARLIER = ("accuracy", "macro_f1", "nearest_neighbours", "baseline", "tested", "untested_labels")


def test_a_classifier_of_earlier_code_has_dashes_and_a_sentence():
    metrics = {name: METRICS[name] for name in EARLIER}
    rows = [*MODELS[:2], MODELS[2] | {"metrics": metrics}]
    lake = SimpleNamespace(**{**vars(LAKE), "records": lambda *_, **__: rows})
    printed = io.StringIO()
    console = Console(file=printed, width=300)
    model_tables.versions(console, lake)
    assert " 94.4% right (no interval) │" in printed.getvalue()
    lake.records = lambda table, **_: [] if table is catalog.HELD_OUT else rows
    model_tables.classifiers(console, lake, weights_id=WEIGHTS)
    [row] = [
        line for line in printed.getvalue().splitlines() if "│ 90.0% " in line.replace("    ", " ")
    ]
    assert row.count(" – ") == 3
    assert "relied on was not tested by the earlier code that trained it" in printed.getvalue()


def test_a_log_has_ids_in_full(capsys):
    similar(JsonConsole(level="info"))
    rows = [json.loads(line)["row"] for line in capsys.readouterr().out.splitlines()]
    assert [row["photo_id"] for row in rows] == IDS


def test_a_file_or_a_pipe_has_lines_of_any_length(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    output, errors = cli.main.consoles([])
    assert (output.width, errors.width) == (cli.main.ANY_WIDTH,) * 2
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main.consoles([])[0].width == 80


def test_an_audit_says_below_its_table_how_many_tables_hold_rows():
    statuses = ("HELD", "HELD", "ERASED", "NOT_HELD", "OUT_OF_RETENTION")
    shown = screen(partial(audit, statuses=statuses), 200)
    assert (
        "Tables: 2 with rows, 1 whose rows were erased, 1 without any rows, 1 of which nobody can say"
        in shown
    )
    assert "\nTables: 1 without any rows. Not looked into" in screen(
        partial(audit, statuses=["NOT_HELD"]), 80
    )


def test_tables_without_rows_are_headers():
    table = tables.WholeTable({"name": tables.NAME, "why": tables.WORDS}, title="none")
    assert "name" in screen(lambda console: tables.show(console, table), 80)
