"""What an audit finds is what an erasure removes: each kind of trace alone, for a person and for one photo.

Without Spark: what an erasure removes is what its own steps select.
"""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from bronze.bronze_layer import ARRIVED
from bronze.landing import LandingObject, arrival
from conf.errors import BadInput
from lake import catalog, delta_rs_reader
from lake.chunks import ChunkPlan, ChunkState
from lake.enums import BRONZE, SILVER, ErasureState
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.run_journal import Run
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.local_folder import LocalFolder
from lake.storage.locate import folder
from privacy import photo_removal, tombstones
from privacy.audit.auditor import Auditor, photo_named
from privacy.audit.place_search import HASHED, MAY_LACK_COPIES
from privacy.audit.table_findings import LANDED, STAGED, AuditQuestion, HoldingStatus
from privacy.erasure import erase, landing_objects, request_journal
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_data import SubjectData
from privacy.erasure.subject_matcher import SubjectMatcher
from privacy.owned_rows import hashes
from silver.staged_embeddings import EMBEDDED
from tests.support.photo_tables import AFTER, BEFORE, WEIGHTS, write
from tests.support.small_lake import small_lake

KEYS = Pseudonyms(b"0123456789abcdef")
BYTES, OTHERS, KEPT = (
    b"the bytes of anna's photo",
    b"another photo",
    b"the bytes as bronze keeps them",
)
ANNA, BERT = KEYS.subject("anna"), KEYS.subject("bert")


def id_of(content, subject):
    """The photo_id of bytes that a subject sent, or nobody."""
    return KEYS.photo_ids.of(content, original=KEYS.originals(content), subject=subject)


PHOTO = id_of(BYTES, ANNA)
BERTS = id_of(BYTES, BERT)
COPY = id_of(BYTES, None)
OTHER = id_of(OTHERS, None)
QUESTIONS = {"subject": {"subject": "anna"}, "photo": {"photo": PHOTO}}


def photo(photo_id, subject, *, content=BYTES):
    """A row of bronze/photos, or of what bronze has staged."""
    hashed = {"original": KEYS.originals(content), "content": KEPT if content is BYTES else content}
    return {"photo_id": photo_id, "subject": subject, "path": "x", "ingested_at": BEFORE} | hashed


HERS = {catalog.PHOTOS: [photo(PHOTO, ANNA)]}
"""Her photo, by which copies of it are known."""

ROWS = {
    "a photo": (HERS, {"bronze/photos": 1}),
    "a copy": (
        {catalog.PHOTOS: [photo(PHOTO, ANNA), photo(COPY, None)]},
        {"bronze/photos": 2},
    ),
    "an object": (
        HERS | {catalog.OBJECTS: [{"object": "a", "subject": ANNA, "photo_id": PHOTO}]},
        {"bronze/photos": 1, "bronze/objects": 1},
    ),
    "an object of a copy": (
        {
            catalog.PHOTOS: [photo(PHOTO, ANNA), photo(COPY, None)],
            catalog.OBJECTS: [{"object": "a", "photo_id": COPY}],
        },
        {"bronze/photos": 2, "bronze/objects": 1},
    ),
    "others": (
        {
            catalog.PHOTOS: [photo(BERTS, BERT), photo(OTHER, None, content=OTHERS)],
            catalog.OBJECTS: [{"object": "a", "subject": BERT, "photo_id": BERTS}],
            catalog.REJECTED: [{"object": "a", "subject": BERT}],
            catalog.EMBEDDINGS: [{"photo_id": BERTS, "subject": BERT, "weights_id": WEIGHTS}],
        },
        {},
    ),
} | {
    f"{table.name}, {whose}": (
        {catalog.PHOTOS: [photo(PHOTO, ANNA), photo(COPY, None)], table: [row]},
        {"bronze/photos": 2, table.name: 1},
    )
    for table in (catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.FEATURES, catalog.HELD_OUT)
    for whose, row in {
        "hers": {"photo_id": PHOTO, "subject": ANNA},
        "a copy's": {"photo_id": COPY},
    }.items()
}
"""Rows of tables by what they are, and how many of each table are hers and her photo's."""

