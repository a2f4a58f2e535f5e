"""Photos that get other labels: in every layer, once, also where a run dies anywhere; conflicts are seen."""

import json
import shutil
from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest
from PIL import Image

from bronze.landing import Landing
from cli.commands.replay import replay_labels
from cli.commands.retain import retain
from cli.step_runner import run_steps
from gold import moments_table
from lake import catalog, delta_rs_reader, metric_names
from lake.chunks import ChunkState
from lake.enums import LABELLING, RESTORE, RETAIN
from privacy.restore import restore
from report.label_conflicts import label_conflicts
from report.lake_counts import sums
from tests.support.bad_photos import picture
from tests.support.kills import Killed, dies
from tests.support.place import Place
from tests.support.table_contents import repeated

LAYERS = (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES)
POINTS = (
    "labelling: planned",
    "labelling: before staged",
    "labelling: staged",
    "labelling: gold/features committed",
    "labelling: silver/embeddings committed",
    "gold: moments pinned again",
    "labelling: gold/moments committed",
    "labelling: bronze/photos committed",
    "labelling: bronze/objects committed",
    "labelling: before published",
    "labelling: published",
)
SETTINGS = ("pca.components=2", "gates.counted_from=20")


@pytest.fixture(scope="module")
def held(empty_lake, tmp_path_factory, spark):
    """A lake of five kiwis, a lemon and a blank kiwi, which silver refuses."""
    root = tmp_path_factory.mktemp("labels") / "place"
    shutil.copytree(empty_lake.root, root)
    place = Place.of(root, spark, *SETTINGS)
    for kind in ("Kiwi", "Lemon", "Lime"):
        (place.landing / kind).mkdir()
    for n in range(5):
        picture((48 + 4 * n, 48)).save(place.landing / "Kiwi" / f"{n}.png")
    picture((80, 80)).save(place.landing / "Lemon" / "lemon.png")
    Image.new("RGB", (64, 64), "white").save(place.landing / "Kiwi" / "blank.png")
    place.run()
    assert labels(place, catalog.QUARANTINE) == ["Kiwi"]
    return place


@pytest.fixture
def place(held, tmp_path, spark):
    shutil.copytree(held.root, tmp_path, dirs_exist_ok=True)
    return Place.of(tmp_path, spark, *SETTINGS)


def labels(place, table):
    return sorted(row["label"] or "" for row in place.lake.records(table, columns=["label"]))


def without_labels(place, table):
    """What a table holds, but for labels, and who wrote each row."""
    names = [name for name in table.column_names if name != "label"]
    return sorted(map(repr, place.lake.records(table, columns=names)))


def move(place, name, to="Lime"):
    (place.landing / "Kiwi" / name).rename(place.landing / to / name)


def both(place, name, to="Lime"):
    shutil.copy2(place.landing / "Kiwi" / name, place.landing / to / name)


def test_where_no_embedding_changes_no_moments_are_written(place):
    """Also where the moments are pinned to an older version, because embeddings wait: the photo that gets
    another label was refused by silver."""
    picture((90, 80)).save(place.landing / "Lemon" / "another.png")
    place.set("refit.growth=9").run()
    [pinned] = place.lake.records(catalog.MOMENTS, columns=["table_version"])
    assert pinned["table_version"] < place.lake.version(catalog.EMBEDDINGS)
    version = place.lake.version(catalog.MOMENTS)
    move(place, "blank.png")
    place.set("refit.growth=9").run()
    assert labels(place, catalog.QUARANTINE) == ["Lime"]
    assert place.lake.version(catalog.MOMENTS) == version


def agrees(place):
    """The sums agree, nothing is there twice, and the moments are those of silver's rows."""
    assert sums(place.files).disagreements() == []
    assert repeated(place.lake) == {}
    [row] = place.lake.records(catalog.MOMENTS)
    stored = moments_table.stored(place.lake, row["weights_id"])
    assert moments_table.match_silver(place.lake, stored, weights_id=row["weights_id"])


def test_a_photo_that_was_moved_gets_its_label_in_every_layer_wherever_runs_die(place):
    untouched = {table: without_labels(place, table) for table in LAYERS}
    before = {table: place.lake.version(table) for table in LAYERS}
    moments = place.lake.records(catalog.MOMENTS)[0]["gram"]
    move(place, "0.png")
    move(place, "blank.png")
    for point in POINTS:
        with dies(point), pytest.raises(Killed, match=point):
            place.run()
        place.bury()
    did = place.run()["bronze"]
    assert did.counts.get("in", 0) == 0
    for table, count in zip(LAYERS, (2, 1, 1), strict=True):
        assert labels(place, table).count("Lime") == count, table.name
        assert without_labels(place, table) == untouched[table]
        then = delta_rs_reader.delta_table(place.files.root, table, version=before[table])
        assert "Lime" not in delta_rs_reader.read(then, columns=["label"])["label"].to_pylist()
    assert labels(place, catalog.QUARANTINE) == ["Lime"]
    assert place.lake.records(catalog.MOMENTS)[0]["gram"] == moments
    chunks = place.lake.ledger.chunks().values()
    [chunk] = [c for c in chunks if c.layer == LABELLING and c.state is ChunkState.PUBLISHED]
    assert chunk.photos == 2
    agrees(place)
    versions = {table: place.lake.version(table) for table in catalog.TABLES if not table.is_small}
    assert place.run()["bronze"].notes == []
    assert {table: place.lake.version(table) for table in versions} == versions


