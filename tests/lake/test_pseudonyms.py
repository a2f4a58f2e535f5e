"""The key behind the pseudonyms: where it may live, and what it gives."""

import stat
from dataclasses import replace

import pytest

from conf.errors import BadInput, BadSettings, Refused
from lake import secret_places
from lake.pseudonyms import PseudonymKind, Pseudonyms

SECRET = b"0123456789abcdef"


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path):
    lake = str(tmp_path / "lake")
    made = secret_places.load("file:{lake}.key", lake=lake, make=True)
    path = tmp_path / "lake.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_places.load("file:{lake}.key", lake=lake, make=False) == made


def test_an_empty_key_file_is_told_with_what_to_do(tmp_path):
    """A machine lost power while it was made, when nothing had been made with it; or somebody emptied it."""
    lake, path = str(tmp_path / "lake"), tmp_path / "lake.key"
    path.write_bytes(b"\n")
    with pytest.raises(BadInput, match=r"lake\.key is empty; delete it, and run again\."):
        secret_places.load("file:{lake}.key", lake=lake, make=True)
    with pytest.raises(BadInput, match=r"is empty; put back the one that .*lake was made with\."):
        secret_places.load("file:{lake}.key", lake=lake, make=False)


def test_pseudonyms_differ_by_purpose_name_and_key():
    one, other = Pseudonyms(SECRET), Pseudonyms(SECRET[::-1])
    found = {
        one.subject("anna"),
        one.subject("bert"),
        one.path("anna"),
        other.subject("anna"),
        one.fingerprint,
    }
    assert len(found) == 5
    assert all(len(name) == 64 for name in found)
    assert one.subject("anna") == Pseudonyms(SECRET).subject("anna")


def test_what_a_tombstone_stands_for_cannot_be_had_from_it():
    keys = Pseudonyms(SECRET)
    found = {
        keys.subject("anna"),
        keys.tombstone("anna"),
        keys.tombstone(keys.subject("anna")),
        keys.originals(b"anna"),
        Pseudonyms(SECRET[::-1]).originals(b"anna"),
    }
    assert len(found) == 5
    assert keys.originals(b"anna") == Pseudonyms(SECRET).originals(b"anna")
    assert all(len(name) == 64 for name in found)


def test_names_that_are_no_unicode_have_pseudonyms():
    assert Pseudonyms(SECRET).path("caf\udce9.jpg") != Pseudonyms(SECRET).path("café.jpg")


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("env:NO_KEY", BadInput, "the environment variable NO_KEY is not set"),
        ("env:SHORT", BadInput, "under 16 bytes"),
        ("plain-secret", BadSettings, "write env:NAME, aws-secret:ARN or file:PATH"),
        ("file:{lake}/inside.key", Refused, "lies inside the lake that it protects"),
        ("file:/proc/no/such/key", BadInput, "can't be made"),
    ],
)
def test_bad_keys_are_refused(tmp_path, reference, error, message):
    with pytest.raises(error, match=message):
        secret_places.load(
            reference, lake=str(tmp_path / "lake"), make=True, environment={"SHORT": "abc"}
        )


def test_a_missing_key_of_a_lake_that_exists_is_not_made_anew(tmp_path):
    with pytest.raises(BadInput, match="is missing; put back the one"):
        secret_places.load("file:{lake}.key", lake=str(tmp_path / "lake"), make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_not_shown():
    assert SECRET.decode() not in repr(Pseudonyms(SECRET))


FIRST, SECOND, THIRD = (Pseudonyms(name * 16) for name in (b"a", b"b", b"c"))
MOVED = replace(SECOND, earlier=FIRST)
MOVED_TWICE = replace(THIRD, earlier=MOVED)


@pytest.mark.parametrize("now", [MOVED, MOVED_TWICE])
def test_pseudonyms_of_a_lake_follow_to_its_new_secret(now):
    before = now.earlier
    pairs = {
        PseudonymKind.SUBJECT: (before.subject("anna"), now.subject("anna")),
        PseudonymKind.PATH: (before.path("a/1.jpg"), now.path("a/1.jpg")),
        PseudonymKind.ORIGINAL: (before.originals(b"photo"), now.originals(b"photo")),
    }
    for kind, (earlier, newest) in pairs.items():
        assert now.moved(kind)(earlier.encode()) == newest
        assert now.moved_tombstone(kind, before.tombstone(earlier)) == now.tombstone(newest)
    values = [each for pair in pairs.values() for each in pair]
    assert len({*values, SECOND.subject("anna"), SECOND.originals(b"photo")}) == 8


def test_a_lake_that_moved_keeps_out_whom_it_and_others_had_erased():
    """Of three lakes, the second had imported the tombstones of the first, and got a new secret then; it
    imports those of a fourth after that."""
    fourth = Pseudonyms(b"d" * 16)
    before = replace(SECOND, imported=(FIRST,))
    now = replace(THIRD, earlier=before, imported=(fourth,))
    held = {
        now.moved_tombstone(PseudonymKind.SUBJECT, each)
        for each in before.subject_tombstones(["anna"])
    }
    assert len(held) == 2
    found = now.subject_tombstones([" anna", "anna"])
    assert found == held | {now.tombstone(fourth.tombstone(fourth.subject("anna")))}
    photos = before.photo_tombstones.of(b"photo", before.originals(b"photo"))
    held = {now.moved_tombstone(PseudonymKind.ORIGINAL, each) for each in photos}
    assert len(held) == 2
    found = set(now.photo_tombstones.of(b"photo", now.originals(b"photo")))
    assert found == held | {now.tombstone(fourth.tombstone(fourth.originals(b"photo")))}


def test_only_lakes_with_the_same_secrets_make_the_same_tombstones():
    lakes = [FIRST, SECOND, MOVED, MOVED_TWICE, replace(THIRD, earlier=FIRST)]
    same = {(a, b) for a in range(5) for b in range(5) if lakes[a].makes_tombstones_of(lakes[b])}
    assert same == {(a, a) for a in range(5)}
    assert MOVED.makes_tombstones_of(replace(MOVED, imported=(THIRD,)))