BY_SUBJECT = {
    "a rejected file": (
        {catalog.REJECTED: [{"object": "a", "subject": ANNA, "rejected_at": BEFORE}]},
        {"bronze/rejected": 1},
    ),
    "an object that is no photo": (
        {catalog.OBJECTS: [{"object": "a", "subject": ANNA, "outcome": "rejected"}]},
        {"bronze/objects": 1},
    ),
}
"""Rows that are hers, and no photo's."""

FILES = {
    "her own": ("subject=anna/1.jpg", BYTES, {"subject", "photo"}),
    "her own, as bronze keeps it": ("subject=anna/1.jpg", KEPT, {"subject", "photo"}),
    "her other photo": ("subject=anna/1.jpg", OTHERS, {"subject"}),
    "a copy of nobody's": ("kiwi/1.jpg", BYTES, {"subject", "photo"}),
    "a copy as bronze keeps it": ("kiwi/1.jpg", KEPT, {"subject", "photo"}),
    "the same bytes of somebody else": ("subject=bert/1.jpg", BYTES, set()),
    "another photo of nobody's": ("kiwi/1.jpg", OTHERS, set()),
    "nobody knows whose": ("user=anna/1.jpg", BYTES, set()),
}
"""Landing objects: the path, the bytes, and the questions to which each belongs."""


@pytest.fixture
def made(tmp_path):
    """Makes a lake with some rows, and what is staged by layer and part, and files in its landing folder."""

    def make(rows, *, staged=(), landed=(), state=ChunkState.STAGED):
        landing = tmp_path / "landing"
        for path, content in landed:
            (landing / path).parent.mkdir(parents=True, exist_ok=True)
            (landing / path).write_bytes(content)
        landing.mkdir(exist_ok=True)
        root = tmp_path / "lake"
        with small_lake(root, rows) as lake:
            for layer, part, some in staged:
                [chunk] = lake.ledger.plan([ChunkPlan(layer=layer, weights_id=WEIGHTS)])
                lake.staging.write_rows(chunk, part, pa.Table.from_pylist(some))
                if state is not ChunkState.PLANNED:
                    lake.ledger.reached(chunk, state)
        return SimpleNamespace(root=root, landing=landing)

    return make


def audited(place, **question):
    """The findings of an audit, by table or place."""
    auditor = Auditor(folder(str(place.root)), KEYS, str(place.landing))
    return {each.table: each for each in auditor.answer(AuditQuestion(**question)).findings}


def held(place, **question):
    """What an audit says is held: the number of rows by table or place."""
    found = audited(place, **question)
    is_held = {name for name, each in found.items() if each.status is HoldingStatus.HELD}
    counts = {name: each.rows for name, each in found.items() if each.rows}
    assert is_held == counts.keys()
    return counts


def removed(place, *, subject=None, photo=None, of=()):
    """What the steps of an erasure select: the number of rows by table, with landing objects."""
    lake = Lake(
        lambda: pytest.fail("Spark was started"), folder(str(place.root)), Run.begin("digest")
    )
    if photo:
        data = SubjectData.of_photo(lake, photo)
    else:
        data = SubjectData.of(lake, KEYS, pseudonym=KEYS.subject(subject))
    tombstone = KEYS.tombstone(photo or KEYS.subject(subject))
    made = tombstones.of_photos(KEYS, of, with_subjects=bool(photo))
    holding = frozenset([tombstone, *made])
    search = SubjectMatcher(KEYS, tombstone, data.photo_ids, holding, of_photo=bool(photo))
    landed = landing_objects.count(str(place.landing), search, KnownObjects.of(lake, search))
    staged = len(photo_removal.staged_with(lake, data.keys("photo_id")))
    counts = {**data.rows(), LANDED: landed, STAGED: staged}
    return {name: count for name, count in counts.items() if count}


HASHES = {(ANNA, KEYS.originals(BYTES)), (ANNA, KEYS.originals(KEPT))}
"""Of what an erasure of her or of her photo makes tombstones, beside her own or the photo's."""


