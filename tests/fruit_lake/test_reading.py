"""What readers get of a lake, and what they are told where they get nothing.

The lake is the one of format 4 in tests/lakes: its README says what it went through, an erasure too.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

import fruit_lake
from conf.errors import BadInput, FruitLakeError
from gold import model_reader
from lake import catalog, delta_rs_reader, lake_format, small_tables
from tests.support.archives import unpack

ARCHIVE = Path(__file__).parents[1] / "lakes" / "format-4.tar.gz"
CHAMPION = "pca-5d2f1e24-3"


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The lake that earlier code made, as a text."""
    folder = tmp_path_factory.mktemp("format-4")
    unpack(ARCHIVE, folder)
    return str(folder / "lake")


@pytest.fixture
def changed(before, tmp_path):
    """A copy of that lake for a test to change."""
    return shutil.copytree(before, tmp_path / "lake")


def commit(root, table, rows, **options):
    """Appends rows to a table as Spark would: delta-rs can't commit to the tables of that lake."""
    folder = root / table.name
    version = DeltaTable(str(folder)).version() + 1
    file = folder / f"{version}.parquet"
    pq.write_table(small_tables.arrow_rows(table, rows), file, **options)
    now = int(datetime.now(UTC).timestamp() * 1000)
    info = {"timestamp": now, "inCommitTimestamp": now, "operation": "WRITE"}
    add = {"path": file.name, "partitionValues": {}, "dataChange": True}
    add |= {"size": file.stat().st_size, "modificationTime": now}
    entry = folder / "_delta_log" / f"{version:020}.json"
    entry.write_text(f"{json.dumps({'commitInfo': info})}\n{json.dumps({'add': add})}\n")


def ids(rows):
    return set(rows["photo_id"].to_pylist())


def test_features_are_those_of_the_champion(before):
    rows = fruit_lake.features(before)
    assert rows.column_names == ["photo_id", "label", "features", "model_version"]
    assert rows.num_rows == 23
    assert set(rows["model_version"].to_pylist()) == {CHAMPION}
    stored = {
        row["photo_id"]: row["features"]
        for row in delta_rs_reader.rows(before, catalog.FEATURES)
        if row["model_version"] == CHAMPION
    }
    assert (
        dict(zip(*(rows[n].to_pylist() for n in ("photo_id", "features")), strict=True)) == stored
    )
    retired = fruit_lake.features(before, version="pca-5d2f1e24-2")
    assert set(retired["model_version"].to_pylist()) == {"pca-5d2f1e24-2"}


def test_a_model_makes_features_of_embeddings(before):
    pca = fruit_lake.model(Path(before))
    assert pca.version == model_reader.pca(before).version == CHAMPION
    embedded = fruit_lake.embeddings(before, weights_id=pca.weights_id[:6]).sort_by("photo_id")
    assert embedded.column_names[2:] == ["embedding", "extractor", "weights_id"]
    vectors = fruit_lake.matrix(embedded["embedding"])
    assert vectors.shape == (23, 8)
    features = fruit_lake.features(before).sort_by("photo_id")
    assert features["photo_id"] == embedded["photo_id"]
    np.testing.assert_allclose(
        pca.project(vectors), fruit_lake.matrix(features["features"]), atol=1e-5
    )


def test_a_classifier_is_the_champion_or_the_one_that_is_named(before):
    champion = fruit_lake.model(before, "classifier")
    assert champion.version == model_reader.classifier(before).version
    other = fruit_lake.model(before, "classifier", version="classifier-5d2f1e24-2")
    assert other.version == "classifier-5d2f1e24-2"
    known = fruit_lake.models(before)
    told = set(zip(*(known[n].to_pylist() for n in ("kind", "status")), strict=True))
    assert {("pca", "champion"), ("pca", "retired"), ("classifier", "candidate")} <= told
    assert not {"basis", "parameters", "run_id"} & set(known.column_names)


def test_photos_come_with_labels_and_quality_and_without_bytes(before):
    rows = fruit_lake.photos(before)
    assert rows.num_rows == 35
    assert not {"content", "subject", "path", "original"} & set(rows.column_names)
    embedded = fruit_lake.embeddings(before, columns=["photo_id", "brightness", "sharpness"])
    measured = {row["photo_id"]: row for row in embedded.to_pylist()}
    for row in rows.to_pylist():
        expected = measured.get(row["photo_id"], {"brightness": None, "sharpness": None})
        assert row["brightness"] == expected["brightness"]
        assert row["sharpness"] == expected["sharpness"]
    [refused] = [row for row in rows.to_pylist() if row["refused"]]
    assert refused["refused"] == "blank"
    assert refused["sharpness"] is None