def test_a_run_that_relabels_tells_of_it(place):
    move(place, "0.png")
    move(place, "1.png")
    did = place.run("bronze")["bronze"]
    assert did.counts["relabelled"] == 2
    assert did.notes == [
        "2 photos have another label or split now, in every layer, as their objects in the landing folder "
        "tell: Kiwi → Lime (2)."
    ]
    assert did.measured[metric_names.LABEL_CONFLICTS] == 0


def test_the_same_bytes_under_two_labels_are_a_conflict_until_one_is_gone(place, command):
    both(place, "0.png")
    both(place, "1.png", to="Lemon")
    both(place, "1.png", to="Lime")
    did = place.run()["bronze"]
    assert did.measured[metric_names.LABEL_CONFLICTS] == 2
    assert "2 photos lie in the landing folder with more than one label" in did.notes[-1]
    assert set(labels(place, catalog.PHOTOS)) == {"Kiwi", "Lemon"}
    words = ["--landing", "landing", "--lake", "lake"]
    code, out, _ = command("status", "--conflicts", "--json", *words)
    told = [(each["label"], [o["path"] for o in each["objects"]]) for each in json.loads(out)]
    first, second = ["Kiwi/0.png", "Lime/0.png"], ["Kiwi/1.png", "Lemon/1.png", "Lime/1.png"]
    assert (code, told) == (0, [("Kiwi", first), ("Kiwi", second)])
    code, out, _ = command("status", "--conflicts", *words)
    assert code == 0
    assert "Lemon/1.png" in out
    assert "Remove the objects whose label is wrong" in out
    code, out, _ = command("status", *words)
    assert code == 0
    assert "2 photos lie in the landing folder with more than one label" in out
    code, out, _ = command("check", "--table", "bronze/objects", *words)
    assert code == 0
    assert "5 of 10 rows lie in the landing folder with the same bytes and several labels" in out
    command("report", "--out", "report.html", *words)
    page = (place.root / "report.html").read_text()
    assert "Photos with more than one label" in page
    assert "Kiwi; Lemon; Lime" in page

    (place.landing / "Lime" / "0.png").unlink()  # Kiwi stays
    (place.landing / "Kiwi" / "1.png").unlink()  # two are left
    did = place.run("bronze")["bronze"]
    [left] = label_conflicts(place.files.root)
    assert (left.label, left.told) == ("Kiwi", ["Lemon", "Lime"])
    assert "Lime" not in labels(place, catalog.PHOTOS)
    (place.landing / "Lemon" / "1.png").unlink()
    place.run("bronze")
    assert label_conflicts(place.files.root) == []
    assert labels(place, catalog.EMBEDDINGS).count("Lime") == 1
    agrees(place)


def test_an_object_that_comes_back_as_it_was_is_a_conflict_again(place):
    both(place, "0.png")
    other, away = place.landing / "Lime" / "0.png", place.root / "away.png"
    place.run("bronze")
    other.rename(away)
    place.run("bronze")
    assert label_conflicts(place.files.root) == []
    away.rename(other)
    did = place.run("bronze")["bronze"]
    assert did.counts.get("in", 0) == 0  # the lake knows this version
    assert len(label_conflicts(place.files.root)) == 1


def test_no_label_changes_while_a_folder_cannot_be_listed(place, monkeypatch):
    move(place, "0.png")
    objects = Landing.objects

    def with_a_closed_folder(self, counts):
        counts.closed_folders += 1
        yield from objects(self, counts)

    monkeypatch.setattr(Landing, "objects", with_a_closed_folder)
    told = (
        "No photo got another label, because 1 folders can't be listed: its object may lie there."
    )
    assert place.run("bronze")["bronze"].notes[-1] == told
    assert replay(place).notes[-1] == told
    assert "Lime" not in labels(place, catalog.PHOTOS)
    monkeypatch.undo()
    place.run("bronze")
    assert labels(place, catalog.PHOTOS).count("Lime") == 1


def replay(place):
    with place.writing() as context:
        [did] = run_steps(context, [("replay", replay_labels)])
    return did


