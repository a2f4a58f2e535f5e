"""What a landing folder holds beside photos: thumbnails and files of systems, passed over and counted."""

import unicodedata

import pytest

from bronze import listing_counts
from bronze.landing import Landing, ListingCounts
from bronze.passed_over import PassedOver
from conf.errors import BadSettings
from conf.settings import Settings
from lake import catalog, metric_names
from lake.enums import BRONZE, Outcome
from lake.run_journal import LayerRun
from lake.storage.folder import StoredKind, StoredObject
from lake.storage.local_folder import LocalFolder
from report.lake_counts import sums
from report.landing_counts import LandingCounts
from tests.support.photo_files import picture

SETTINGS = {name: Settings.load(name, environment={}) for name in ("local", "emr")}
RUBBISH = (
    "Kiwi/@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "Kiwi/@EADIR/1.jpg",
    ".thumbnails/1.jpg",
    "Kiwi/.ipynb_checkpoints/1-checkpoint.jpg",
    "__MACOSX/._1.jpg",
    "Kiwi/._1.jpg",
    "Kiwi/.DS_Store",
    "Kiwi/Thumbs.db",
    "THUMBS.DB",
    "Kiwi/desktop.ini",
    "Kiwi/Icon\r",
    "#recycle/Kiwi/1.jpg",
    "$RECYCLE.BIN/S-1-5/1.jpg",
    "lost+found/1.jpg",
    "System Volume Information/1.jpg",
    "DCIM/.trashed-1700000000-IMG_1.jpg",
    "Kiwi/1.jpg.crdownload",
    "subject=anna/.thumbnails/1.jpg",
    "Kiwi/@__thumb/default1.jpg",
    "Temporary Items/1.jpg",
    "Network Trash Folder/1.jpg",
    "Kiwi/Thumbs.db:encryptable",
    "DCIM/100CANON/MVI_1.THM",
    "DCIM/100APPLE/IMG_1.AAE",
    "Kiwi/1.xmp",
    "Kiwi_$folder$",
)
PHOTOS = (
    "1.jpg",
    "Kiwi/1.jpg",
    "./Kiwi/2.jpg",
    "Kiwi//3.jpg",
    "subject=.anna/1.jpg",
    "label=.kiwi/1.jpg",
    "label=@eaDir/1.jpg",
    "_Kiwi/_1.jpg",
    "eaDir/1.jpg",
    "Thumbs.db.jpg",
    "Icons/1.jpg",
    "DCIM/100APPLE/IMG_1.jpg",
)


def passed_over(*globs):
    return PassedOver(globs).matches


@pytest.mark.parametrize("conf", SETTINGS)
@pytest.mark.parametrize("path", RUBBISH)
def test_rubbish_is_passed_over_by_default(path, conf):
    assert PassedOver(SETTINGS[conf].landing.passed_over).matches(path)


@pytest.mark.parametrize("conf", SETTINGS)
@pytest.mark.parametrize("path", PHOTOS)
def test_photos_and_names_that_somebody_gave_are_taken_by_default(path, conf):
    assert not PassedOver(SETTINGS[conf].landing.passed_over).matches(path)


@pytest.mark.parametrize(
    ("glob", "path", "is_passed_over"),
    [
        ("papers", "papers/1.jpg", True),
        ("papers", "a/papers/b/1.jpg", True),
        ("papers/", "a/papers/b/1.jpg", True),
        ("/papers", "papers/1.jpg", True),
        ("/papers/", "a/papers/1.jpg", False),
        ("/*.jpg", "1.jpg", True),
        ("/*.jpg", "a/1.jpg", False),
        ("papers", "papers.jpg", False),
        ("papers", "newspapers/1.jpg", False),
        ("paper?", "papers/1.jpg", True),
        ("a/papers", "a/papers/b/1.jpg", True),
        ("a/papers", "x/a/papers/1.jpg", False),
        ("a/*.jpg", "a/1.jpg", True),
        ("a/*.jpg", "a/b/1.jpg", False),
        ("a/*", "a", False),
        ("**/old/*.png", "old/1.png", True),
        ("**/old/*.png", "a/b/old/1.png", True),
        ("**/old/*.png", "a/b/old/1.jpg", False),
        ("a/**/b", "a/b/1.jpg", True),
        ("a/**/b", "a/x/y/b/1.jpg", True),
        ("a/**/b", "x/b/1.jpg", False),
        ("[ab]/x", "B/X/1.jpg", True),
    ],
)
def test_a_glob_matches_a_name_anywhere_or_a_path_from_the_landing_folder_on(
    glob, path, is_passed_over
):
    assert passed_over(glob)(path) is is_passed_over


def test_the_two_spellings_of_an_umlaut_are_one():
    composed, decomposed = (unicodedata.normalize(form, "Entwürfe") for form in ("NFC", "NFD"))
    assert passed_over(composed)(f"{decomposed}/1.jpg")
    assert passed_over(f"a/{decomposed}")(f"a/{composed.upper()}/1.jpg")


