"""The report's plots, but for the scatter: what is drawn, of which rows, along which axes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.arguments import LAYERS
from report.gate_history import Quality, worst
from report.run_history import Periods, RecordedRun
from report.svg_plots import WIDTH, colours, svg

SCREE = 50
"""Components, at most, of a scree."""

Row = Mapping[str, Any]

STATES = {
    "passed": "var(--good)",
    "warned": "var(--warn)",
    "quarantined": "var(--c1)",
    "released": "var(--c4)",
    "blocked": "var(--bad)",
}
"""What came of an expectation, and its colour."""


def _period(periods: Periods) -> Row:
    """The axis of time."""
    label = {"run": "slice(datum.label, 5, 16)"}.get(periods.unit, "datum.label")
    return {
        "field": "period",
        "type": "ordinal",
        "title": None,
        "scale": {"domain": list(periods.names)},
        "axis": {"labelAngle": 0, "labelOverlap": "greedy", "labelExpr": label, "grid": False},
    }


def _named(names: Sequence[str]) -> Row:
    """A colour for each series, and a legend."""
    palette = colours(names)
    scale = {"domain": list(palette), "range": list(palette.values())}
    return {"field": "series", "type": "nominal", "scale": scale}


def photos(runs: Sequence[RecordedRun], periods: Periods) -> str:
    """Photos that were embedded and refused, a bar a period."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for run in runs:
        period = periods.of[run.run_id]
        counts[period, "embedded"] += run.kept("silver") or 0
        counts[period, "refused"] += run.refusals
    values = [{"period": p, "series": s, "photos": n} for (p, s), n in counts.items()]
    spec = {
        "height": 180,
        "data": {"values": values},
        "mark": {"type": "bar"},
        "encoding": {
            "x": _period(periods),
            "y": {"field": "photos", "type": "quantitative", "axis": {"tickCount": 4}},
            "color": _named(["embedded", "refused"]),
        },
    }
    return svg(spec, label=f"Photos embedded and refused, by {periods.unit}.")


def rates(runs: Sequence[RecordedRun], periods: Periods) -> str:
    """Photos a second of each layer, the median of a period."""
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
            "x": _period(periods),
            "y": {
                "field": "rate",
                "type": "quantitative",
                "title": "photos/s",
                "axis": {"tickCount": 4},
            },
            "color": _named(LAYERS),
        },
    }
    return svg(spec, label=f"Photos a second of each layer, by {periods.unit}.")


def gates(quality: Quality, periods: Periods) -> str:
    """The worst result of each suite in each period."""
    found = defaultdict(list)
    for finding in quality.findings:
        found[periods.of[finding.run_id], finding.suite].append(finding)
    values = [{"period": p, "suite": s, "result": worst(f)} for (p, s), f in found.items()]
    held = [action for action in STATES if any(v["result"] == action for v in values)]
    scale = {"domain": held, "range": [STATES[action] for action in held]}
    spec = {
        "height": {"step": 28},
        "data": {"values": values},
        "mark": {"type": "rect", "stroke": "var(--paper)", "strokeWidth": 2},
        "encoding": {
            "x": _period(periods),
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
    """Refused photos by table and reason: (table, reason, count)."""
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
            "color": _named(sorted({table for table, _, _ in counts})),
        },
    }
    return svg(spec, label="Refused photos by reason.")


def scree(shares: Sequence[float], *, components: int) -> str:
    """The share of the variance of each component, and of all up to it; those that are kept are marked."""
    known = list(shares[: max(SCREE, components)])
    values = [
        {
            "component": place,
            "share": share,
            "together": sum(known[:place]),
            "series": "kept" if place <= components else "left out",
        }
        for place, share in enumerate(known, start=1)
    ]
    x = {
        "field": "component",
        "type": "quantitative",
        "scale": {"domain": [0, len(known) + 1], "nice": False},
        "axis": {"grid": False, "tickMinStep": 1},
    }
    y = {"type": "quantitative", "axis": {"format": ".0%", "tickCount": 5}}
    mark = {"type": "bar", "width": max(2, int(320 / len(known)) - 2)}
    color = _named(["kept", "left out"])
    each = {
        "mark": mark,
        "encoding": {"x": x, "y": {**y, "field": "share", "title": "of each"}, "color": color},
    }
    together = {
        "mark": {"type": "line", "point": {"size": 24}},
        "encoding": {
            "x": x,
            "y": {
                **y,
                "field": "together",
                "title": "of all up to it",
                "scale": {"domain": [0, 1]},
            },
        },
    }
    panel = {"width": WIDTH // 2 - 60, "height": 200}
    spec = {"data": {"values": values}, "hconcat": [{**panel, **each}, {**panel, **together}]}
    return svg(spec, label="Share of the variance of each component, and of all up to it.")


def drift(rows: Sequence[Row], periods: Periods, *, bounds: Mapping[str, float]) -> str:
    """The largest of each measure in each period, in multiples of the bound that it is held to."""
    found: dict[tuple[str, str], float] = {}
    for row in rows:
        for measure, most in bounds.items():
            key = periods.of[row["run_id"]], measure.replace("_", " ")
            found[key] = max(found.get(key, 0.0), row[measure] / most)
    values = [{"period": p, "series": m, "drift": d} for (p, m), d in found.items()]
    y = {"type": "quantitative", "title": "of its bound", "axis": {"tickCount": 5}}
    measured = {
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 36}},
        "encoding": {
            "x": _period(periods),
            "y": {**y, "field": "drift"},
            "color": _named([measure.replace("_", " ") for measure in bounds]),
        },
    }
    bound = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeDash": [4, 3]},
        "encoding": {"y": {"datum": 1}},
    }
    spec = {"height": 200, "layer": [measured, bound]}
    return svg(
        spec, label=f"The largest drift of each measure by {periods.unit}, against its bound."
    )


def confusion(labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    """How often each kind, a row, was taken for each, a column: the stronger, the larger its share."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    values = [
        {
            "true": labels[row],
            "said": labels[column],
            "share": float(shares[row, column]),
            "series": "right" if row == column else "taken for another",
            "told": f"{labels[row]} taken for {labels[column]}: {counts[row, column]:,} of "
            f"{counts[row].sum():,}",
        }
        for row, column in zip(*np.nonzero(counts), strict=True)
    ]
    side = max(10, min(26, (WIDTH - 160) // max(len(labels), 1)))
    axis = {"labelLimit": 120, "labelFontSize": min(12, side), "grid": True, "tickBand": "extent"}
    sort = list(labels)
    scale = {"domain": ["right", "taken for another"], "range": ["var(--c0)", "var(--bad)"]}
    spec = {
        "width": {"step": side},
        "height": {"step": side},
        "data": {"values": values},
        "mark": {"type": "rect"},
        "encoding": {
            "y": {"field": "true", "type": "nominal", "sort": sort, "title": "it is", "axis": axis},
            "x": {
                "field": "said",
                "type": "nominal",
                "sort": sort,
                "title": "it was taken for",
                "axis": {**axis, "labelAngle": -90},
            },
            "color": {"field": "series", "type": "nominal", "scale": scale},
            "opacity": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1], "range": [0.25, 1]},
                "legend": None,
            },
            "description": {"field": "told"},
        },
    }
    return svg(spec, label=f"Confusion of {len(labels):,} kinds on photos held out.")