def test_the_hashes_of_photos_stand_behind_their_subjects():
    rows = [photo(PHOTO, ANNA), photo(OTHER, None, content=OTHERS), photo(None, BERT)]
    rows[2]["content"] = None
    batch = pa.RecordBatch.from_pylist([{name: row[name] for name in HASHED} for row in rows])
    others = (None, KEYS.originals(OTHERS))
    found = HASHES | {others, (BERT, KEYS.originals(BYTES))}
    assert hashes(batch, KEYS.originals) == found
    made = tombstones.of_photos(KEYS, HASHES | {others}, with_subjects=True)
    pairs = {KEYS.subjects_photo_tombstone(*each) for each in HASHES}
    of_bytes = {KEYS.tombstone(each) for _, each in HASHES | {others}}
    assert made == dict.fromkeys(pairs, "subjects_photo") | dict.fromkeys(of_bytes, "photo")
    made = tombstones.of_photos(KEYS, HASHES | {others}, with_subjects=False)
    assert made == dict.fromkeys(of_bytes, "photo")


@pytest.mark.parametrize("asked", QUESTIONS)
@pytest.mark.parametrize("what", ROWS)
def test_rows_of_tables(made, what, asked):
    rows, expected = ROWS[what]
    place = made(rows)
    assert held(place, **QUESTIONS[asked]) == expected
    assert removed(place, **QUESTIONS[asked]) == expected


@pytest.mark.parametrize("what", BY_SUBJECT)
def test_rows_that_are_of_no_photo(made, what):
    rows, expected = BY_SUBJECT[what]
    place = made(rows)
    assert held(place, subject="anna") == removed(place, subject="anna") == expected
    assert held(place, photo=PHOTO) == removed(place, photo=PHOTO) == {}


@pytest.mark.parametrize("asked", QUESTIONS)
@pytest.mark.parametrize("what", FILES)
def test_objects_of_the_landing_folder(made, what, asked):
    path, content, belongs_to = FILES[what]
    place = made(HERS, landed=[(path, content)])
    expected = {"bronze/photos": 1} | ({LANDED: 1} if asked in belongs_to else {})
    assert held(place, **QUESTIONS[asked]) == expected
    assert removed(place, **QUESTIONS[asked], of=HASHES) == expected


@pytest.mark.parametrize("asked", QUESTIONS)
@pytest.mark.parametrize("what", FILES)
def test_objects_that_bronze_knows(made, monkeypatch, what, asked):
    """Those of other photos are not read again."""
    path, content, belongs_to = FILES[what]
    place = made({}, landed=[(path, content)])
    [stored] = (each for each in folder(str(place.landing)).stored() if each.has_content)
    listed = LandingObject(path, stored.size, stored.modified_ns, stored.tag)
    arrived = arrival(listed, position=0, pseudonyms=KEYS)
    photo_id = id_of(content, arrived.subject)
    row = {"object": arrived.key, "etag": listed.etag, "photo_id": photo_id, "outcome": "stored"}
    write(place.root, catalog.OBJECTS, [row | {"subject": arrived.subject}])
    own = photo(PHOTO, ANNA)
    copies = [photo(COPY, None)] if (photo_id, content) == (COPY, BYTES) else []
    write(place.root, catalog.PHOTOS, [own, *copies])
    if photo_id not in (PHOTO, COPY) and arrived.subject != ANNA and not arrived.is_uncertain:
        monkeypatch.setattr(StoredObject, "open", lambda *_: pytest.fail("it was read again"))
    found = held(place, **QUESTIONS[asked])
    assert found == removed(place, **QUESTIONS[asked], of=HASHES)
    is_copy = photo_id in (PHOTO, COPY) and content is BYTES and belongs_to
    is_in_her_folder = asked == "subject" and arrived.subject == ANNA
    assert found.get(LANDED, 0) == int(bool(is_copy or is_in_her_folder))


STAGED_ROWS = {
    "her photo, alone": (BRONZE, ARRIVED, [photo(PHOTO, ANNA)], {}),
    "a copy": (BRONZE, ARRIVED, [photo(COPY, None)], HERS),
    "her embedding": (SILVER, EMBEDDED, [{"photo_id": PHOTO, "weights_id": WEIGHTS}], HERS),
    "a copy's embedding": (
        SILVER,
        EMBEDDED,
        [{"photo_id": COPY, "weights_id": WEIGHTS}],
        {catalog.PHOTOS: [photo(PHOTO, ANNA), photo(COPY, None)]},
    ),
}


