"""The notebook: it runs anywhere with the installed package, tells true numbers, and shows nobody."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from pyspark.sql import functions as F

import fruit_lake
from gold import model_reader
from lake import catalog

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "gold" / "explore.ipynb"


@pytest.fixture(scope="module")
def executed(samples_lake, installed, tmp_path_factory):
    """The notebook after a kernel of its own has run it on the samples' lake: a kernel in another folder, as
    that of somebody's JupyterLab, which knows the installed package and not the project."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRUIT_LAKE__PATHS__LAKE", samples_lake.settings.paths.lake)
        patch.setenv("PYTHONPATH", str(installed))
        where = {"metadata": {"path": str(tmp_path_factory.mktemp("somewhere"))}}
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    return notebook


@pytest.fixture(scope="module")
def printed(executed):
    """What its cells printed, one text a cell that printed."""
    outputs = [each for cell in executed.cells for each in cell.get("outputs", [])]
    assert {each.output_type for each in outputs} <= {"stream", "display_data"}
    assert all(each.name == "stdout" for each in outputs if each.output_type == "stream")
    texts = [
        "".join(each.text for each in cell.get("outputs", []) if each.output_type == "stream")
        for cell in executed.cells
    ]
    return [text for text in texts if text]


def test_no_output_is_kept_in_git():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


def sources():
    """The code of its cells, in their order."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_it_uses_the_readers_package_alone():
    """Without a lake, so that a rename is noticed at once."""
    tree = ast.parse("\n".join(sources()))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "fruit_lake"
    }
    assert {"features", "embeddings", "model", "models", "matrix", "versions"} <= used
    assert used <= set(fruit_lake.__all__)
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert imported_rooms(tree) & rooms == {"fruit_lake"}


def imported_rooms(tree):
    """The first parts of the names of modules that a tree imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_in_a_checkout_it_needs_no_installation():
    """In EMR Studio the repository is opened as a workspace."""
    code = f"{sources()[0]}\nimport fruit_lake\nprint(fruit_lake.__file__, LAKE)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=NOTEBOOK.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(ROOT / "fruit_lake/__init__.py"), str(ROOT / "data/lake")]


def test_it_draws_the_scree_and_the_components(executed):
    figures = [
        each.data["image/png"]
        for cell in executed.cells
        for each in cell.get("outputs", [])
        if "image/png" in each.get("data", {})
    ]
    assert len(figures) == 2
    assert all(len(figure) > 5_000 for figure in figures)


def test_the_champion_is_told(printed, samples_lake):
    version = model_reader.pca(samples_lake.settings.paths.lake)
    assert printed[0] == (
        f"{version.version}: {version.pca.components} of 1,280 components explain "
        f"{version.pca.explained_variance:.1%} of the variance of {version.photos} embeddings (first)\n"
    )


def test_photos_are_counted_by_label(printed, samples_lake):
    labels = F.coalesce("label", F.lit("no label"))
    rows = samples_lake.lake.read(catalog.FEATURES).groupBy(labels).count().collect()
    counts = dict(sorted(map(tuple, rows)))
    assert printed[1] == f"{sum(counts.values())} photos, {len(counts)} labels: {counts}\n"


def test_the_nearest_are_nearest(printed, samples_lake):
    columns = ("photo_id", "label", "embedding")
    rows = samples_lake.lake.read(catalog.EMBEDDINGS).select(*columns).orderBy("photo_id").collect()
    vectors = np.array([row["embedding"] for row in rows])
    features = model_reader.pca(samples_lake.settings.paths.lake).pca.project(vectors)
    first, *others = printed[2].splitlines()
    assert first == f"nearest to {rows[0]['photo_id'][:12]} ({rows[0]['label']}) among {len(rows)}:"

    def cosine(a, b):
        return 1 - a @ b / np.sqrt(a @ a * (b @ b))

    distances = [cosine(vectors[0], vector) for vector in vectors]
    wanted = np.argsort(distances)[1:9]
    assert len(others) == 8
    for line, i in zip(others, wanted, strict=True):
        photo, by_embedding, by_features, label = line.split(maxsplit=3)
        assert float(by_embedding) == pytest.approx(distances[i], abs=1e-4)
        assert float(by_features) == pytest.approx(cosine(features[0], features[i]), abs=1e-4)
        [same] = [row for row in rows if row["photo_id"].startswith(photo)]
        assert label == str(same["label"])


def test_it_travels_in_time(printed, samples_lake):
    lake = samples_lake.lake
    lines = printed[3].splitlines()
    models = [line for line in lines if line.startswith("gold/models")]
    assert models[0] == "gold/models, version 0: 0 rows []"
    held = lake.records(catalog.MODELS, columns=["kind", "version", "status"])
    told = sorted(" ".join(row.values()) for row in held)
    last = lake.version(catalog.MODELS)
    assert models[-1] == f"gold/models, version {last}: {len(told)} rows {told}"
    features = [line for line in lines if line.startswith("gold/features")]
    assert features[0] == "gold/features, version 0: nothing to read"
    rows = lake.read(catalog.FEATURES)
    [name] = [row[0] for row in rows.select("model_version").distinct().collect()]
    last = lake.version(catalog.FEATURES)
    assert features[-1] == f"gold/features, version {last}: {{'{name}': {rows.count()}}}"
    assert len(lines) == len(models) + len(features)


def test_it_shows_no_subject_and_no_path(executed, samples_lake):
    rows = samples_lake.lake.records(catalog.PHOTOS, columns=["subject", "path"])
    personal = {value for row in rows for value in row.values() if value}
    personal |= {
        path.name.removeprefix("subject=") for path in samples_lake.landing.rglob("subject=*")
    }
    text = str([cell.get("outputs", []) for cell in executed.cells])
    assert personal
    assert not [value for value in personal if re.search(rf"\b{re.escape(value)}\b", text)]
