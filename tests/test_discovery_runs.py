"""Whole runs that look at a part of the landing folder: what the lake takes in, and what is said of it."""

import time
import zlib

import pytest

from bronze.discovery import event_queue
from cli.step_runner import recorded
from lake import catalog, metric_names
from lake.enums import BRONZE, RESTORE
from lake.storage.locate import folder
from privacy.restore import restore
from report.lake_counts import sums
from tests.support.bucket_events import Queue, notification
from tests.support.canary import jpeg
from tests.support.kills import Killed, dies
from tests.support.place import Place


def put(place, *names):
    for name in names:
        path = place.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(zlib.crc32(name.encode())))


def stored(place):
    rows = place.lake.records(catalog.OBJECTS, columns=["outcome"])
    return len([row for row in rows if row["outcome"] == "stored"])


def test_by_days_the_lake_takes_in_what_came_and_loses_nothing_by_a_restore(tmp_path, spark):
    place = Place.of(tmp_path, spark, "landing.after=%Y/%m/%d/")
    put(place, "2020/01/01/old.jpg", "2099/01/01/a.jpg")
    assert place.run(BRONZE)[BRONZE].measured[metric_names.LISTED] == 2
    assert stored(place) == 2
    put(place, "2099/01/02/b.jpg", "2020/01/02/too-late.jpg")
    did = place.run(BRONZE)[BRONZE]
    assert did.counts["kept"] == 1
    assert did.measured.keys() >= {metric_names.LOOKED_AT, metric_names.FOUND_NEW}
    assert did.measured[metric_names.LOOKED_AT] == 2
    assert metric_names.LISTED not in did.measured
    assert sums(place.files).landing.found_since == 1
    put(place, "2020/01/03/too-late.jpg")
    with place.writing() as context, recorded(context, RESTORE) as step:
        restore(step, catalog.PHOTOS, 0)
    assert stored(place) == 0
    did = place.run(BRONZE)[BRONZE]
    assert did.measured[metric_names.LISTED] == 5
    assert stored(place) == 5
    assert sums(place.files).disagreements() == []


@pytest.fixture
def queue(s3, monkeypatch):
    monkeypatch.setattr(event_queue, "WAIT_SECONDS", 0)
    monkeypatch.setattr(event_queue, "HIDDEN_SECONDS", 1)
    return Queue()


def test_a_run_killed_before_it_deletes_messages_gets_them_again_and_takes_nothing_twice(
    tmp_path, spark, s3, queue
):
    root = f"s3://{s3.bucket('landing')}/app/photos"
    place = Place.of(tmp_path, spark, f"paths.landing={root}", f"landing.queue={queue.arn}")
    files = folder(root)
    files.write("kiwi/old.jpg", jpeg(1))
    assert place.run(BRONZE)[BRONZE].measured[metric_names.LISTED] == 1
    names = ["kiwi/a b.jpg", "lime/c+d.jpg"]
    for seed, name in enumerate(names, 2):
        files.write(name, jpeg(seed))
        queue.send(notification(files.bucket, f"app/photos/{name}"))
    with pytest.raises(Killed), dies("bronze: what events name is committed"):
        place.run(BRONZE)
    place.bury()
    assert stored(place) == 3
    assert sum(queue.counts()) == 2
    time.sleep(1.1)
    did = place.run(BRONZE)[BRONZE]
    assert did.measured[metric_names.LOOKED_AT] == 2
    assert did.measured[metric_names.FOUND_NEW] == 0
    assert stored(place) == 3
    assert queue.counts() == (0, 0)
    held = sums(place.files)
    assert held.disagreements() == []
    assert str(held.landing).startswith(
        "1 objects in the landing folder, at its last listing = 1 new"
    )