def test_a_refusal_that_a_replay_has_ended_is_none(changed):
    """Nor is one of another extractor."""
    [first, second, *_] = sorted(ids(fruit_lake.features(changed)))
    weights = fruit_lake.model(changed).weights_id
    now = datetime.now(UTC)
    rows = [
        {"photo_id": first, "weights_id": weights, "reason": "decoder_timeout", "replayed_at": now},
        {"photo_id": second, "weights_id": "f" * 64, "reason": "blank"},
    ]
    commit(changed, catalog.QUARANTINE, rows)
    photos = fruit_lake.photos(changed, columns=["photo_id", "refused"]).to_pylist()
    assert [row["photo_id"] for row in photos if row["refused"]] not in ([first], [second])
    assert sum(row["refused"] is not None for row in photos) == 1


def test_rows_are_chosen_by_label_and_columns(before):
    kiwis = fruit_lake.photos(before, label="kiwi", columns=["label", "refused", "taken_on"])
    assert kiwis.column_names == ["label", "refused", "taken_on"]
    assert set(kiwis["label"].to_pylist()) == {"kiwi"}
    two = fruit_lake.features(before, label=["kiwi", "apple"], columns="label")
    assert set(two["label"].to_pylist()) == {"kiwi", "apple"}
    assert fruit_lake.embeddings(before, label="none such").num_rows == 0
    assert fruit_lake.features(before, limit=5).num_rows == 5
    assert fruit_lake.photos(before, limit=0).num_rows == 0


def test_a_pseudonym_is_read_only_where_it_is_named(before):
    for read in (fruit_lake.features, fruit_lake.embeddings, fruit_lake.photos):
        assert "subject" not in read(before).column_names
        assert any(read(before, columns=["photo_id", "subject"])["subject"].to_pylist())


def test_bytes_come_in_batches(before):
    wanted = ["content", "photo_id", "label", "brightness"]
    batches = list(fruit_lake.photo_batches(before, columns=wanted, rows=4))
    assert max(batch.num_rows for batch in batches) == 4
    rows = pa.Table.from_batches(batches)
    assert rows.column_names == wanted
    stored = delta_rs_reader.rows(before, catalog.PHOTOS, columns=["photo_id", "content"])
    content = {row["photo_id"]: row["content"] for row in stored}
    assert {row["photo_id"]: row["content"] for row in rows.to_pylist()} == content
    [*lemons] = fruit_lake.photo_batches(before, label="lemon")
    assert {row["label"] for batch in lemons for row in batch.to_pylist()} == {"lemon"}
    unlabelled = fruit_lake.photo_batches(before, label="lemon", columns=["photo_id"])
    of_lemons = [row["photo_id"] for batch in lemons for row in batch.to_pylist()]
    assert [row for batch in unlabelled for row in batch.to_pylist()] == [
        {"photo_id": each} for each in of_lemons
    ]


def test_few_bytes_are_in_memory_at_once(tmp_path):
    """64 photos of half a megabyte each, in one file as Spark writes it: without a dictionary of contents."""
    root = str(tmp_path)
    for table in catalog.TABLES:
        small_tables.create(root, table, {})
    lake_format_of(tmp_path, lake_format.FORMAT)
    contents = (bytes([number]) * 500_000 for number in range(64))
    rows = [{"photo_id": f"{i}", "content": content} for i, content in enumerate(contents)]
    plain = {"use_dictionary": False, "compression": "none", "write_batch_size": 4}
    commit(tmp_path, catalog.PHOTOS, rows, **plain)
    del rows
    held, before, photos = [], pa.total_allocated_bytes(), 0
    for batch in fruit_lake.photo_batches(root, rows=4):
        held.append(pa.total_allocated_bytes() - before)
        photos += batch.num_rows
    assert photos == 64
    assert max(held) < 12_000_000


# At an earlier time


def test_the_last_version_and_the_last_time_are_now(before):
    models = fruit_lake.versions(before, "gold/models").to_pylist()
    for table, read in (
        ("gold/features", fruit_lake.features),
        ("silver/embeddings", fruit_lake.embeddings),
        ("bronze/photos", fruit_lake.photos),
        ("gold/models", fruit_lake.models),
    ):
        known = fruit_lake.versions(before, table).to_pylist()
        assert [each["version"] for each in known] == list(range(len(known)))
        by = "version" if table == "gold/models" else "photo_id"
        now, pinned, then = (
            read(before, at=at).sort_by(by)
            for at in (None, known[-1]["version"], models[-1]["made_at"] + timedelta(hours=2))
        )
        assert now.num_rows > 5
        assert now == pinned == then


