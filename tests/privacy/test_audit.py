"""What an audit says of a lake with a past: two runs, a removal, a VACUUM, a log that was cut."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from delta import DeltaTable as SparkTable
from deltalake import DeltaTable
from pyspark.sql import functions as F

from conf.errors import BadInput
from gold import embedding_removal
from lake import catalog, secret_places
from lake.samples.sample_photos import write_samples
from lake.storage.local_folder import LocalFolder
from privacy.audit import audit_log
from privacy.audit.auditor import Auditor
from privacy.audit.table_findings import AuditQuestion, HoldingStatus
from privacy.audit.table_history import spans
from tests.support.place import Place

SUBJECT = "amelie"
HELD_IN = ("bronze/objects", "bronze/photos", "silver/embeddings", "gold/features")


def auditor(place):
    held = secret_places.load(place.settings.subjects.key, lake=place.files.root, make=False)
    return Auditor(place.files, held)


def by_table(audit):
    return {found.table: found for found in audit.findings}


def photos_of(place, table=catalog.PHOTOS):
    """The subject's photo ids, by Spark."""
    pseudonym = auditor(place).pseudonyms.subject(SUBJECT)
    rows = place.lake.read(table).where(F.col("subject") == pseudonym).select("photo_id")
    return sorted({row[0] for row in rows.collect()})


class AuditedLake(Place):
    """A lake of two runs and a removal: the subject's photos of the `first` run and `all` of them, a time
    `between` the runs, the photo that is `gone` from silver, and silver's version before that."""

    first: list[str]
    between: datetime
    all: list[str]
    gone: str
    before_removal: int


@pytest.fixture(scope="module")
def lake(samples_lake, tmp_path_factory, spark):
    """The samples' lake after a second run, from whose silver one photo of the subject then went."""
    root = tmp_path_factory.mktemp("audited") / "place"
    shutil.copytree(samples_lake.root, root)
    place = AuditedLake.of(root, spark)
    place.first = photos_of(place)
    place.between = datetime.now(UTC)
    write_samples(place.landing, 90)
    place.run("bronze", "silver")
    place.all = photos_of(place)
    embedded = photos_of(place, catalog.EMBEDDINGS)
    place.gone = next(photo for photo in embedded if photo in place.first)
    place.before_removal = place.lake.version(catalog.EMBEDDINGS)
    with place.writing() as context:
        lake = context.lake
        [weights_id] = lake.source(catalog.EMBEDDINGS).counts("weights_id")
        gone = {weights_id: lake.values("photo_id", [place.gone])}
        embedding_removal.remove_embeddings(lake, gone)
    assert set(place.first) < set(place.all)
    return place


@pytest.fixture
def copied_lake(lake, tmp_path, spark):
    shutil.copytree(lake.root, tmp_path, dirs_exist_ok=True)
    place = AuditedLake.of(tmp_path, spark)
    place.first, place.between, place.all = lake.first, lake.between, lake.all
    place.gone, place.before_removal = lake.gone, lake.before_removal
    return place


def test_now_it_finds_what_the_tables_hold(lake):
    found = by_table(auditor(lake).answer(AuditQuestion(subject=SUBJECT)))
    assert {name for name, each in found.items() if each.status is HoldingStatus.HELD} >= {*HELD_IN}
    assert found["bronze/photos"].photos == lake.all
    assert found["silver/embeddings"].photos == photos_of(lake, catalog.EMBEDDINGS)
    assert lake.gone not in found["silver/embeddings"].photos
    assert found["gold/held_out"].status is HoldingStatus.NOT_HELD
    for table in (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES):
        assert found[table.name].version == lake.lake.version(table)


def test_at_a_time_it_finds_what_was_there_then(lake):
    found = by_table(auditor(lake).answer(AuditQuestion(subject=SUBJECT, at=lake.between)))
    assert found["bronze/photos"].photos == lake.first
    assert lake.gone in found["silver/embeddings"].photos
    assert all(each.since <= lake.between for each in found.values())


def test_before_the_tables_nothing_was_held(lake):
    past = lake.between - timedelta(days=400)
    found = by_table(auditor(lake).answer(AuditQuestion(subject=SUBJECT, at=past)))
    assert {each.status for each in found.values()} == {HoldingStatus.NOT_HELD}
    assert all(each.note.startswith("the table was made at 20") for each in found.values())


def test_at_a_version_it_finds_what_that_held(lake):
    ask = auditor(lake)
    before = AuditQuestion(subject=SUBJECT, table=catalog.EMBEDDINGS, version=lake.before_removal)
    [found] = ask.answer(before).findings
    assert found.status is HoldingStatus.HELD
    assert lake.gone in found.photos
    made = AuditQuestion(subject=SUBJECT, table=catalog.EMBEDDINGS, version=0)
    [found] = ask.answer(made).findings
    assert found.status is HoldingStatus.NOT_HELD


