"""How an erased subject is known again in bytes, in paths and in files, without Spark."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bronze.landing import LandingObject, arrival
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import StoredObject
from lake.storage.locate import folder
from lake.subject_names import NameRule
from privacy.erasure import containers, file_search, landing_objects
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_matcher import SubjectMatcher
from tests.support.spelled_paths import people

KEYS = Pseudonyms(b"0123456789abcdef")
ANNA, BERT = KEYS.subject("anna"), KEYS.subject("bert")
PHOTO = "5" * 64
BYTES = b"the bytes of a photo"
WANTED = SubjectMatcher(
    KEYS,
    KEYS.tombstone(ANNA),
    frozenset([PHOTO]),
    frozenset([KEYS.tombstone(KEYS.originals(BYTES)), KEYS.tombstone(ANNA)]),
)
NOTHING = KnownObjects(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (f"…{ANNA}…", "the pseudonym"),
        (f"ab{ANNA}cd", "the pseudonym"),
        (ANNA.upper(), "the pseudonym"),
        (f'"{PHOTO}"', "a photo id"),
        ("landing/subject=anna/x.jpg", "the subject's name"),
        ("subject=anna", "the subject's name"),
        (f"{BERT} subject=bert/ subject=annabel/ anna", None),
        (KEYS.tombstone(ANNA), None),
        ("5" * 63, None),
    ],
)
def test_what_stands_in_bytes(content, what):
    assert WANTED.in_bytes(content.encode()) == what


def stored(path):
    """A file as it is listed."""
    return StoredObject(folder(str(path.parent)), path.name)


def test_ids_are_cut_out_of_a_text_and_the_rest_stays():
    text = f'{{"subject": "{ANNA}", "other": "{BERT}"}}'.encode()
    assert WANTED.redacted(text) == f'{{"subject": "erased", "other": "{BERT}"}}'.encode()


@pytest.fixture
def landing(tmp_path):
    """Anna's objects and folders, one of Bert's within them, and copies of hers without a subject."""
    for name, content in {
        "subject=anna/2026/a.jpg": b"1",
        "subject=anna/subject=bert/b.jpg": BYTES,
        "subject=bert/c.jpg": BYTES,
        "subject=bert/subject=anna/d.jpg": b"2",
        "kiwi/copy.jpg": BYTES,
        "kiwi/known.jpg": b"3",
        "kiwi/other.jpg": b"4",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "subject=anna" / "empty").mkdir()
    os.symlink("nowhere", tmp_path / "subject=anna" / "link")
    return tmp_path


def version_of(path):
    """The key and the etag by which bronze/objects knows a file of the folder `kiwi`."""
    facts = path.stat()
    name = f"kiwi/{path.name}"
    listed = LandingObject(name, facts.st_size, facts.st_mtime_ns)
    return KEYS.path(name), arrival(listed, position=0, pseudonyms=KEYS).landing.etag


def test_a_file_that_was_written_over_a_copy_is_somebody_elses(landing):
    path = landing / "kiwi/known.jpg"
    known = KnownObjects(frozenset([version_of(path)]), frozenset())
    path.write_bytes(b"another photo, as a camera's numbers begin again")
    landing_objects.sweep(str(landing), WANTED, known, check_lease=lambda: None)
    assert path.exists()


def test_a_subjects_objects_go_and_everybody_elses_stay(landing):
    known = KnownObjects(frozenset([version_of(landing / "kiwi/known.jpg")]), frozenset())
    assert landing_objects.count(str(landing), WANTED, known) == 5
    swept = landing_objects.sweep(str(landing), WANTED, known, check_lease=lambda: None)
    left = sorted(str(p.relative_to(landing)) for p in landing.rglob("*") if not p.is_dir())
    assert left == ["kiwi/other.jpg", "subject=anna/subject=bert/b.jpg", "subject=bert/c.jpg"]
    assert swept == []
    assert not (landing / "subject=anna/2026").exists()
    assert not (landing / "subject=bert/subject=anna").exists()
    again = [
        p
        for p in landing_objects.found(str(landing), WANTED, NOTHING)
        if not landing_objects.is_of_others(p)
    ]
    assert again == []


def test_objects_that_bronze_knows_are_read_only_when_all_are(landing):
    path = landing / "kiwi/copy.jpg"
    known = KnownObjects(frozenset(), frozenset([version_of(path)]))
    assert str(path) not in set(map(str, landing_objects.found(str(landing), WANTED, known)))
    assert str(path) in set(map(str, landing_objects.found(str(landing), WANTED, known, deep=True)))
    path.write_bytes(BYTES)
    os.utime(path, ns=(1, 1))
    assert str(path) in set(map(str, landing_objects.found(str(landing), WANTED, known)))


@pytest.mark.parametrize(
    ("columns", "shallow", "deep"),
    [
        ({"photo_id": [PHOTO, "6" * 64]}, "a row of an erased photo", "a row of an erased photo"),
        ({"subject": [None, ANNA]}, "a row of the subject", "a row of the subject"),
        (
            {"original": [KEYS.originals(BYTES)], "subject": pa.array([None], pa.string())},
            "a copy of an erased photo without a subject",
            "a copy of an erased photo without a subject",
        ),
        ({"original": [KEYS.originals(BYTES)], "subject": [BERT]}, None, None),
        ({"content": [BYTES], "subject": [BERT]}, None, None),
        ({"content": [BYTES]}, None, "an erased photo's bytes"),
        ({"content": [b"x" + ANNA.encode()]}, None, "the pseudonym"),
        ({"names": [["of", ANNA]]}, None, "the pseudonym"),
        ({"told": [{"of": PHOTO}]}, None, "a photo id"),
        ({"photo_id": ["6" * 64], "n": [1]}, None, None),
    ],
)
def test_what_stands_in_a_parquet_file(tmp_path, columns, shallow, deep):
    path = tmp_path / "no-ending"
    pq.write_table(pa.table(columns), path, write_statistics=False)
    assert file_search.residue_in(stored(path), WANTED) == shallow
    assert file_search.residue_in(stored(path), WANTED, deep=True) == deep
    path.write_bytes(path.read_bytes()[:-9])
    assert "can't be read" in file_search.residue_in(stored(path), WANTED)


def test_an_id_across_two_blocks_is_found(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_bytes(b"-" * 90 + PHOTO.encode() + b"-" * 90)
    monkeypatch.setattr(containers, "BLOCK", 100)
    assert file_search.residue_in(stored(path), WANTED) == "a photo id"


@pytest.mark.parametrize("folds_case", [False, True], ids=["kept", "folded"])
@pytest.mark.parametrize("seed", range(3))
def test_a_landing_path_in_a_text_is_found_by_every_spelling(seed, folds_case):
    keys = Pseudonyms(KEYS.secret, NameRule(folds_case=folds_case))
    for person in people(seed, folds_case=folds_case):
        tombstone = keys.tombstone(keys.subject(person.name))
        search = SubjectMatcher(keys, tombstone, frozenset(), frozenset())
        for path in person.paths:
            found = search.in_bytes(b"read landing/%s at 07:00" % os.fsencode(path))
            assert found == "the subject's name", ascii(path)
