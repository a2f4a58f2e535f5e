"""Bad input through the command line: one sentence, the right exit code, and nothing lost."""

import os
import subprocess
import sys
from functools import partial

import pytest
from PIL import Image

import run
from bronze import landing
from lake import catalog
from report.lake_counts import sums
from silver import model_broadcast
from silver.embedding_rows import BroadcastModel
from tests.support import decoder_traps
from tests.support.bad_photos import picture, spoil
from tests.support.landing_folders import ODD_NAMES, ClosedLanding, MovingLanding


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--layer bronz", "There is no layer bronz; did you mean bronze?"),
        (
            "--layer all --set pca.component=3",
            "unknown key pca.component; did you mean pca.components?",
        ),
        ("--layer all --conf none.toml", "there is no such file"),
        ("--layer all --landing absent", "The landing folder absent doesn't exist"),
        ("--layer all --landing . --lake lake", "lie one within the other"),
        ("--layer all --landing here --extractor mobilnet", "mobilnet"),
        ("--layer all --landing here --weights absent.h5", "no such file"),
        ("--layer all --landing here --weights random:x", "the seed must be a whole number"),
        ("--layer all --landing here --lake /proc/lake", "can't be made|can't be written"),
        ("--layer all --landing here --lake gs://bucket/lake", "neither a local folder nor s3://"),
        ("status --lake nowhere", "There is no lake in nowhere"),
        ("--layer all --landing here --set subjects.key=env:NONE", "NONE is not set"),
    ],
)
def test_it_is_refused_in_one_sentence(command, tmp_path, words, said):
    (tmp_path / "here").mkdir()
    code, _, printed = command(*words.split())
    assert code == 2
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert any(part in printed for part in said.split("|"))
    assert "Traceback" not in printed


def test_an_empty_landing_folder_is_said_and_is_no_error(command, tmp_path):
    (tmp_path / "empty").mkdir()
    code, printed, _ = command(*["--layer", "all", "--landing", "empty", "--lake", "lake"])
    assert code == 0
    assert "empty holds no objects: put photos there." in printed


