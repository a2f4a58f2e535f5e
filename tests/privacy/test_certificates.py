"""Certificates of erasure: whoever lacks the lake's key can change none without being found."""

import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

import run
from conf.errors import Inconsistent
from lake import catalog, delta_rs_reader, lake_format
from lake.enums import ErasureState
from lake.pseudonyms import Pseudonyms
from lake.storage.locate import folder
from privacy.erasure import certificate, certificate_check, request_journal
from privacy.erasure.erase import erase
from tests.support import driver_lake
from tests.support.certified_erasures import (
    KEY,
    NEW_COLUMNS,
    START,
    certified,
    journal_lake,
    made_by_earlier_code,
    of_format,
    requested,
    rewrite_journal,
    small_rows,
    take,
    verified,
    verified_of,
    written,
)
from tests.support.driver_lake import MODEL, WORDS

OTHER_KEY = Pseudonyms(b"the secret of another lake").certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A lake with four requests: `one` and `three` with a certificate, `two` with both parts of one, and
    `five`, which waits for its own."""
    root = tmp_path_factory.mktemp("certified") / "lake"
    with journal_lake(root) as lake:
        certified(lake, "one")
        due = take(lake, requested("two"), ErasureState.REQUESTED)
        due = take(lake, due, ErasureState.LOGICAL, due_at=due.at)
        first_part = written(lake, due, is_whole=False)
        due = verified_of(lake, take(lake, due, due.state, certificate_sha256=first_part))
        take(lake, due, ErasureState.CERTIFIED, certificate_sha256=written(lake, due))
        certified(lake, "three")
        verified(lake, "five")
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy of that lake."""
    shutil.copytree(made, tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture
def before(root):
    """The same lake as earlier code would have left it."""
    made_by_earlier_code(root)
    return root


def file(root, name):
    return root / certificate.FOLDER / f"certificate-{name}.json"


def finish(lake, **more):
    """Write and record the certificate of the request that waits for its own."""
    erasure = request_journal.last(lake, KEY)["five"]
    sha256 = written(lake, erasure, **more)
    return take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=sha256)


def checked(root):
    with journal_lake(root) as lake:
        return certificate_check.check(lake, KEY)


def told(root):
    return "; ".join(checked(root).faults)


