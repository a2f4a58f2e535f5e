"""The main job on generated samples: what it leaves, what a second run does, and that nothing is lost."""

import io
import os
import re

import numpy as np
import pytest
from PIL import Image, ImageOps
from pyspark.sql import functions as F

from cli.output import run_tables, status_lines
from conf.errors import Inconsistent
from gold.model_versions import champion
from lake import catalog
from lake.run_clock import RunClock
from lake.samples.sample_photos import PEOPLE, write_samples
from report.lake_counts import sums
from silver.pixels import RefusalReason

EXIF_ORIENTATION = 0x0112
WITHOUT_ROWS = (
    catalog.KNOWN_KEYS,
    catalog.DRIFT,
    catalog.HELD_OUT,
    catalog.TOMBSTONES,
    catalog.ERASURES,
)


def versions(place):
    return {table.name: place.lake.version(table) for table in catalog.TABLES}


def test_every_layer_says_what_it_took_in_kept_and_refused(samples_lake):
    bronze, silver, gold = (samples_lake.did[layer] for layer in ("bronze", "silver", "gold"))
    assert bronze.counts["in"] >= 60
    assert (
        bronze.counts["in"]
        == bronze.counts["kept"] + bronze.counts["rejected"] + (bronze.counts["duplicate"])
    )
    assert {"empty", "not_a_photo"} <= bronze.reasons.keys()
    assert silver.counts["in"] == bronze.counts["kept"]
    assert silver.counts["in"] == silver.counts["kept"] + silver.counts["quarantined"]
    assert {
        RefusalReason.TRUNCATED,
        RefusalReason.TOO_SMALL,
        RefusalReason.BLANK,
    } == silver.reasons.keys()
    assert gold.counts["kept"] == silver.counts["kept"]
    assert re.match(r"pca-\w{8}-1 fitted \(first\): 20 components explain", gold.notes[0])


def test_every_table_has_rows_and_the_columns_of_the_catalogue(samples_lake):
    lake = samples_lake.lake
    for table in catalog.TABLES:
        frame = lake.read(table)
        assert frame.schema.names == table.schema.names
        assert frame.count() > 0 or table in WITHOUT_ROWS, table.name


def test_every_commit_names_its_run_chunk_layer_and_code(samples_lake):
    from delta import DeltaTable

    lake = samples_lake.lake
    for table in catalog.TABLES:
        history = DeltaTable.forPath(lake.spark, lake.files.uri(table.name)).history()
        commits = history.where("operation in ('WRITE', 'MERGE')").collect()
        assert commits or table in WITHOUT_ROWS
        for commit in commits:
            for key in ("run_id", "chunk", "layer", "code_revision", "settings_hash"):
                assert f'"{key}"' in commit["userMetadata"], table.name


def test_readers_see_one_row_a_grain(samples_lake):
    lake = samples_lake.lake
    for table, key in [
        (catalog.PHOTOS, ["photo_id"]),
        (catalog.OBJECTS, ["object", "etag"]),
        (catalog.EMBEDDINGS, ["photo_id", "weights_id"]),
        (catalog.QUARANTINE, ["photo_id", "weights_id"]),
        (catalog.FEATURES, ["photo_id", "model_version"]),
        (catalog.MODELS, ["version"]),
        (catalog.MOMENTS, ["weights_id"]),
    ]:
        frame = lake.read(table)
        assert frame.count() == frame.select(key).distinct().count(), table.name


def test_pixels_are_those_that_were_sent_and_no_metadata_is_left(samples_lake):
    originals = {}
    for path in samples_lake.landing.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            originals.setdefault(len(content), []).append(content)
    markers = [b"http://ns.adobe.com", b"adobe:ns:meta", b"fruit app", b"SN0"]
    markers += [text.encode() for person in PEOPLE for text in (person.name, person.model)]
    sent = b"".join(content for held in originals.values() for content in held)
    assert all(marker in sent for marker in markers)
    rows = samples_lake.lake.records(catalog.PHOTOS)
    for row in rows:
        stored = bytes(row["content"])
        assert not any(marker in stored for marker in markers)
        try:
            image = Image.open(io.BytesIO(stored))
            upright = np.asarray(ImageOps.exif_transpose(image))
        except OSError:
            continue  # truncated: silver refuses it
        assert set(image.getexif()) <= {EXIF_ORIENTATION}
        assert any(
            np.array_equal(upright, np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(o)))))
            for o in originals[row["size_bytes"]]
            if is_image(o)
        )


def is_image(content):
    try:
        Image.open(io.BytesIO(content)).load()
    except OSError:
        return False
    return True


