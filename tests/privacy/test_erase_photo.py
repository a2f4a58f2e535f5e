"""One photo leaves every place, by its id; the subject's other photos and the same bytes of others stay."""

from datetime import UTC, datetime, timedelta

import pyarrow.compute as pc
import pytest

from cli.commands.erase import finish_due_erasures, verify
from cli.commands.lift import run as lift
from cli.parser import parse
from conf.errors import BadInput, Pending
from expectations.check_tables import check
from expectations.suite_views import Views
from lake import catalog
from lake.enums import ERASE, RESTORE, ErasureMode, ErasureState
from lake.samples.sample_photos import write_samples
from privacy import tombstones
from privacy.erasure import certificate, certificate_texts
from privacy.restore import restore
from report.lake_counts import sums
from tests.support.canary import OTHER, SUBJECT, jpeg, send
from tests.support.erasures import REQUEST, erased, requests_of
from tests.support.place import Place

SHARED = jpeg(1)
"""Bytes that two subjects and nobody sent."""


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
    [row] = place.lake.records(catalog.PHOTOS, where=pc.field("photo_id") == same[own])
    kept = row["content"]
    assert kept != SHARED

    with pytest.raises(BadInput, match="doesn't hold that photo"):
        erased(place, photo="0" * 64)
    assert place.lake.records(catalog.ERASURES) == []

    erasure = erased(place, photo=same[own])
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
    assert told["asked"] == certificate_texts.ASKED_PHOTO
    assert told["verification"]["residues"] == 0
    verify(place.lake, place.settings, place.console, REQUEST, deep=True)
    for table in (catalog.TOMBSTONES, catalog.ERASURES, catalog.RUNS, catalog.CHUNKS):
        judged = check(place.lake, table, views=Views(place.lake, history_chunks=30))
        assert judged.failures == []
    assert erased(place, photo=same[own]).state is ErasureState.CERTIFIED
    for other in ({"photo": same[theirs]}, {"subject": SUBJECT}):
        with pytest.raises(BadInput, match="made for another subject or photo"):
            erased(place, **other)

    send(place.landing, {"back.jpg": SHARED, "back as kept.jpg": kept})
    send(place.landing, {"back.jpg": SHARED, "back as kept.jpg": kept}, subject=None)
    place.run("bronze")
    left = {row for row in before if row[2] not in gone}
    assert held(place) == left

    assert erased(place, photo=same[theirs], request="request-2").photo_ids == {same[theirs]}
    lift(parse(["lift", "--photo", same[own]]), place.settings, place.console)
    with place.writing() as context:
        tombstones.drop_lapsed(context.lake, now=datetime.now(UTC))
    requests = {row["request"] for row in place.lake.records(catalog.TOMBSTONES)}
    assert requests == {"request-2"}
    send(place.landing, {"later.jpg": SHARED, "later as kept.jpg": kept})
    send(place.landing, {"later.jpg": SHARED, "later as kept.jpg": kept}, subject=None)
    send(place.landing, {"later.jpg": SHARED}, subject=OTHER)
    place.run("bronze")
    came = held(place) - left
    assert {(row[0], row[1]) for row in came} == {
        (own, keys.originals(each)) for each in (SHARED, kept)
    }
    assert held(place) == left - {row for row in left if row[2] == same[theirs]} | came


PHOTO_TABLES = (catalog.OBJECTS, catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES)


def rows(place):
    """The photo_ids of each table of photos, in their order."""
    return {
        table.name: sorted(row["photo_id"] or "" for row in place.lake.records(table))
        for table in PHOTO_TABLES
    }


def without(held, photo):
    return {name: [each for each in ids if each != photo] for name, ids in held.items()}


def test_a_photo_without_a_subject_leaves_each_layer_and_its_old_files_later(tmp_path, spark):
    place = Place.of(tmp_path, spark, "pca.components=3")
    write_samples(place.landing, 30)
    place.run()
    features = place.lake.records(catalog.FEATURES)
    photo = min(row["photo_id"] for row in features if row["subject"] is None)
    [row] = place.lake.records(catalog.PHOTOS, where=pc.field("photo_id") == photo)
    content = (place.landing / row["path"]).read_bytes()
    before, version = rows(place), place.lake.version(catalog.PHOTOS)
    assert all(photo in ids for ids in before.values())
    with pytest.raises(Pending):
        erased(place, photo=photo, mode=ErasureMode.DEFERRED)
    assert rows(place) == without(before, photo)
    assert not (place.landing / row["path"]).exists()
    [pending] = requests_of(place).values()
    assert any(name.startswith("fitted:pca-") for name in pending.counts)

    with place.writing() as context:
        finish_due_erasures(context.step(ERASE, now=pending.due_at + timedelta(hours=1)))
    [finished] = requests_of(place).values()
    assert finished.state is ErasureState.CERTIFIED
    verify(place.lake, place.settings, place.console, REQUEST, deep=True)
    kept = {name: ids for name, ids in rows(place).items() if name != catalog.FEATURES.name}
    assert kept == {name: without(before, photo)[name] for name in kept}
    [moments] = place.lake.records(catalog.MOMENTS, columns=["n"])
    assert moments["n"] == len(kept[catalog.EMBEDDINGS.name])
    wiped = {row["version"]: row["basis"] for row in place.lake.records(catalog.MODELS)}
    assert [wiped[version] for version in finished.fitted] == [None] * len(finished.fitted)
    assert sums(place.files).disagreements() == []

    (place.landing / "sent again.jpg").write_bytes(content)
    place.run()
    assert photo not in rows(place)[catalog.PHOTOS.name]
    assert "1 tombstoned" in place.screen
    with place.writing() as context, pytest.raises(BadInput, match="can't be read any more"):
        restore(context.step(RESTORE), catalog.PHOTOS, version)