def edited(path, **values):
    """Rewrite a certificate with other values, and leave its HMAC as it is."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values, indent=2) + "\n")


def test_whole_certificates_hold_and_are_numbered(root):
    found = checked(root)
    assert (found.faults, found.made_before) == ([], [])
    names = ["one", "two.pending", "two", "three"]
    bodies = [json.loads(file(root, name).read_bytes()) for name in names]
    assert [body["sequence"] for body in bodies] == [1, 2, 3, 4]
    assert [body["made_before"] for body in bodies] == [{}, None, None, None]
    rows = small_rows(root)
    assert [row["head"] for row in rows if row["state"] == "certified"] == [
        certificate_hash(root, name) for name in ("one", "two", "three")
    ]
    assert all(row["hmac"] for row in rows)


def certificate_hash(root, name):
    return hashlib.sha256(file(root, name).read_bytes()).hexdigest()


def forged(root):
    body = json.loads(file(root, "one").read_text())
    del body[certificate.HMAC]
    file(root, "one").write_bytes(certificate.sealed(body | {"photos": 0}, OTHER_KEY))


def missing(root):
    file(root, "one").unlink()


def missing_first_part(root):
    file(root, "two.pending").unlink()


def missing_last(root):
    file(root, "three").unlink()


def truncated(root):
    content = file(root, "one").read_bytes()
    file(root, "one").write_bytes(content[: len(content) // 2])


def emptied(root):
    file(root, "one").write_bytes(b"")


def overwritten(root):
    file(root, "one").write_bytes(b"\xff" * 200)


def nested(root):
    file(root, "one").write_bytes(b"[" * 200_000)


def rewritten(root):
    edited(file(root, "one"), photos=0)


def renumbered(root):
    edited(file(root, "one"), sequence=9)


def reformatted(root):
    file(root, "one").write_text(json.dumps(json.loads(file(root, "one").read_text())))


def stripped(root):
    body = json.loads(file(root, "one").read_text())
    del body[certificate.HMAC]
    file(root, "one").write_text(json.dumps(body, indent=2) + "\n")


def swapped(root):
    file(root, "one").write_bytes(file(root, "three").read_bytes())


def rolled_back(root):
    """An authentic certificate of the same request, as an earlier try may have written it."""
    body = json.loads(file(root, "one").read_text())
    del body[certificate.HMAC]
    file(root, "one").write_bytes(certificate.sealed(body | {"photos": 1}, KEY))


def part_for_the_whole(root):
    file(root, "two").write_bytes(file(root, "two.pending").read_bytes())


def planted(root):
    file(root, "four").write_bytes(file(root, "one").read_bytes())


def planted_part(root):
    file(root, "one.pending").write_bytes(file(root, "two.pending").read_bytes())


ON_FILES = [
    (forged, "certificate-one.json bears no HMAC of this lake's key"),
    (missing, "certificate-one.json is missing"),
    (missing_first_part, "certificate-two.pending.json is missing"),
    (missing_last, "certificate-three.json is missing"),
    (truncated, "certificate-one.json can't be read: it was truncated"),
    (emptied, "certificate-one.json can't be read: it was truncated"),
    (overwritten, "certificate-one.json can't be read: it was truncated"),
    (nested, "certificate-one.json can't be read: it was truncated"),
    (rewritten, "certificate-one.json bears no HMAC of this lake's key"),
    (renumbered, "certificate-one.json bears no HMAC of this lake's key"),
    (reformatted, "certificate-one.json bears no HMAC of this lake's key"),
    (stripped, "certificate-one.json bears no HMAC of this lake's key"),
    (swapped, "certificate-one.json is the certificate certificate-three of the request three"),
    (
        rolled_back,
        "certificate-one.json is number 1, another file than the number 1 of the journal",
    ),
    (part_for_the_whole, "certificate-two.json is number 2, another file than the number 3"),
    (planted, "certificate-four.json belongs to no request"),
    (planted_part, "certificate-one.pending.json is recorded by no row"),
]


@pytest.mark.parametrize(
    ("attack", "said"), ON_FILES, ids=lambda each: getattr(each, "__name__", "")
)
def test_an_attack_on_a_certificate_is_found_and_stops_no_other(root, attack, said):
    attack(root)
    found = checked(root)
    assert len(found.faults) == 1, found.faults
    assert said in found.faults[0]
    with pytest.raises(Inconsistent, match="Not every certificate of erasure holds: certificate-"):
        found.raise_faults()
    with journal_lake(root) as lake:
        finish(lake)
        assert certificate_check.check(lake, KEY).faults == found.faults
    body = json.loads(file(root, "five").read_text())
    assert (body["sequence"], body["previous_sha256"]) == (5, small_rows(root)[-2]["head"])


def changed(root, which, **values):
    """Change the row of the journal with the entry `which`, as whoever can write the table could."""
    rewrite_journal(
        root, lambda rows: [row | (values if row["entry"] == which else {}) for row in rows]
    )


def entry_of(root, request, state="certified"):
    return [r["entry"] for r in small_rows(root) if (r["request"], r["state"]) == (request, state)][
        -1
    ]


def a_head_for_a_forged_one(root):
    forged(root)
    changed(root, entry_of(root, "one"), head=certificate_hash(root, "one"))


def a_row_without_its_hmac(root):
    stripped(root)
    changed(root, entry_of(root, "one"), **dict.fromkeys(NEW_COLUMNS))


def the_last_row_without_its_hmac(root):
    body = json.loads(file(root, "three").read_text())
    del body[certificate.HMAC]
    file(root, "three").write_text(json.dumps(body | {"photos": 0, "previous_sha256": None}))
    changed(root, entry_of(root, "three"), **dict.fromkeys(NEW_COLUMNS))


def the_last_row_as_if_it_were_the_first(root):
    the_last_row_without_its_hmac(root)
    changed(root, entry_of(root, "three"), entry=0)


def other_photos(root):
    changed(root, entry_of(root, "one"), photo_ids=[])


def another_time(root):
    changed(root, entry_of(root, "one"), at=small_rows(root)[0]["at"])


def another_row(root):
    """A certified request that nobody made."""

    def with_more(rows):
        more = {"request": "six", "certificate": "certificate-six", "entry": rows[-1]["entry"] + 1}
        return [*rows, rows[-1] | more]

    rewrite_journal(root, with_more)


def without_a_request(root):
    """The rows of a request and its certificates are gone."""
    file(root, "one").unlink()
    rewrite_journal(root, lambda rows: [row for row in rows if row["request"] != "one"])


def the_rows_renumbered(root):
    file(root, "one").unlink()

    def without(rows):
        rest = [row for row in rows if row["request"] != "one"]
        return [row | {"entry": n} for n, row in enumerate(rest, start=1)]

    rewrite_journal(root, without)


ON_ROWS = [
    (a_head_for_a_forged_one, "about certificate-one was changed or added"),
    (a_row_without_its_hmac, "about certificate-one was changed or added"),
    (the_last_row_without_its_hmac, "about certificate-three was changed or added"),
    (
        the_last_row_as_if_it_were_the_first,
        "certificate-three.json is recorded by no row|was changed",
    ),
    (other_photos, "about certificate-one was changed or added"),
    (another_time, "about certificate-one was changed or added"),
    (another_row, "about certificate-six was changed or added"),
    (without_a_request, "about certificate-two doesn't follow on the entry 0"),
    (the_rows_renumbered, "about certificate-two was changed or added"),
]


@pytest.mark.parametrize(
    ("attack", "said"), ON_ROWS, ids=lambda each: getattr(each, "__name__", "")
)
def test_an_attack_on_the_journal_is_found(root, attack, said):
    attack(root)
    with journal_lake(root) as lake:
        if "five" in request_journal.last(lake, KEY):  # another number makes each row a foreign one
            finish(lake)
        faults = certificate_check.check(lake, KEY).faults
    assert re.search(said, "; ".join(faults)), faults
    assert file(root, "five").name not in " ".join(faults)


def test_a_certificate_whose_row_lost_its_hmac_is_never_taken_for_one_of_before(root):
    """Not even where the first certificate, which has the hashes of those of before, is gone."""
    missing(root)
    the_last_row_without_its_hmac(root)
    found = checked(root)
    assert found.made_before == []
    assert any(fault.startswith("certificate-three.json") for fault in found.faults)


def test_a_row_of_another_history_is_found(root, tmp_path):
    """The lake is taken back to an earlier moment, goes on, and gets a row of before it was taken back."""
    shutil.copytree(root, tmp_path / "again")
    with journal_lake(root) as lake:
        finish(lake)
        certified(lake, "six")
    with journal_lake(tmp_path / "again") as lake:
        finish(lake, place="/again")
    other = small_rows(tmp_path / "again")[-1]
    shutil.copy(file(tmp_path / "again", "five"), file(root, "five"))
    rewrite_journal(root, lambda rows: [other if r["entry"] == other["entry"] else r for r in rows])
    assert "about certificate-six doesn't follow on" in told(root)


# Commands that died, and certificates that can't be read


def test_a_certificate_that_was_written_and_not_recorded_is_recorded_by_the_next_try(root):
    with journal_lake(root) as lake:
        erasure = request_journal.last(lake, KEY)["five"]
        first = written(lake, erasure)
    assert told(root).startswith("certificate-five.json is recorded by no row")
    with journal_lake(root) as lake:
        assert written(lake, erasure) == first
        take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=first)
    assert told(root) == ""


@pytest.mark.parametrize("attack", [truncated, rewritten, stripped, swapped])
def test_what_lies_in_the_place_of_a_certificate_is_replaced(root, attack):
    with journal_lake(root) as lake:
        erasure = request_journal.last(lake, KEY)["five"]
        written(lake, erasure)
        kept = file(root, "one").read_bytes()
        shutil.copy(file(root, "five"), file(root, "one"))
        attack(root)
        shutil.copy(file(root, "one"), file(root, "five"))
        file(root, "one").write_bytes(kept)
        sha256 = written(lake, erasure)
        take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=sha256)
    assert told(root) == ""
    body = json.loads(file(root, "five").read_text())
    assert (body["certificate"], body["photos"]) == ("certificate-five", 2)


def test_one_that_was_not_recorded_gets_another_number_where_its_own_was_taken(root):
    with journal_lake(root) as lake:
        erasure = request_journal.last(lake, KEY)["five"]
        written(lake, erasure)
        certified(lake, "six")
        finish(lake)
    assert told(root) == ""
    assert json.loads(file(root, "five").read_text())["sequence"] == 6


def test_a_first_part_that_was_not_recorded_goes_with_the_whole_certificate(root):
    with journal_lake(root) as lake:
        erasure = request_journal.last(lake, KEY)["five"]
        written(lake, erasure, is_whole=False)
        sha256 = written(lake, erasure)
        take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=sha256)
    assert not file(root, "five.pending").exists()
    assert told(root) == ""


# Lakes of before


def test_certificates_of_before_are_accepted_and_told(before):
    found = checked(before)
    assert found.faults == []
    assert found.made_before == [
        f"certificate-{name}.json" for name in ("one", "three", "two", "two.pending")
    ]


def test_the_journal_of_before_gets_the_columns_and_its_certificates_stay_accepted(before):
    known = delta_rs_reader.delta_table(str(before), catalog.ERASURES)
    assert not set(NEW_COLUMNS) & {field.name for field in known.schema().fields}
    with journal_lake(before) as lake:
        finish(lake)
    assert [bool(row["hmac"]) for row in small_rows(before)].count(True) == 1
    body = json.loads(file(before, "five").read_text())
    assert (body["sequence"], len(body["made_before"])) == (1, 4)
    found = checked(before)
    assert (found.faults, len(found.made_before)) == ([], 4)


def test_a_request_of_before_is_finished_with_an_authenticated_certificate(tmp_path):
    """Earlier code wrote the first part of its certificate, or died before it recorded the whole one."""
    with journal_lake(tmp_path) as lake:
        due = take(lake, requested("one"), ErasureState.REQUESTED)
        due = take(lake, due, ErasureState.LOGICAL, due_at=due.at)
        take(lake, due, due.state, certificate_sha256=written(lake, due, is_whole=False))
        died = verified(lake, "two")
        written(lake, died)
    made_by_earlier_code(tmp_path)
    with journal_lake(tmp_path) as lake:
        for name in ("one", "two"):
            erasure = verified_of(lake, request_journal.last(lake, KEY)[name])
            sha256 = written(lake, erasure)
            take(lake, erasure, ErasureState.CERTIFIED, certificate_sha256=sha256)
    found = checked(tmp_path)
    assert (found.faults, found.made_before) == ([], ["certificate-one.pending.json"])


ON_BEFORE = [
    (missing, "certificate-one.json is missing"),
    (truncated, "certificate-one.json can't be read"),
    (rewritten, "certificate-two.pending.json has the hash of a certificate that was changed"),
    (swapped, "certificate-one.json is the certificate certificate-three"),
    (planted, "certificate-four.json belongs to no request"),
    (planted_part, "certificate-one.pending.json is the certificate certificate-two"),
]


@pytest.mark.parametrize(
    ("attack", "said"), ON_BEFORE, ids=lambda each: getattr(each, "__name__", "")
)
def test_an_attack_on_a_certificate_of_before_is_found(before, attack, said):
    attack(before)
    assert said in told(before)


@pytest.mark.parametrize(
    "attack", [missing, missing_last, truncated, rewritten, swapped, planted_part]
)
def test_the_first_authenticated_certificate_vouches_for_those_of_before(before, attack):
    with journal_lake(before) as lake:
        finish(lake)
    attack(before)
    assert "is missing" in told(before) or "was changed or added since" in told(before)


@pytest.mark.parametrize("attack", [missing, missing_last, truncated, rewritten, swapped])
def test_the_first_authenticated_certificate_vouches_for_none_that_does_not_hold(before, attack):
    attack(before)
    faults = told(before)
    with journal_lake(before) as lake:
        finish(lake)
    assert faults
    assert told(before) == faults


def test_without_the_first_authenticated_certificate_those_of_before_are_still_looked_at(before):
    with journal_lake(before) as lake:
        finish(lake)
    file(before, "five").unlink()
    missing(before)
    assert "certificate-five.json is missing" in told(before)
    assert "certificate-one.json is missing" in told(before)


# On the command line


@pytest.fixture
def verify(tmp_path, monkeypatch, capsys, no_spark):
    """`erase --verify` over the lake of format 4, in which Bruno was erased by earlier code."""
    driver_lake.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def called(*more):
        code = run.main(["erase", "--verify", "R-1", *more, *WORDS, *MODEL])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return called


def test_a_verification_tells_certificates_of_before(verify, tmp_path):
    [path] = (tmp_path / "lake" / certificate.FOLDER).glob("*.json")
    code, said = verify()
    assert code == 0, said
    assert f"made before certificates were authenticated: {path.name}." in said


def test_a_verification_ends_with_6_where_a_certificate_does_not_hold(verify, tmp_path):
    [path] = (tmp_path / "lake" / certificate.FOLDER).glob("*.json")
    path.write_bytes(path.read_bytes()[:100])
    code, said = verify()
    assert code == 6
    assert "nothing of it was found" in said
    assert f"{path.name} can't be read: it was truncated or overwritten" in said


def test_a_certificate_of_a_lifted_erasure_is_called_valid_only_where_it_holds(verify, tmp_path):
    """Its subject may be held again, so nothing else can be verified."""
    stones = delta_rs_reader.delta_table("lake", catalog.TOMBSTONES)
    stones.delete()
    code, said = verify()
    assert (code, "is still valid" in said) == (2, True)
    [path] = (tmp_path / "lake" / certificate.FOLDER).glob("*.json")
    path.write_bytes(path.read_bytes()[:100])
    code, said = verify()
    assert (code, f"{path.name} can't be read" in said) == (6, True)


# Rows and certificates of another program, and the way on


def other_certified(rows):
    """A row that says that the request `five`, which waits for its certificate, has it."""
    return [*rows, rows[-1] | {"state": "certified", "entry": rows[-1]["entry"] + 1, "hmac": None}]


def test_a_row_of_another_program_gives_no_state_and_stops_its_request(root):
    rewrite_journal(root, other_certified)
    with journal_lake(root) as lake:
        journal = request_journal.read(lake, KEY)
        assert journal.last["five"].state is ErasureState.VERIFIED
        with pytest.raises(Inconsistent, match="about certificate-five was changed or added"):
            certificate_check.refuse(journal, "five")
        certificate_check.refuse(journal, "one")


def test_the_journal_goes_on_past_a_row_of_another_program_which_stays_and_may_go(root):
    rewrite_journal(root, other_certified)
    with journal_lake(root) as lake:
        certified(lake, "six")
    [fault] = checked(root).faults
    assert "about certificate-five was changed or added" in fault
    rewrite_journal(root, lambda rows: [row for row in rows if row["hmac"]])
    assert told(root) == ""


def test_no_row_of_another_program_is_replaced(root):
    rewrite_journal(root, other_certified)
    with journal_lake(root) as lake:
        finish(lake)
    last = small_rows(root)[-2:]
    assert {row["entry"] for row in last} == {last[0]["entry"]}
    assert [bool(row["hmac"]) for row in last].count(False) == 1


def acknowledge(root, name="three"):
    """Do to the journal what `erase --acknowledge` of a request does."""
    with journal_lake(root) as lake:
        now = datetime(2026, 11, 28, tzinfo=UTC)
        faults = certificate_check.to_acknowledge(lake, KEY, now=now)
        erasure = request_journal.last(lake, KEY)[name]
        request_journal.reach(
            lake, erasure, erasure.state, at=erasure.at, key=KEY, acknowledged=faults
        )


def without_a_row(rows):
    return [row for row in rows if row["entry"] != 2]


@pytest.mark.parametrize("change", [other_certified, without_a_row])
def test_what_was_acknowledged_is_told_and_no_longer_counts(root, change):
    rewrite_journal(root, change)
    faults = checked(root).faults
    assert faults
    acknowledge(root)
    found = checked(root)
    assert found.faults == []
    [said] = found.acknowledged
    assert faults[0] in said
    assert said.endswith("acknowledged at 2026-11-28T00:00:00+00:00")
    with journal_lake(root) as lake:
        finish(lake)
        certificate_check.refuse(request_journal.read(lake, KEY), "five")
    assert (told(root), len(checked(root).acknowledged)) == ("", 1)


def test_an_acknowledgement_is_of_what_lay_there_alone(root):
    rewrite_journal(root, other_certified)
    acknowledge(root)
    rewrite_journal(
        root, lambda rows: [row | ({} if row["hmac"] else {"mode": "deferred"}) for row in rows]
    )
    assert "about certificate-five was changed or added" in told(root)


def test_an_acknowledgement_by_another_program_counts_for_nothing(root):
    rewrite_journal(root, other_certified)
    [fault] = [str(each) for each in checked(root).unacknowledged]
    changed(root, entry_of(root, "three"), acknowledged=[f"2026-11-28T00:00:00+00:00 {fault}"])
    assert "about certificate-five was changed or added" in told(root)


@pytest.mark.parametrize(
    "broken", [{"state": "unknown"}, {"entry": None}, {"photo_ids": [None, "a"]}]
)
def test_a_row_that_can_not_be_understood_stops_nothing(root, broken):
    rewrite_journal(root, lambda rows: [*rows, rows[0] | {"hmac": None} | broken])
    with journal_lake(root) as lake:
        assert set(request_journal.last(lake, KEY)) == {"one", "two", "three", "five"}
        assert request_journal.due(lake, KEY, now=START + timedelta(days=900))
        finish(lake)
    assert "a row of privacy/erasures can't be understood" in told(root)


def test_a_row_of_earlier_code_that_comes_later_can_be_acknowledged(before):
    """The code of before goes on to write to a lake of format 4."""
    with journal_lake(before) as lake:
        finish(lake)
    rewrite_journal(before, other_certified)
    with journal_lake(before) as lake:
        certified(lake, "six")
    assert "about certificate-five was changed or added" in told(before)
    acknowledge(before, "six")
    assert told(before) == ""


def test_a_lake_of_format_5_has_no_rows_of_before(root):
    def without_hmacs(rows):
        return [row | dict.fromkeys(NEW_COLUMNS) for row in rows]

    for name in ("one", "two.pending", "two", "three"):
        body = json.loads(file(root, name).read_text())
        del body[certificate.HMAC], body["made_before"]
        file(root, name).write_text(json.dumps(body | {"previous_sha256": None}))
    rewrite_journal(root, without_hmacs)
    of_format(root, 5)
    found = checked(root)
    assert "about certificate-one was changed or added" in "; ".join(found.faults)
    assert found.made_before == []
    of_format(root, 4)
    assert checked(root).faults == []


@pytest.mark.parametrize("key", [certificate.HMAC, "made_before"])
def test_a_certificate_of_before_has_nothing_of_authenticated_ones(before, key):
    edited(file(before, "one"), **{key: None})
    assert "certificate-one.json has what only authenticated certificates have" in told(before)


def test_a_certificate_that_is_recorded_meanwhile_is_no_fault(root, monkeypatch):
    """An erasure in another process writes and records it between two readings."""
    read, done = request_journal.read, []

    def meanwhile(lake, key):
        journal = read(lake, key)
        if not done:
            done.append(True)
            finish(writer)
        return journal

    with journal_lake(root) as writer:
        monkeypatch.setattr(certificate_check.request_journal, "read", meanwhile)
        assert certificate_check.check(writer, KEY).faults == []
    assert done


def test_an_erasure_refuses_a_row_of_another_program_until_it_is_acknowledged(root):
    keys = Pseudonyms(b"the secret of this lake")
    with journal_lake(root) as lake:
        anna = replace(requested("six"), subject=keys.tombstone(keys.subject("anna")))
        for state in (ErasureState.REQUESTED, ErasureState.VERIFIED):
            anna = take(lake, anna, state)
        take(lake, anna, ErasureState.CERTIFIED, certificate_sha256=written(lake, anna))
    rewrite_journal(root, other_certified)
    more = {"subject": "anna", "request": "six", "mode": "immediate"}
    with journal_lake(root) as lake:
        context = SimpleNamespace(lake=lake, pseudonyms=keys, now=datetime.now(UTC))
        with pytest.raises(Inconsistent, match=r"Nothing was done for six: .*--acknowledge"):
            erase(context, **more)
        assert erase(context, **more, acknowledges=True).state is ErasureState.CERTIFIED
        assert len(request_journal.read(lake, KEY).authentic[-1].acknowledged) == 1
        assert erase(context, **more).state is ErasureState.CERTIFIED
    assert told(root) == ""


# What a lake's rule for names takes after --subject


@pytest.mark.parametrize("name", ["%20", " ", "subject=anna", "Subject%3Danna", "subject:anna"])
@pytest.mark.parametrize("words", [["audit"], ["erase", "--request", "r"], ["lift"]])
def test_what_is_no_name_under_the_rule_of_a_new_lake_is_refused(tmp_path, capsys, words, name):
    keys = Pseudonyms(b"the secret of this lake")
    lake_format.write(folder(str(tmp_path)), pseudonyms=keys)
    key = f"subjects.key=file:{tmp_path.parent}/{tmp_path.name}-key"
    (tmp_path.parent / f"{tmp_path.name}-key").write_bytes(keys.secret)
    place = ["--lake", str(tmp_path), "--set", key]
    assert run.main([*words, "--subject", name, *place]) == 2
    assert "part of the folder's name that follows" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["%20", " ", "subject:anna"])
def test_names_of_a_lake_of_format_4_can_be_audited(verify, capsys, name):
    assert run.main(["audit", "--subject", name, *WORDS]) == 0
    assert "NOT_HELD" in capsys.readouterr().out
