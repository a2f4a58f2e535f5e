"""`run.py report`: its numbers are those of `status`, its sections are filled, and nobody is in it."""

import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
from PIL import Image
from rich.console import Console

from cli.output import status_lines
from conf.errors import Inconsistent
from gold import accuracy_figures
from lake import catalog, delta_rs_reader, lease
from lake.run_journal import Run
from report import html_report, report_facts
from report.report_facts import ReportFacts
from tests.support import canary
from tests.support.html_page import Page
from tests.support.journal_rows import add_runs
from tests.support.place import Place

HTTP = re.compile(r"https?://")


def html_of(place):
    return html_report.html(ReportFacts.of(place.files, place.settings))


@pytest.fixture(scope="module")
def html(told):
    return html_of(told)


@pytest.fixture
def made(told, command, tmp_path):
    """The report and the status of the lake, by the command line."""
    lake = ("--lake", told.settings.paths.lake)
    code, shown, _ = command("report", *lake)
    assert (code, shown.split(":")[0]) == (0, "report")
    code, status, _ = command("status", "--json", *lake)
    assert code == 0
    return Page((tmp_path / "report.html").read_text()), json.loads(status)


def test_numbers_are_those_of_status(made):
    page, status = made
    assert page.number("sum", "objects") == status["objects"] > 0
    assert page.number("sum", "photos") == status["photos"] > 0
    assert {outcome: page.number("outcome", outcome) for outcome in status["outcomes"]} == status[
        "outcomes"
    ]
    assert len(status["models"]) == 1
    for model in status["models"]:
        for name in ("embedded", "quarantined", "waiting", "features"):
            assert page.number(name, model["weights_id"]) == model[name]
        assert f"{model['explained']:.1%} of the" in page.sections["sums"]
        for reason, count in model["reasons"].items():
            assert re.search(rf"\b{reason} \s*{count}\b", page.sections["refused"])
    for reason, count in status["rejected"].items():
        assert re.search(rf"\b{reason} \s*{count}\b", page.sections["refused"])
    [erasure] = status["erasures"]
    assert (erasure["request"], erasure["state"]) == ("R-1", "logical")
    assert "R-1" in page.sections["erasures"]
    assert erasure["due_at"][:16].replace("T", " ") in page.sections["erasures"]


def test_every_section_is_filled(html):
    page = Page(html)
    assert list(page.sections) == list(html_report.SECTIONS)
    for words in page.sections.values():
        assert "yet:" not in words
    assert html.count('<svg role="img"') == 9
    assert "pca-" in page.sections["components"]
    assert "taken for" in page.sections["classifier"]
    assert "one m5.xlarge" in page.sections["cost"]
    assert re.search(r"reconstruction\s+labels", page.sections["drift"])


def test_it_loads_nothing_and_ids_are_unique(html):
    assert not HTTP.search(html)
    assert not re.search(r"<(link|iframe|img|object)\b", html)
    ids = Page(html).ids
    assert len(ids) == len(set(ids))


def test_pictures_of_refused_photos_are_there_when_asked_for_and_of_nobodys_alone(told, html):
    assert "data:image" not in html
    refused = delta_rs_reader.rows(
        told.files.root, catalog.QUARANTINE, columns=["subject", "reason"]
    )
    own = [row["reason"] for row in refused if row["subject"] is None]
    assert own == ["too_small"]
    assert len(refused) > 3
    facts = ReportFacts.of(told.files, told.settings, with_pictures=True)
    assert {reason: len(found) for reason, found in facts.pictures.items()} == {"too_small": 1}
    [picture] = facts.pictures["too_small"]
    assert np.abs(np.asarray(Image.open(io.BytesIO(picture))).astype(int) - (9, 246, 9)).max() < 8
    shown = html_report.html(facts)
    assert shown.count("data:image/jpeg;base64,") == 1
    assert 'alt="A photo that is refused for too_small"' in shown


def test_words_of_the_lake_are_never_markup(told):
    """A kind is the name of a folder that somebody sent."""
    evil = '"><script>alert(1)</script>'
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    points = replace(model.points, kinds=[evil] * len(model.points.kinds))
    labels = [evil, *model.classifier["labels"][1:]]
    classifier = {**model.classifier, "labels": labels}
    kinds = accuracy_figures.of_kinds(classifier, [])
    facts = replace(
        facts,
        models=[replace(model, points=points, classifier=classifier, kinds=kinds)],
        sums=replace(facts.sums, rejected={evil: 1}, open_ends=[evil]),
    )
    html = html_report.html(facts)
    assert html.count("alert(1)") > 10
    assert html.count("<script") == 1