@pytest.mark.parametrize("asked", QUESTIONS)
@pytest.mark.parametrize("what", STAGED_ROWS)
def test_staged_rows(made, what, asked):
    layer, part, rows, published = STAGED_ROWS[what]
    others = [photo(BERTS, BERT)] if layer == BRONZE else [{"photo_id": OTHER}]
    place = made(published, staged=[(layer, part, [*rows, *others])])
    found = audited(place, **QUESTIONS[asked])[STAGED]
    assert (found.status, found.rows) == (HoldingStatus.HELD, 1)
    assert found.photos == [rows[0]["photo_id"]]
    if layer == SILVER:  # what bronze has staged is published before an erasure looks
        assert removed(place, **QUESTIONS[asked])[STAGED] == 1


@pytest.mark.parametrize("asked", QUESTIONS)
def test_copies_of_a_staged_photo_are_found(made, asked):
    """In the tables, and in the landing folder, where also the bytes that are staged are known."""
    rows = {catalog.PHOTOS: [photo(COPY, None), photo(BERTS, BERT)]}
    staged = [(BRONZE, ARRIVED, [photo(PHOTO, ANNA)])]
    landed = [("kiwi/1.jpg", BYTES), ("kiwi/2.jpg", KEPT), ("kiwi/3.jpg", OTHERS)]
    place = made(rows, staged=staged, landed=landed)
    assert held(place, **QUESTIONS[asked]) == {STAGED: 1, "bronze/photos": 1, LANDED: 2}


@pytest.mark.parametrize("asked", QUESTIONS)
def test_copies_of_bytes_that_are_staged_alone_are_found(made, asked):
    landed = [("kiwi/1.jpg", BYTES), ("kiwi/2.jpg", KEPT), ("kiwi/3.jpg", OTHERS)]
    place = made({}, staged=[(BRONZE, ARRIVED, [photo(PHOTO, ANNA)])], landed=landed)
    assert held(place, **QUESTIONS[asked]) == {STAGED: 1, LANDED: 2}


def test_a_staged_chunk_that_was_given_up_has_rows_and_makes_no_copies(made):
    rows = {catalog.PHOTOS: [photo(COPY, None)]}
    staged = [(BRONZE, ARRIVED, [photo(PHOTO, ANNA)])]
    place = made(rows, staged=staged, state=ChunkState.PLANNED)
    assert held(place, subject="anna") == {STAGED: 1}
    assert removed(place, subject="anna") == {}


@pytest.mark.parametrize("asked", QUESTIONS)
def test_others_staged_rows_are_not_hers(made, asked):
    rows = [
        photo(BERTS, BERT),
        photo(OTHER, None, content=OTHERS),
        {"photo_id": None, "subject": BERT},
    ]
    place = made(HERS, staged=[(BRONZE, ARRIVED, rows)])
    found = audited(place, **QUESTIONS[asked])[STAGED]
    assert (found.status, found.rows, found.note) == (HoldingStatus.NOT_HELD, 0, "")


def test_a_staged_file_that_is_no_photo_is_the_persons(made):
    row = photo(None, ANNA, content=OTHERS) | {"reason": "not_an_image"}
    place = made({}, staged=[(BRONZE, ARRIVED, [row])])
    assert held(place, subject="anna") == {STAGED: 1}
    assert held(place, photo=PHOTO) == {}


@pytest.mark.parametrize("is_held", [False, True])
def test_what_can_not_be_read_is_not_said_to_be_unheld(made, monkeypatch, is_held):
    staged = [(SILVER, EMBEDDED, [{"photo_id": PHOTO if is_held else OTHER}])] * 2
    paths = ("subject=anna/1.jpg" if is_held else "lime/1.jpg", "kiwi/1.jpg")
    place = made(HERS, staged=staged, landed=[(path, OTHERS) for path in paths])
    broken = max((place.root / "staging").glob("*/*/*.parquet"))
    broken.write_bytes(b"no Parquet file")
    opened = LocalFolder.open

    def closed(self, name, **more):
        if name.startswith("kiwi/"):
            raise PermissionError(13, "Permission denied")
        return opened(self, name, **more)

    monkeypatch.setattr(LocalFolder, "open", closed)
    found = audited(place, subject="anna")
    status = HoldingStatus.HELD if is_held else HoldingStatus.UNKNOWN
    assert [found[name].status for name in (STAGED, LANDED)] == [status, status]
    assert found[STAGED].note == "1 staged files can't be read"
    assert found[LANDED].note == "1 objects or folders in it can't be read, and may be copies"