def test_it_says_who_wrote_which_models_saw_and_what_gates_found(lake):
    answer = auditor(lake).answer(AuditQuestion(subject=SUBJECT))
    found = by_table(answer)["bronze/photos"]
    runs = {row["run_id"] for row in lake.lake.records(catalog.RUNS)}
    assert len(found.written_by) == 2
    assert {commit.written_by["run_id"] for commit in found.written_by} <= runs
    assert all(commit.written_by["code_revision"] for commit in found.written_by)
    models = lake.lake.records(catalog.MODELS)
    assert sorted(each.split(" ")[0] for each in answer.models) == sorted(
        m["version"] for m in models
    )
    suites = {line.split(", ")[1].split(":")[0] for line in answer.gates}
    assert suites == {"bronze_photos", "silver_embeddings", "gold_features"} | (
        {"gold_models"} & suites
    )


def test_over_the_history_it_tells_when_rows_came_and_left(lake):
    answer = auditor(lake).answer(AuditQuestion(photo=lake.gone, history=True))
    found = by_table(answer)
    [span] = found["bronze/photos"].spans
    assert (span.rows, span.left) == (1, None)
    [span] = found["silver/embeddings"].spans
    assert span.came.version <= lake.before_removal < span.left.version
    assert span.left.operation == "MERGE"
    assert found["silver/embeddings"].status is HoldingStatus.NOT_HELD
    assert "bronze/rejected" not in found


def test_a_version_whose_files_are_gone_is_out_of_retention_and_not_unheld(copied_lake):
    place = copied_lake
    check = "spark.databricks.delta.retentionDurationCheck.enabled"
    place.spark.conf.set(check, "false")
    SparkTable.forPath(place.spark, place.files.uri(catalog.EMBEDDINGS.name)).vacuum(0)
    place.spark.conf.unset(check)
    ask = auditor(place)
    before = AuditQuestion(photo=place.gone, table=catalog.EMBEDDINGS, version=place.before_removal)
    [found] = ask.answer(before).findings
    assert found.status is HoldingStatus.OUT_OF_RETENTION
    assert "files are gone" in found.note
    [ever] = [f for f in ask.answer(AuditQuestion(photo=place.gone, history=True)).findings
              if f.table == "silver/embeddings"]  # fmt: skip
    assert ever.status is HoldingStatus.OUT_OF_RETENTION
    now = by_table(ask.answer(AuditQuestion(photo=place.gone)))
    assert now["silver/embeddings"].status is HoldingStatus.NOT_HELD
    assert now["bronze/photos"].status is HoldingStatus.HELD


def test_beyond_the_log_rows_tell_by_their_own_times(copied_lake):
    """The log keeps its entries for some time only; what a checkpoint holds goes on."""
    place = copied_lake
    for table in (catalog.PHOTOS, catalog.FEATURES):
        folder = Path(place.files.uri(table.name))
        last = DeltaTable(str(folder)).version()
        DeltaTable(str(folder)).create_checkpoint()
        for entry in (folder / "_delta_log").glob("*.json"):
            if int(entry.stem) < last:
                entry.unlink()
    ask = auditor(place)
    now = by_table(ask.answer(AuditQuestion(subject=SUBJECT)))
    assert now["bronze/photos"].photos == place.all
    then = by_table(ask.answer(AuditQuestion(subject=SUBJECT, at=place.between)))
    assert then["bronze/photos"].status is HoldingStatus.HELD
    assert then["bronze/photos"].photos == place.first
    assert "by the rows' own times (ingested_at)" in then["bronze/photos"].note
    assert then["gold/features"].status is HoldingStatus.OUT_OF_RETENTION
    long_ago = AuditQuestion(subject=SUBJECT, at=place.between - timedelta(days=400))
    assert by_table(ask.answer(long_ago))["bronze/photos"].status is HoldingStatus.OUT_OF_RETENTION
    old = AuditQuestion(subject=SUBJECT, table=catalog.PHOTOS, version=0)
    [found] = ask.answer(old).findings
    assert found.status is HoldingStatus.OUT_OF_RETENTION


def test_a_subject_that_was_never_seen_is_held_nowhere(lake):
    answer = auditor(lake).answer(AuditQuestion(subject="nobody"))
    assert {found.status for found in answer.findings} == {HoldingStatus.NOT_HELD}
    assert answer.models == answer.gates == []