def test_no_subject_is_left_in_clear(samples_lake):
    """Neither in a table, nor in any file under the lake: names of subjects and of their files."""
    names = {p.name for p in samples_lake.landing.iterdir() if p.name.startswith("subject=")}
    canaries = [name.removeprefix("subject=").encode() for name in names]
    canaries += [p.name.encode() for p in samples_lake.landing.glob("subject=*/**/*.*")]
    assert len(names) >= 3
    lake = samples_lake.lake
    for table in (catalog.PHOTOS, catalog.REJECTED, catalog.OBJECTS, catalog.EMBEDDINGS):
        rows = lake.read(table).drop("content").collect()
        text = repr(rows).encode()
        assert not [c for c in canaries if c in text], table.name
    for path in (samples_lake.root / "lake").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".crc"):
            content = path.read_bytes()
            assert not [c for c in canaries if c in content], path


def test_no_value_that_is_personal_stands_in_a_log(samples_lake):
    rows = samples_lake.lake.records(catalog.PHOTOS, columns=["photo_id", "subject", "path"])
    values = {value.encode() for row in rows for value in row.values() if value}
    logs = list((samples_lake.root / "lake").glob("*/*/_delta_log/*"))
    assert len(logs) > 20
    for log in filter(os.path.isfile, logs):
        content = log.read_bytes()
        assert not [v for v in values if v in content], log


@pytest.mark.usefixtures("no_spark")
def test_a_run_that_finds_nothing_new_starts_no_spark(copied):
    assert all(layer.counts == {} for layer in copied.run().values())


def test_the_same_command_again_finds_nothing_new(copied):
    before = versions(copied)
    did = copied.run()
    after = versions(copied)
    assert all(layer.counts.get("in", 0) == 0 for layer in did.values())
    assert {n for n in after if after[n] != before[n]} == {"ops/runs"}
    run = copied.lake.run
    run_tables.summary(copied.console, list(did.values()), run=run, clock=RunClock())
    assert "Nothing new: only the journal ops/runs was written." in copied.screen


def test_ten_more_photos_are_ten_photos_more(copied):
    held = sums(copied.files)
    write_samples(copied.landing, 70)
    did = copied.run()
    now = sums(copied.files)
    assert did["bronze"].counts["in"] == now.objects - held.objects >= 10
    assert did["silver"].counts["in"] == did["bronze"].counts["kept"]
    assert did["gold"].counts["in"] == did["silver"].counts["kept"]
    assert "-1 kept: its 20 components" in did["gold"].notes[0]
    assert now.disagreements() == []


def test_growth_brings_a_new_version_and_the_old_features_stay(copied):
    write_samples(copied.landing, 70)
    did = copied.set("refit.growth=0.05").run()
    lake = copied.lake
    old, new = lake.read(catalog.MODELS).where("kind = 'pca'").orderBy("version").collect()
    assert (old["status"], new["status"]) == ("retired", "champion")
    assert (new["reason"], new["supersedes"]) == ("growth", old["version"])
    assert old["run_id"] != new["run_id"]
    by_version = lake.read(catalog.FEATURES).groupBy("model_version").count().collect()
    counts = {row[0]: row[1] for row in by_version}
    embedded = lake.source(catalog.EMBEDDINGS).count()
    assert counts == {old["version"]: embedded, new["version"]: embedded}
    assert did["gold"].counts["in"] == did["silver"].counts["kept"] + embedded


def test_features_are_the_champions_projection_of_the_embeddings(samples_lake):
    lake = samples_lake.lake
    embeddings = lake.read(catalog.EMBEDDINGS).orderBy("photo_id").collect()
    held = champion(lake.records(catalog.MODELS), weights_id=embeddings[0]["weights_id"])
    features = lake.read(catalog.FEATURES).orderBy("photo_id").collect()
    expected = held.pca.project(np.array([row["embedding"] for row in embeddings], np.float32))
    np.testing.assert_allclose([row["features"] for row in features], expected, rtol=1e-6)


def test_delta_rs_reads_every_table(samples_lake):
    deltalake = pytest.importorskip("deltalake")
    lake = samples_lake.lake
    for table in catalog.TABLES:
        read = deltalake.DeltaTable(lake.files.uri(table.name)).to_pyarrow_table()
        assert read.num_rows == lake.read(table).count(), table.name


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (catalog.PHOTOS, "bronze/objects: stored, and rows in bronze/photos"),
        (catalog.REJECTED, "bronze/objects: rejected, and rows in bronze/rejected"),
        (catalog.EMBEDDINGS, "embedded, quarantined and waiting are"),
        (catalog.QUARANTINE, "embedded, quarantined and waiting are"),
        (catalog.FEATURES, "features are there"),
    ],
)
def test_status_notices_a_row_that_went(copied, table, said):
    from delta import DeltaTable

    lake = copied.lake
    status_lines.show(copied.console, lake.files, copied.settings)
    assert "The sums agree: good" in copied.screen
    key = "object" if table is catalog.REJECTED else "photo_id"
    one = lake.read(table).agg(F.min(key)).first()[0]
    DeltaTable.forPath(lake.spark, lake.files.uri(table.name)).delete(F.col(key) == one)
    with pytest.raises(Inconsistent, match=said):
        status_lines.show(copied.console, lake.files, copied.settings)
