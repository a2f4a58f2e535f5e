"""Imports go one way: conf ← lake ← (bronze, silver, gold, expectations) ← report ← run.py."""

import ast
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
    "run": 4,
}
FILES = sorted(
    path for room in LEVELS for path in [*ROOT.glob(f"{room}/**/*.py"), *ROOT.glob(f"{room}.py")]
)


def imported_rooms(source: str) -> set[str]:
    """Rooms that a module imports, anywhere in it, also inside functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found & LEVELS.keys()


def breaches(room: str, source: str) -> set[str]:
    """Rooms that are imported and lie on the same level or above."""
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
        ("conf", "from lake.lake import Lake"),
        (
            "gold",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cli.tables.lake_tables",
        ),
    ],
)
def test_the_rule_sees_a_breach(room, source):
    assert breaches(room, source)


def test_every_room_has_a_level():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms <= LEVELS.keys()
