"""What becomes of arrivals: one photo stored, the others counted, in chunks and tasks that are bounded."""

import hashlib
import hmac
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql.pandas.types import to_arrow_schema

from bronze.arrived_files import read_objects
from bronze.bronze_rows import (
    ARRIVED,
    Admission,
    photos,
    read_one,
    rejected,
    size,
)
from bronze.cleaning_process import cleaned_rows
from bronze.landing import Landing, LandingObject, arrival
from bronze.new_objects import marker
from bronze.object_outcomes import outcomes, unseen
from conf.settings import Settings
from lake import catalog
from lake.chunks import batches
from lake.file_parts import WorkerFiles
from lake.isolated_process import ProcessLimits
from lake.known_keys import UNREADABLE
from lake.pseudonyms import KeyedHash, PhotoIdRule, Pseudonyms
from lake.storage.local_folder import LocalFolder
from lake.subject_names import NameRule, NameRuleVersion
from tests.support.landing_folders import SimultaneousLanding
from tests.support.listed_rows import listed_rows, told_by
from tests.support.small_lake import small_lake

KEYS = Pseudonyms(b"0123456789abcdef")
LIMITS = ProcessLimits(max_bytes=50_000_000, seconds=30, memory=500_000_000)
PHOTOS = Settings.load("local", environment={}).photos
WHEN = datetime(2026, 11, 30, 12, tzinfo=UTC)
OPEN = Admission.of(KEYS, tombstones=frozenset())


def arrivals(*sizes):
    return [
        arrival(LandingObject(f"{n}.jpg", size, n), position=n, pseudonyms=KEYS)
        for n, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1, 1, 1], [[0, 1, 2]]),
        ([1, 1, 1, 1, 1], [[0, 1, 2], [3, 4]]),
        ([6, 6, 1], [[0], [1, 2]]),
        ([99, 1], [[0], [1]]),
    ],
)
def test_batches_keep_both_bounds(sizes, expected):
    found = batches(arrivals(*sizes), size=size, max_bytes=10, max_photos=3)
    assert [[a.position for a in batch] for batch in found] == expected


def id_of(known, content, subject):
    admission = Admission.of(known, tombstones=frozenset())
    return admission.photo_id(content, original=admission.original(content), subject=subject)


@pytest.mark.parametrize("rule", PhotoIdRule)
def test_one_photo_of_two_subjects_is_two_photos(rule):
    known = Pseudonyms(b"a secret of a lake", photo_id_rule=rule)
    ids = {id_of(known, b"x", each) for each in (None, "anna", "bert")}
    assert len(ids) == 3
    assert all(len(each) == 64 for each in ids)


def test_nobody_can_calculate_the_id_of_a_photo_without_the_key():
    """But in a lake of format 4, whose photos keep their ids when they are sent again."""
    secrets = (b"the secret of one", b"the secret of two")
    lakes = [Pseudonyms(each, photo_id_rule=rule) for rule in PhotoIdRule for each in secrets]
    ids = [id_of(each, b"x", "anna") for each in lakes]
    plain, *others = dict.fromkeys(ids)
    assert plain == hashlib.sha256(b"annax").hexdigest()
    assert ids[:2] == [plain, plain]
    assert ids[2] == KeyedHash(hmac.digest(secrets[0], b"photo", "sha256"))(b"annax")
    assert len({*others, lakes[0].originals(b"annax")}) == 5


def test_a_film_is_refused_unread(tmp_path):
    [film] = arrivals(101)
    row = read_one(Landing(str(tmp_path)), film, max_bytes=100, admission=OPEN)
    assert (row["reason"], row["detail"]) == ("too_large", "over photos.max_bytes (100)")


@pytest.mark.parametrize("year", [-400, 10_000, 300_000])
def test_a_time_that_no_table_can_hold_is_a_reason_to_refuse_an_object(tmp_path, year):
    (tmp_path / "a.jpg").write_bytes(b"x")
    modified_ns = (year - 1970) * 31_556_952 * 1_000_000_000
    [arrived] = [
        arrival(LandingObject("a.jpg", 1, modified_ns), position=0, pseudonyms=KEYS),
    ]
    row = read_one(Landing(str(tmp_path)), arrived, max_bytes=100, admission=OPEN)
    assert (row["reason"], row["uploaded_at"]) == ("impossible_time", None)
    assert pa.RecordBatch.from_pylist([row], to_arrow_schema(ARRIVED)).num_rows == 1


