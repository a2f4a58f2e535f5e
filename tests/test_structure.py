"""No module and no function grows past what fits one view, and no class has the name of another."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tests", "benchmarks", "build", "dist", "spark-warehouse"}
MODULE, FUNCTION = 300, 50
"""The most lines of a module, and of a function."""

SOURCES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted(ROOT.rglob("*.py"))
    if not {part for part in path.relative_to(ROOT).parts if part in OUTSIDE or part[0] == "."}
}


def long_modules(sources):
    """The modules of more than MODULE lines, with their lengths."""
    lengths = {name: len(source.splitlines()) for name, source in sources.items()}
    return {name: length for name, length in lengths.items() if length > MODULE}


def nodes(sources, *kinds):
    """Every definition of some kinds, with the module that it is in."""
    for name, source in sources.items():
        yield from ((name, n) for n in ast.walk(ast.parse(source)) if isinstance(n, kinds))


def long_functions(sources):
    """The functions of more than FUNCTION lines, with their lengths."""
    found = nodes(sources, ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {f"{name}: {n.name}": n.end_lineno - n.lineno + 1 for name, n in found}
    return {name: length for name, length in lengths.items() if length > FUNCTION}


def repeated_classes(sources):
    """The names of classes that stand in more than one place."""
    counts = Counter(n.name for _, n in nodes(sources, ast.ClassDef))
    return {name for name, count in counts.items() if count > 1}


def test_modules_fit_one_view():
    assert len(SOURCES) > 150
    assert long_modules(SOURCES) == {}


def test_functions_fit_one_view():
    assert long_functions(SOURCES) == {}


def test_a_class_has_its_name_alone():
    assert repeated_classes(SOURCES) == set()


def test_the_rules_see_what_breaks_them():
    body = "    pass\n" * 50
    sources = {
        "a.py": f"class Same: ...\ndef long():\n{body}",
        "b.py": "class Outer:\n    class Same: ...\n" + "x = 1\n" * 300,
    }
    assert long_modules(sources) == {"b.py": 302}
    assert long_functions(sources) == {"a.py: long": 51}
    assert repeated_classes(sources) == {"Same"}