def test_labels_by_other_settings_are_told_and_given_when_asked_for(place):
    assert replay(place).notes == [
        "no photo gets another label: what the settings tell of the objects in the landing folder gives "
        "none."
    ]
    file = place.root / "labels.csv"
    file.write_text("path,label,split\nKiwi/0.png,Lime,Test\nKiwi/1.png,Kiwi,Test\nKiwi/2.png,,\n")
    now = place.set(*SETTINGS, f"labels.source=file:{file}")
    [note] = now.run("bronze")["bronze"].notes
    assert note.startswith(
        "2 objects tell a label, or a split, by the settings or the file of labels"
    )
    assert set(labels(place, catalog.PHOTOS)) == {"Kiwi", "Lemon"}
    for point in (*POINTS[:2], POINTS[3]):
        with dies(point), pytest.raises(Killed, match=point):
            replay(now)
        now.bury()
    replay(now)
    found = {
        row["path"]: (row["label"], row["split"]) for row in place.lake.records(catalog.PHOTOS)
    }
    assert found["Kiwi/0.png"] == ("Lime", "Test")
    assert found["Kiwi/1.png"] == ("Kiwi", "Test")
    assert found["Kiwi/2.png"] == ("Kiwi", None)
    assert labels(place, catalog.EMBEDDINGS).count("Lime") == 1
    assert now.run("bronze")["bronze"].notes == []
    agrees(place)


def test_a_labelling_whose_staged_rows_are_lost_leaves_the_layers_alike(place):
    file = place.root / "labels.csv"
    file.write_text("path,label\nKiwi/0.png,Lime\n")
    now = place.set(*SETTINGS, f"labels.source=file:{file}")
    with dies("labelling: silver/embeddings committed"), pytest.raises(Killed):
        replay(now)
    place.bury()
    assert "Lime" in labels(place, catalog.EMBEDDINGS)
    [staged] = (place.root / "lake" / "staging").iterdir()
    shutil.rmtree(staged / "labels")
    place.run()
    for table in LAYERS:
        assert "Lime" not in labels(place, table), table.name
    assert "1 objects tell a label" in now.run("bronze")["bronze"].notes[0]
    replay(now)
    for table in LAYERS:
        assert labels(place, table).count("Lime") == 1, table.name
    assert sums(place.files).disagreements() == []  # the moments are taken anew with the next refit


def test_a_staged_chunk_with_the_earlier_label_is_made_again(place):
    picture((90, 90)).save(place.landing / "Kiwi" / "new.png")
    with dies("silver: staged"), pytest.raises(Killed):
        place.run()
    place.bury()
    move(place, "new.png")
    place.run()
    for table in LAYERS:
        assert labels(place, table).count("Lime") == 1, table.name
    agrees(place)


def restored(place, table, version):
    with place.writing() as context:
        return restore(context.step(RESTORE), table, version)


@pytest.mark.parametrize("is_by_rule", [False, True])
def test_after_a_restore_layers_agree_and_the_next_run_corrects_labels_again(place, is_by_rule):
    before = {table: place.lake.version(table) for table in LAYERS}
    if is_by_rule:
        file = place.root / "labels.csv"
        file.write_text("path,label\nKiwi/0.png,Lime\n")
        place = place.set(*SETTINGS, f"labels.source=file:{file}")
        replay(place)
    else:
        move(place, "0.png")
        place.run()
    for table in LAYERS[1:]:
        restored(place, table, before[table])
        assert labels(place, table).count("Lime") == 1, table.name  # as bronze has it
    restored(place, catalog.PHOTOS, before[catalog.PHOTOS])
    for table in LAYERS:
        assert "Lime" not in labels(place, table), table.name
    versions = {table: place.lake.version(table) for table in LAYERS}
    restored(place, catalog.PHOTOS, before[catalog.PHOTOS])
    assert {table: place.lake.version(table) for table in LAYERS} == versions
    place.run("bronze")
    for table in LAYERS:
        assert labels(place, table).count("Lime") == 1, table.name
    assert sums(place.files).disagreements() == []


def test_a_photo_that_expires_takes_what_its_objects_told_with_it(place):
    both(place, "0.png")
    place.run("bronze")
    old = place.set(*SETTINGS, "retention.photos=1 day")
    with old.writing() as context:
        retain(context.step(RETAIN, now=datetime(2100, 1, 1, tzinfo=UTC)))
    told = place.lake.batches(
        catalog.OBJECTS,
        columns=["label", "split", "path", "left_at"],
        where=pc.field("outcome") == "expired",
    )
    held = [row for batch in told for row in batch.to_pylist()]
    assert len(held) == 8
    assert not any(any(row.values()) for row in held)
    assert old.run("bronze")["bronze"].notes == []
