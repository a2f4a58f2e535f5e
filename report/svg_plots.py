"""Draws plots as SVG that a page can hold: Vega-Lite specifications, and the scatter of photos.

A plot needs no script. Its colours are the variables of style.css, so that one drawing serves both themes. A
screen reader sees a plot as one picture and reads a sentence that says what it shows; the page has the
numbers in a table beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STYLE = Path(__file__).with_name("style.css")
"""The style sheet that the report and the page share, with the colours of both themes."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
WIDTH = 860
"""The width of a plot, in pixels."""

COLOURS = 10
"""The number of colours that style.css has for series and kinds: `--c0` to `--c9`."""

SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down")
"""The shapes of the marks in a scatter: each COLOURS kinds share one, so that 50 kinds look different."""

SCATTER_WIDTH, SCATTER_HEIGHT = WIDTH - 60, 520
SCATTER_PADDING = {"left": 52, "top": 8, "right": 8, "bottom": 44}
"""The size of the area for marks in a scatter and the space around it, in pixels. Both are fixed, so that the
place of a further photo can be computed."""

CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridOpacity": 0.6,
    },
    "legend": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--soft)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "symbolType": "square",
    },
    "header": {"labelColor": "var(--ink)", "title": None, "labelFontSize": 12},
    "rule": {"color": "var(--bad)"},
    "bar": {"color": "var(--c0)"},
    "line": {"color": "var(--c0)", "strokeWidth": 2},
    "text": {"color": "var(--ink)"},
}

Spec = Mapping[str, Any]

_plot_numbers = count()


def svg(spec: Spec, *, label: str) -> str:
    """Draw a Vega-Lite specification. `label` is the sentence that a screen reader reads for the plot."""
    # Imported here because it loads a JavaScript engine, which only callers that draw need.
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(
        {"$schema": SCHEMA, "config": CONFIG, "width": WIDTH, **spec}
    )
    # An id must be unique on a page, and each drawing numbers its own ids from one.
    prefix = f"plot{next(_plot_numbers)}-"
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', drawn)
    drawn = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", drawn)
    head = f'<svg role="img" aria-label="{escape(label)}" class="plot" '
    return re.sub(r'^<svg xmlns=\S+ xmlns:xlink=\S+ version="1.1" class="marks" ', head, drawn)


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour of style.css for each name, by name; colours repeat after COLOURS names."""
    return {name: f"var(--c{place % COLOURS})" for place, name in enumerate(names)}


@dataclass(frozen=True)
class Axis:
    """The conversion of a component's value to the units of the drawing: `origin + value * scale`."""

    origin: float
    scale: float


@dataclass(frozen=True)
class Scatter:
    """A scatter as SVG, with the two axes by which a further photo can be placed in it."""

    svg: str
    x: Axis
    y: Axis


def scatter(
    kinds: Sequence[str], points: NDArray[np.float32], *, explained: tuple[float, float]
) -> Scatter:
    """Draw n photos, at least one, by their first two components: `points` is float32[n, 2].

    Each photo is a mark in the colour and shape of its kind, and the mark's `aria-label` is the kind.
    `explained` has the share of the variance of each component, in [0, 1].
    """
    (x0, x1), (y0, y1) = _ranges(points)
    x = _axis_encoding("x", f"component 1 ({explained[0]:.1%} of the variance)", [x0, x1])
    y = _axis_encoding("y", f"component 2 ({explained[1]:.1%} of the variance)", [y0, y1])
    spec = {
        "autosize": "none",
        "padding": SCATTER_PADDING,
        "width": SCATTER_WIDTH,
        "height": SCATTER_HEIGHT,
        "layer": [_mark_layer(kinds, points, x, y), *_name_layers(kinds, points, x, y)],
    }
    label = (
        f"Scatter of {len(kinds):,} photos of {len(set(kinds)):,} kinds by their first two "
        f"components."
    )
    x_scale, y_scale = SCATTER_WIDTH / (x1 - x0), -SCATTER_HEIGHT / (y1 - y0)
    bottom = SCATTER_PADDING["top"] + SCATTER_HEIGHT
    return Scatter(
        svg(spec, label=label),
        Axis(SCATTER_PADDING["left"] - x0 * x_scale, x_scale),
        Axis(bottom - y0 * y_scale, y_scale),
    )


def _ranges(points: NDArray[np.float32]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The range of each axis: that of the values, with a margin of 4 % on either side."""
    low, high = points.min(axis=0), points.max(axis=0)
    # Where all values are the same, the range must still not be empty.
    margin = np.maximum((high - low) * 0.04, 1e-6)
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    return (x0, x1), (y0, y1)


def _axis_encoding(field: str, title: str, domain: list[float]) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": domain, "nice": False, "zero": False},
        "axis": {"tickCount": 6},
    }


def _mark_layer(
    kinds: Sequence[str], points: NDArray[np.float32], x: Spec, y: Spec
) -> dict[str, Any]:
    """The layer with one mark for each photo."""
    names = sorted(set(kinds))
    shapes = [SHAPES[place // COLOURS % len(SHAPES)] for place in range(len(names))]
    values = [
        {"kind": kind, "x": float(across), "y": float(up)}
        for kind, (across, up) in zip(kinds, points, strict=True)
    ]

    def by_kind(looks: Sequence[str]) -> dict[str, Any]:
        scale = {"domain": names, "range": list(looks)}
        return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}

    return {
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.75},
        "encoding": {
            "x": x,
            "y": y,
            "color": by_kind(list(colours(names).values())),
            "shape": by_kind(shapes),
            "description": {"field": "kind"},
        },
    }


def _name_layers(
    kinds: Sequence[str], points: NDArray[np.float32], x: Spec, y: Spec
) -> list[dict[str, Any]]:
    """The layers with the name of each kind at the median of its photos: a halo, and the text on it."""
    free = _free_names(kinds, points, x["scale"]["domain"], y["scale"]["domain"])
    text = {"field": "kind", "type": "nominal"}
    encoding = {"x": x, "y": y, "text": text}
    halo = {"type": "text", "fontSize": 11, "stroke": "var(--paper)", "strokeWidth": 3}
    written = {"type": "text", "fontSize": 11}
    return [
        {"data": {"values": free}, "mark": {**mark, "aria": False}, "encoding": encoding}
        for mark in (halo, written)
    ]


def _free_names(
    kinds: Sequence[str],
    points: NDArray[np.float32],
    x_range: Sequence[float],
    y_range: Sequence[float],
) -> list[dict[str, Any]]:
    """The names that don't cover one another, each with its place; kinds with more photos go first."""
    kind_of_photo, photos = np.array(kinds), Counter(kinds)
    (x0, x1), (y0, y1) = x_range, y_range
    free: list[dict[str, Any]] = []
    for name in sorted(photos, key=lambda name: (-photos[name], name)):
        across, up = np.median(points[kind_of_photo == name], axis=0).tolist()
        fits = all(
            abs(across - other["x"]) / (x1 - x0) > (len(name) + len(other["kind"])) * 0.0045
            or abs(up - other["y"]) / (y1 - y0) > 0.03
            for other in free
        )
        if fits:
            free.append({"kind": name, "x": across, "y": up})
    return free
