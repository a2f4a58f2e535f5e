"""The plot of how a classifier does on photos that got their label after its training."""

from __future__ import annotations

from typing import Any

from gold.accuracy_since import AccuracySince
from report.svg_plots import svg


def by_week(found: AccuracySince) -> str:
    """Plot the accuracy of a classifier on photos that got their label after its training, by week. A dashed
    line is what its test promised, where it has an interval."""
    values = [
        {
            "week": week.week,
            "accuracy": week.accuracy,
            "description": f"{week.week}: {week.right:,} of {week.photos:,} right",
        }
        for week in found.weeks
        if week.photos
    ]
    axis = {"labelAngle": 0, "labelOverlap": "greedy", "grid": False}
    y = {"type": "quantitative", "title": "predicted right", "scale": {"domain": [0, 1]}}
    measured: dict[str, Any] = {
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 36}},
        "encoding": {
            "x": {"field": "week", "type": "ordinal", "title": None, "axis": axis},
            "y": {**y, "field": "accuracy", "axis": {"format": ".0%", "tickCount": 5}},
            "description": {"field": "description"},
        },
    }
    layers = [measured]
    if found.promised is not None:
        rule = {"type": "rule", "strokeDash": [4, 3]}
        at = {"y": {"datum": found.promised}}
        layers.append({"data": {"values": [{}]}, "mark": rule, "encoding": at})
    return svg(
        {"height": 180, "layer": layers},
        label="The share of photos predicted right by week, of those labelled after the training.",
    )
