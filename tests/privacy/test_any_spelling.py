"""Whole audits and erasures on a lake of names as they come: every spelling of a name is one person, and no
part of a name stands in anything that runs leave behind.

The landing paths are drawn by `SEED`, which stands in the output of a test that fails.
"""

import gzip
import io
import os
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import run
from bronze.landing import LandingObject, arrival
from lake import catalog, delta_rs_reader, lake_format
from lake.storage.folder import StoredKind
from lake.storage.locate import folder
from page import server
from page.question_queue import QuestionQueue
from privacy import near_names
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus
from privacy.erasure.file_search import FileSearch
from privacy.erasure.name_forms import NameForms
from privacy.erasure.subject_matcher import SubjectMatcher
from report import html_report
from report.report_facts import ReportFacts
from tests.support.canary import jpeg, places, written
from tests.support.hidden_text import FORMS
from tests.support.place import Place
from tests.support.spelled_paths import CANARY, canary_paths, people

SEED = 24
FOLDED = ("subjects.case=folded",)
PERSONS = people(SEED, folds_case=True)
CASES = range(len(PERSONS))
ERASED = (0, 6, 11)
"""Those of `PERSONS` who are erased: of NFC and NFD, of Greek, and with a byte that is no UTF-8."""

WORDS = re.compile(r"[^\W_]{4,}")
USUAL = ("UTF-8, NFC", "UTF-8, NFD", "percent", "JSON", "repr of bytes")


@pytest.fixture(autouse=True)
def seed():
    """The seed, in the output of a test that fails."""
    print(f"SEED = {SEED}")


def called(place, *words):
    """The exit code of a command on the place, and what it printed on both streams."""
    printed = io.StringIO()
    own = ("--lake", place.settings.paths.lake, "--landing", place.settings.paths.landing)
    with redirect_stdout(printed), redirect_stderr(printed):
        code = run.main([*words, *own])
    return code, printed.getvalue()


