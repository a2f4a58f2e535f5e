"""Imports go one way, and never in circles.

conf ← lake ← (bronze, silver, gold, expectations) ← (privacy, report, emr, fruit_lake) ← page ← cli ← run.py
"""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = {
    "conf": 0,
    "lake": 1,
    "bronze": 2,
    "silver": 2,
    "gold": 2,
    "expectations": 2,
    "privacy": 3,
    "report": 3,
    "emr": 3,
    "fruit_lake": 3,  # no room imports it: it is for other people's code
    "page": 4,  # it shows plots and photos as the report does
    "cli": 5,
    "run": 6,
}
FILES = sorted(
    path for room in LEVELS for path in [*ROOT.glob(f"{room}/**/*.py"), *ROOT.glob(f"{room}.py")]
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a file, as an import says it."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported(nodes) -> set[str]:
    """The dotted names that import statements among the nodes may mean, of modules and of what is in them."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_rooms(source: str) -> set[str]:
    """The rooms that a module imports, anywhere in it, also inside functions and under TYPE_CHECKING."""
    names = imported(ast.walk(ast.parse(source)))
    return {name.split(".")[0] for name in names} & LEVELS.keys()


def breaches(room: str, source: str) -> set[str]:
    """The rooms that are imported and lie on the same level or above."""
    return {r for r in imported_rooms(source) - {room} if LEVELS[r] >= LEVELS[room]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert breaches(room, path.read_text()) == set()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("silver", "from bronze import photos"),
        ("lake", "def late():\n    import gold.pca"),
        ("conf", "from lake.readable_lake import Lake"),
        ("report", "from page import server"),
        ("gold", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cli.main"),
    ],
)
def test_the_rule_sees_a_breach(room, source):
    assert breaches(room, source)


def test_every_room_has_a_level():
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"run"} == LEVELS.keys()


def arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """Which of the modules each one imports as it is loaded, by their dotted names."""
    return {
        name: (imported(ast.parse(source).body) & sources.keys()) - {name}
        for name, source in sources.items()
    }


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import one another in a circle; empty where there is none."""
    try:
        TopologicalSorter(arrows(sources)).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_one_another():
    assert circle({module_name(path): path.read_text() for path in FILES}) == []


def test_the_rule_sees_a_circle():
    sources = {"a": "from b import thing", "b": "import c", "c": "from a import other"}
    assert sorted(set(circle(sources))) == ["a", "b", "c"]
    assert circle({"a": "import b", "b": "def late():\n    import a"}) == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_module_imports_another(path):
    """What two of them need is in tests/support, or a fixture."""
    names = imported(ast.walk(ast.parse(path.read_text())))
    modules = {module_name(each) for each in TESTS if each.stem.startswith(("test_", "conftest"))}
    assert names & modules == set()
