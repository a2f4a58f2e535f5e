"""Which versions saw somebody: by lineage that stays when rows go, or stand under other chunks."""

import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from gold import model_versions
from lake import catalog
from lake.chunks import Chunk, ChunkState
from lake.enums import (
    BRONZE,
    ERASE,
    FITTED_PREFIX,
    GOLD,
    POSSIBLY_FITTED_PREFIX,
    REMOVAL,
    RESTORE,
    RETAIN,
    RETIRE,
    SILVER,
)
from lake.pseudonyms import Pseudonyms
from lake.run_journal import LayerRun
from lake.storage.locate import folder
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion
from privacy.erasure import model_refits, request_journal
from privacy.erasure.subject_data import SubjectData
from privacy.model_lineage import ModelLineage, PhotoLineage
from privacy.owned_rows import OwnedKeys
from tests.support.certified_erasures import requested
from tests.support.photo_tables import AFTER, BEFORE, FITTED
from tests.support.small_lake import small_lake

MODEL, OTHER = "e" * 64, "f" * 64
KEYS = Pseudonyms(b"the secret of this lake")
ANNA, BERT = KEYS.subject("anna"), KEYS.subject("bert")
PHOTO = "1" * 64
V1 = {"version": "pca-1", "weights_id": MODEL, "through_chunk": 2, "created_at": FITTED, "chunk": 3}
"""Fitted on silver's chunk 2, which was made from bronze's chunk 1; published as chunk 3."""


def chunk(number, layer, state=ChunkState.PUBLISHED, **more):
    of_model = {} if layer in (BRONZE, RESTORE, RETAIN) else {"weights_id": MODEL}
    return Chunk(number=number, layer=layer, state=state, **{"photos": 1} | of_model | more)


def silver(number, first, last=None, **more):
    return chunk(number, SILVER, source_from=first, source_to=last or first, **more)


BEGINNING = (chunk(1, BRONZE), silver(2, 1), chunk(3, GOLD))
WITHDRAWN = (chunk(1, BRONZE), silver(2, 1, state=ChunkState.RETIRED), chunk(3, GOLD))
PLANNED = ChunkState.PLANNED