def land(root, path, content):
    """Puts a file into a landing folder. The path is text, or bytes."""
    file = Path(root, os.fsdecode(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


class SpelledLake(Place):
    """A lake of all persons' and of the canary's paths: what its runs `said`, by the form of the log, and
    what lay in the landing folder `before` an erasure, by path."""

    said: dict[str, str]
    before: dict[str, bytes | None]


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, spark):
    """The photos of all persons, and files of the canary's, of which a few are photos. A run took the first,
    with the screen of a terminal, and the second run took the rest, with a log in JSON."""
    place = SpelledLake.of(tmp_path_factory.mktemp("spelled") / "place", spark, *FOLDED)
    place.landing.mkdir(parents=True)
    photos = iter(range(1_000))
    for person in PERSONS:
        for path in person.paths:
            land(place.landing, path, jpeg(next(photos), marker="photo"))
    files = canary_paths(SEED)
    first, later = files[::2], files[1::2]
    place.said = {}
    for form, some, layer in (("text", first, "all"), ("json", later, "bronze")):
        for number, path in enumerate(some):
            is_photo = number % 40 == 0
            land(place.landing, path, jpeg(next(photos), marker="p") if is_photo else b"no photo")
        code, said = called(place, "--layer", layer, "--log", form, "--set", *FOLDED)
        assert code == 0, said
        place.said[form] = said
    return place


def known(place):
    return lake_format.pseudonyms_of(place.files, place.settings.subjects)


def answers(place, name):
    """What an audit says of a name, and what stands near it, without what differs between two questions."""
    keys = known(place)
    audit = Auditor(place.files, keys).answer(AuditQuestion(subject=name))
    near = near_names.told(place.files.root, place.settings.paths.landing, name, keys)
    found = [
        (each.table, each.status, each.rows, sorted(each.photos or ())) for each in audit.findings
    ]
    return found, [each.request for each in audit.erasures], near


def landed(place):
    """What lies in the landing folder, by path, and its folders without what they hold."""
    files = {}
    for each in folder(str(place.landing)).stored(folders=True):
        is_folder = each.kind is StoredKind.FOLDER
        files[each.name] = None if is_folder else (place.landing / each.name).read_bytes()
    return files


def is_of(place, path, name):
    """Whether a path is of a person, under the lake's rule."""
    keys = known(place)
    found = arrival(LandingObject(f"{path}/x", 1, 1), position=0, pseudonyms=keys)
    return found.subject == keys.subject(name)


@pytest.mark.parametrize("number", CASES)
def test_audits_by_every_spelling_are_the_same(ingested, number):
    person = PERSONS[number]
    first, *others = [
        answers(ingested, each) for each in (person.name, *person.landed, *person.asked)
    ]
    rows = {table: count for table, _, count, _ in first[0] if count}
    assert rows["bronze/photos"] == rows["bronze/objects"] == len(person.paths)
    assert rows["gold/features"] == len(person.paths)
    assert not first[2]
    for other in others:
        assert other == first


def test_a_person_has_one_pseudonym_and_no_two_have_the_same(ingested):
    keys = known(ingested)
    rows = delta_rs_reader.rows(ingested.files.root, catalog.PHOTOS, columns=["subject"])
    held = {row["subject"] for row in rows}
    assert len({keys.subject(person.name) for person in PERSONS}) == len(PERSONS)
    assert {keys.subject(person.name) for person in PERSONS} <= held


def needles():
    """The parts of the names with at least a few letters, in the forms that texts take in bytes: the canary's
    in all of them, those of others in the usual ones."""
    parts = {part for person in PERSONS for part in WORDS.findall(person.name)}
    parts |= {part.casefold() for part in parts}
    usual = {FORMS[form](part) for part in parts for form in USUAL}
    return {needle for needle in {*written(CANARY), *usual} if len(needle) >= 4}


def unpacked(root):
    """The bytes of each file under a root, which are gzip's."""
    for file in Path(root).rglob("*"):
        if file.is_file() and file.read_bytes()[:2] == b"\x1f\x8b":
            yield gzip.decompress(file.read_bytes())


def test_no_part_of_a_name_stands_under_the_lake(ingested):
    wanted = needles()
    assert places(wanted, ingested.landing)  # the search finds names where they are
    assert places(wanted, ingested.root / "lake") == []
    assert [
        each for each in wanted for text in unpacked(ingested.root / "lake") if each in text
    ] == []


def test_the_search_of_verifications_finds_no_name_under_the_lake(ingested):
    keys = known(ingested)
    nobody = SubjectMatcher(keys, keys.tombstone("nobody"), frozenset(), frozenset())
    for name in (CANARY, *(person.name for person in PERSONS)):
        search = FileSearch(nobody, NameForms(name), deep=name == CANARY)
        for each in ingested.files.stored():
            assert not search.of_name(each.name).mention
            assert not search.of(each).mention, (each.name, ascii(name))


def test_no_part_of_a_name_stands_on_screens_logs_pages_and_reports(ingested):
    facts = ReportFacts.of(ingested.files, ingested.settings, with_pictures=True)
    texts = {"report": html_report.html(facts), **ingested.said}
    texts |= {
        " ".join(words): called(ingested, *words)[1]
        for words in (["status"], ["status", "--json"], ["models"], ["status", "--log", "json"])
    }
    queue = QuestionQueue(ingested.files, ingested.settings)
    with TestClient(server.app(queue), base_url="http://localhost") as client:
        content = {"Content-Type": "image/jpeg"}
        for path in ("/", "/api/about", "/api/scatter"):
            texts[path] = client.get(path).text
        asked = client.post("/api/photos", content=jpeg(0, marker="photo"), headers=content)
        texts["answer"] = asked.text
    assert "gold" in texts["text"]
    assert "run_id" in texts["json"]
    wanted = needles()
    for where, text in texts.items():
        content = text.encode(errors="surrogateescape")
        assert [each for each in wanted if each in content] == [], where


@pytest.fixture(scope="module")
def erased(ingested, tmp_path_factory, spark):
    """The lake after some persons were erased at once, each by a spelling that no folder has, and what lay
    there before."""
    root = tmp_path_factory.mktemp("erased") / "place"
    shutil.copytree(ingested.root, root, symlinks=True)
    place = SpelledLake.of(root, spark, *FOLDED)
    place.before = landed(place)
    for number in ERASED:
        words = ("--subject", PERSONS[number].asked[0], "--request", f"R-{number}")
        code, said = called(place, "erase", *words, "--mode", "immediate")
        assert code == 0, said
        assert "certificate" in said
    return place


@pytest.mark.parametrize("number", ERASED)
def test_an_erasure_by_another_spelling_is_whole(erased, number):
    person = PERSONS[number]
    for name in (person.name, *person.landed, *person.asked):
        found, requests, near = answers(erased, name)
        assert {status for _, status, _, _ in found} <= {
            HoldingStatus.ERASED,
            HoldingStatus.NOT_HELD,
        }
        assert {table: status for table, status, _, _ in found}["bronze/photos"] == "ERASED"
        assert requests == [f"R-{number}"]
        assert not near
    assert [path for path in landed(erased) if is_of(erased, path, person.name)] == []
    code, said = called(erased, "erase", "--verify", f"R-{number}", "--deep")
    assert (code, "nothing of it was found" in said) == (0, True), said


def test_everybody_else_stays(ingested, erased):
    left = landed(erased)
    gone = [PERSONS[number].name for number in ERASED]
    theirs = {
        path: content
        for path, content in erased.before.items()
        if content is not None and not any(is_of(erased, path, name) for name in gone)
    }
    assert {path: content for path, content in left.items() if content is not None} == theirs
    for number in set(CASES) - set(ERASED):
        before, after = (
            # A new PCA version projects all photos once more: rows of gold/features, and no photo.
            [(table, status, photos) for table, status, _, photos in answers(place, name)[0]]
            for place, name in ((ingested, PERSONS[number].name), (erased, PERSONS[number].name))
        )
        assert after == before


@pytest.fixture
def kept(empty_lake, tmp_path, spark):
    """A lake in which case counts, and in its bronze two names that are near one another."""
    shutil.copytree(empty_lake.root, tmp_path, dirs_exist_ok=True)
    place = Place.of(tmp_path, spark)
    for number, name in enumerate(("Quincefeld", "QUINCEFELD", "Zoe\u0301 Rambutan")):
        land(place.landing, f"subject={name}/1.jpg", jpeg(number, marker="photo"))
    assert called(place, "--layer", "bronze")[0] == 0
    return place


def test_where_case_counts_a_name_that_is_near_is_refused_and_nothing_is_changed(kept):
    before, tables = landed(kept), {table: kept.lake.version(table) for table in catalog.TABLES}
    for number, asked in enumerate(
        ("quincefeld", "Quincefeld", "zoé rambutan", "Zoé\u00ad Ram butan")
    ):
        code, said = called(kept, "erase", "--subject", asked, "--request", f"R-{number}")
        assert code == 8, said
    assert landed(kept) == before
    journal = {catalog.RUNS}
    after = {table: kept.lake.version(table) for table in catalog.TABLES}
    assert {table: after[table] for table in tables.keys() - journal} == {
        table: tables[table] for table in tables.keys() - journal
    }
    assert list(Path(kept.files.root).glob("privacy/certificates/*")) == []
    assert answers(kept, "Zo%C3%A9 Rambutan") == answers(kept, "\u202aZoe\u0301 Rambutan\u202c")
