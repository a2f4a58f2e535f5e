"""lake.json: the format, the key, and the rule for names that a lake was made with."""

import json
import re

import pytest

from conf.errors import BadInput, Inconsistent, Refused
from conf.settings import Settings
from lake import lake_format
from lake.lake_format import NAME
from lake.pseudonyms import PhotoIdRule
from lake.storage.locate import folder
from lake.subject_names import NameRule, NameRuleVersion


def subjects(root, **values):
    """The settings of subjects, whose key lies beside the lake."""
    overrides = [f"paths.lake={root}"]
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        overrides.append(f"subjects.{name}={text}")
    return Settings.load("local", environment={}, overrides=overrides).subjects


@pytest.fixture
def files(tmp_path):
    """The folder of a lake to be."""
    (tmp_path / "lake").mkdir()
    return folder(str(tmp_path / "lake"))


def made(files, **values):
    """Makes the folder a lake."""
    known = lake_format.pseudonyms_of(files, subjects(files.root, **values))
    lake_format.write(files, pseudonyms=known)
    return known


def test_a_new_lake_records_its_rule(files):
    known = made(files, case="folded", plain_keys=["Client"])
    assert files.read_json(NAME)["format"] == lake_format.FORMAT
    assert files.read_json(NAME)["names"] == {
        "rule": 2,
        "case": "folded",
        "plain_keys": ["client"],
    }
    assert lake_format.name_rule(files) == known.names
    assert lake_format.pseudonyms_of(files, subjects(files.root)) == known
    assert known.photo_id_rule is PhotoIdRule.OF_ORIGINAL
    assert known.subject("ANNA ") == known.subject("anna")


def test_the_rule_of_a_lake_outlives_other_settings(files):
    before = made(files, case="kept")
    after = lake_format.pseudonyms_of(files, subjects(files.root, case="folded"))
    assert after == before
    assert after.subject("Anna") != after.subject("anna")


@pytest.mark.parametrize("case", ["kept", "folded"])
def test_a_lake_of_format_4_keeps_its_rule(files, case):
    made(files)
    values = files.read_json(NAME)
    del values["names"], values["photo_ids"]
    files.write(NAME, json.dumps({**values, "format": 4}).encode())
    settings = subjects(files.root, case=case, plain_keys=["client"])
    known = lake_format.pseudonyms_of(files, settings)
    assert known.names == NameRule(NameRuleVersion.AS_WRITTEN)
    assert known.photo_id_rule is PhotoIdRule.PLAIN
    assert known.subject(" anna") != known.subject("anna")
    assert lake_format.with_plain_keys(files, known, settings.plain_keys) == known
    assert files.read_json(NAME) == {**values, "format": 4}


def test_a_lake_of_format_5_keeps_its_ids_of_photos(files):
    made(files)
    values = {**files.read_json(NAME), "format": 5, "photo_ids": "keyed"}
    files.write(NAME, json.dumps(values).encode())
    known = lake_format.pseudonyms_of(files, subjects(files.root))
    assert known.photo_id_rule is PhotoIdRule.KEYED


def test_plain_keys_are_added_for_all_readers_and_stay(files):
    known = made(files, plain_keys=["client"])
    before = files.read_json(NAME)
    wider = lake_format.with_plain_keys(files, known, ["owner"])
    assert lake_format.name_rule(files) == wider.names
    assert wider.names.plain_keys == {"client", "owner"}
    assert files.read_json(NAME) == before | {"names": wider.names.record()}
    later = lake_format.pseudonyms_of(files, subjects(files.root))
    assert lake_format.with_plain_keys(files, later, []).names.plain_keys == {"client", "owner"}


@pytest.mark.parametrize("key", ["subject", " Label ", ""])
def test_the_keys_of_subjects_and_labels_are_never_plain(tmp_path, key):
    with pytest.raises(BadInput, match="a list of keys other than subject and label"):
        subjects(tmp_path / "lake", plain_keys=[key])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty, as if this machine had lost power"),
        (b'{"format": 6', "can't be understood"),
        (b"null", "says nothing of a lake"),
        (b"[]", "says nothing of a lake"),
        (b"{}", "says nothing of a lake"),
        (b'{"format": "6"}', "says nothing of a lake"),
    ],
)
def test_a_file_that_says_nothing_is_told_with_what_to_do(files, content, what):
    """It counts for no new lake: one would be made over the tables that are there, with another key."""
    known = made(files)
    kept = files.read(NAME)
    files.write(NAME, content)
    told = re.escape(f"/{NAME} {what}; put back the file from a copy, and run again.")
    with pytest.raises(Inconsistent, match=told):
        lake_format.pseudonyms_of(files, subjects(files.root))
    with pytest.raises(Inconsistent, match=told):
        lake_format.with_plain_keys(files, known, ["place"])
    files.write(NAME, kept)
    lake_format.pseudonyms_of(files, subjects(files.root))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"format": lake_format.FORMAT + 1},
            BadInput,
            "written by a later version of this product",
        ),
        ({"format": 3}, BadInput, "written by an earlier version of this product"),
        ({"key": "0" * 64}, Refused, "made with another key"),
    ],
)
def test_a_lake_that_is_not_ours_is_refused(files, change, error, message):
    made(files)
    files.write(NAME, json.dumps(files.read_json(NAME) | change).encode())
    with pytest.raises(error, match=message):
        lake_format.pseudonyms_of(files, subjects(files.root))
