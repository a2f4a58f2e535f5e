"""The glossary explains words that are in use, each once, and the abbreviations of the pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
TERMS = re.findall(r"\*\*([^*]+)\*\*", GLOSSARY.read_text())

PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/*.md"))
    if path not in (GLOSSARY, ROOT / "CHANGELOG.md")
]
ROOMS = (
    "bronze",
    "silver",
    "gold",
    "lake",
    "expectations",
    "privacy",
    "report",
    "emr",
    "page",
    "cli",
)
USED = " ".join(
    re.sub(r"\s+", " ", path.read_text())
    for path in (*PAGES, *(file for room in ROOMS for file in (ROOT / room).rglob("*.py")))
).lower()

KNOWN = {
    *(
        "API",
        "ASCII",
        "CPU",
        "GB",
        "GPS",
        "HTML",
        "HTTP",
        "ID",
        "IPTC",
        "ISO",
        "JPEG",
        "JPEGs",
        "JSON",
    ),
    *(
        "KB",
        "MB",
        "MIT",
        "PNG",
        "README",
        "RGB",
        "SHA",
        "SQL",
        "SVG",
        "TLS",
        "TOML",
        "URI",
        "URL",
        "UTC",
    ),
    *(
        "WebP",
        "XML",
        "XMP",
        "CHANGELOG",
        "CONTRIBUTING",
        "LICENSE",
        "TODO",
        "OK",
        "AMD",
        "EPYC",
        "NOT",
    ),
}
"""Abbreviations that every reader of these pages knows, or that the glossary names beside another; names."""


def plural(term):
    """A pattern of a term in any number: `near duplicates` also stands as `near duplicate`, or with `_`."""
    words = re.escape(term.lower().removesuffix("s")).replace(r"\ ", "[ _]")
    return words + r"(?:s|es)?(?![a-z])"


def abbreviations(text):
    """The words of capital letters in the prose of a page: not in code, links, tables' heads or diagrams."""
    prose = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)", " ", text, flags=re.DOTALL)
    return set(re.findall(r"(?<![\w./_=-])[A-Z]{2,5}s?(?![\w_=/])", prose))


@pytest.mark.parametrize("term", TERMS)
def test_each_term_is_in_use(term):
    assert re.search(rf"(?<![a-z]){plural(term)}", USED), f"nothing says {term}: remove its line"


def test_each_term_stands_once():
    assert sorted({term.lower() for term in TERMS}) == sorted(term.lower() for term in TERMS)


def test_each_line_is_one_or_two_plain_sentences():
    for line in re.findall(r"^- (.+(?:\n  .+)*)", GLOSSARY.read_text(), re.MULTILINE):
        assert len(re.findall(r"[.!?](?:\s|$)", line)) <= 2, line


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "commands.md"], ids=lambda p: p.name
)
def test_the_abbreviations_of_a_page_are_explained(page):
    """The reference of commands has placeholders in capital letters."""
    told = {term.rstrip("s") for term in TERMS} | KNOWN
    assert {a for a in abbreviations(page.read_text()) if a.rstrip("s") not in told} - told == set()


def test_the_readme_leads_to_it():
    assert "](docs/glossary.md)" in (ROOT / "README.md").read_text()
