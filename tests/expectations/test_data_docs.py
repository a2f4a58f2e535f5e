"""Data Docs: every suite's last result, on a page that loads nothing and holds no value of a row."""

import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from expectations import data_docs, suites
from lake import catalog


@pytest.fixture(scope="module")
def page(samples_lake):
    return (Path(samples_lake.files.root) / "docs" / data_docs.PAGE).read_text()


def test_the_run_builds_the_page_and_says_where(samples_lake, page):
    assert f"Data Docs: {samples_lake.files.root}/docs/index.html" in samples_lake.screen
    assert page


def test_it_shows_the_last_result_of_every_expectation(samples_lake, page):
    for table in suites.GATED:
        name = suites.name_of(table)
        rules = [suites.identity(e) for e in suites.load(name).expectations]
        assert f'<h2 id="{name}">{name}: all {len(rules)} hold</h2>' in page
        for rule in rules:
            assert f"<code>{rule}</code>" in page
    assert page.count('class="action passed"') == samples_lake.lake.source(catalog.QUALITY).count()


def test_it_holds_no_value_of_a_row(samples_lake, page):
    lake = samples_lake.lake
    values = set()
    for table, names in [
        (catalog.PHOTOS, ["photo_id", "subject", "label", "path"]),
        (catalog.REJECTED, ["object", "subject", "path"]),
        (catalog.EMBEDDINGS, ["weights_id"]),
        (catalog.FEATURES, ["photo_id"]),
    ]:
        for row in lake.read(table).select(names).collect():
            values |= {value for value in row if value}
    assert len(values) > 100
    assert not [value for value in values if value in page]


class Loads(HTMLParser):
    """What a page would load, and whether it closes what it opens."""

    def __init__(self):
        super().__init__()
        self.found, self.open = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta",):
            self.open.append(tag)
        given = dict(attrs)
        self.found += [given[name] for name in ("src", "href") if name in given]
        if tag in ("script", "iframe", "link"):
            self.found.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_it_loads_nothing(page):
    parser = Loads()
    parser.feed(page)
    assert parser.open == []
    assert parser.found == [f"#{suites.name_of(table)}" for table in suites.GATED]
    assert not re.search(r"https?:|url\(|@import", page)


def result(**other):
    plain = {
        "run_id": "<r>",
        "chunk": 3,
        "suite": "bronze_photos",
        "expectation": "size-in-range",
        "severity": "critical",
        "success": False,
        "observed": None,
        "unexpected_count": 1200,
        "element_count": 5000,
        "table_version": None,
        "action": "blocked",
        "judged_at": datetime(2026, 3, 1, 12),
    }
    return plain | other


def test_what_fails_is_seen_and_text_is_escaped():
    rules = {"bronze_photos": {"size-in-range": ("size < 5 & more", "<why>")}, "gold_models": {}}
    page = data_docs.page([result(), result(expectation="gone", action="warned")], rules)
    assert "1,200 of 5,000 rows fail" in page
    assert "nothing was published" in page
    assert '<td class="action blocked">blocked</td>' in page
    assert "size &lt; 5 &amp; more" in page
    assert "<code>&lt;r&gt;</code>" in page
    assert "bronze_photos: 2 of 2 fail" in page
    assert "gold_models: nothing judged yet" in page