def test_the_day_in_the_name_of_a_persons_file_is_kept_and_the_name_is_not(tmp_path):
    path = "subject=anna/IMG-20260501-WA0003.jpg"
    (tmp_path / "subject=anna").mkdir()
    file = tmp_path / path
    file.write_bytes(b"x")
    listed = LandingObject(path, 1, file.stat().st_mtime_ns)
    arrived = arrival(listed, position=0, pseudonyms=KEYS)
    row = read_one(Landing(str(tmp_path)), arrived, max_bytes=100, admission=OPEN)
    assert row["taken_on"] == date(2026, 5, 1)
    assert "20260501" not in row["path"]


def test_of_an_object_that_is_not_read_not_even_the_day_in_its_name_is_kept(tmp_path):
    listed = LandingObject("subject=anna/IMG-20260501-WA0003.jpg", 101, 1)
    arrived = arrival(listed, position=0, pseudonyms=KEYS)
    for each in (arrived, arrived.tombstoned()):
        row = read_one(Landing(str(tmp_path)), each, max_bytes=100, admission=OPEN)
        assert (row["reason"] is None, row["taken_on"]) == (False, None)


def test_what_is_gone_gives_no_row(tmp_path):
    [gone] = arrivals(1)
    assert read_one(Landing(str(tmp_path)), gone, max_bytes=100, admission=OPEN) is None


@pytest.fixture(scope="module")
def chunk():
    """Position, photo and reason of a chunk: two pairs of equal photos, one held before, one rejected."""
    rows = [
        (0, "a", None),
        (1, "b", None),
        (2, "a", None),
        (3, "held", None),
        (4, None, "empty"),
        (5, None, "empty"),
        (6, None, "tombstoned"),
    ]
    values = [
        {"position": p, "object": f"o{p}", "etag": "e", "photo_id": i, "reason": r, "path": "p"}
        for p, i, r in rows
    ]
    arrived = pa.Table.from_pylist(values, to_arrow_schema(ARRIVED))
    return arrived, outcomes(arrived, {"held", "other"}).to_pylist()


def test_versions_that_the_lake_knows_are_not_new_and_unreadable_ones_are_tried_again(tmp_path):
    found = arrivals(1, 2, 3, 4)
    known = [
        (found[0], found[0].landing.etag),
        (found[2], f"{UNREADABLE}{found[2].landing.etag}"),
        (found[3], "another etag"),
    ]
    rows = [{"object": a.key, "etag": etag, "outcome": "stored"} for a, etag in known]
    with small_lake(tmp_path, {catalog.OBJECTS: rows}) as lake:
        others = unseen(listed_rows(found), lake.known_keys, told_by(found))
        nothing = unseen(listed_rows([]), lake.known_keys, told_by([]))
    assert others.new["object"].to_pylist() == [found[1].key, found[3].key]
    assert others.tried["object"].to_pylist() == [found[2].key]
    assert (nothing.new.num_rows, nothing.tried.num_rows, nothing.told_otherwise) == (0, 0, 0)


def test_the_first_of_equal_photos_is_stored(chunk):
    _, found = chunk
    by_position = {row["position"]: row["outcome"] for row in found}
    assert by_position == {
        0: "stored",
        1: "stored",
        2: "duplicate",
        3: "duplicate",
        4: "rejected",
        5: "rejected",
        6: "tombstoned",
    }


def test_photos_and_rejected_follow_the_outcomes(spark, chunk):
    arrived, found = chunk
    repeated = [row["position"] for row in found if row["outcome"] == "duplicate"]
    kept = photos(spark.createDataFrame(arrived, ARRIVED), repeated)
    assert sorted(row["photo_id"] for row in kept.collect()) == ["a", "b"]
    assert [row["object"] for row in rejected(arrived)] == ["o4", "o5"]


def test_rows_with_and_without_bytes_keep_their_order():
    """However many wait for the process that cleans: it gets several at once."""
    kinds = [b"GIF8", None, "gone", b"", None, None, b"%PDF-", *[b"BM"] * 20, None]
    rows = [
        None if kind == "gone" else {"position": n, "content": kind, "reason": "x"}
        for n, kind in enumerate(kinds)
    ]
    found = list(cleaned_rows(iter(rows), LIMITS))
    assert [row["position"] for row in found] == [n for n, row in enumerate(rows) if row]
    for row in found:
        reasons = {None: "x", b"": "empty"}
        assert row["reason"] == reasons.get(kinds[row["position"]], "not_a_photo")


