"""The samples' lake after a second run."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from lake import catalog
from privacy.returning_rows import KEYS
from tests.support.canary import jpeg, send
from tests.support.gold_runs import no_embedding_waits
from tests.support.grown_lake import NEW, GrownLake, everything, versions
from tests.support.shared_lakes import made_once


@pytest.fixture(scope="session")
def grown(samples_lake, tmp_path_factory, spark) -> GrownLake:
    """The samples' lake after a second run, never disturbed."""

    def make(root):
        shutil.copytree(samples_lake.root, root, dirs_exist_ok=True)
        place = GrownLake.of(root, spark, "refit.growth=9")
        before = by_name(versions(place))
        rows = by_name({table: everything(place, table) for table in KEYS})
        send(place.landing, {f"{n}.jpg": jpeg(n) for n in range(3)})
        send(place.landing, {f"{n}.jpg": jpeg(n) for n in range(3, NEW)}, subject=None)
        Image.new("RGB", (64, 64)).save(place.landing / "blank.png")
        with no_embedding_waits():
            place.run()
        return {"before": before, "rows": rows, "after": by_name(versions(place))}

    root, facts = made_once(tmp_path_factory, "grown", make)
    place = GrownLake.of(root, spark, "refit.growth=9")
    tables = {table.name: table for table in catalog.TABLES}
    for fact, values in facts.items():
        setattr(place, fact, {tables[name]: value for name, value in values.items()})
    return place


def by_name(values):
    """Values by table, by the table's name."""
    return {table.name: value for table, value in values.items()}
