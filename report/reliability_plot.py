"""The reliability diagram: the confidence of a classifier against how often it is right."""

from __future__ import annotations

from collections.abc import Sequence

from gold.calibration import ConfidenceBin
from report.svg_plots import WIDTH, Spec, svg

RIGHT, PROMISED = "right", "mean confidence"
"""The names of the two series: what the bars show, and the lines."""


def by_confidence(bins: Sequence[ConfidenceBin]) -> str:
    """Plot the share of right answers in each bin of confidence as a bar, with the number of photos above it.
    A line across the bar is the mean confidence: the bar ends there where the confidence tells the truth."""
    scale = {"domain": [RIGHT, PROMISED], "range": ["var(--c0)", "var(--bad)"]}
    across = {
        "field": "low",
        "type": "quantitative",
        "title": "confidence",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "tickCount": 10, "grid": False},
    }
    up = {
        "type": "quantitative",
        "title": "share of right answers",
        "scale": {"domain": [0, 1]},
        "axis": {"format": ".0%", "tickCount": 5},
    }

    def layer(mark: Spec, field: str, series: str, **more: Spec) -> Spec:
        color = {"datum": series, "type": "nominal", "scale": scale}
        places = {"x": across, "x2": {"field": "high"}, "y": {**up, "field": field}}
        return {"mark": mark, "encoding": {**places, "color": color, **more}}

    description = {"field": "description"}
    bars = layer({"type": "bar"}, "share", RIGHT, y2={"datum": 0}, description=description)
    lines = layer({"type": "rule", "strokeWidth": 3, "aria": False}, "confidence", PROMISED)
    counts = {
        "mark": {"type": "text", "dy": -9, "fontSize": 11, "aria": False},
        "encoding": {
            "x": {**across, "field": "middle"},
            "y": {**up, "field": "top"},
            "text": {"field": "photos", "type": "quantitative", "format": ",d"},
        },
    }
    return svg(
        {
            "height": 240,
            "width": WIDTH - 80,
            "data": {"values": [_values(each) for each in bins]},
            "layer": [bars, lines, counts],
        },
        label="Reliability diagram: the share of right answers by confidence, on photos held out.",
    )


def _values(found: ConfidenceBin) -> Spec:
    """The data of one bin; `description` is the text that the page shows for it."""
    return {
        "low": found.low + 0.004,
        "high": found.high - 0.004,
        "middle": (found.low + found.high) / 2,
        "share": found.share,
        "confidence": found.confidence,
        "top": max(found.share, found.confidence),
        "photos": found.photos,
        "description": f"confidence {found.low:.0%} to {found.high:.0%}: {found.right:,} of "
        f"{found.photos:,} right",
    }