def test_kinds_that_could_not_be_tested_are_told(told, html):
    assert "could not be tested" not in Page(html).sections["classifier"]
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    metrics = {**model.classifier["metrics"], "untested_labels": 3.0}
    model = replace(model, classifier={**model.classifier, "metrics": metrics})
    page = Page(html_report.html(replace(facts, models=[model])))
    assert "3 more kinds that could not be tested" in " ".join(page.sections["classifier"].split())


def classifier_section(model, facts):
    shown = Page(html_report.html(replace(facts, models=[model])))
    return " ".join(shown.sections["classifier"].split())


def test_a_classifier_is_shown_with_how_sure_its_figures_are(told, html):
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    metrics = model.classifier["metrics"]
    section = classifier_section(model, facts)
    assert f"it was {accuracy_figures.sentence(metrics)};" in section
    assert f" {metrics['groups']:,.0f} scenes, in part guessed by likeness" in section
    assert f" (95% interval {metrics['accuracy_low']:.1%} to" in section
    assert f"Time-wise: {accuracy_figures.timewise_sentence(metrics)}." in section
    assert sum(kind.photos for kind in model.kinds) == metrics["tested"]
    for kind in model.kinds:
        assert kind.groups > 0
        assert kind.interval in section
    assert accuracy_figures.interval_of(metrics) in Page(html).sections["models"]
    [tile] = [t for t in html_report.tiles(facts) if t.what == "kinds predicted right"]
    assert tile.more.startswith(f"{accuracy_figures.interval_of(metrics)} on others: on ")


def test_kinds_of_few_scenes_and_photos_that_left_are_told(told):
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    few, left, *others = model.kinds
    few, left = replace(few, groups=2), replace(left, groups=None, low=None, high=None)
    others = [replace(kind, groups=3) for kind in others]
    section = classifier_section(replace(model, kinds=[few, left, *others]), facts)
    told_of = f"{few.kind} ({few.photos})" if few.photos > 1 else few.kind
    assert (
        f"Fewer than 3 scenes are too few to rely on what the table says of {told_of}." in section
    )
    assert accuracy_figures.DASH in section


def test_a_classifier_of_earlier_code_is_shown_without_what_it_does_not_have(told):
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    earlier = (
        "accuracy",
        "macro_f1",
        "baseline",
        "nearest_neighbours",
        "tested",
        "untested_labels",
    )
    metrics = {name: model.classifier["metrics"][name] for name in earlier}
    assert report_facts._reliability({"metrics": metrics}, [{"confidence": None}]) == []
    model = replace(model, classifier={**model.classifier, "metrics": metrics}, reliability=[])
    assert (
        "Reliability: how far its confidence is to be relied on was not tested by the earlier"
        in (classifier_section(model, facts))
    )
    assert "Reliability diagram" not in html_report.html(replace(facts, models=[model]))
    assert "how sure that is was not calculated by the earlier code" in classifier_section(
        model, facts
    )
    assert html_report.version_summary(model.classifier).endswith("right (no interval)")
    [tile] = [t for t in html_report.tiles(replace(facts, models=[model])) if "right" in t.what]
    assert tile.more == f"on {metrics['tested']:,.0f} photos held out"


def test_reliability_is_shown_by_the_photos_held_out(told, html):
    facts = ReportFacts.of(told.files, told.settings)
    [model] = facts.models
    metrics, bins = model.classifier["metrics"], model.reliability
    of_version = pc.field("model_version") == model.classifier["version"]
    held = delta_rs_reader.rows(told.files.root, catalog.HELD_OUT, where=of_version)
    assert sum(each.photos for each in bins) == len(held) == metrics["tested"]
    assert sum(each.right for each in bins) == sum(r["label"] == r["predicted"] for r in held)
    off = sum(each.photos * abs(each.confidence - each.share) for each in bins) / len(held)
    assert metrics["calibration_error"] == pytest.approx(off)
    section = classifier_section(model, facts)
    assert f"Reliability: {accuracy_figures.confidence_sentence(metrics)}." in section
    assert f"were right, on {len(held)} photos held out. The numbers" in section
    for each in bins:
        row = f"{each.low:.0%} to {each.high:.0%} {each.photos} {each.confidence:.1%} "
        assert f"{row}{each.share:.1%}" in section
        assert f"{each.right} of {each.photos} right" in html
    assert 'aria-label="Reliability diagram: ' in html


