"""Erasure: the canary leaves every place, everybody else stays, and a certificate says so, once."""

import shutil

import pytest

from bronze.samples import write_samples
from lake import catalog
from lake.journal import LayerRun
from privacy import commands, erasures
from privacy.erase import erase
from report.sums import sums
from tests.place import Place
from tests.privacy.canary import MARKER, OTHER, SUBJECT, jpeg, places, send, slices

PHOTOS = {f"{MARKER}-{n}.jpg": jpeg(n) for n in range(6)}
SHARED = PHOTOS[f"{MARKER}-0.jpg"]
REQUEST = "request-1"
THEIRS = f"landing/subject={OTHER}/2026/11/theirs.jpg"
"""What somebody else sent, with the canary's marker in it: it is theirs, and stays."""


@pytest.fixture(scope="module")
def held(tmp_path_factory, spark):
    """A lake of samples and of the canary: its photos, one of them twice, a broken one, one also sent by
    somebody else and one without a subject. The lake was compacted and written by two runs."""
    root = tmp_path_factory.mktemp("held") / "place"
    write_samples(root / "landing", 24)
    place = Place(root, spark, None).set("refit.growth=9")
    send(place.landing, dict(list(PHOTOS.items())[:4]))
    place.run()
    send(place.landing, PHOTOS | {f"{MARKER}-again.jpg": SHARED, f"{MARKER}-broken.jpg": b"x"})
    send(place.landing, {"theirs.jpg": SHARED}, subject=OTHER)
    send(place.landing, {"nobody.jpg": PHOTOS[f"{MARKER}-1.jpg"]}, subject=None)
    place.run()
    return place


@pytest.fixture
def place(held, tmp_path, spark):
    """A copy of it."""
    shutil.copytree(held.root, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path, spark, None).set("refit.growth=9")


def erased(place, *, mode="immediate", request=REQUEST, subject=SUBJECT, now=None):
    """What the command does, in a run of its own."""
    with place.writing() as context:
        did = LayerRun("erase")
        desk = commands.desk(context, did, now=now)
        return erase(desk, subject=subject, request=request, mode=mode)


def needles(place, *, photo_ids):
    """What may stand nowhere: the marker, the pseudonym, the photos' bytes, and their ids."""
    with place.writing() as context:
        keys = context.keys
    raw = [MARKER.encode(), keys.subject(SUBJECT).encode()]
    raw += [piece for name, photo in PHOTOS.items() if photo != SHARED for piece in slices(photo)]
    return raw, [photo.encode() for photo in photo_ids]


def rows_of_others(place, photo_ids):
    """Every row of every table of photos that is not the canary's, by table, as text."""
    lake = place.lake
    found = {}
    for table in (
        catalog.OBJECTS,
        catalog.PHOTOS,
        catalog.REJECTED,
        catalog.EMBEDDINGS,
        catalog.QUARANTINE,
    ):
        rows = [row.asDict() for row in lake.read(table).collect()]
        own = place.pseudonym
        found[table.name] = sorted(
            repr(row)
            for row in rows
            if row["subject"] != own and row.get("photo_id") not in photo_ids
        )
    return found


def ids(place):
    """The canary's photos, and their copy without a subject."""
    with place.writing() as context:
        place.pseudonym = context.keys.subject(SUBJECT)
    rows = place.lake.read(catalog.PHOTOS).select("photo_id", "subject", "original").collect()
    own = [row for row in rows if row["subject"] == place.pseudonym]
    originals = {row["original"] for row in own}
    copies = [r for r in rows if r["subject"] is None and r["original"] in originals]
    assert len(own) == len(PHOTOS)
    assert len(copies) == 1
    return {row["photo_id"] for row in [*own, *copies]}


def agree(place):
    held = sums(place.lake)
    return held.disagreements() == []


def test_the_canary_is_gone_from_every_byte(place):
    photo_ids = ids(place)
    before = rows_of_others(place, photo_ids)
    wanted, wanted_ids = needles(place, photo_ids=photo_ids)
    assert {needle for _, needle in places(wanted, place.root)} >= set(wanted[:2])
    done = erased(place)
    assert done.state is erasures.State.CERTIFIED
    assert done.photo_ids == photo_ids
    assert {path for path, _ in places(wanted, place.root)} <= {THEIRS}
    where = {path.rsplit("/", 1)[0] for path, _ in places(wanted_ids, place.root)}
    assert where <= {"lake/privacy/erasures"}
    assert rows_of_others(place, photo_ids) == before
    assert agree(place)