def test_a_glob_of_many_stars_takes_no_time():
    assert not passed_over("*a" * 30 + "b", "/".join(["**"] * 30 + ["b"]))("a" * 250 + "/x" * 100)


@pytest.mark.parametrize("glob", ["", "/", "//"])
def test_a_glob_for_nothing_is_refused(glob):
    """It would match the empty name of the landing folder, and with it all that lies there."""
    with pytest.raises(BadSettings, match="give a list of globs, none of them empty"):
        Settings.load(
            "local", environment={}, overrides=[f'landing.passed_over=["papers", "{glob}"]']
        )


def test_without_globs_nothing_is_passed_over():
    assert not any(map(passed_over(), RUBBISH))


def test_what_is_passed_over_is_counted_and_said(tmp_path):
    for name in ("a.jpg", ".DS_Store"):
        (tmp_path / name).touch()
    landing = Landing(str(tmp_path), passed_over=PassedOver((".*",)))
    listing, did = ListingCounts(), LayerRun(BRONZE)
    assert [each.path for each in landing.objects(listing)] == ["a.jpg"]
    listing_counts.note(listing, str(tmp_path), did)
    [note] = did.notes
    assert note.startswith("1 objects are passed over, as thumbnails or files of a system")
    listing_counts.measure(listing, did, new=1, unreadable=0)
    assert did.numbers[metric_names.LISTED] == 2
    assert did.numbers[metric_names.PASSED_OVER] == 1


def test_a_folder_of_what_is_passed_over_alone_is_not_called_empty(tmp_path):
    (tmp_path / ".DS_Store").touch()
    did = LayerRun(BRONZE)
    landing = Landing(str(tmp_path), passed_over=PassedOver((".*",)))
    counts = ListingCounts()
    assert list(landing.objects(counts)) == []
    listing_counts.note(counts, str(tmp_path), did)
    assert [note[:24] for note in did.notes] == ["1 objects are passed ove"]


def test_a_folder_that_is_passed_over_needs_no_right_to_list_it(tmp_path, monkeypatch):
    """Only root may list lost+found."""
    names = ("lost+found", "Kiwi")
    monkeypatch.setattr(
        LocalFolder,
        "listing",
        lambda self: (StoredObject(self, each, kind=StoredKind.CLOSED) for each in names),
    )
    listing, landing = (
        ListingCounts(),
        Landing(str(tmp_path), passed_over=PassedOver(("lost+found",))),
    )
    assert list(landing.objects(listing)) == []
    assert (listing.closed_folders, listing.passed_over) == (1, 1)


def test_counts_that_do_not_add_up_are_told():
    counts = LandingCounts("r", 5, {"new": 1, "passed over": 3})
    [told] = counts.disagreements()
    assert told == "landing folder: 5 objects were listed, but 4 are told of"
    assert LandingCounts("r", 4, counts.parts).disagreements() == []


def test_status_tells_people_of_what_is_neither_new_nor_known():
    counts = LandingCounts("r", 1_004, {"new": 1, "known": 1_000, "passed over": 3, "links": 0})
    assert counts.has_others
    assert str(counts) == (
        "1,004 objects in the landing folder, at its last listing = 1 new + 1,000 known + 3 passed over"
    )
    assert not LandingCounts("r", 2, {"new": 1, "known": 1, "links": 0}).has_others


def test_a_run_takes_the_photos_alone_and_the_sums_hold(place):
    """Rubbish gets no row and is no refusal; what was taken in stays when it is named later."""
    for number, path in enumerate([*RUBBISH, "Kiwi/1.jpg", "Lime/2.jpg"]):
        file = place.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(size=(64 + number, 64)).save(file, "JPEG")
    did = place.run("bronze")["bronze"]
    assert (did.counts["in"], did.counts["kept"], did.reasons) == (2, 2, {})
    assert did.numbers[metric_names.REFUSED] == 0
    assert f"bronze: {len(RUBBISH)} objects are passed over" in place.screen
    held = sums(place.files)
    assert (held.objects, held.rejected, held.outcomes) == (2, {}, {Outcome.STORED: 2})
    told = [held.landing.parts[word] for word in ("new", "known", "passed over")]
    assert told == [2, 0, len(RUBBISH)]
    assert held.disagreements() == []
    later = place.set('landing.passed_over=["Lime"]').run("bronze")["bronze"]
    assert later.counts["in"] == len(RUBBISH)
    held = sums(place.files)
    told = [held.landing.parts[word] for word in ("new", "known", "passed over")]
    assert told == [len(RUBBISH), 1, 1]
    assert held.disagreements() == []
    assert len(place.lake.records(catalog.PHOTOS, columns=["path"])) == len(RUBBISH) + 2
