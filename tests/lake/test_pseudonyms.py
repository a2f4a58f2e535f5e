"""The key behind the pseudonyms: where it may live, and what it gives."""

import stat

import pytest

from conf.errors import BadInput, BadSettings, Refused
from lake import pseudonyms
from lake.pseudonyms import Pseudonyms

SECRET = b"0123456789abcdef"


def test_a_key_file_is_made_once_and_for_its_owner_alone(tmp_path):
    lake = str(tmp_path / "lake")
    made = pseudonyms.load("file:{lake}.key", lake=lake, make=True)
    path = tmp_path / "lake.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert pseudonyms.load("file:{lake}.key", lake=lake, make=False) == made


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
        pseudonyms.load(
            reference, lake=str(tmp_path / "lake"), make=True, environment={"SHORT": "abc"}
        )


def test_a_missing_key_of_a_lake_that_exists_is_not_made_anew(tmp_path):
    with pytest.raises(BadInput, match="is missing; put back the one"):
        pseudonyms.load("file:{lake}.key", lake=str(tmp_path / "lake"), make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_not_shown():
    assert SECRET.decode() not in repr(Pseudonyms(SECRET))