def test_no_path_stands_in_a_query_plan(spark, tmp_path, monkeypatch):
    (tmp_path / "subject=canary").mkdir()
    (tmp_path / "subject=canary" / "canary.jpg").write_bytes(b"x")
    plans = []
    kind = type(spark.range(0))
    gathered = kind.toArrow

    def told(frame):
        plans.append(frame._jdf.queryExecution().toString())
        return gathered(frame)

    monkeypatch.setattr(kind, "toArrow", told)
    found = arrived(spark, Landing(str(tmp_path)), tmp_path)
    assert found.facts["reason"].to_pylist() == ["not_a_photo"]
    [plan] = plans
    assert "MapInArrow" in plan
    assert "canary" not in plan


def arrived(spark, landing, root, *, settings=()):
    """What workers make of all that lies in a landing folder."""
    objects = enumerate(landing.objects())
    into = WorkerFiles(LocalFolder(str(root / "lake")), "cleaned", "r", 1, WHEN)
    return read_objects(
        spark,
        landing,
        [arrival(each, position=n, pseudonyms=KEYS) for n, each in objects],
        into=into,
        chunks=Settings.load("local", environment={}, overrides=settings).chunks,
        limits=PHOTOS.model_copy(update={"max_bytes": 100_000}),
        admission=OPEN,
        count=lambda n: None,
    )


def test_photos_are_written_once_and_the_facts_say_where_each_stands(spark, tmp_path):
    for n in range(5):
        Image.new("RGB", (40 + n, 40)).save(tmp_path / f"{n}.jpg")
    (tmp_path / "2a.jpg").write_bytes(b"none")
    landing = Landing(str(tmp_path))
    paths = {arrival(o, position=0, pseudonyms=KEYS).key: o.path for o in landing.objects()}
    found = arrived(spark, landing, tmp_path, settings=["chunks.task_photos=2"])
    files = {file.name: pq.read_table(tmp_path / "lake" / file.name) for file in found.photos.files}
    assert sum(file.rows for file in found.photos.files) == 5
    for name, rows in files.items():
        assert rows.schema.names == list(catalog.PHOTOS.column_names), name
    told = {row["object"]: row for row in found.facts.to_pylist()}
    assert "content" not in found.facts.column_names
    for key, row in told.items():
        if paths[key] == "2a.jpg":
            assert (row["file"], row["row"], row["reason"]) == (None, None, "not_a_photo")
            continue
        stored = files[row["file"]].slice(row["row"], 1).to_pylist()[0]
        assert stored["photo_id"] == row["photo_id"]
        assert stored["width"] == 40 + int(paths[key][0])
        assert (stored["run_id"], stored["chunk"], stored["ingested_at"]) == ("r", 1, WHEN)


def test_a_worker_reads_as_many_objects_at_once_as_the_landing_folder_says(spark, tmp_path):
    for n in range(8):  # each of at most four tasks gets them in pairs
        (tmp_path / f"{n}.jpg").write_bytes(b"x")
    landing = SimultaneousLanding(str(tmp_path))
    found = arrived(spark, landing, tmp_path, settings=["chunks.task_photos=2"]).facts
    assert sorted(found["position"].to_pylist()) == list(range(8))
    assert set(found["reason"].to_pylist()) == {"not_a_photo"}


def test_an_uncertain_subjects_object_is_rejected_unread_and_nothing_of_its_path_is_kept(tmp_path):
    """It isn't even there: an object that were opened would be gone."""
    path = "user=anna/label=anna/anna.jpg"
    found = arrival(LandingObject(path, 7, 1), position=0, pseudonyms=KEYS)
    row = read_one(Landing(str(tmp_path)), found, max_bytes=100, admission=OPEN)
    assert row["reason"] == "uncertain_subject"
    [kept] = rejected(pa.Table.from_pylist([row], to_arrow_schema(ARRIVED)))
    assert (kept["path"], kept["subject"], kept["object"]) == ("", None, KEYS.path(path))
    assert "anna" not in str([row, kept])
    rows = pa.Table.from_pylist([row], to_arrow_schema(ARRIVED))
    assert [each["outcome"] for each in outcomes(rows, set()).to_pylist()] == ["rejected"]


