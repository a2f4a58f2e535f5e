"""A chunk whose staged files are lost: what of it is published can be withdrawn, and the next run makes it
again."""

import shutil

import pytest

from bronze import bronze_layer
from bronze.landing import Landing
from conf.errors import BadInput
from lake import catalog
from lake.chunks import ChunkState
from privacy import chunk_withdrawal
from report.lake_counts import sums
from tests.support.bad_photos import picture
from tests.support.kills import Killed, dies
from tests.support.table_contents import repeated

DROP = "run.py replay --chunk 1 --drop, and the next run makes the chunk again"


def test_bronze_goes_on_after_its_staged_files_are_lost(place, command):
    """Before a table has a part of the chunk, and after; commands that remove rows say the way out."""
    words = ("--landing", str(place.landing), "--lake", place.settings.paths.lake)
    for number in range(5):
        picture((64 + number, 64)).save(place.landing / f"{number}.jpg")
    (place.landing / "page.jpg").write_text("I am no photo")
    with dies("bronze: bronze/photos committed"), pytest.raises(Killed):
        place.run("bronze")
    place.bury()
    shutil.rmtree(place.root / "lake/staging")
    (place.landing / "3.jpg").unlink()
    for said in (("--layer", "bronze"), ("retain",), ("erase", "--subject", "a", "--request", "R")):
        code, _, error = command(*said, *words)
        assert (code, DROP in " ".join(error.split())) == (6, True), error
    assert place.lake.source(catalog.PHOTOS).count() == 5
    assert (
        sums(place.files).open_ends[0].startswith("bronze chunk 1 is staged and not published; run")
    )

    with dies("replay: bronze/photos withdrawn"), pytest.raises(Killed), place.writing() as context:
        chunk_withdrawal.drop(context, 1)
    place.bury()
    with place.writing() as context:
        chunk_withdrawal.drop(context, 1)
    assert context.did.notes == [
        "bronze chunk 1 is given up, and withdrawn are no rows; run.py --layer bronze makes it again.",
        "Photos of it that a call before this one withdrew, and that the landing folder has no more, are "
        "lost; send them again.",
    ]
    assert place.lake.ledger.chunks()[1].state is ChunkState.PLANNED
    assert place.lake.source(catalog.PHOTOS).count() == 0

    with dies("bronze: staged"), pytest.raises(Killed):
        place.run("bronze")
    place.bury()
    shutil.rmtree(place.root / "lake/staging")
    (place.landing / "4.jpg").unlink()
    did = place.run("bronze")["bronze"]
    assert did.counts == {"in": 4, "kept": 3, "stored": 3, "rejected": 1}
    assert "was staged, and its files are gone or damaged: it is given up" in did.notes[0]
    assert did.notes[0].endswith(
        "taken again, but for photos that have left the landing folder since: those are lost."
    )
    held = sums(place.files)
    assert (held.photos, held.disagreements()) == (3, [])
    [erasure] = held.open_ends  # it waits for the same command
    assert erasure.startswith("erasure R is not certified: it is requested")
    assert repeated(place.lake) == {}


def test_a_dropped_chunk_tells_what_it_withdraws_and_what_is_lost(place):
    for number in range(3):
        picture((64 + number, 64)).save(place.landing / f"{number}.jpg")
    with dies("bronze: bronze/photos committed"), pytest.raises(Killed):
        place.run("bronze")
    place.bury()
    with place.writing() as context:
        with pytest.raises(BadInput, match="its files are there; finish it with run"):
            chunk_withdrawal.drop(context, 1)
        with pytest.raises(BadInput, match="Chunk 7 is not staged; those that are: 1"):
            chunk_withdrawal.drop(context, 7)
        shutil.rmtree(place.root / "lake/staging")
        (place.landing / "1.jpg").unlink()
        (place.landing / "2.jpg").write_bytes((place.landing / "0.jpg").read_bytes())
        landing = Landing(place.settings.paths.landing)
        assert bronze_layer.photos_that_left(context, landing, 1) == 2
        chunk_withdrawal.drop(context, 1)
    assert context.did.counts == {"in": 3, "kept": 0}
    assert [note.partition(";")[0] for note in context.did.notes] == [
        "bronze chunk 1 is given up, and withdrawn are 3 rows of bronze/photos",
        f"2 photos of it are lost: the landing folder {place.landing} has them no more",
    ]