def test_earlier_versions_have_the_champion_of_their_time(before):
    second_day = fruit_lake.features(before, at=5)
    assert set(second_day["model_version"].to_pylist()) == {"pca-5d2f1e24-2"}
    assert second_day.num_rows == 17
    assert fruit_lake.model(before, at=6).version == "pca-5d2f1e24-2"
    assert fruit_lake.photos(before, at=5).num_rows == 24
    made = fruit_lake.versions(before, "silver/embeddings").to_pylist()
    moment = made[5]["made_at"] - timedelta(seconds=1)
    for at in (moment, moment.replace(tzinfo=None), moment.isoformat(), 4, np.int64(4)):
        assert fruit_lake.embeddings(before, at=at).num_rows == 17
    assert made[5]["operation"] == "WRITE"
    assert made[5]["run_id"].startswith("2026")


def test_a_date_is_its_end(before):
    last = fruit_lake.versions(before)["made_at"].to_pylist()[-1].date()
    if last < datetime.now(UTC).date():
        assert fruit_lake.features(before, at=last) == fruit_lake.features(before)
        assert fruit_lake.features(before, at=last.isoformat()).num_rows == 23
    with pytest.raises(BadInput, match="no version as early as 2020-01-31T23:59:59"):
        fruit_lake.features(before, at=date(2020, 1, 31))


@pytest.mark.parametrize("state", ["fenced", "logical"])
def test_what_was_erased_since_is_not_read(changed, state):
    """An erasure in mode `deferred` leaves the files of earlier versions until the retention ends."""
    first, second, *_ = sorted(ids(fruit_lake.features(changed)))
    gone = {"gold/features": 8, "silver/embeddings": 6, "bronze/photos": 5}
    row = {"request": "R-2", "state": state, "mode": "deferred", "photo_ids": [first, second]}
    row |= {"entry": 7, "versions_after": gone if state == "logical" else {}}
    commit(changed, catalog.ERASURES, [row])
    for read, at in ((fruit_lake.features, 7), (fruit_lake.embeddings, 5), (fruit_lake.photos, 4)):
        assert not {first, second} & ids(read(changed, at=at)), read
        assert len(ids(read(changed, at=at))) > 10
    [*batches] = fruit_lake.photo_batches(changed, at=4)
    assert not {first, second} & {row["photo_id"] for each in batches for row in each.to_pylist()}
    # A version that came after the rows had gone has them only where the person sent the photos again.
    came_back = {first, second} & ids(fruit_lake.photos(changed))
    assert came_back == ({first, second} if state == "logical" else set())


def test_a_version_whose_files_are_gone_is_refused(before):
    """The erasure of Bruno in mode `immediate` removed them."""
    with pytest.raises(BadInput, match=r"Version 2 of gold/models can't be read any more: files"):
        fruit_lake.features(before, at=1)


def test_a_version_whose_log_is_gone_is_refused(changed):
    DeltaTable(f"{changed}/gold/features").create_checkpoint()
    for entry in sorted((changed / "gold/features/_delta_log").glob("*.json"))[:5]:
        entry.unlink()
    with pytest.raises(
        BadInput, match="Version 3 of gold/features can't be read any more: its log"
    ):
        fruit_lake.features(changed, at=3)
    assert fruit_lake.versions(changed)["version"].to_pylist() == [5, 6, 7]


def test_files_that_go_while_they_are_read_are_told(changed, monkeypatch):
    opened = fruit_lake.photo_batches(changed)
    for path in (changed / "bronze/photos").glob("*.parquet"):
        path.unlink()
    with pytest.raises(BadInput, match=r"Files of bronze/photos were removed while .* read again"):
        list(opened)
    with pytest.raises(BadInput, match="Files of bronze/photos were removed"):
        fruit_lake.photos(changed)


# Refusals


def lake_format_of(root, number):
    (root / lake_format.NAME).write_text(json.dumps({"format": number, "key": ""}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["lable"]}, "no column 'lable'; did you mean label?"),
        ({"columns": ["x1"]}, "no column 'x1'; name some of run_id, chunk, photo_id"),
        ({"columns": []}, "columns must name one column or more"),
        ({"columns": ["label", "label"]}, "each once"),
        ({"limit": -1}, "limit=-1 is below 0"),
        (
            {"version": "pca-9"},
            "There is no pca version pca-9; ",
        ),
        (
            {"weights_id": "0000"},
            "There is no weights_id 0000; /.* has 5d2f1e24",
        ),
        ({"at": 0}, r"as it was at \d{4}-.*, has no pca yet"),
        ({"at": 99}, "gold/features has the versions 0 to 7, but no version 99"),
        ({"at": "yesterday"}, "at='yesterday' is no time; write it as 2026-03-01T12:00:00"),
        ({"at": datetime(2999, 1, 1)}, "is still to come"),
    ],
    ids=str,
)
def test_what_can_not_be_read_is_refused_with_a_sentence(before, options, message):
    with pytest.raises(fruit_lake.BadInput, match=message):
        fruit_lake.features(before, **options)


