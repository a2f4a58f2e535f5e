"""The plots of the report, each as SVG. The scatter of photos is in svg_plots.py, as the page has it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lake.enums import LAYERS, SILVER, GateAction
from report.gate_history import GateHistory, worst
from report.run_history import Periods, RecordedRun
from report.svg_plots import WIDTH, colours, svg

SCREE = 50
"""The number of components that a scree plot shows, or more where more are kept."""

Row = Mapping[str, Any]

ACTION_COLOURS = {
    GateAction.PASSED: "var(--good)",
    GateAction.WARNED: "var(--warn)",
    GateAction.QUARANTINED: "var(--c1)",
    GateAction.RELEASED: "var(--c4)",
    GateAction.BLOCKED: "var(--bad)",
}
"""The colour of each action that a gate can take for an expectation."""


def _time_axis(periods: Periods) -> Row:
    """The encoding of the horizontal axis: the periods in the order of time."""
    label = {"run": "slice(datum.label, 5, 16)"}.get(periods.unit, "datum.label")
    return {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(periods.names)},
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelExpr": label, "grid": False},
    }


def _series_colour(names: Sequence[str]) -> Row:
    """The encoding that gives each series a colour and a place in the legend."""
    palette = colours(names)
    scale = {"domain": list(palette), "range": list(palette.values())}
    return {"field": "series", "type": "nominal", "scale": scale}


def photos(runs: Sequence[RecordedRun], periods: Periods) -> str:
    """Plot how many photos each period embedded, and how many photos and objects it refused, as bars."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for run in runs:
        period = periods.of[run.run_id]
        counts[period, "embedded"] += run.kept(SILVER) or 0
        counts[period, "refused"] += run.refusals
    values = [{"period": p, "series": s, "photos": n} for (p, s), n in counts.items()]
    spec = {
        "height": 180,
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": _time_axis(periods),
            "y": {"field": "photos", "type": "quantitative", "axis": {"tickCount": 4}},
            "color": _series_colour(["embedded", "refused"]),
        },
    }
    return svg(spec, label=f"Photos embedded and refused, by {periods.unit}.")