def test_the_command_shows_writes_and_records_it(lake, command, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    place = ("--lake", lake.files.root)
    code, shown, told = command("audit", "--subject", SUBJECT, "--json", "answer.json", *place)
    assert (code, told) == (0, "")
    for photo in lake.all:
        assert f"photo {photo[:12]}\n" in shown
    assert "UTC" in shown
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["question"]["subject"] == SUBJECT
    assert answer["asked_at"].endswith("+00:00")
    [held] = [found for found in answer["findings"] if found["table"] == "bronze/photos"]
    assert (held["status"], held["photos"]) == ("HELD", lake.all)
    [*_, record] = sorted(Path(lake.files.uri(audit_log.FOLDER)).glob("*.json"))
    kept = record.read_text()
    assert json.loads(kept)["answer"]["bronze/photos"] == f"HELD ({len(lake.all)})"
    assert record.name in shown
    pseudonym = auditor(lake).pseudonyms.subject(SUBJECT)
    assert not any(word in kept for word in (SUBJECT, pseudonym, *lake.all))


def test_the_beginning_of_a_photo_id_is_understood(lake, command):
    place, photo = ("--lake", lake.files.root), lake.all[0]
    shown = command("audit", "--photo", photo[:12], *place)[1]
    assert f"photo {photo}, now" in shown  # what was understood, in full
    one_digit_else = ("0" if photo[11] != "0" else "1").join((photo[:11], ""))
    code, _, told = command("audit", "--photo", one_digit_else, *place)
    assert (code, f"did you mean {photo[:12]}?" in told) == (2, True)
    never = command("audit", "--photo", "f" * 64, *place)
    assert never[0] == 0


def test_an_audit_takes_no_lease_and_changes_no_table(lake, command):
    with lake.writing() as context:
        before = {table.name: context.lake.version(table) for table in catalog.TABLES}
        assert command("audit", "--subject", SUBJECT, "--lake", lake.files.root)[0] == 0
        assert {table.name: context.lake.version(table) for table in catalog.TABLES} == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "audit needs --subject S or --photo ID; for example"),
        (("--photo", "ab"), 2, "--photo ab is no photo_id: give its 64 hex digits, or the first 4 or more."),
        (("--subject", "x", "--at", "soon"), 2, "--at soon is no time; write it as 2026-03-01T12:00"),
        (("--subject", "x", "--at", "2999-01-01"), 2, "2999-01-01 23:59:59 UTC lies in the future"),
        (("--subject", "x", "--version", "3"), 2, "--version 3: write it as TABLE=N, such as"),
        (("--subject", "x", "--version", "silver/embedding=1"), 2, "did you mean silver/embeddings?"),
        (("--subject", "x", "--version", "bronze/photos=99"), 2, "but no version 99"),
        (("--subject", "x", "--at", "2026-01-01", "--history"), 2, "don't go together"),
        (("--subject", "x", "--json", "no/where.json"), 2, "--json no/where.json can't be written"),
        (("--subject", "x", "--set", "subjects.key=env:NONE"), 2, "variable NONE is not set"),
        (("--subject", "x", "--set", "subjects.key=env:OTHER"), 5, "made with another key"),
    ],
)  # fmt: skip
def test_what_can_not_be_answered_is_said(lake, command, monkeypatch, words, code, said):
    monkeypatch.setenv("OTHER", "another secret of enough bytes")
    found, _, told = command("audit", *words, "--lake", lake.files.root)
    assert found == code
    assert said in told
    assert told.count("\n") == 1


def test_a_time_is_utc_unless_it_says_otherwise_and_a_date_is_its_end():
    from cli.commands.audit import _parsed_time as parsed

    assert parsed("2026-03-01T12:00:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parsed("2026-03-01T12:00:00+02:00") == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert parsed("2026-03-01") == datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({}, []),
        ({0: "", 1: "a", 2: "a"}, [("a", 1, None)]),
        ({0: "a", 3: "", 4: "a"}, [("a", 0, 0), ("a", 4, None)]),
        ({5: "ab", 6: "b", 7: ""}, [("a", 5, 5), ("b", 5, 6)]),
    ],
)
def test_spans_are_the_stretches_of_versions_that_held_a_thing(held, expected):
    assert list(spans({version: frozenset(what) for version, what in held.items()})) == expected


def test_an_audit_that_can_not_be_recorded_is_said(lake, monkeypatch):
    answer = auditor(lake).answer(AuditQuestion(subject="nobody"))

    class Unwritable(LocalFolder):
        def write(self, name, content):
            raise PermissionError(13, "Permission denied")

    with pytest.raises(BadInput, match=r"can't be recorded in .*Permission denied"):
        audit_log.record(Unwritable(lake.files.root), answer, pseudonyms=auditor(lake).pseudonyms)
