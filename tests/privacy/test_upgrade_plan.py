"""What an upgrade would do is told without Spark and without a change; no format comes without its step."""

import json
import re
import shutil
from pathlib import Path

import pytest

import run
from conf.errors import BadInput, Busy, Refused
from lake import lake_format
from lake.lake_format import EARLIEST, FORMAT, NAME
from lake.pseudonyms import Pseudonyms
from lake.storage.locate import folder
from lake.subject_names import NameRule, NameRuleVersion
from privacy.upgrade import chain, from_format_4
from tests.support.earlier_lakes import unpack_lake

EARLIER = range(EARLIEST, FORMAT)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys, no_spark):
    """The command line in a folder, where nothing needs Spark: the exit code, and all that it printed."""
    monkeypatch.chdir(tmp_path)

    def called(*words):
        code = run.main([*words, "--lake", "lake", "--landing", "landing"])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return called


def files_under(root):
    """The content and the time of each file under a folder, by its path."""
    found = (path for path in sorted(Path(root).rglob("*")) if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_every_earlier_format_has_its_step_and_its_lake(tmp_path):
    """Whoever raises FORMAT writes the step, and makes the lake before (CONTRIBUTING.md)."""
    assert [step.of for step in chain.STEPS] == list(EARLIER)
    for number in EARLIER:
        unpack_lake(number, tmp_path / str(number))
        values = json.loads((tmp_path / str(number) / "lake" / NAME).read_text())
        assert values["format"] == number


@pytest.mark.parametrize(("number", "steps"), [(4, [(4, 5), (5, 6)]), (5, [(5, 6)]), (FORMAT, [])])
def test_a_lake_takes_the_steps_from_its_own_format_on(number, steps):
    assert [(step.of, step.to) for step in chain.steps_from(number)] == steps


@pytest.mark.parametrize("number", EARLIER)
def test_a_dry_run_says_each_step_and_changes_no_byte(call, tmp_path, number):
    unpack_lake(number, tmp_path)
    before = files_under(tmp_path)
    code, told = call("upgrade", "--dry-run")
    assert (code, files_under(tmp_path)) == (0, before), told
    for step in range(number, FORMAT):
        assert f"format {step} to {step + 1}:" in told
    assert "bronze/objects gets 4 columns: label, split, path, left_at" in told
    assert told.count("commits keep no time of their own any more") == (number == 4)
    assert told.count("privacy/erasures gets 7 columns") == (number == 4)
    assert told.count("gold/moments is taken about the mean") == (number == 4)
    commits = {4: 7, 5: 5}[number]
    assert f"About {commits} commits;" in told
    assert "Nothing was changed" in told


def test_a_dry_run_names_the_tables_that_are_made_first(call, tmp_path):
    """A lake of a time before the table was known."""
    unpack_lake(5, tmp_path)
    shutil.rmtree(tmp_path / "lake/gold/held_out")
    before = files_under(tmp_path)
    code, told = call("upgrade", "--dry-run")
    assert (code, files_under(tmp_path)) == (0, before), told
    assert "gold/held_out: made first, without rows" in told
    assert "gold/held_out gets" not in told


def test_status_advises_an_upgrade_of_an_earlier_lake(call, tmp_path):
    unpack_lake(4, tmp_path)
    code, told = call("status")
    assert (code, "The lake is of format 4" in told, "upgrade --dry-run" in told) == (0, True, True)
    code, told = call("status", "--json")
    assert (code, json.loads(told)["format"]) == (0, 4)


@pytest.mark.parametrize("words", [["upgrade"], ["upgrade", "--dry-run"]])
def test_a_lake_of_todays_format_is_left_alone(call, tmp_path, words):
    lake_format.write(folder(str(tmp_path / "lake")), pseudonyms=Pseudonyms(b"secret"))
    before = files_under(tmp_path)
    code, told = call(*words)
    assert (code, files_under(tmp_path)) == (0, before)
    assert f"is of today's format, {FORMAT}: there is nothing to upgrade" in told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (
            FORMAT + 1,
            "by a later version of this product (format 7, this one knows 4 to 6); update the code",
        ),
        (
            3,
            "never released, and has no upgrade (format 3, this one knows 4 to 6); ingest the photos",
        ),
    ],
)
def test_a_lake_of_another_format_is_refused(call, tmp_path, number, told):
    files = folder(str(tmp_path / "lake"))
    files.write(NAME, json.dumps({"format": number, "key": ""}).encode())
    for words in (["upgrade"], ["upgrade", "--dry-run"], ["status"]):
        code, printed = call(*words)
        assert (code, told in " ".join(printed.split())) == (2, True), printed


def test_without_its_key_nobody_upgrades_a_lake(call, tmp_path):
    unpack_lake(4, tmp_path)
    (tmp_path / "lake.key").rename(tmp_path / "elsewhere")
    for words in (["upgrade"], ["upgrade", "--dry-run"]):
        code, told = call(*words)
        assert (code, "lake.key" in told) == (2, True), told
    assert lake_format.format_of(folder(str(tmp_path / "lake"))) == 4


def made(root, **values):
    """The files of a folder with a lake.json of these values."""
    files = folder(str(root))
    files.write(NAME, json.dumps({"format": 4, "key": "k", "made_at": "t"} | values).encode())
    return files


def test_lake_json_keeps_what_it_has_and_the_format_that_the_lake_was_made_with(tmp_path):
    files = made(tmp_path, tombstones_of=[{"key": "other"}])
    step = from_format_4.STEP
    lake_format.reach(files, step.to, step.record)
    assert lake_format.values_of(files) == {
        "format": 5,
        "made_as_format": 4,
        "key": "k",
        "made_at": "t",
        "tombstones_of": [{"key": "other"}],
        "names": {"rule": 1, "case": "kept", "plain_keys": []},
        "photo_ids": "",
    }
    assert lake_format.name_rule(files) == NameRule(NameRuleVersion.AS_WRITTEN)
    lake_format.reach(files, 6, {"photo_ids": "of_original"})
    values = lake_format.values_of(files)
    assert (values["format"], values["made_as_format"], values["photo_ids"]) == (6, 4, "")
    assert lake_format.is_made_before_certificates(files)


def test_a_lake_on_its_way_to_a_new_key_gets_there_first(call, tmp_path):
    files = made(tmp_path / "lake", format=5)
    lake_format.begin_rekey(files, {"to": "x"})
    with pytest.raises(Refused, match="half way to a new key"):
        lake_format.reach(files, 6, {})
    code, told = call("upgrade")
    assert (code, "half way to a new key" in told) == (5, True)


def test_of_two_upgrades_one_records_the_format(tmp_path, monkeypatch):
    files = made(tmp_path)
    monkeypatch.setattr(type(files), "swap", lambda *_, **__: False)
    with pytest.raises(Busy, match=re.escape("lake.json")):
        lake_format.reach(files, 5, {})
    assert lake_format.values_of(files)["format"] == 4


def test_a_format_that_is_not_known_has_no_steps(tmp_path):
    files = made(tmp_path, format=3)
    with pytest.raises(BadInput, match="never released"):
        lake_format.format_of(files)
