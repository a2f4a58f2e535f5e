"""A whole erasure removes what an audit before it said is held, and nothing else: in every table, among what
is staged, and in the landing folder."""

import shutil

import pyarrow as pa
import pytest

from lake import catalog
from lake.chunks import ChunkPlan, ChunkState, NoChunk
from lake.enums import SILVER, ErasureMode, ErasureState, ModelKind, ModelStatus
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import LANDED, STAGED, TIMES, AuditQuestion, HoldingStatus
from privacy.erasure.erase import erase
from silver.staged_embeddings import EMBEDDED
from tests.support.canary import OTHER, SUBJECT, jpeg, send
from tests.support.photo_tables import BEFORE, WEIGHTS
from tests.support.place import Place

SHARED = jpeg(1)
"""Bytes that two subjects and nobody sent."""

NO_MODEL = "0" * 64


@pytest.fixture(scope="module")
def filled(tmp_path_factory, spark):
    """A lake with rows of both subjects and of nobody in each table, with a staged chunk, and with objects in
    the landing folder that no run has seen; and the ids of the shared photo by subject."""
    place = Place.of(tmp_path_factory.mktemp("filled"), spark)
    send(place.landing, {"1.jpg": SHARED, "2.jpg": jpeg(2), "3.txt": b"no photo"})
    send(place.landing, {"1.jpg": SHARED, "3.txt": b"none either"}, subject=OTHER)
    send(place.landing, {"1.jpg": SHARED, "4.jpg": jpeg(4)}, subject=None)
    place.run("bronze")
    return place


def rows(place):
    """How many rows of each table there are, how many staged chunks, and how many landing objects."""
    counts = {table.name: place.lake.source(table).count() for table in TIMES}
    counts[STAGED] = len(list((place.root / "lake/staging").glob("*/*/*.parquet")))
    counts[LANDED] = sum(each.is_file() for each in place.landing.rglob("*"))
    return counts


def held(place, keys, **question):
    """What an audit says is held, by table or place."""
    auditor = Auditor(place.files, keys, place.settings.paths.landing)
    findings = auditor.answer(AuditQuestion(**question)).findings
    assert {each.status for each in findings} <= {
        HoldingStatus.HELD,
        HoldingStatus.NOT_HELD,
        HoldingStatus.ERASED,
    }
    return {each.table: each.rows for each in findings if each.status is HoldingStatus.HELD}


def of_others(place, pseudonym):
    """The rows of another subject in each table, and that subject's landing objects."""
    held = {
        table.name: place.lake.source(table).having("subject", [pseudonym]).count()
        for table in TIMES
    }
    assert all(held.values())
    return held, sorted((place.landing / f"subject={OTHER}").rglob("*.*"))


def fill(place, lake):
    """Add rows of silver and gold of every photo, one staged embedding, and what no run has seen."""
    photos = place.lake.records(
        catalog.PHOTOS, columns=["photo_id", "subject", "original", "chunk"]
    )
    for table, more in {
        catalog.EMBEDDINGS: {"embedding": [1.0, 0.0], "embedded_at": BEFORE},
        catalog.QUARANTINE: {"quarantined_at": BEFORE},
        catalog.FEATURES: {"model_version": "pca-1"},
        catalog.HELD_OUT: {"model_version": "classifier-1"},
    }.items():
        own = [{"photo_id": p["photo_id"], "subject": p["subject"], "chunk": 0} for p in photos]
        added = [row | more | {"weights_id": WEIGHTS, "run_id": "run"} for row in own]
        frame = place.lake.rows(table, added)
        frame.write.format("delta").mode("append").save(place.files.uri(table.name))
    models = [
        {"kind": kind.value, "version": version, "weights_id": WEIGHTS, "created_at": BEFORE}
        | {"status": ModelStatus.RETIRED.value, "through_chunk": 1}
        for kind, version in ((ModelKind.PCA, "pca-1"), (ModelKind.CLASSIFIER, "classifier-1"))
    ]
    lake.put(catalog.MODELS, models, keys=["version"], chunk=NoChunk("gold"))
    send(place.landing, {"new.jpg": SHARED})
    send(place.landing, {"new.jpg": SHARED, "newer.jpg": jpeg(9)}, subject=None)
    send(place.landing, {"new.jpg": SHARED}, subject=OTHER)
    return photos


@pytest.mark.parametrize("asked", ["subject", "photo"])
def test_what_was_held_is_what_is_removed(filled, tmp_path, spark, asked):
    shutil.copytree(filled.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark)
    with place.writing() as context:
        keys = context.pseudonyms
        photos = fill(place, context.lake)
        own = keys.subject(SUBJECT)
        hers = next(
            p["photo_id"]
            for p in photos
            if (p["subject"], p["original"]) == (own, keys.originals(SHARED))
        )
        [chunk] = context.lake.ledger.plan([ChunkPlan(layer=SILVER, weights_id=NO_MODEL)])
        staged = pa.table({"photo_id": [hers], "weights_id": [NO_MODEL]})
        context.lake.staging.write_rows(chunk, EMBEDDED, staged)
        context.lake.ledger.reached(chunk, ChunkState.STAGED)
    words = {"subject": SUBJECT} if asked == "subject" else {"photo": hers}
    others = of_others(place, keys.subject(OTHER))
    before, said = rows(place), held(place, keys, **words)
    assert said.keys() >= {*before} - {catalog.REJECTED.name}
    with place.writing() as context:
        erasure = erase(context.step("erase"), request="R-1", mode=ErasureMode.IMMEDIATE, **words)
    assert erasure.state is ErasureState.CERTIFIED
    after = rows(place)
    assert {
        name: before[name] - after[name] for name in before if before[name] > after[name]
    } == said
    assert held(place, keys, **words) == {}
    assert of_others(place, keys.subject(OTHER)) == others


def test_what_bronze_passes_over_of_a_subject_is_found_and_removed(place):
    """The folders of thumbnails are no way around an erasure, by the path or by the bytes."""
    send(place.landing, {"1.jpg": SHARED, "._1.jpg": jpeg(2), "Thumbs.db": b"small pictures"})
    send(place.landing, {"1.jpg": SHARED, "._2.jpg": SHARED}, subject=None)
    did = place.run("bronze")["bronze"]
    assert (did.counts["in"], did.counts["kept"]) == (2, 2)
    with place.writing() as context:
        keys = context.pseudonyms
    assert held(place, keys, subject=SUBJECT)[LANDED] >= 4
    with place.writing() as context:
        words = {"subject": SUBJECT, "request": "R-1", "mode": ErasureMode.IMMEDIATE}
        assert erase(context.step("erase"), **words).state is ErasureState.CERTIFIED
    left = [each for each in place.landing.rglob("*") if each.is_file()]
    assert left == []
