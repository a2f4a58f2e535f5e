"""`run.py report`: the facts as one HTML file that loads nothing from anywhere."""

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
from report import report_plots
from report.gate_history import worst
from report.report_facts import MEASURES, ModelFacts, ReportFacts
from report.run_cost import Spent
from report.run_history import Periods
from report.svg_plots import STYLE

HERE = Path(__file__).parent
SHOWN, MOST = 20, 1_000
"""Rows of a long table that are seen at once, and at most."""

CONFUSED = 60
"""Kinds, at most, of a confusion plot."""

SECTIONS = {
    "sums": "From landing to gold",
    "runs": "Runs",
    "gates": "Gates",
    "refused": "Refused photos",
    "components": "Components",
    "drift": "Drift",
    "models": "Model versions",
    "classifier": "Classifier",
    "cost": "Throughput and cost",
    "erasures": "Erasures",
}


@dataclass(frozen=True)
class Tile:
    """One figure at the top: `state` is `good`, `warn`, `bad` or empty."""

    what: str
    value: str
    more: str
    state: str = ""


def html(facts: ReportFacts) -> str:
    """The whole page."""
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
        "holds": holds,
    }
    environment.filters |= filters
    periods = Periods.over(
        [
            *(run.run_id for run in facts.runs),
            *(finding.run_id for finding in facts.quality.findings),
            *(row["run_id"] for model in facts.models for row in model.drift),
        ]
    )
    page: str = environment.get_template("report.html").render(
        facts=facts,
        tiles=tiles(facts),
        sections=SECTIONS.items(),
        periods=periods,
        plots=_plots(facts, periods),
        models=[_model(model, facts, periods) for model in facts.models],
        pictures={reason: list(map(_inline, each)) for reason, each in facts.pictures.items()},
        measures=list(MEASURES),
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
    """What a manager looks for first."""
    held = facts.sums
    found = [Tile("photos in the lake", _count(held.photos), f"{held.objects:,} objects seen")]
    for model in held.models[:1]:
        share = f"{model.coverage(held.photos):.1%} of photos tried"
        found.append(Tile("embedded", _count(model.embedded), f"{model.extractor}, {share}"))
    refused = sum(n for _, _, n in facts.refused)
    found.append(Tile("refused now", _count(refused), "bronze and silver, with a reason each"))
    if facts.runs:
        run = facts.runs[0]
        state = {"done": "good", "failed": "bad", "blocked": "bad"}.get(run.status, "warn")
        more = f"{run.begun:%Y-%m-%d %H:%M}, {_duration(run.seconds)}"
        found.append(Tile("last run", run.status, more, state))
    if facts.quality.suites:
        last = [f for suite in facts.quality.suites for f in facts.quality.last(suite)]
        failing = sum(f.action != "passed" for f in last)
        state = {"passed": "good", "blocked": "bad"}.get(worst(last), "warn")
        value = f"{failing:,} fail" if failing else "all hold"
        found.append(Tile("expectations", value, f"{len(last):,} in the last judgements", state))
    for classifier in [m.classifier for m in facts.models if m.classifier][:1]:
        metrics = classifier["metrics"]
        more = f"on {metrics['tested']:,.0f} photos held out"
        found.append(Tile("kinds told right", f"{metrics['accuracy']:.1%}", more))
    overdue = sum(bool(e.due_at and e.due_at < facts.made_at) for e in held.erasures)
    found.append(
        Tile(
            "erasures not certified",
            _count(len(held.erasures)),
            f"{overdue:,} overdue, {held.certified:,} certified",
            "bad" if overdue else "",
        )
    )
    return found


def holds(row: Mapping[str, Any]) -> str:
    """A model version in a few words."""
    if row["kind"] == "pca":
        return (
            f"PCA, {row['components']} components, {row['explained_variance']:.1%} of the variance"
        )
    if row["kind"] == "classifier":
        what = f"{row['algorithm'].replace('_', ' ')} on {row['input']}"
        right = row["metrics"].get("accuracy")
        return f"{what}, {right:.1%} right" if right is not None else what
    return f"extractor, {row['dimensions']:,} values a photo"


def _plots(facts: ReportFacts, periods: Periods) -> dict[str, Markup]:
    drawn: dict[str, str] = {}
    if facts.runs:
        drawn["photos"] = report_plots.photos(facts.runs, periods)
        drawn["rates"] = report_plots.rates(facts.runs, periods)
    if facts.quality.findings:
        drawn["gates"] = report_plots.gates(facts.quality, periods)
    if facts.refused:
        drawn["refused"] = report_plots.refused(facts.refused)
    return {name: Markup(plot) for name, plot in drawn.items()}


def _model(model: ModelFacts, facts: ReportFacts, periods: Periods) -> dict[str, Any]:
    """A model as the page has it."""
    shown: dict[str, Any] = {
        "id": f"scatter-{model.sums.weights_id[:12]}",
        "name": model.sums.name,
        "pca": model.pca,
        "classifier": model.classifier,
        "drift": model.drift,
        "photos": model.points.photos,
        "scatter": None,
    }
    if model.pca:
        shares = [float(share) for share in model.pca["scree"]]
        scree = report_plots.scree(shares, components=model.pca["components"])
        shown["scree"] = Markup(scree)
        if drawn := model.points.drawn(shares):
            kinds, counts = np.unique(model.points.kinds, return_counts=True)
            shown["scatter"] = Markup(drawn.svg)
            shown["kinds"] = [
                {"kind": str(kind), "photos": int(n)} for kind, n in zip(kinds, counts, strict=True)
            ]
    if model.drift:
        bounds = facts.drift_bounds
        shown["drift_plot"] = Markup(report_plots.drift(model.drift, periods, bounds=bounds))
    return shown | (_confusion(model) if model.classifier else {})


def _confusion(model: ModelFacts) -> dict[str, Any]:
    assert model.classifier
    labels, counts = model.classifier["labels"], model.confusion
    wrong = counts - np.diag(np.diag(counts))
    right = np.diag(counts) / np.maximum(counts.sum(axis=1), 1)
    mixed_up = np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")
    chosen = np.sort(mixed_up[:CONFUSED])
    names = [labels[place] for place in chosen]
    return {
        "confusion_plot": Markup(report_plots.confusion(names, counts[np.ix_(chosen, chosen)])),
        "left_out": len(labels) - len(names),
        "kinds_shown": len(names),
        "confused": [
            {
                "kind": labels[place],
                "photos": int(counts[place].sum()),
                "right": right[place],
                "mistakes": _mistakes(labels, wrong[place]),
            }
            for place in np.argsort(right, kind="stable")
        ],
    }


def _mistakes(labels: Sequence[str], wrong: NDArray[np.int64]) -> str:
    """What a kind was taken for, and how often."""
    order = np.argsort(-wrong, kind="stable")
    return ", ".join(f"{labels[other]} ({wrong[other]:,})" for other in order if wrong[other])


def _spending(facts: ReportFacts) -> Sequence[tuple[str, Spent]]:
    if not facts.runs:
        return []
    last = [run for run in facts.runs if run.taken_in("bronze")][:1]
    of_last = [("the last run that took photos in", Spent.on(last, facts.rate))] if last else []
    return [("all runs", facts.spent), *of_last]


def _inline(jpeg: bytes) -> str:
    """As an address that a page holds itself."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def write(facts: ReportFacts, file: Path) -> int:
    """Writes the page; its size in bytes. Raises BadInput where that can't be."""
    content = html(facts).encode()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(
            f"{file} can't be written ({error.strerror}); name another file with --out."
        ) from None
    return len(content)
