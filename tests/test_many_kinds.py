"""The benchmark of many kinds: which photos it makes of those that are there."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from benchmarks.many_kinds import jobs, write
from conf.errors import BadInput


@pytest.fixture
def photos(tmp_path):
    """Three photos of a red kind, and one of a green one."""
    for kind, colour, count in (("apple", (200, 40, 40), 3), ("kiwi", (60, 180, 40), 1)):
        for number in range(count):
            file = tmp_path / "photos" / kind / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), colour).save(file)
    return tmp_path / "photos"


def test_kinds_become_more_by_shifts_of_the_hue(photos, tmp_path):
    made = jobs(photos, tmp_path / "landing", count=5, kinds=3)
    kinds = Counter(file.parent.name for _, file, _ in made)
    assert kinds == {"apple-0": 2, "kiwi-0": 1, "apple-1": 2}
    colours = set()
    for job in made:
        write(job)
        with Image.open(job[1]) as image:
            colours.add(tuple(np.array(image)[0, 0].argsort().tolist()))
    assert len(colours) == 3


def test_too_few_photos_are_refused(photos, tmp_path):
    with pytest.raises(BadInput, match="ask for fewer with --count"):
        jobs(photos, tmp_path, count=8, kinds=3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"has no folder with a \.jpg"):
        jobs(tmp_path / "empty", tmp_path, count=1, kinds=1)
