"""Writes the facts about a lake as one HTML file that loads nothing from elsewhere: `run.py report`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from conf.errors import BadInput
from gold import accuracy_figures, untested_labels
from lake.enums import BRONZE, GateAction, ModelKind, RunStatus
from lake.model_identity import ModelIdentity
from lake.run_journal import RATED_FROM
from report import accuracy_plot, reliability_plot, report_plots
from report.gate_history import worst
from report.report_facts import MEASURES, ModelFacts, ReportFacts
from report.run_cost import Spent
from report.run_history import Periods
from report.svg_plots import STYLE

HERE = Path(__file__).parent
SHOWN, MOST = 20, 1_000
"""The rows of a long table that are visible at first, and the most rows that the file has at all."""

CONFUSED = 60
"""The most kinds that a confusion plot shows."""

RUN_COLOURS: Mapping[str, str] = {
    RunStatus.DONE: "good",
    RunStatus.FAILED: "bad",
    RunStatus.BLOCKED: "bad",
}
"""The colour of a run's status in its tile; any other status is `warn`."""

GATE_COLOURS: Mapping[str, str] = {GateAction.PASSED: "good", GateAction.BLOCKED: "bad"}
"""The colour of the worst action of the last judgements; any other action is `warn`."""

SECTIONS = {
    "sums": "From landing to gold",
    "runs": "Runs",
    "gates": "Gates",
    "refused": "Refused photos",
    "labels": "Labels in conflict",
    "components": "Components",
    "drift": "Drift",
    "models": "Model versions",
    "classifier": "Classifier",
    "cost": "Throughput and cost",
    "erasures": "Erasures",
}
"""The title of each section, by the id of its HTML element."""


@dataclass(frozen=True)
class Tile:
    """One key figure at the top of the report: `state` is `good`, `warn`, `bad` or empty."""

    what: str
    value: str
    more: str
    state: str = ""


def html(facts: ReportFacts) -> str:
    """Return the whole report as HTML."""
    # Imported here: only this function needs a template engine.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined
    )
    filters: dict[str, Callable[..., str]] = {
        "count": _count,
        "percent": lambda share: "–" if share is None else f"{share:.1%}",
        "two": lambda value: "–" if value is None else f"{value:,.2f}",
        "amount": lambda value: f"{value:,.2f}" if value >= 1 else f"{value:.3g}",
        "rate": lambda value: "–" if value is None else f"{value:,.0f}",
        "minute": lambda moment: f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}",
        "duration": _duration,
        "summary": version_summary,
    }
    environment.filters |= filters
    periods = Periods.over(
        [
            *(run.run_id for run in facts.runs),
            *(finding.run_id for finding in facts.gate_history.findings),
            *(row["run_id"] for model in facts.models for row in model.drift),
        ]
    )
    page: str = environment.get_template("report.html").render(
        facts=facts,
        tiles=tiles(facts),
        sections=SECTIONS.items(),
        periods=periods,
        plots=_plots(facts, periods),
        models=[_model_context(model, facts, periods) for model in facts.models],
        pictures={reason: list(map(_data_url, each)) for reason, each in facts.pictures.items()},
        measures=list(MEASURES),
        rated_from=RATED_FROM,
        bounds=facts.drift_bounds,
        infinite=float("inf"),
        spending=_spending(facts),
        shown=SHOWN,
        most=MOST,
        style=Markup(STYLE.read_text() + (HERE / "report.css").read_text()),
        script=Markup((HERE / "report.js").read_text()),
    )
    return page


def tiles(facts: ReportFacts) -> list[Tile]:
    """Return the key figures that a manager looks for first."""
    sums = facts.sums
    found = [Tile("photos in the lake", _count(sums.photos), f"{sums.objects:,} objects seen")]
    for model in sums.models[:1]:
        share = f"{model.coverage(sums.photos):.1%} of photos tried"
        found.append(Tile("embedded", _count(model.embedded), f"{model.extractor}, {share}"))
    refused = sum(n for _, _, n in facts.refused)
    found.append(Tile("refused now", _count(refused), "bronze and silver, with a reason each"))
    if facts.runs:
        run = facts.runs[0]
        state = RUN_COLOURS.get(run.status, "warn")
        more = f"{run.begun:%Y-%m-%d %H:%M}, layers took {_duration(run.seconds)}"
        found.append(Tile("last run", run.status, more, state))
    history = facts.gate_history
    if history.suites:
        last = [finding for suite in history.suites for finding in history.last(suite)]
        failing = sum(finding.action != GateAction.PASSED for finding in last)
        state = GATE_COLOURS.get(worst(last), "warn")
        value = f"{failing:,} fail" if failing else "all hold"
        found.append(Tile("expectations", value, f"{len(last):,} in the last judgements", state))
    for classifier in [m.classifier for m in facts.models if m.classifier][:1]:
        metrics = classifier["metrics"]
        more = f"on {metrics['tested']:,.0f} photos held out"
        if "groups" in metrics:
            known = accuracy_figures.interval_of(metrics)
            more = f"{known} on others: {more}, of {metrics['groups']:,.0f} scenes"
        found.append(Tile("kinds predicted right", f"{metrics['accuracy']:.1%}", more))
    overdue = sum(bool(e.due_at and e.due_at < facts.made_at) for e in sums.erasures)
    found.append(
        Tile(
            "erasures not certified",
            _count(len(sums.erasures)),
            f"{overdue:,} overdue, {sums.certified:,} certified",
            "bad" if overdue else "",
        )
    )
    return found