ANSWERS = {
    "its embedding is there": (BEGINNING, PhotoLineage(1, BEFORE, frozenset({(MODEL, 2)})), True),
    "it came later": (
        (*BEGINNING, silver(5, 4)),
        PhotoLineage(4, AFTER, frozenset({(MODEL, 5)})),
        False,
    ),
    "refused, and replayed later": (
        (*BEGINNING, chunk(5, SILVER)),
        PhotoLineage(1, BEFORE, frozenset({(MODEL, 5)}), frozenset({(MODEL, 2)})),
        False,
    ),
    "refused, and not replayed": (
        BEGINNING,
        PhotoLineage(1, BEFORE, frozenset(), frozenset({(MODEL, 2)})),
        False,
    ),
    "refused by another model alone": (
        BEGINNING,
        PhotoLineage(1, BEFORE, frozenset(), frozenset({(OTHER, 2)})),
        None,
    ),
    "its model was retired": (WITHDRAWN, PhotoLineage(1, BEFORE), None),
    "withdrawn, and embedded anew": (
        (*WITHDRAWN, silver(5, 1)),
        PhotoLineage(1, BEFORE, frozenset({(MODEL, 5)})),
        None,
    ),
    "of another chunk than what was withdrawn": (
        (*WITHDRAWN, chunk(4, BRONZE), silver(5, 4)),
        PhotoLineage(4, AFTER, frozenset({(MODEL, 5)})),
        False,
    ),
    "withdrawn, and refused since": (
        (*WITHDRAWN, silver(5, 1)),
        PhotoLineage(1, BEFORE, frozenset(), frozenset({(MODEL, 5)})),
        None,
    ),
    "replayed in a chunk that was withdrawn": (
        (chunk(1, BRONZE), silver(2, 1), chunk(3, SILVER, state=ChunkState.RETIRED)),
        PhotoLineage(1, BEFORE, frozenset(), frozenset({(MODEL, 2)})),
        None,
        {"through_chunk": 3, "chunk": 4},
    ),
    "refused, and others were replayed": (
        (chunk(1, BRONZE), silver(2, 1), chunk(3, SILVER)),
        PhotoLineage(1, BEFORE, frozenset(), frozenset({(MODEL, 2)})),
        False,
        {"through_chunk": 3, "chunk": 4},
    ),
    "it came after the chunk of replayed photos that was withdrawn": (
        (chunk(3, SILVER, state=ChunkState.RETIRED), chunk(4, BRONZE), silver(6, 4)),
        PhotoLineage(4, AFTER, frozenset({(MODEL, 6)})),
        False,
        {"through_chunk": 5, "chunk": 7},
    ),
    "it was embedded later, in a chunk that the ledger lacks": (
        (chunk(1, BRONZE),),
        PhotoLineage(1, BEFORE, frozenset({(MODEL, 5)})),
        False,
    ),
    "its embedding was removed by a retention that died": (
        BEGINNING,
        PhotoLineage(1, BEFORE),
        None,
    ),
    "its silver chunk is blocked": (
        (chunk(1, BRONZE), silver(2, 1, state=ChunkState.BLOCKED)),
        PhotoLineage(1, BEFORE),
        False,
    ),
    "its silver chunk was given up, and made again later": (
        (chunk(1, BRONZE), silver(2, 1, state=PLANNED), silver(4, 1)),
        PhotoLineage(1, BEFORE, frozenset({(MODEL, 4)})),
        False,
    ),
    "the ledger has no chunk of it": ((), PhotoLineage(1, BEFORE), None),
    "another model alone embedded it": (
        (chunk(1, BRONZE), silver(2, 1, weights_id=OTHER)),
        PhotoLineage(1, BEFORE, frozenset({(OTHER, 2)})),
        None,
    ),
    "its photo is gone from bronze": (
        WITHDRAWN,
        PhotoLineage(None, None, frozenset({(MODEL, 5)})),
        None,
    ),
    "no number, and it came before": (
        BEGINNING,
        PhotoLineage(1, BEFORE),
        None,
        {"through_chunk": None},
    ),
    "no number, and it came after": (
        BEGINNING,
        PhotoLineage(1, AFTER),
        False,
        {"through_chunk": None},
    ),
    "no number, and no time": (BEGINNING, PhotoLineage(1), None, {"through_chunk": None}),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_version_saw_a_photo_did_not_or_nobody_can_tell(case):
    chunks, photo, expected, *changes = ANSWERS[case]
    version = {**V1, **(changes[0] if changes else {})}
    assert ModelLineage(chunks).is_fitted_on(version, photo) is expected


LOST = (chunk(4, REMOVAL), chunk(5, RESTORE, state=PLANNED, photos=0))
"""What a restore of bronze/photos leaves in ops/chunks after its removal of embeddings."""

CAME_AGAIN = PhotoLineage(6, AFTER, frozenset({(MODEL, 7)}))

LOSSES = {
    "a restore": (LOST, True),
    "a retention": ((LOST[0], chunk(5, RETAIN, state=PLANNED, photos=0)), True),
    "an erasure alone": ((LOST[0], chunk(5, ERASE, state=PLANNED, photos=0)), False),
    "a retention of rejected rows alone": ((LOST[1],), False),
    "a removal that was given up": ((chunk(4, REMOVAL, state=PLANNED), LOST[1]), False),
    "a removal of no embedding": ((chunk(4, REMOVAL, photos=0), LOST[1]), False),
    "a loss of another model": ((chunk(4, REMOVAL, weights_id=OTHER), LOST[1]), False),
    "a removal of a model that was retired since": (
        (chunk(4, REMOVAL, state=ChunkState.RETIRED), LOST[1]),
        True,
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_photos_that_bronze_lost_may_have_been_anybodys(case):
    """Photos that came again stand under other chunks, and of what expired nobody knows whose it was."""
    chunks, is_lost = LOSSES[case]
    lineage = ModelLineage([*BEGINNING, *chunks, chunk(6, BRONZE), silver(7, 6)])
    assert lineage.is_fitted_on(V1, CAME_AGAIN) is False
    expected = {f"{POSSIBLY_FITTED_PREFIX}pca-1": 2} if is_lost else {}
    assert lineage.fitted_on([V1], [CAME_AGAIN, CAME_AGAIN]) == expected
    later = {**V1, "version": "pca-2", "through_chunk": 2, "chunk": 8}
    assert lineage.fitted_on([later], [CAME_AGAIN]) == {}
    between = {**V1, "chunk": 4}  # what left had left before it was made
    assert lineage.fitted_on([between], [CAME_AGAIN]) == {}


def test_certain_photos_are_counted_and_others_only_where_there_is_none():
    lineage = ModelLineage([*BEGINNING, *LOST])
    seen, unknown = PhotoLineage(1, BEFORE, frozenset({(MODEL, 2)})), PhotoLineage(1, BEFORE)
    assert lineage.fitted_on([V1], [seen, unknown, seen]) == {f"{FITTED_PREFIX}pca-1": 2}
    assert lineage.fitted_on([V1], []) == {f"{POSSIBLY_FITTED_PREFIX}pca-1": 1}
    assert ModelLineage(BEGINNING).fitted_on([V1], [unknown]) == {
        f"{POSSIBLY_FITTED_PREFIX}pca-1": 1
    }


def ledger_row(chunk_, entry):
    names = ("layer", "weights_id", "model_version", "source_from", "source_to", "photos", "bytes")
    row = {name: getattr(chunk_, name) for name in names}
    return row | {"chunk": chunk_.number, "state": chunk_.state.value, "entry": entry}


def rows_of_a_lake(chunks, *, embedded=(), at=BEFORE, bronze=1):
    """A photo of Anna's and one of Bert's, who came after the version; and the versions."""
    other = {"photo_id": "2" * 64, "subject": BERT, "chunk": 8, "ingested_at": AFTER}
    return {
        catalog.PHOTOS: [
            {"photo_id": PHOTO, "subject": ANNA, "chunk": bronze, "ingested_at": at},
            other,
        ],
        catalog.EMBEDDINGS: [
            {"photo_id": PHOTO, "subject": ANNA, "weights_id": MODEL, "chunk": number}
            for number in embedded
        ],
        catalog.MODELS: [
            {**V1, "kind": "pca", "status": "retired"},
            {**V1, "kind": "classifier", "version": "classifier-1", "status": "retired"},
            {"version": "tflite-1", "kind": "extractor", "weights_id": MODEL, "status": "retired"}
            | {"created_at": BEFORE},
        ],
        catalog.CHUNKS: [ledger_row(each, entry) for entry, each in enumerate(chunks, start=1)],
    }


RETIRED = (*WITHDRAWN, chunk(4, REMOVAL, state=ChunkState.RETIRED), chunk(5, RETIRE, state=PLANNED))
RESTORED = (*WITHDRAWN, chunk(4, REMOVAL), silver(5, 1))

LAKES = {
    "as it was": (rows_of_a_lake(BEGINNING, embedded=[2]), FITTED_PREFIX),
    "retired": (rows_of_a_lake(RETIRED), POSSIBLY_FITTED_PREFIX),
    "restored, and not embedded yet": (rows_of_a_lake(WITHDRAWN), POSSIBLY_FITTED_PREFIX),
    "restored, and embedded anew": (rows_of_a_lake(RESTORED, embedded=[5]), POSSIBLY_FITTED_PREFIX),
    "bronze restored, and sent again": (
        rows_of_a_lake(
            (*BEGINNING, *LOST, chunk(6, BRONZE), silver(7, 6)), embedded=[7], at=AFTER, bronze=6
        ),
        POSSIBLY_FITTED_PREFIX,
    ),
}


@pytest.mark.parametrize("case", LAKES)
def test_versions_are_found_in_a_lake_whatever_became_of_the_rows(tmp_path, case):
    rows, prefix = LAKES[case]
    with small_lake(tmp_path / "lake", rows) as lake:
        data = SubjectData(lake, OwnedKeys(ANNA, frozenset({PHOTO})))
        assert data.fitted() == {f"{prefix}pca-1": 1, f"{prefix}classifier-1": 1}
        nobody = SubjectData(lake, OwnedKeys("pseudonym of nobody", frozenset()))
        assert nobody.fitted() == {}


@pytest.mark.parametrize(("at", "is_possible"), [(BEFORE, True), (AFTER, False)])
def test_a_version_without_a_number_is_judged_by_times(tmp_path, at, is_possible):
    rows = rows_of_a_lake(BEGINNING, at=at)
    rows[catalog.MODELS] = [{**row, "through_chunk": None} for row in rows[catalog.MODELS][:1]]
    with small_lake(tmp_path / "lake", rows) as lake:
        expected = {f"{POSSIBLY_FITTED_PREFIX}pca-1": 1} if is_possible else {}
        assert SubjectData(lake, OwnedKeys(ANNA, frozenset({PHOTO}))).fitted() == expected


@pytest.mark.parametrize("case", ["as it was", "retired", "restored, and embedded anew"])
def test_versions_of_before_somebody_came_stay(tmp_path, case):
    with small_lake(tmp_path / "lake", LAKES[case][0]) as lake:
        assert SubjectData(lake, OwnedKeys(BERT, frozenset({"2" * 64}))).fitted() == {}


SURE, POSSIBLE = "(pca, retired)", "(pca, retired; possibly, by the lineage of chunks)"


@pytest.mark.parametrize("case", LAKES)
def test_an_audit_names_the_versions_that_an_erasure_would_wipe(tmp_path, case):
    rows, prefix = LAKES[case]
    with small_lake(tmp_path / "lake", rows):
        auditor = Auditor(folder(str(tmp_path / "lake")), KEYS)
        answer = auditor.answer(AuditQuestion(subject="anna"))
        [line] = [line for line in answer.models if line.startswith("pca-1 ")]
        assert line == f"pca-1 {SURE if prefix == FITTED_PREFIX else POSSIBLE}"
        assert sum(line.startswith("classifier-1 ") for line in answer.models) == 1
        earlier = AuditQuestion(subject="anna", at=BEFORE - timedelta(days=1))
        for question in (AuditQuestion(subject="carla"), earlier):
            assert auditor.answer(question).models == []
        bert = auditor.answer(AuditQuestion(subject="bert")).models
        assert bool(bert) is (case == "bronze restored, and sent again")


@pytest.mark.parametrize("stage", ["refused", "another's"])
def test_an_audit_knows_refusals(tmp_path, stage):
    photo_id, whose = (PHOTO, ANNA) if stage == "refused" else ("2" * 64, BERT)
    refused = {"photo_id": photo_id, "subject": whose, "chunk": 2}
    refused |= {"weights_id": MODEL, "stage": "silver", "quarantined_at": BEFORE}
    rows = rows_of_a_lake(BEGINNING) | {catalog.QUARANTINE: [refused]}
    with small_lake(tmp_path / "lake", rows):
        answer = Auditor(folder(str(tmp_path / "lake")), KEYS).answer(AuditQuestion(subject="anna"))
        assert bool(answer.models) is (stage != "refused")


def test_a_refusal_tells_that_a_photo_was_not_seen(tmp_path):
    rows = rows_of_a_lake(BEGINNING)
    refused = {"photo_id": PHOTO, "subject": ANNA, "weights_id": MODEL, "chunk": 2}
    with small_lake(tmp_path / "lake", rows | {catalog.QUARANTINE: [refused]}) as lake:
        assert SubjectData(lake, OwnedKeys(ANNA, frozenset({PHOTO}))).fitted() == {}


def test_somebody_with_a_rejected_row_alone_may_have_had_photos_that_were_lost(tmp_path):
    rows = rows_of_a_lake((*BEGINNING, *LOST))
    rows[catalog.REJECTED] = [{"object": "o", "subject": "carla", "rejected_at": BEFORE}]
    with small_lake(tmp_path / "lake", rows) as lake:
        expected = {f"{POSSIBLY_FITTED_PREFIX}{name}": 1 for name in ("pca-1", "classifier-1")}
        assert SubjectData(lake, OwnedKeys("carla", frozenset())).fitted() == expected


def parameters(**more):
    """Columns of gold/models that were calculated from photos."""
    return {
        "mean": b"m",
        "basis": b"b",
        "reference": "{}",
        "scree": [1.0],
        "parameters": b"p",
    } | more


@pytest.mark.parametrize("case", ["retired", "restored, and not embedded yet"])
def test_versions_that_rows_of_today_do_not_tell_of_lose_their_parameters(tmp_path, case):
    """With the classifier that takes the features of one of them. One that was made before anybody came
    stays."""
    rows = dict(LAKES[case][0])
    features = {**V1, "kind": "classifier", "version": "classifier-2", "input": "pca-1"}
    before = {**V1, "kind": "pca", "version": "pca-0", "through_chunk": 0, "chunk": 0}
    models = [*rows[catalog.MODELS], {**features, "through_chunk": 0}, before]
    rows[catalog.MODELS] = [row | parameters() for row in models]
    with small_lake(tmp_path / "lake", rows) as lake:
        fitted = SubjectData(lake, OwnedKeys(ANNA, frozenset({PHOTO}))).fitted()
        erasure = replace(requested("one"), counts=fitted)
        context = SimpleNamespace(lake=lake, did=LayerRun(ERASE))
        model_refits.fit_anew_and_wipe(context, erasure)
        left = {
            row["version"]: [name for name in model_versions.WIPED if row[name] is not None]
            for row in lake.records(catalog.MODELS)
        }
    kept = ["mean", "basis", "scree", "parameters", "reference"]
    assert left.pop("pca-0") == left.pop("tflite-1") == kept
    assert left == {"pca-1": [], "classifier-1": [], "classifier-2": []}


def test_thousands_of_photos_and_versions_are_told_in_seconds():
    """Three years of daily runs, and somebody who sent photos on each day, which silver has lost."""
    days = range(1_000)
    chunks = [
        each
        for day in days
        for each in (chunk(3 * day + 1, BRONZE), silver(3 * day + 2, 3 * day + 1))
    ]
    photos = [PhotoLineage(3 * day + 1, BEFORE) for day in days for _ in range(10)]
    models = [
        {**V1, "version": f"pca-{n}", "through_chunk": 30 * n + 2, "chunk": 30 * n + 3}
        for n in range(100)
    ]
    begun = time.process_time()
    found = ModelLineage(chunks).fitted_on(models, photos)
    assert time.process_time() - begun < 8
    assert found == {f"{POSSIBLY_FITTED_PREFIX}pca-{n}": 100 * n + 10 for n in range(100)}


def test_a_request_knows_versions_of_both_kinds():
    counts = {f"{FITTED_PREFIX}pca-2": 3, f"{POSSIBLY_FITTED_PREFIX}pca-1": 1, "bronze/photos": 3}
    assert replace(requested("one"), counts=counts).fitted == ["pca-1", "pca-2"]


def test_what_was_certain_once_is_not_told_as_possible():
    first = {f"{FITTED_PREFIX}pca-1": 2, f"{POSSIBLY_FITTED_PREFIX}pca-2": 1, "landing": 3}
    again = {f"{POSSIBLY_FITTED_PREFIX}pca-1": 5, f"{POSSIBLY_FITTED_PREFIX}pca-2": 2, "landing": 1}
    assert request_journal.largest(first, again) == {
        f"{FITTED_PREFIX}pca-1": 2,
        f"{POSSIBLY_FITTED_PREFIX}pca-2": 2,
        "landing": 3,
    }