def rates(runs: Sequence[RecordedRun], periods: Periods) -> str:
    """Plot the photos a second of each layer as lines: the median of the runs in each period."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in runs:
        for layer in run.layers:
            if layer.layer in LAYERS and layer.photos_in and layer.seconds:
                rate = layer.photos_in / layer.seconds
                found[periods.of[run.run_id], layer.layer].append(rate)
    values = [{"period": p, "series": s, "rate": median(r)} for (p, s), r in found.items()]
    spec = {
        "height": 180,
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 36}},
        "encoding": {
            "x": _time_axis(periods),
            "y": {
                "field": "rate",
                "type": "quantitative",
                "title": "photos/s",
                "axis": {"tickCount": 4},
            },
            "color": _series_colour(LAYERS),
        },
    }
    return svg(spec, label=f"Photos a second of each layer, by {periods.unit}.")


def gates(history: GateHistory, periods: Periods) -> str:
    """Plot the worst action of each suite in each period, as a grid of coloured squares."""
    found = defaultdict(list)
    for finding in history.findings:
        found[periods.of[finding.run_id], finding.suite].append(finding)
    values = [{"period": p, "suite": s, "result": worst(f)} for (p, s), f in found.items()]
    actions = [action for action in ACTION_COLOURS if any(v["result"] == action for v in values)]
    scale = {"domain": actions, "range": [ACTION_COLOURS[action] for action in actions]}
    spec = {
        "height": {"step": 28},
        "data": {"values": values},
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
        "encoding": {
            "x": _time_axis(periods),
            "y": {
                "field": "suite",
                "type": "nominal",
                "title": None,
                "axis": {"minExtent": 130},
            },
            "color": {"field": "result", "type": "nominal", "scale": scale},
        },
    }
    return svg(spec, label=f"The worst result of each suite, by {periods.unit}.")


def refused(counts: Sequence[tuple[str, str, int]]) -> str:
    """Plot refused photos by reason as bars; `counts` has (table, reason, number of photos) for each bar."""
    values = [{"series": table, "reason": why, "photos": n} for table, why, n in counts]
    spec = {
        "height": {"step": 24},
        "width": WIDTH - 120,
        "data": {"values": values},
        "mark": {"type": "bar", "height": 14},
        "encoding": {
            "y": {"field": "reason", "type": "nominal", "title": None, "sort": "-x"},
            "x": {
                "field": "photos",
                "type": "quantitative",
                "axis": {"tickMinStep": 1, "format": ",d"},
            },
            "color": _series_colour(sorted({table for table, _, _ in counts})),
        },
    }
    return svg(spec, label="Refused photos by reason.")


def scree(shares: Sequence[float], *, components: int) -> str:
    """Plot the share of the variance of each component, and of all components up to it.

    `shares` are in [0, 1]. The first `components` are kept by the PCA version, and have another colour.
    """
    shown = list(shares[: max(SCREE, components)])
    values = [
        {
            "component": place,
            "share": share,
            "together": sum(shown[:place]),
            "series": "kept" if place <= components else "left out",
        }
        for place, share in enumerate(shown, start=1)
    ]
    x = {
        "field": "component",
        "type": "quantitative",
        "scale": {"domain": [0, len(shown) + 1], "nice": False},
        "axis": {"grid": False, "tickMinStep": 1},
    }
    y = {"type": "quantitative", "axis": {"format": ".0%", "tickCount": 5}}
    mark = {"type": "bar", "width": max(2, int(320 / len(shown)) - 2)}
    color = _series_colour(["kept", "left out"])
    each = {
        "mark": mark,
        "encoding": {
            "x": x,
            "y": {**y, "field": "share", "title": "share of each"},
            "color": color,
        },
    }
    together = {
        "mark": {"type": "line", "point": {"size": 24}},
        "encoding": {
            "x": x,
            "y": {
                **y,
                "field": "together",
                "title": "share of all up to it",
                "scale": {"domain": [0, 1]},
            },
        },
    }
    panel = {"width": WIDTH // 2 - 60, "height": 200}
    spec = {"data": {"values": values}, "hconcat": [{**panel, **each}, {**panel, **together}]}
    return svg(spec, label="Share of the variance of each component, and of all up to it.")


def drift(rows: Sequence[Row], periods: Periods, *, bounds: Mapping[str, float]) -> str:
    """Plot the largest value of each measure of drift in each period, in multiples of the measure's bound.

    `rows` are rows of `ops/drift`, and `bounds` maps each measure to its bound.
    """
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        for measure, bound in bounds.items():
            if not isfinite(row[measure]):  # the chunk could not be compared, and its gate said so
                continue
            key = periods.of[row["run_id"]], measure.replace("_", " ")
            found[key] = max(found.get(key, 0.0), row[measure] / bound)
    values = [{"period": p, "series": m, "drift": d} for (p, m), d in found.items()]
    y = {"type": "quantitative", "title": "multiples of the bound", "axis": {"tickCount": 5}}
    measured_layer = {
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 36}},
        "encoding": {
            "x": _time_axis(periods),
            "y": {**y, "field": "drift"},
            "color": _series_colour([measure.replace("_", " ") for measure in bounds]),
        },
    }
    bound_layer = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 3]},
        "encoding": {"y": {"datum": 1}},
    }
    spec = {"height": 200, "layer": [measured_layer, bound_layer]}
    return svg(
        spec, label=f"The largest drift of each measure by {periods.unit}, against its bound."
    )


def confusion(labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Plot how often each kind was taken for each kind, as a matrix of squares.

    `counts` is int64[labels, labels]: a row for each true kind, a column for each predicted one. The opacity
    of a square is its share of the row.
    """
    side = max(10, min(26, (WIDTH - 160) // max(len(labels), 1)))
    axis = {"labelLimit": 120, "labelFontSize": min(12, side), "grid": True, "tickBand": "extent"}
    sort = list(labels)
    scale = {"domain": ["right", "taken for another"], "range": ["var(--c0)", "var(--bad)"]}
    spec = {
        "width": {"step": side},
        "height": {"step": side},
        "data": {"values": _confusion_squares(labels, counts)},
        "mark": {"type": "rect"},
        "encoding": {
            "y": {
                "field": "true",
                "type": "nominal",
                "sort": sort,
                "title": "true kind",
                "axis": axis,
            },
            "x": {
                "field": "predicted",
                "type": "nominal",
                "sort": sort,
                "title": "predicted kind",
                "axis": {**axis, "labelAngle": -90},
            },
            "color": {"field": "series", "type": "nominal", "scale": scale},
            "opacity": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [0.25, 1]},
                "legend": None,
            },
            "description": {"field": "description"},
        },
    }
    return svg(spec, label=f"Confusion of {len(labels):,} kinds on photos held out.")


def _confusion_squares(labels: Sequence[str], counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The data of each square that is not empty; `description` is the text that the page shows for it."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return [
        {
            "true": labels[row],
            "predicted": labels[column],
            "share": float(shares[row, column]),
            "series": "right" if row == column else "taken for another",
            "description": f"{labels[row]} taken for {labels[column]}: {counts[row, column]:,} of "
            f"{counts[row].sum():,}",
        }
        for row, column in zip(*np.nonzero(counts), strict=True)
    ]