def test_a_landing_folder_that_is_not_there_is_unknown(made):
    place = made(HERS)
    place.landing.rmdir()
    found = audited(place, subject="anna")[LANDED]
    assert (found.status, found.note) == (HoldingStatus.UNKNOWN, "there is no such folder here")


@pytest.mark.parametrize("is_held", [False, True])
def test_a_folder_that_can_not_be_listed_is_not_said_to_be_unheld(made, monkeypatch, is_held):
    place = made(HERS, landed=[("subject=anna/1.jpg", OTHERS)] if is_held else [])
    listed = LocalFolder.stored

    def stored(self, under="", **more):
        yield from listed(self, under, **more)
        if self.root == str(place.landing):
            yield StoredObject(self, "closed", kind=StoredKind.CLOSED)

    monkeypatch.setattr(LocalFolder, "stored", stored)
    found = audited(place, subject="anna")[LANDED]
    status = HoldingStatus.HELD if is_held else HoldingStatus.UNKNOWN
    assert (found.status, found.rows) == (status, int(is_held))
    assert found.note == "1 objects or folders in it can't be read, and may be copies"


def test_a_landing_folder_that_fails_stops_no_audit(made, monkeypatch):
    place = made(HERS)
    listed = LocalFolder.stored

    def stored(self, under="", **more):
        if self.root == str(place.landing):
            raise PermissionError(13, "Permission denied")
        return listed(self, under, **more)

    monkeypatch.setattr(LocalFolder, "stored", stored)
    found = audited(place, subject="anna")
    assert found["bronze/photos"].status is HoldingStatus.HELD
    assert found[LANDED].status is HoldingStatus.UNKNOWN
    assert found[LANDED].note == "it can't be looked through"


def test_photos_whose_bytes_alone_can_not_be_read_are_known_by_their_hashes(made, monkeypatch):
    place = made(HERS, landed=[("kiwi/1.jpg", BYTES), ("kiwi/2.jpg", KEPT)])
    read = delta_rs_reader.batches

    def batches(table, *, columns, where=None):
        if "content" in columns:
            raise OSError("the pages of that column are damaged")
        return read(table, columns=columns, where=where)

    monkeypatch.setattr(delta_rs_reader, "batches", batches)
    found = audited(place, subject="anna")[LANDED]
    assert (found.rows, found.note) == (1, MAY_LACK_COPIES)


def test_damaged_tables_leave_what_the_landing_folder_holds(made):
    """Where bronze/objects can't be read every object is, and where photos can't be, folders still tell."""
    landed = [("subject=anna/1.jpg", OTHERS), ("kiwi/1.jpg", BYTES)]
    place = made(HERS | {catalog.OBJECTS: [{"object": "a"}]}, landed=landed)
    for file in (place.root / "bronze/objects").glob("*.parquet"):
        file.write_bytes(b"no Parquet file")
    assert audited(place, subject="anna")[LANDED].rows == 2
    for file in (place.root / "bronze/photos").glob("*.parquet"):
        file.write_bytes(b"no Parquet file")
    found = audited(place, subject="anna")[LANDED]
    assert (found.status, found.rows, found.note) == (HoldingStatus.HELD, 1, MAY_LACK_COPIES)
    (place.landing / "subject=anna/1.jpg").unlink()
    assert audited(place, subject="anna")[LANDED].status is HoldingStatus.UNKNOWN


@pytest.mark.parametrize("question", [{"at": AFTER}, {"table": catalog.PHOTOS, "version": 1}])
def test_the_past_is_told_by_tables_alone(made, question):
    place = made(HERS, landed=[("subject=anna/1.jpg", BYTES)])
    found = audited(place, subject="anna", **question)
    assert not {STAGED, LANDED} & found.keys()


def test_a_copy_is_found_in_a_version_whose_own_photo_has_left(made):
    place = made({catalog.PHOTOS: [photo(PHOTO, ANNA), photo(COPY, None)]})
    DeltaTable(f"{place.root}/{catalog.PHOTOS.name}").delete(f"photo_id = '{PHOTO}'")
    assert held(place, subject="anna") == removed(place, subject="anna") == {}
    then = audited(place, subject="anna", table=catalog.PHOTOS, version=1)
    assert then["bronze/photos"].photos == sorted([PHOTO, COPY])