def test_other_refusals(before, tmp_path):
    with pytest.raises(BadInput, match=f"There is no lake in {tmp_path}/none; name the folder"):
        fruit_lake.photos(tmp_path / "none")
    lake_format_of(tmp_path, 99)
    with pytest.raises(BadInput, match="written by a later version of this product"):
        fruit_lake.embeddings(tmp_path)
    with pytest.raises(BadInput, match=r"photos reads no bytes.*photo_batches"):
        fruit_lake.photos(before, columns=["photo_id", "content"])
    with pytest.raises(BadInput, match="rows=0 is less than 1"):
        fruit_lake.photo_batches(before, rows=0)
    with pytest.raises(BadInput, match="no models of the kind 'svm'; name one of classifier, pca"):
        fruit_lake.model(before, "svm")
    with pytest.raises(BadInput, match=r"no table 'gold/feature'; did you mean gold/features?"):
        fruit_lake.versions(before, "gold/feature")
    assert issubclass(fruit_lake.BadInput, FruitLakeError)


def test_a_lake_without_models_has_photos(tmp_path):
    for table in catalog.TABLES:
        small_tables.create(str(tmp_path), table, {})
    lake_format_of(tmp_path, lake_format.FORMAT)
    commit(tmp_path, catalog.PHOTOS, [{"photo_id": "a", "label": "kiwi"}])
    [row] = fruit_lake.photos(tmp_path).to_pylist()
    assert (row["photo_id"], row["brightness"], row["refused"]) == ("a", None, None)
    assert fruit_lake.embeddings(tmp_path).num_rows == 0
    with pytest.raises(BadInput, match=r"has no pca yet; run.py --layer gold fits one"):
        fruit_lake.features(tmp_path)
    with pytest.raises(BadInput, match=r"has no classifier yet; run.py train fits one"):
        fruit_lake.model(tmp_path, "classifier")


def test_several_extractors_must_be_told_apart(changed):
    models = delta_rs_reader.rows(str(changed), catalog.MODELS)
    other = next(row for row in models if row["version"] == CHAMPION)
    other |= {"version": "pca-ffff-1", "weights_id": "f" * 64}
    extractor = {"version": "other", "kind": "extractor", "weights_id": "f" * 64}
    commit(changed, catalog.MODELS, [extractor | {"status": "converted"}])
    assert fruit_lake.embeddings(changed).num_rows == 23  # of the one that has a champion
    commit(changed, catalog.MODELS, [other])
    with pytest.raises(
        BadInput, match=r"several extractors; name one by weights_id: 5d2f1e24.*, ff"
    ):
        fruit_lake.embeddings(changed)
    with pytest.raises(BadInput, match="no pca single champion"):
        fruit_lake.features(changed)
    assert fruit_lake.embeddings(changed, weights_id="5d2f").num_rows == 23
    with pytest.raises(BadInput, match="several extractors"):
        fruit_lake.photos(changed)
    assert fruit_lake.photos(changed, weights_id="5d2f").num_rows
    assert next(fruit_lake.photo_batches(changed, weights_id="5d2f", columns=["dhash"])).num_rows
    assert fruit_lake.model(changed, weights_id="ffff").version == "pca-ffff-1"


def test_a_lake_in_s3_reads_the_same(before, s3):
    tables = (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.QUARANTINE, catalog.FEATURES)
    tables += (catalog.MODELS, catalog.ERASURES)
    paths = [path for table in tables for path in Path(before, table.name).rglob("*")]
    there = s3.copied(before, [Path(before, lake_format.NAME), *paths])
    for read in (fruit_lake.features, fruit_lake.photos, fruit_lake.models):
        assert read(there) == read(before)
    assert fruit_lake.features(there, at=5) == fruit_lake.features(before, at=5)
    content = [
        pa.Table.from_batches(fruit_lake.photo_batches(root, rows=9)) for root in (there, before)
    ]
    assert content[0].equals(content[1])
    with pytest.raises(BadInput, match="There is no lake in s3://"):
        fruit_lake.features(f"{there}/nothing")
