"""The samples' lake after a second run."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

from privacy.restore import KEYS
from tests.support.canary import jpeg, send
from tests.support.grown_lake import NEW, GrownLake, everything, versions


@pytest.fixture(scope="session")
def grown(samples_lake, tmp_path_factory, spark) -> GrownLake:
    """The samples' lake after a second run, never disturbed."""
    root = tmp_path_factory.mktemp("grown") / "place"
    shutil.copytree(samples_lake.root, root)
    place = GrownLake.of(root, spark, "refit.growth=9")
    place.before = versions(place)
    place.rows = {table: everything(place, table) for table in KEYS}
    send(place.landing, {f"{n}.jpg": jpeg(n) for n in range(3)})
    send(place.landing, {f"{n}.jpg": jpeg(n) for n in range(3, NEW)}, subject=None)
    Image.new("RGB", (64, 64)).save(place.landing / "blank.png")
    place.run()
    place.after = versions(place)
    return place