def test_photos_that_left_and_later_tests_are_not_in_the_reliability(copy):
    """A row of a later test has the classifier's version and another chunk."""
    from delta import DeltaTable

    [model] = ReportFacts.of(copy.files, copy.settings).models
    of_version = pc.field("model_version") == model.classifier["version"]
    [first, *_] = delta_rs_reader.rows(copy.files.root, catalog.HELD_OUT, where=of_version)
    held = DeltaTable.forPath(copy.spark, copy.files.uri(catalog.HELD_OUT.name))
    later = {"chunk": "chunk + 1", "labelled_at": "current_timestamp()", "learned": "true"}
    held.update(f"photo_id = '{first['photo_id']}'", later)
    facts = ReportFacts.of(copy.files, copy.settings)
    tested = int(model.classifier["metrics"]["tested"])
    assert sum(each.photos for each in facts.models[0].reliability) == tested - 1
    shown = classifier_section(facts.models[0], facts)
    assert f"on {tested - 1} of the {tested} photos held out: the others left the lake" in shown


def test_nobody_and_no_path_is_in_it(told, html):
    photos = told.lake.read(catalog.PHOTOS).where("subject is not null").collect()
    assert any(photo["label"] for photo in photos)
    people = [folder.name.removeprefix("subject=") for folder in told.landing.glob("subject=*")]
    held = [photo[name] for photo in photos for name in ("subject", "path", "photo_id")]
    for secret in [canary.MARKER, *people, *held]:
        assert secret not in html
    assert str(told.landing) not in html


def test_an_empty_lake_says_what_to_do(empty_lake, command, tmp_path):
    code, _, told = command("report", "--lake", empty_lake.settings.paths.lake)
    assert (code, told) == (0, "")
    page = Page((tmp_path / "report.html").read_text())
    assert page.number("sum", "photos") == 0
    assert "No run yet: python run.py --layer all" in page.sections["runs"]
    assert "No photo is embedded yet" in page.sections["classifier"]
    assert list(page.sections) == list(html_report.SECTIONS)


def test_a_lake_of_one_run_has_a_report(samples_lake):
    page = Page(html_of(samples_lake))
    assert "No classifier yet: python run.py train" in page.sections["classifier"]
    assert "No chunk was compared" in page.sections["drift"]
    assert "0 requests are certified" in page.sections["erasures"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lake", "nowhere"], "There is no lake in nowhere"),
        (["--out", "nowhere/report.html"], "nowhere/report.html can't be written (No such file"),
        (["--out", "."], ". can't be written (Is a directory); name another file with --out."),
    ],
)
def test_what_can_not_be_is_one_sentence(samples_lake, command, words, said):
    code, _, told = command("report", "--lake", samples_lake.settings.paths.lake, *words)
    assert code == 2
    assert said in told
    assert told.count("\n") == 1


def test_a_lake_of_another_format_is_refused(samples_lake, command, tmp_path):
    (tmp_path / "lake").mkdir()
    marker = json.loads((samples_lake.root / "lake" / "lake.json").read_text())
    (tmp_path / "lake" / "lake.json").write_text(json.dumps(marker | {"format": 1}))
    for name in ("report", "status"):
        code, _, told = command(name, "--lake", str(tmp_path / "lake"))
        assert code == 2
        assert "format" in told


@pytest.fixture
def copy(told, tmp_path, spark):
    shutil.copytree(told.root, tmp_path / "copy")
    return Place.of(tmp_path / "copy", spark)


def test_a_thousand_runs_can_be_read(copy):
    before = len(ReportFacts.of(copy.files, copy.settings).runs)
    add_runs(copy, 1_000)
    html = html_of(copy)
    page = Page(html)
    assert len(html) < 5_000_000
    assert "a bar a month" in html
    assert f"{1_000 + before - html_report.SHOWN:,} earlier runs" in page.sections["runs"]
    assert re.search(r"norm\s*silver_embeddings\s*critical\s*10\s+1,000", page.sections["gates"])
    assert page.sections["runs"].count("0123456789ab") == html_report.MOST - before
    assert "Still earlier ones are in ops/runs" in page.sections["runs"]


def test_while_a_run_writes_sums_that_do_not_agree_are_no_loss(copy):
    from delta import DeltaTable

    of = copy.files.uri(catalog.FEATURES.name)
    DeltaTable.forPath(copy.spark, of).delete("photo_id < '4'")
    run_id = Run.begin("settings").run_id
    with lease.held(copy.files, run_id=run_id, seconds=60):
        html = html_of(copy)
        status_lines.show(copy.console, copy.files, copy.settings)
    assert f"{run_id}</code> was writing while this was read" in html
    assert "The sums don't agree" in html
    assert f"run {run_id} writes now: sums may not agree until it is done." in copy.screen
    assert "The sums agree" not in copy.screen
    assert f"{run_id}</code> was writing" not in html_of(copy)
    with pytest.raises(Inconsistent, match="features are there"):
        status_lines.show(Console(file=io.StringIO()), copy.files, copy.settings, as_json=True)
