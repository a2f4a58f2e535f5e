"""`check`: every suite on what the lake holds, or held; what fails is told with exit code 3 and in JUnit."""

import json
import shutil
from xml.etree import ElementTree

import pytest
from delta import DeltaTable
from pyspark.sql import functions as F

from conf.errors import BadInput
from expectations import check_tables, suites
from expectations.suite_views import Views
from lake import catalog
from lake.chunks import Chunk, ChunkState
from lake.enums import REMOVAL, SILVER


def checked(lake, table, **more):
    return check_tables.check(lake, table, views=Views(lake, history_chunks=30), **more)


@pytest.fixture
def spoiled(copied):
    """A lake from which a photo's row went, and in which another row has another model's name."""
    lake = copied.lake
    for table, change in ((catalog.PHOTOS, None), (catalog.EMBEDDINGS, {"extractor": "'other'"})):
        one = lake.read(table).agg(F.min("photo_id")).first()[0]
        target = DeltaTable.forPath(lake.spark, lake.files.uri(table.name))
        if change:
            target.update(F.col("photo_id") == one, change)
        else:
            target.delete(F.col("photo_id") == one)
    return copied


def test_the_samples_pass_every_rule_and_junit_has_each(command, samples_lake, tmp_path):
    words = [
        "--lake",
        samples_lake.files.root,
        "--set",
        f"subjects.key=file:{samples_lake.root}/lake.key",
    ]
    code, printed, errors = command("check", *words, "--junit", "checks.xml")
    assert (code, errors) == (0, "")
    root = ElementTree.parse(tmp_path / "checks.xml").getroot()
    cases = [(c.get("classname"), c.get("name")) for c in root.iter("testcase")]
    assert cases == [
        (suites.name_of(table), suites.identity(expectation))
        for table in suites.TABLES
        for expectation in suites.load(suites.name_of(table)).expectations
    ]
    empty = (
        catalog.KNOWN_KEYS,
        catalog.HELD_OUT,
        catalog.DRIFT,
        catalog.TOMBSTONES,
        catalog.ERASURES,
    )
    skipped = [s.get("name").split(" on ")[0] for s in root if s.get("skipped") != "0"]
    assert skipped == [suites.name_of(table) for table in empty]
    assert all(s.get("failures") == s.get("errors") == "0" for s in root)
    assert list(root.iter("system-err")) == []  # none warned
    for table in suites.TABLES:
        assert table.name in printed


@pytest.mark.usefixtures("no_spark")
def test_a_small_lake_is_checked_without_spark(command, samples_lake):
    lake = ("--lake", str(samples_lake.root / "lake"))
    code, _, err = command("check", *lake)
    assert (code, err) == (0, "")
    version = str(samples_lake.lake.version(catalog.PHOTOS))
    code, _, err = command("check", "--table", "bronze/photos", "--version", version, *lake)
    assert (code, err) == (0, "")


def test_what_fails_is_told_and_the_version_before_passes(command, spoiled, tmp_path):
    words = ["--lake", spoiled.files.root, "--set", f"subjects.key=file:{spoiled.root}/lake.key"]
    code, printed, errors = command("check", *words, "--junit", "checks.xml")
    assert code == 3
    assert "2 critical expectations fail" in errors
    held = spoiled.lake.source(catalog.PHOTOS).count()
    assert f"fails: bronze_photos: rows-as-promised: observed {held}" in printed
    assert "fails: silver_embeddings: extractor-of-model: 1 of " in printed
    root = ElementTree.parse(tmp_path / "checks.xml").getroot()
    failed = {c.get("name") for c in root.iter("testcase") if c.find("failure") is not None}
    assert failed == {"rows-as-promised", "extractor-of-model"}
    assert [s.get("failures") for s in root] == ["1", "1", *["0"] * (len(suites.TABLES) - 2)]
    version = spoiled.lake.version(catalog.PHOTOS) - 1
    assert checked(spoiled.lake, catalog.PHOTOS, version=version).failures == []
    first = checked(spoiled.lake, catalog.PHOTOS, version=0)
    assert {f.action for f in first.findings} == {"passed", "skipped"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--table silver/embedding", "no suite for a table silver/embedding; did you mean silver/"),
        ("--table bronze/photos --version 99", "bronze/photos has the versions 0 to "),
        ("--version 1", "name it with --table"),
        ("--table bronze/photos --version x", "--version x is no number"),
        ("--junit nowhere/checks.xml", "there is no folder nowhere; make it first"),
    ],
)
def test_bad_words_are_refused(command, samples_lake, words, said):
    place = ["--lake", samples_lake.files.root]
    key = ["--set", f"subjects.key=file:{samples_lake.root}/lake.key"]
    code, _, errors = command("check", *words.split(), *place, *key)
    assert (code, errors.count("\n")) == (2, 1)
    assert said in errors


def test_a_suite_that_can_not_be_used_is_an_error_and_the_others_are_judged(samples_lake, tmp_path):
    folder = tmp_path / "suites"
    shutil.copytree(suites.HERE, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    broken = json.loads((folder / "gold_features.json").read_text())
    broken["expectations"][0]["kwargs"]["column"] = "foto_id"
    (folder / "gold_features.json").write_text(json.dumps(broken))
    found = [
        checked(samples_lake.lake, table, folder=folder)
        for table in (catalog.FEATURES, catalog.MODELS)
    ]
    assert "names the column foto_id" in found[0].failures[0]
    assert "did you mean photo_id?" in found[0].failures[0]
    assert found[1].failures == []
    root = ElementTree.fromstring(check_tables.junit(found).split("\n", 1)[1])
    [error] = root.iter("error")
    assert "foto_id" in error.get("message")
    assert [suite.get("errors") for suite in root] == ["1", "0"]


def chunk(number, state, photos, version):
    versions = {catalog.EMBEDDINGS.name: version}
    return Chunk(
        number=number,
        layer=SILVER,
        state=state,
        weights_id="m",
        photos=photos,
        versions=versions,
    )


def test_the_promised_rows_are_those_that_the_journal_tells():
    published = [chunk(1, ChunkState.PUBLISHED, 5, 1), chunk(2, ChunkState.PUBLISHED, 7, 2)]
    told = check_tables.journalled
    table = catalog.EMBEDDINGS
    assert told(published, table, version=2, is_last=True) == 12
    assert told(published, table, version=1, is_last=False) == 5
    assert told(published, table, version=0, is_last=False) == 0
    assert told(published, catalog.MODELS, version=2, is_last=True) is None
    retired = [*published, chunk(3, ChunkState.RETIRED, 9, 3)]
    assert told(retired, table, version=4, is_last=True) == 12
    assert told(retired, table, version=3, is_last=False) is None
    left = [*published, Chunk(number=3, layer=REMOVAL, state=ChunkState.PUBLISHED)]
    assert told(left, table, version=4, is_last=True) == 12
    assert told(left, table, version=1, is_last=False) is None


def test_a_name_that_is_no_table_is_refused():
    with pytest.raises(BadInput, match=r"those with a suite are bronze/photos, silver/embeddings"):
        check_tables.named("zzz")