@pytest.mark.parametrize("spelled", ["Subject=anna", "subject=anna/subject=", "subject%3Danna"])
@pytest.mark.parametrize("version", NameRuleVersion)
def test_an_erased_subject_stays_out_in_any_spelling_of_the_folder(spelled, version):
    """Also in a lake of format 4, which would take the object for one without a subject."""
    known = Pseudonyms(KEYS.secret, NameRule(version))
    erased = frozenset([known.tombstone(known.subject("anna"))])
    found = [
        arrival(LandingObject(f"{folder}/1.jpg", 1, 1), position=0, pseudonyms=known)
        for folder in (spelled, spelled.replace("anna", "bert"))
    ]
    barred = map(marker(known, erased), found)
    assert [each.is_tombstoned for each in barred] == [True, False]


def test_an_arrival_has_the_tombstones_of_its_subjects_erased_photos_alone(monkeypatch):
    """They are made once for each name, and for nobody, however many photos arrive under it."""
    asked = []
    make = Pseudonyms.subject_tombstones
    monkeypatch.setattr(
        Pseudonyms, "subject_tombstones", lambda *given: (asked.append(1), make(*given))[1]
    )
    anna, bert = KEYS.subject("anna"), KEYS.subject("bert")
    erased = {KEYS.subjects_photo_tombstone(anna, each) for each in ("one", "two")}
    erased |= {KEYS.subjects_photo_tombstone(bert, "three"), KEYS.tombstone("four")}
    folders = ["subject=anna", "Subject=an%6Ea", "subject=bert", "subject=carl", "kiwi"]
    found = [
        arrival(LandingObject(f"{folder}/{n}.jpg", 1, 1), position=n, pseudonyms=KEYS)
        for folder in folders
        for n in range(3)
    ]
    barred = list(map(marker(KEYS, frozenset(erased)), found))
    annas, berts = {KEYS.tombstone("one"), KEYS.tombstone("two")}, {KEYS.tombstone("three")}
    expected = [each for each in (annas, annas, berts, set(), set()) for _ in range(3)]
    assert [each.erased_photos for each in barred] == expected
    assert [each.landing for each in barred] == [each.landing for each in found]
    assert not any(each.is_tombstoned for each in barred)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("subject", "content", "reason"),
    [
        ("erased", b"other", "tombstoned"),
        (None, b"erased", "tombstoned"),
        (None, b"other", "not_a_photo"),
        ("another", b"erased", "not_a_photo"),
        ("chooser", b"chosen", "tombstoned"),
        ("chooser", b"other", "not_a_photo"),
        ("chooser", b"erased", "not_a_photo"),
        ("another", b"chosen", "not_a_photo"),
        (None, b"chosen", "not_a_photo"),
    ],
)
def test_what_tombstones_keep_out_leaves_nothing(tmp_path, subject, content, reason):
    """An erased subject's objects are not even opened; erased bytes are refused without a subject alone, and
    those of one photo of a subject from that subject alone."""
    known = KEYS.originals(b"erased")
    chosen = KEYS.subject("chooser"), KEYS.originals(b"chosen")
    erased = frozenset(map(KEYS.tombstone, (known, KEYS.subject("erased"))))
    erased |= {KEYS.subjects_photo_tombstone(*chosen)}
    name = f"subject={subject}/kiwi.jpg" if subject else "kiwi.jpg"
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    landing = Landing(str(tmp_path))
    [arrived] = [arrival(o, position=0, pseudonyms=KEYS) for o in landing.objects()]
    arrived = marker(KEYS, erased)(arrived)
    if subject == "erased":
        (tmp_path / name).unlink()
    admission = Admission.of(KEYS, tombstones=erased)
    [row] = cleaned_rows([read_one(landing, arrived, max_bytes=100, admission=admission)], LIMITS)
    assert row["reason"] == reason
    if reason == "tombstoned":
        kept = {name: value for name, value in row.items() if value is not None}
        assert set(kept) == {
            "position",
            "object",
            "etag",
            "path",
            "uploaded_at",
            "size_bytes",
            "reason",
        } | ({"subject"} if subject == "chooser" else set())
        assert (kept["path"], kept["object"]) == ("", KEYS.path(name))
