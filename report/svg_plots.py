"""Plots as SVG that stands in a page by itself: drawn by Vega-Lite, without a script, coloured by the page.

Colours are the variables of style.css, so that one drawing serves both themes. A plot is one picture to a
screen reader, with a sentence that says what it shows; the page has the numbers in a table beside it.
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
"""The style sheet of the report and of the page, with the colours of both themes."""

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
WIDTH = 860

COLOURS = 10
"""Of style.css, for series and kinds: `--c0` and so on."""

SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down")

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

_numbers = count()


def svg(spec: Spec, *, label: str) -> str:
    """A Vega-Lite specification drawn. `label`: what a screen reader says of it, one sentence."""
    # Loaded here: it brings a JavaScript engine, which only those who draw need.
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(
        {"$schema": SCHEMA, "config": CONFIG, "width": WIDTH, **spec}
    )
    # Ids are of the whole page, and each drawing counts its own from one.
    prefix = f"plot{next(_numbers)}-"
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', drawn)
    drawn = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", drawn)
    head = f'<svg role="img" aria-label="{escape(label)}" class="plot" '
    return re.sub(r'^<svg xmlns=\S+ xmlns:xlink=\S+ version="1.1" class="marks" ', head, drawn)


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour of style.css for each name, in their order."""
    return {name: f"var(--c{place % COLOURS})" for place, name in enumerate(names)}


@dataclass(frozen=True)
class Axis:
    """From a value to the drawing's own units: `origin + value * scale`."""

    origin: float
    scale: float


@dataclass(frozen=True)
class Scatter:
    """A scatter drawn, and where in it a further point would stand."""

    svg: str
    x: Axis
    y: Axis


def scatter(
    kinds: Sequence[str], points: NDArray[np.float32], *, explained: tuple[float, float]
) -> Scatter:
    """Photos by their first two components, float32[n, 2], n > 0, one mark a photo in its kind's colour and
    shape. Each mark's `aria-label` is its kind. `explained`: each component's share of the variance."""
    width, height, left, top, bottom = WIDTH - 60, 520, 52, 8, 44
    names = sorted(set(kinds))
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum((high - low) * 0.04, 1e-6)
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    values = [
        {"kind": kind, "x": float(x), "y": float(y)}
        for kind, (x, y) in zip(kinds, points, strict=True)
    ]
    x, y = (
        {
            "field": field,
            "type": "quantitative",
            "title": f"component {number} ({share:.1%} of the variance)",
            "scale": {"domain": domain, "nice": False, "zero": False},
            "axis": {"tickCount": 6},
        }
        for field, number, share, domain in zip(
            ("x", "y"), (1, 2), explained, ([x0, x1], [y0, y1]), strict=True
        )
    )
    place = {name: number for number, name in enumerate(names)}
    shapes = [SHAPES[place[name] // COLOURS % len(SHAPES)] for name in names]
    marks = {
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.75},
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": names, "range": list(colours(names).values())},
                "legend": None,
            },
            "shape": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": names, "range": shapes},
                "legend": None,
            },
            "description": {"field": "kind"},
        },
    }
    spec = {
        "autosize": "none",
        "padding": {"left": left, "top": top, "right": 8, "bottom": bottom},
        "width": width,
        "height": height,
        "layer": [{"data": {"values": values}, **marks}, *_names(kinds, points, x, y)],
    }
    label = (
        f"Scatter of {len(kinds):,} photos of {len(names):,} kinds by their first two components."
    )
    x_scale, y_scale = width / (x1 - x0), -height / (y1 - y0)
    return Scatter(
        svg(spec, label=label),
        Axis(left - x0 * x_scale, x_scale),
        Axis(top + height - y0 * y_scale, y_scale),
    )


def _names(
    kinds: Sequence[str], points: NDArray[np.float32], x: Spec, y: Spec
) -> list[dict[str, Any]]:
    """The kinds' names in the middle of their photos, on a halo: those of most photos first, and none over
    another."""
    of, photos = np.array(kinds), Counter(kinds)
    (x0, x1), (y0, y1) = x["scale"]["domain"], y["scale"]["domain"]
    free: list[dict[str, Any]] = []
    for name in sorted(photos, key=lambda name: (-photos[name], name)):
        across, up = np.median(points[of == name], axis=0).tolist()
        fits = all(
            abs(across - other["x"]) / (x1 - x0) > (len(name) + len(other["kind"])) * 0.0045
            or abs(up - other["y"]) / (y1 - y0) > 0.03
            for other in free
        )
        if fits:
            free.append({"kind": name, "x": across, "y": up})
    text = {"field": "kind", "type": "nominal"}
    encoding = {"x": x, "y": y, "text": text}
    halo = {"type": "text", "fontSize": 11, "stroke": "var(--paper)", "strokeWidth": 3}
    written = {"type": "text", "fontSize": 11}
    return [
        {"data": {"values": free}, "mark": {**mark, "aria": False}, "encoding": encoding}
        for mark in (halo, written)
    ]