def test_the_beginning_of_a_staged_photos_id_is_understood(made):
    staged = [(BRONZE, ARRIVED, [photo(PHOTO, ANNA), photo(None, ANNA)])]
    place = made({catalog.OBJECTS: [{"object": "a", "photo_id": BERTS}]}, staged=staged)
    for photo_id in (PHOTO, BERTS):
        assert photo_named(str(place.root), photo_id[:10]) == photo_id
    with pytest.raises(BadInput):
        photo_named(str(place.root), "0000" if PHOTO[:4] != "0000" else "1111")


@pytest.mark.parametrize("is_lifted", [False, True])
def test_an_erased_photo_that_was_sent_again_is_held_and_can_be_erased(made, is_lifted):
    """Its tombstones know it in the landing folder, where they hold; those of other requests don't count."""
    landed = [
        (f"subject={name}/{n}.jpg", each)
        for n, each in enumerate([BYTES, KEPT, OTHERS])
        for name in ("anna", "bert")
    ]
    place = made({}, landed=[*landed, ("kiwi/1.jpg", BYTES), ("kiwi/2.jpg", OTHERS)])
    tombstone = KEYS.tombstone(PHOTO)
    ends = {"lifted_at": AFTER} if is_lifted else {}
    made_by = {
        "P-1": [
            tombstone,
            KEYS.tombstone(KEYS.originals(BYTES)),
            KEYS.subjects_photo_tombstone(ANNA, KEYS.originals(KEPT)),
        ],
        "P-2": [
            KEYS.tombstone(KEYS.originals(OTHERS)),
            KEYS.subjects_photo_tombstone(ANNA, KEYS.originals(OTHERS)),
        ],
    }
    rows = [
        {"tombstone": each, "of": "photo", "request": request, "made_at": BEFORE} | ends
        for request, all_ in made_by.items()
        for each in all_
    ]
    write(place.root, catalog.TOMBSTONES, rows)
    requests = {
        request: ErasureRequest(
            request, ErasureState.CERTIFIED, "immediate", of, "c", BEFORE, entry, of_photo=True
        ).authenticated(KEYS.certificates)
        for entry, (request, of) in enumerate([("P-1", tombstone), ("P-2", "other")], start=1)
    }
    journal = [
        {**vars(each), "state": each.state.value, "photo_ids": []} for each in requests.values()
    ]
    write(place.root, catalog.ERASURES, journal)
    landed = 1 if is_lifted else 3
    assert held(place, photo=PHOTO) == {LANDED: landed}
    auditor = Auditor(folder(str(place.root)), KEYS)
    for question in (AuditQuestion(photo=PHOTO), AuditQuestion(photo=OTHER)):
        erasures = auditor.answer(question).erasures
        assert [each.request for each in erasures] == (["P-1"] if question.photo == PHOTO else [])
    nowhere = id_of(b"a photo that nobody sent", None)
    assert held(place, photo=nowhere) == {}
    assert [has_landed(place, each) for each in (PHOTO, nowhere)] == [True, False]


@pytest.mark.parametrize("path", ["subject=anna/1.jpg", "kiwi/1.jpg"])
def test_a_photo_that_was_not_taken_in_yet_is_held_and_can_be_erased(made, path):
    photo_id = PHOTO if path.startswith("subject") else COPY
    place = made({}, landed=[(path, BYTES), ("kiwi/2.jpg", OTHERS)])
    assert held(place, photo=photo_id) == removed(place, photo=photo_id) == {LANDED: 1}
    assert has_landed(place, photo_id)
    assert not has_landed(place, BERTS)


def has_landed(place, photo_id):
    """Whether an erasure finds a photo in the landing folder of which no row tells."""
    lake = Lake(
        lambda: pytest.fail("Spark was started"), folder(str(place.root)), Run.begin("digest")
    )
    paths = SimpleNamespace(landing=str(place.landing))
    context = SimpleNamespace(
        lake=lake, pseudonyms=KEYS, now=AFTER, settings=SimpleNamespace(paths=paths)
    )
    journal = request_journal.read(lake, KEYS.certificates)
    return erase._has_landed(context, journal, photo_id)
