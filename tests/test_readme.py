"""What the pages of the repository say of it: links and paths that exist, and lists that are whole."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from cli.registry import COMMANDS
from conf import errors
from emr.wheels import package_name
from lake import catalog, stop_signals
from lake.stop_signals import Stopped

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("report/*.md"),
        *ROOT.glob("tests/*/README.md"),
    ]
)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_PATH = re.compile(r"(?<![\w./…-])(?:\.{0,2}[\w-]+/|\.\./)+[\w-]+\.(?:py|toml)\b")
"""The path of a file of code or settings, such as `lake/lease.py`. It may stand anywhere on a page."""

DATA = {".toml", ".json", ".html", ".css", ".js"}
"""The files beside the code that the code opens."""


def name(page):
    return page.relative_to(ROOT).as_posix()


def without_blocks(text):
    """A page without its blocks of code, in which a `#` begins no heading."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", without_blocks(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page, text):
    """The relative links of a page that lead to no file, or to no heading of it."""
    for link in LINK.findall(without_blocks(text)):
        path, _, anchor = link.partition("#")
        if path.startswith(("http:", "https:", "mailto:")):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield link


def missing_paths(page, text):
    """The files that a page names, by a path from the root or from its own folder, and that don't exist."""
    for path in CODE_PATH.findall(text):
        if not (ROOT / path).exists() and not (page.parent / path).exists():
            yield path


def block(mark):
    """The lines of the README's block of shell that follows a comment, as .ci/run finds them."""
    [lines] = re.findall(rf"^<!-- {mark} -->\n```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    return lines.splitlines()


def rows(page, head):
    """The first cells of the table that begins with this head."""
    table = (ROOT / page).read_text().split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def test_the_readme_is_read_in_one_go():
    assert README.count("\n") <= 150


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    assert list(broken_links(page, page.read_text())) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page):
    assert list(missing_paths(page, page.read_text())) == []


def test_links_and_paths_that_lead_nowhere_are_seen():
    text = (
        "[a](docs/none.md) [b](README.md#none) [c](README.md#use) `gold/none.py` ../gold/none.py x"
    )
    page = ROOT / "docs" / ".." / "README.md"
    assert list(broken_links(page, text)) == ["docs/none.md", "README.md#none"]
    assert list(missing_paths(page, text)) == ["gold/none.py", "../gold/none.py"]


def test_the_readme_the_makefile_and_ci_run_the_same_tests():
    main, tests = block("main"), block("tests")
    assert main[-1] == ".venv/bin/python run.py --layer all --samples 60"
    makefile = (ROOT / "Makefile").read_text()
    [line] = re.findall(r"^test:.*\n\t(.+)$", makefile, re.MULTILINE)
    assert tests[-1] == line.replace("$(PYTHON)", ".venv/bin/python")
    for mark, lines in (("main", main), ("tests", tests)):
        assert f"$(command_of {mark})" in (ROOT / ".ci" / "run").read_text()
        assert lines[0] == "python3 -m venv .venv"
    called = re.findall(r"run: make (\w+)", (ROOT / ".github/workflows/ci.yml").read_text())
    called += re.findall(r"entry: make (\w+)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert set(called) == {"lint", "quick", "rules"}
    assert all(re.search(rf"^{each}:", makefile, re.MULTILINE) for each in called)


def test_the_readme_has_every_exit_code():
    known = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {str(each.exit_code) for each in known if issubclass(each, errors.FruitLakeError)}
    told = rows("README.md", "exit code |")
    stops = ", ".join(str(Stopped(number).exit_code) for number in sorted(stop_signals.OWNED))
    assert sorted(told) == sorted({"0", stops, *codes})


def test_the_readme_names_commands_that_there_are():
    """The reference has them all, made from the registry; the README's overview need not."""
    told = {
        word
        for row in rows("README.md", "command | what it is for")
        for word in re.findall(r"`(?:run\.py )?([a-z]+)[^`]*`", row)
    }
    assert len(told) > 10
    assert told <= {command.name for command in COMMANDS}


def test_every_table_is_on_its_page():
    told = rows("docs/tables.md", "table | one row is")
    assert told == [f"`{table.name}`" for table in catalog.TABLES]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_dependency_is_pinned_and_says_what_it_is_for(file):
    page = (ROOT / "docs" / "dependencies.md").read_text()
    told = {
        each for row in re.findall(r"^\| ([a-z0-9, -]+) \|", page, re.M) for each in row.split(", ")
    }
    lines = [each for each in (ROOT / file).read_text().splitlines() if not each.startswith("-r")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9\[\]_-]+==[0-9][\w.]*(; [a-z_]+ [^#]+)?", line)
        assert package_name(line) in told


def test_a_package_has_every_room_and_what_its_code_opens():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    found = {each.removesuffix("*") for each in tool["setuptools"]["packages"]["find"]["include"]}
    assert found == rooms
    data = tool["setuptools"]["package-data"]
    for path in (path for room in rooms for path in (ROOT / room).rglob("*")):
        inside = path.relative_to(ROOT)
        if path.suffix in DATA:
            patterns = data.get(".".join(inside.parts[:-1]), [])
            assert any(fnmatch(path.name, pattern) for pattern in patterns), inside


def test_warnings_of_every_room_are_errors():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    [named] = re.findall(r"\((\w+(?:\|\w+)+)\)", tool["pytest"]["ini_options"]["filterwarnings"][0])
    assert set(named.split("|")) == {*rooms, "run"}
