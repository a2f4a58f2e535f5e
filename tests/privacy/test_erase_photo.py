"""One photo leaves every place, by its id; the subject's other photos and the same bytes of others stay."""

import pytest

from cli.commands.erase import verify
from cli.commands.lift import run as lift
from cli.parser import parse
from conf.errors import BadInput
from lake import catalog
from lake.enums import ErasureMode, ErasureState
from privacy.erasure import certificate
from privacy.erasure.erase import erase
from tests.support.canary import OTHER, SUBJECT, jpeg, send
from tests.support.place import Place

SHARED = jpeg(1)
"""Bytes that two subjects and nobody sent."""


def erased(place, photo, *, request="P-1", subject=None):
    with place.writing() as context:
        return erase(
            context.step("erase"),
            photo=photo,
            subject=subject,
            request=request,
            mode=ErasureMode.IMMEDIATE,
        )


def held(place):
    """The photos of bronze by the names of their subjects, as a set of (subject, original, id)."""
    columns = ["subject", "original", "photo_id"]
    rows = place.lake.records(catalog.PHOTOS, columns=columns)
    return {(row["subject"], row["original"], row["photo_id"]) for row in rows}


def test_one_photo_of_a_subject_leaves_every_place(tmp_path, spark):
    place = Place.of(tmp_path, spark)
    photos = {f"{n}.jpg": jpeg(n) for n in (1, 2, 3)}
    send(place.landing, photos | {"again.jpg": SHARED})
    send(place.landing, {"theirs.jpg": SHARED}, subject=OTHER)
    send(place.landing, {"nobody.jpg": SHARED, "other.jpg": jpeg(4)}, subject=None)
    place.run("bronze")
    with place.writing() as context:
        keys = context.pseudonyms
    own, theirs = keys.subject(SUBJECT), keys.subject(OTHER)
    same = {s: i for s, original, i in held(place) if original == keys.originals(SHARED)}
    assert set(same) == {own, theirs, None}
    before = held(place)

    with pytest.raises(BadInput, match="doesn't hold that photo"):
        erased(place, "0" * 64)
    assert place.lake.records(catalog.ERASURES) == []

    erasure = erased(place, same[own])
    assert (erasure.state, erasure.of_photo) == (ErasureState.CERTIFIED, True)
    assert erasure.photo_ids == {same[own], same[None]}
    assert erasure.counts["landing"] == 3
    gone = {same[own], same[None]}
    assert held(place) == {row for row in before if row[2] not in gone}
    objects = {row["photo_id"] for row in place.lake.records(catalog.OBJECTS)}
    assert objects == {row[2] for row in held(place)}
    left = {each.name for each in place.landing.rglob("*.jpg")}
    assert left == {"2.jpg", "3.jpg", "theirs.jpg", "other.jpg"}

    told = certificate.read(
        place.lake.files.read(
            f"{certificate.FOLDER}/{certificate.file_name(erasure, is_whole=True)}"
        )
    )
    assert told["asked"] == certificate.ASKED_PHOTO
    assert told["verification"]["residues"] == 0
    verify(place.lake, place.settings, place.console, "P-1", deep=True)
    assert erased(place, same[own]).state is ErasureState.CERTIFIED
    for other in ({"photo": same[theirs]}, {"photo": None, "subject": SUBJECT}):
        with pytest.raises(BadInput, match="made for another subject or photo"):
            erased(place, **other)

    send(place.landing, {"back.jpg": SHARED})
    send(place.landing, {"back.jpg": SHARED}, subject=None)
    place.run("bronze")
    assert held(place) == {row for row in before if row[2] not in gone}
    lift(parse(["lift", "--photo", same[own]]), place.settings, place.console)
    send(place.landing, {"later.jpg": SHARED})
    place.run("bronze")
    assert same[own] in {row[2] for row in held(place)}