def test_an_error_that_is_not_ours_is_one_sentence_too(command, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.setattr(run, "run_layers", lambda *_: 1 / 0)
    code, _, printed = command("--layer", "all", "--landing", "here", "--lake", "lake")
    assert code == 1
    assert printed.startswith("error: unexpected ZeroDivisionError (division by zero)")
    assert printed.count("\n") == 1


def test_debug_shows_the_traceback(command):
    code, _, printed = command("--layer", "all", "--landing", "absent", "--debug")
    assert code == 2
    assert "Traceback" in printed


def test_without_java_the_command_says_what_to_install(tmp_path):
    """The real command, in a process of its own."""
    (tmp_path / "landing").mkdir()
    words = [
        "--layer",
        "all",
        "--landing",
        str(tmp_path / "landing"),
        "--lake",
        str(tmp_path / "l"),
    ]
    done = subprocess.run(
        [sys.executable, run.__file__, *words],
        env={**os.environ, "JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: Spark needs Java 17 or 21")


def test_bad_photos_are_rows_with_reasons_and_the_rest_goes_on(place):
    refused = spoil(place.landing)
    did = place.run()
    assert did["bronze"].counts["in"] == 14
    assert did["bronze"].reasons | did["silver"].reasons == refused
    assert did["silver"].counts["kept"] == did["gold"].counts["kept"] == 8
    assert sums(place.files).disagreements() == []


def test_a_folder_without_any_photo_goes_through(place):
    for name in ("a.txt", "b.pdf", "c.jpg"):
        (place.landing / name).write_text(f"nothing to see in {name}")
    did = place.run()
    assert did["bronze"].reasons == {"not_a_photo": 3}
    assert did["silver"].counts == did["gold"].counts == {}
    assert sums(place.files).disagreements() == []


def test_photos_of_any_name_go_through(place):
    for number, name in enumerate(ODD_NAMES):
        folder = place.landing / ("subject=a:b" if number % 2 else "[fruit] {a,b}")
        folder.mkdir(exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            picture((64 + number, 64)).save(file, "JPEG")
    did = place.set("landing.passed_over=[]").run("bronze", "silver")
    assert did["silver"].counts["kept"] == len(ODD_NAMES)
    labels = {row["label"] for row in place.lake.records(catalog.PHOTOS)}
    assert labels == {None, "[fruit] {a,b}"}


def test_a_decoder_that_dies_and_one_that_hangs_cost_one_photo_each(place, monkeypatch):
    """In a run of all layers, by photos of two sizes that the workers' decoder fails on."""
    guarded = partial(BroadcastModel, decode=decoder_traps.decode_but_for_sizes)
    monkeypatch.setattr(model_broadcast, "BroadcastModel", guarded)
    for number in range(12):
        picture((64 + number, 64)).save(place.landing / f"{number}.jpg")
    picture(decoder_traps.KILLED_SIZE).save(place.landing / "killed.jpg")
    picture(decoder_traps.HANGING_SIZE).save(place.landing / "hanging.jpg")
    did = place.set("photos.decode_seconds=1").run()
    assert did["silver"].reasons == {"decoder_crashed": 1, "decoder_timeout": 1}
    assert did["silver"].counts["kept"] == did["gold"].counts["kept"] == 12
    refused = place.lake.read(catalog.QUARANTINE).select("photo_id", "stage", "reason")
    sizes = place.lake.read(catalog.PHOTOS).select("photo_id", "width", "height")
    assert {tuple(row)[1:] for row in refused.join(sizes, "photo_id").collect()} == {
        ("decode", "decoder_crashed", *decoder_traps.KILLED_SIZE),
        ("decode", "decoder_timeout", *decoder_traps.HANGING_SIZE),
    }


def test_objects_that_can_not_be_read_are_taken_up_once_they_can(place, monkeypatch):
    monkeypatch.setattr(landing, "Landing", ClosedLanding)
    for name in ("open.jpg", "closed.jpg"):
        picture((64 + len(name), 64)).save(place.landing / name)
    did = place.run("bronze")["bronze"]
    assert (did.counts["kept"], did.reasons) == (1, {"unreadable": 1})
    before = place.lake.version(catalog.OBJECTS)
    did = place.run("bronze")["bronze"]
    assert (
        "1 objects can still not be read: give this process the right to read them" in did.notes[0]
    )
    assert (did.counts, place.lake.version(catalog.OBJECTS)) == ({}, before)
    monkeypatch.undo()
    did = place.run("bronze")["bronze"]
    assert did.counts["kept"] == 1
    held = sums(place.files)
    assert (held.objects, held.photos, held.disagreements()) == (3, 2, [])
    assert place.run("bronze")["bronze"].counts == {}


def test_objects_that_vanish_or_change_are_what_the_next_run_finds(place, monkeypatch):
    names = ("stays.jpg", "vanishes.jpg", "changes.jpg", "new.jpg")
    for number, name in enumerate(names):
        picture((64 + number, 64)).save(place.landing / name)
    with monkeypatch.context() as patch:
        patch.setattr(landing, "Landing", MovingLanding)
        did = place.run("bronze")["bronze"]
    assert (did.counts["in"], did.counts["kept"], did.counts["gone"]) == (1, 1, 3)
    assert "3 objects went, or changed, after they were listed" in did.notes[-1]
    assert place.run("bronze")["bronze"].counts["kept"] == 1  # changes.jpg, as it is now
    picture((80, 64)).save(place.landing / "stays.jpg")
    assert place.run("bronze")["bronze"].counts["kept"] == 1  # the same path, new bytes
    shown = {row["width"] for row in place.lake.records(catalog.PHOTOS, columns=["width"])}
    assert shown == {64, 67, 80}


def test_repeated_bytes_of_one_subject_are_counted_and_not_stored_again(place):
    for folder in ("subject=anna/1", "subject=anna/2", "subject=ben/1"):
        (place.landing / folder).mkdir(parents=True)
        picture().save(place.landing / folder / "a.jpg")
    counts = place.run("bronze")["bronze"].counts
    assert (counts["kept"], counts["duplicate"]) == (2, 1)
    picture().save(place.landing / "subject=anna" / "b.jpg")
    counts = place.run("bronze")["bronze"].counts
    assert (counts["kept"], counts["duplicate"]) == (0, 1)


def test_long_names_and_skewed_clocks_go_through(place):
    """A path of over 1,000 characters; photos from before 1970, and after 2262, where nanoseconds end."""
    deep = place.landing.joinpath(*(letter * 240 for letter in "abcd"))
    deep.mkdir(parents=True)
    for number, (folder, moment) in enumerate(
        [(deep, 1e9), (place.landing, 4e9), (place.landing, -1e9), (place.landing, 1e10)]
    ):
        path = folder / f"{number}{'x' * 100}.jpg"
        picture((64 + number, 64)).save(path)
        os.utime(path, (moment, moment))
    did = place.run("bronze", "silver")
    assert did["silver"].counts["kept"] == 4
    years = {
        row["uploaded_at"].year
        for row in place.lake.records(catalog.PHOTOS, columns=["uploaded_at"])
    }
    assert years == {1938, 2001, 2096, 2286}
    assert place.run("bronze")["bronze"].counts == {}


def test_a_blocked_chunk_stops_the_run_and_goes_on_later(command, tmp_path, place):
    """Two thirds of 30 photos are blank: exit code 3, nothing published; with the bound moved, it is."""
    for number in range(30):
        path = place.landing / f"{number}.png"
        if number % 3:
            Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
        else:
            picture((64 + number, 64)).save(path)
    words = ["--landing", str(place.landing), "--lake", str(tmp_path / "lake")]
    code, _, printed = command("--layer", "all", *words)
    assert code == 3
    assert "20 of 30 photos are refused (20 blank), over gates.refused_share = 0.5" in printed
    lake = place.lake
    assert lake.source(catalog.EMBEDDINGS).count() == lake.source(catalog.QUARANTINE).count() == 0
    held = sums(lake.files)
    assert (held.models[0].waiting, held.disagreements()) == (30, [])
    code, printed, _ = command("status", *words)
    assert code == 0
    assert "30 photos are blocked by a gate" in printed
    code, printed, _ = command("--layer", "all", *words, "--set", "gates.refused_share=0.9")
    assert code == 0
    lake = place.lake
    assert lake.source(catalog.EMBEDDINGS).count() == 10
    assert lake.read(catalog.QUARANTINE).where("reason = 'blank'").count() == 20
    assert "silver chunk" not in printed  # it was not embedded again
