"""Plots: what a page gets, and that a further photo's place in the scatter is where its mark would be."""

import re

import numpy as np
import pytest

from report import report_plots, svg_plots

NAMESPACES = ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink")


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(7)
    points = rng.normal(size=(300, 2)).astype(np.float32) * (3, 5)
    kinds = [f"kind {number % 12}" for number in range(300)]
    return points, kinds, svg_plots.scatter(kinds, points, explained=(0.25, 0.125))


def test_a_plot_is_one_picture_with_words_and_loads_nothing(drawn):
    svg = drawn[2].svg
    assert svg.startswith('<svg role="img" aria-label="Scatter of 300 photos of 12 kinds')
    for namespace in NAMESPACES:
        svg = svg.replace(namespace, "")
    assert "http" not in svg
    assert "<script" not in svg


def test_colours_are_the_pages_own(drawn):
    found = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn[2].svg))
    assert {colour for colour in found if not colour.startswith("var(")} <= {"none", "transparent"}


def test_a_further_photo_stands_where_its_mark_would(drawn):
    points, kinds, scatter = drawn
    shift = re.search(
        r'viewBox="0 0 \S+ \S+"><g [^>]*transform="translate\((\S+),(\S+)\)', scatter.svg
    )
    across, down = map(float, shift.groups())
    marks = re.findall(
        r'aria-label="(kind \d+)"[^>]*?transform="translate\(([^,]+),([^)]+)\)', scatter.svg
    )
    assert [kind for kind, _, _ in marks] == kinds
    seen = np.array([(float(x) + across, float(y) + down) for _, x, y in marks])
    told = [
        (scatter.x.origin + x * scatter.x.scale, scatter.y.origin + y * scatter.y.scale)
        for x, y in points.tolist()
    ]
    # Vega puts marks half a unit off the grid's lines.
    assert np.abs(seen - told).max() < 0.6


def test_ids_of_two_plots_on_one_page_differ():
    spec = {
        "data": {"values": [{"x": 1}]},
        "mark": {"type": "point", "clip": True},
        "encoding": {"x": {"field": "x", "type": "quantitative"}},
    }
    first, second = (svg_plots.svg(spec, label="x") for _ in range(2))
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, second)]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]
    for own, svg in zip(ids, (first, second), strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= own


def test_words_of_a_label_are_escaped():
    svg = svg_plots.svg({"data": {"values": [{}]}, "mark": "point"}, label='a "b" <c>')
    assert 'aria-label="a &quot;b&quot; &lt;c&gt;"' in svg


@pytest.mark.parametrize("points", [[[1.0, 2.0]], [[1.0, 0.0], [1.0, 0.0]]], ids=["one", "alike"])
def test_a_scatter_of_photos_in_one_place_can_be_drawn(points):
    of = np.array(points, np.float32)
    scatter = svg_plots.scatter(["kiwi"] * len(of), of, explained=(1.0, 0.0))
    assert scatter.svg.count('aria-label="kiwi"') == len(of)
    assert np.isfinite([scatter.x.scale, scatter.y.scale]).all()


def test_a_confusion_says_what_each_square_is():
    svg = report_plots.confusion(["kiwi", "lime"], np.array([[8, 2], [0, 5]]))
    assert 'aria-label="kiwi taken for lime: 2 of 10"' in svg
    assert "lime taken for kiwi" not in svg


def test_no_name_of_a_kind_hides_another():
    names = [f"a rather long name of a kind {n}" for n in range(60)]
    points = np.random.default_rng(3).normal(size=(600, 2)).astype(np.float32) * 0.05
    points[:60] *= 40
    svg = svg_plots.scatter(names * 10, points, explained=(0.1, 0.1)).svg
    text = r'<text [^>]*translate\(([\d.]+),([\d.]+)\)"[^>]*font-size="11px"[^>]*>a rather long'
    assert 0 < len(set(re.findall(text, svg))) < 60


def test_a_kind_is_never_markup():
    kinds = ['"><script>alert(1)</script>', "<b>'&"]
    points = np.array([[0, 0], [1, 1]], np.float32)
    drawn = [
        svg_plots.scatter(kinds, points, explained=(0.1, 0.1)).svg,
        report_plots.confusion(kinds, np.array([[1, 1], [0, 2]])),
        report_plots.refused([(kinds[0], kinds[1], 3)]),
    ]
    for svg in drawn:
        assert "alert" in svg
        assert not re.search("<script|<b>", svg)