def version_summary(row: Mapping[str, Any]) -> str:
    """Describe a model version, a row of gold/models, in a few words."""
    if row["kind"] == ModelKind.PCA:
        return (
            f"PCA, {row['components']} components, {row['explained_variance']:.1%} of the variance"
        )
    if row["kind"] == ModelKind.CLASSIFIER:
        what = f"{row['algorithm'].replace('_', ' ')} on {row['input']}"
        metrics = row["metrics"]
        return (
            f"{what}, {accuracy_figures.in_few_words(metrics)}" if "accuracy" in metrics else what
        )
    return f"extractor, {row['dimensions']:,} values a photo, {ModelIdentity.of(row)}"


def _plots(facts: ReportFacts, periods: Periods) -> dict[str, Markup]:
    """The plots that are not about one model, by name; one without data is left out."""
    drawn: dict[str, str] = {}
    if facts.runs:
        drawn["photos"] = report_plots.photos(facts.runs, periods)
        drawn["rates"] = report_plots.rates(facts.runs, periods)
    if facts.gate_history.findings:
        drawn["gates"] = report_plots.gates(facts.gate_history, periods)
    if facts.refused:
        drawn["refused"] = report_plots.refused(facts.refused)
    return {name: Markup(plot) for name, plot in drawn.items()}


def _model_context(model: ModelFacts, facts: ReportFacts, periods: Periods) -> dict[str, Any]:
    """The values that the template shows of one extractor model."""
    context: dict[str, Any] = {
        "id": f"scatter-{model.sums.weights_id[:12]}",
        "name": model.sums.name,
        "pca": model.pca,
        "classifier": model.classifier,
        "drift": model.drift,
        "since_training": None,
        "photos": model.points.photos,
        "scatter": None,
    }
    if model.pca:
        shares = [float(share) for share in model.pca["scree"]]
        scree = report_plots.scree(shares, components=model.pca["components"])
        context["scree"] = Markup(scree)
        if drawn := model.points.drawn(shares):
            kinds, counts = np.unique(model.points.kinds, return_counts=True)
            context["scatter"] = Markup(drawn.svg)
            context["kinds"] = [
                {"kind": str(kind), "photos": int(n)} for kind, n in zip(kinds, counts, strict=True)
            ]
    if model.drift:
        bounds = facts.drift_bounds
        context["drift_plot"] = Markup(report_plots.drift(model.drift, periods, bounds=bounds))
    if (since := model.sums.since_training) and since.weeks:
        context["since_training"] = since
        context["since_training_plot"] = since.photos and Markup(accuracy_plot.by_week(since))
    return context | (_confusion_context(model) if model.classifier else {})


def _confusion_context(model: ModelFacts) -> dict[str, Any]:
    """The values that the template shows of a champion classifier: its confusion, and each kind."""
    assert model.classifier
    labels, counts = model.classifier["labels"], model.confusion
    wrong = counts - np.diag(np.diag(counts))
    mixed_up = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    chosen = np.sort(mixed_up[:CONFUSED])
    names = [labels[place] for place in chosen]
    mistakes = {label: _mistakes(labels, row) for label, row in zip(labels, wrong, strict=True)}
    few = {
        kind.kind: kind.photos
        for kind in model.kinds
        if kind.groups is not None and kind.groups < untested_labels.FEW
    }
    return {
        "accuracy": accuracy_figures.sentence(model.classifier["metrics"]),
        "confidence": accuracy_figures.confidence_sentence(model.classifier["metrics"]),
        "bins": model.reliability,
        "bins_photos": sum(each.photos for each in model.reliability),
        "reliability_plot": model.reliability
        and Markup(reliability_plot.by_confidence(model.reliability)),
        "later_days": accuracy_figures.timewise_sentence(model.classifier["metrics"]),
        "few": untested_labels.listed(few),
        "least": untested_labels.FEW,
        "dash": accuracy_figures.DASH if any(k.groups is None for k in model.kinds) else "",
        "confusion_plot": Markup(report_plots.confusion(names, counts[np.ix_(chosen, chosen)])),
        "left_out": len(labels) - len(names),
        "kinds_shown": len(names),
        "confused": [
            {"figures": kind, "mistakes": mistakes[kind.kind]}
            for kind in sorted(model.kinds, key=lambda kind: kind.share)
        ],
    }


def _mistakes(labels: Sequence[str], wrong: NDArray[np.int64]) -> str:
    """The kinds that one kind was taken for, each with how often, the most frequent first.

    `wrong` is int64[labels]: how often the kind was taken for each label.
    """
    order = np.argsort(-wrong, kind="stable")
    return ", ".join(f"{labels[other]} ({wrong[other]:,})" for other in order if wrong[other])


def _spending(facts: ReportFacts) -> Sequence[tuple[str, Spent]]:
    """The rows of the table of costs: what they are of, and what was spent."""
    if not facts.runs:
        return []
    last = [run for run in facts.runs if run.taken_in(BRONZE)][:1]
    of_last = [("the last run that took photos in", Spent.on(last, facts.rate))] if last else []
    return [("all runs", facts.spent), *of_last]


def _data_url(jpeg: bytes) -> str:
    """A URL that holds the picture itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def write(facts: ReportFacts, file: Path) -> int:
    """Write the report to a file and return its size in bytes. Raises BadInput where it can't be written."""
    content = html(facts).encode()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(
            f"{file} can't be written ({error.strerror}); name another file with --out."
        ) from None
    return len(content)
