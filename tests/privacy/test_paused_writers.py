"""A writer that was paused, and lost the lake meanwhile, deletes nothing of the one that took it over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from conf.errors import Busy, FruitLakeError
from conf.settings import Settings
from lake import catalog, delta_rs_reader, lease
from lake.chunks import ChunkPlan
from lake.enums import SILVER
from lake.lease import Holder
from lake.pseudonyms import Pseudonyms
from lake.readable_lake import Lake
from lake.small_tables import arrow_rows
from lake.staging import FOLDER as STAGING
from lake.storage.local_folder import LocalFolder
from privacy import retention
from privacy.audit import audit_log
from privacy.erasure import certificate, file_removal, landing_objects, unreferenced_files
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.subject_matcher import SubjectMatcher
from tests.support.certified_erasures import journal_lake, no_spark, requested, written

TABLE = catalog.ERASURES
KEYS = Pseudonyms(b"the secret of this lake")
ANNA = SubjectMatcher(KEYS, KEYS.tombstone(KEYS.subject("anna")), frozenset(), frozenset())
NOTHING_KNOWN = KnownObjects(frozenset(), frozenset())
IN_FLIGHT = f"{TABLE.name}/part-of-the-successor.parquet"
"""A file of the successor that no version has yet."""


@pytest.fixture
def lake(tmp_path):
    """A lake that this process holds. Its journal has one row, and four files that no version needs."""
    with journal_lake(tmp_path / "lake") as own:
        commit(own, "one")
        for number in range(4):
            own.files.write(f"{TABLE.name}/part-old-{number}.parquet", b"PAR1")
        yield own


def take_over(lake):
    """Another process takes the lease over, and begins to write to the table."""
    holder = Holder.here(run_id="successor", seconds=60, is_fenced=True)
    lake.files.write(lease.NAME, replace(holder, owner="successor").content())
    lake.files.write(IN_FLIGHT, b"PAR1")


def commit(lake, request="successor"):
    """A process commits a row to the table."""
    row = {"request": request, "state": "requested", "mode": "deferred", "entry": 99}
    write_deltalake(lake.files.uri(TABLE.name), arrow_rows(TABLE, [row]), mode="append")


def names(lake):
    return set(lake.files.current(TABLE.name))


def once(act):
    """A function that does something when it is first called, and nothing later."""
    done = []

    def called():
        if not done:
            done.append(True)
            act()

    return called


@pytest.fixture
def after(monkeypatch):
    """Has something done once, after the table's files were `listed`, after its current ones were `asked`
    for, or after whichever of the two came `first`."""

    def arranged(moment, act):
        act, stored, asked = once(act), LocalFolder.stored, Lake.names

        def listing(self, under="", **more):
            found = list(stored(self, under, **more))
            if moment in ("listed", "first"):
                act()
            return iter(found)

        def asking(self, table):
            found = asked(self, table)
            if moment in ("asked", "first"):
                act()
            return found

        monkeypatch.setattr(LocalFolder, "stored", listing)
        monkeypatch.setattr(Lake, "names", asking)

    return arranged


def test_what_another_process_commits_meanwhile_is_no_stray(lake, after):
    before = names(lake)
    after("first", lambda: commit(lake))
    found = {each.name for each in unreferenced_files.strays(lake, TABLE)}
    assert names(lake) - before
    assert found
    assert found <= before
    unreferenced_files.remove_strays(lake, TABLE)
    rows = delta_rs_reader.rows(lake.files.root, TABLE)
    assert {row["request"] for row in rows} == {"one", "successor"}


@pytest.mark.parametrize("hours", [0.0, 1.0])
def test_what_another_process_commits_meanwhile_needs_no_search(lake, after, hours):
    unreferenced_files.remove_strays(lake, TABLE)
    after("first", lambda: commit(lake))
    assert not unreferenced_files.has_others(lake, TABLE, hours=hours)


@pytest.mark.parametrize("moment", ["before", "listed", "asked"])
def test_after_a_takeover_nothing_is_removed(lake, after, moment):
    before = names(lake)
    if moment == "before":
        take_over(lake)
    else:
        after(moment, lambda: take_over(lake))
    with pytest.raises(Busy, match="was taken over by run successor"):
        unreferenced_files.remove_strays(lake, TABLE)
    assert names(lake) == before | {IN_FLIGHT}


def test_a_takeover_while_files_are_read_is_noticed(lake):
    """To say whose a file is may take minutes."""
    before = names(lake)

    def is_theirs(stored):
        take_over(lake)
        return True

    with pytest.raises(Busy):
        unreferenced_files.remove_strays(lake, TABLE, among=is_theirs)
    assert names(lake) == before | {IN_FLIGHT}


def test_the_lease_is_asked_before_each_batch(lake, monkeypatch):
    monkeypatch.setattr(unreferenced_files, "BATCH", 2)
    remove, removed = LocalFolder.remove, []

    def counted(self, stored):
        remove(self, stored)
        removed.append(stored.name)
        if len(removed) == 2:
            take_over(lake)

    monkeypatch.setattr(LocalFolder, "remove", counted)
    assert len(unreferenced_files.strays(lake, TABLE)) > 3
    with pytest.raises(Busy):
        unreferenced_files.remove_strays(lake, TABLE)
    assert len(removed) == 2


# Retention


@pytest.fixture
def frees(lake, monkeypatch):
    """`retain`'s removal of old files, where Delta says that the strays `names` are needed no more."""
    context = SimpleNamespace(
        lake=lake, settings=Settings.load("local", environment={}), now=datetime.now(UTC)
    )

    def called(names, *, meanwhile=lambda: None):
        def unneeded(lake, *, hours):
            meanwhile()
            yield TABLE, set(names)

        monkeypatch.setattr(retention, "_unneeded_files", unneeded)
        return retention.free(context)

    return called


def test_retention_removes_what_no_version_needs_and_nothing_else(lake, frees):
    found = sorted(each.name for each in unreferenced_files.strays(lake, TABLE))
    needed = sorted(lake.names(TABLE))[0]
    empty = f"{TABLE.name}/weights_id=a"
    (lake_path(lake) / empty).mkdir()
    [freed] = frees([*found[:2], needed, empty])
    left = {each.name for each in unreferenced_files.strays(lake, TABLE)}
    assert left == set(found[2:])
    assert needed in names(lake)
    assert not (lake_path(lake) / empty).exists()
    assert freed.place == TABLE.name


def lake_path(lake):
    return Path(lake.files.root)


def test_retention_removes_nothing_after_a_takeover(lake, frees):
    before = names(lake)
    found = [each.name for each in unreferenced_files.strays(lake, TABLE)]
    with pytest.raises(Busy):
        frees([*found, IN_FLIGHT], meanwhile=lambda: take_over(lake))
    assert names(lake) == before | {IN_FLIGHT}


def test_records_of_audits_stay_after_a_takeover(lake):
    record = f"{audit_log.FOLDER}/20200101T000000Z-ab.json"
    text = f"… {KEYS.subject('anna')} …".encode()
    lake.files.write(record, text)
    take_over(lake)
    with pytest.raises(Busy):
        retention._expire_audits(lake, datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(Busy):
        file_removal._redact_audits(lake, ANNA)
    assert lake.files.read(record) == text


# Landing objects, staged chunks and certificates


def test_landing_objects_stay_after_a_takeover(lake, tmp_path):
    photo = tmp_path / "landing/subject=anna/1.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"photo")

    def sweep():
        return landing_objects.sweep(
            str(tmp_path / "landing"), ANNA, NOTHING_KNOWN, check_lease=lake.check_lease
        )

    take_over(lake)
    with pytest.raises(Busy):
        sweep()
    assert photo.exists()


CHUNKS = [ChunkPlan(layer=SILVER).numbered(number) for number in (1, 2, 3)]


def staged(lake, *chunks):
    for chunk in chunks:
        lake.files.write(f"{STAGING}/{chunk.layer}-{chunk.number}/rows/part.parquet", b"PAR1")


def staged_numbers(lake):
    return {int(name.rpartition("-")[2]) for name in lake.files.folders(STAGING)}


def test_a_chunk_that_is_staged_while_the_ledger_is_read_stays(lake):
    kept, abandoned, new = CHUNKS
    staged(lake, kept, abandoned)

    def unfinished():
        staged(lake, new)
        return [kept]

    lake.staging.keep_only(unfinished)
    assert staged_numbers(lake) == {kept.number, new.number}


ON_STAGED = [
    lambda staging, chunk: staging.keep_only(list),
    lambda staging, chunk: staging.remove(chunk),
    lambda staging, chunk: staging.write_rows(chunk, "rows", pa.table({"a": [1]})),
    lambda staging, chunk: staging.write(chunk, "rows", None),
    lambda staging, chunk: staging.copy(CHUNKS[1], chunk),
]


@pytest.mark.parametrize("act", ON_STAGED)
def test_staged_rows_stay_after_a_takeover(lake, act):
    """The one that took the lake over finishes chunks that this process staged."""
    staged(lake, CHUNKS[0])
    take_over(lake)
    with pytest.raises(Busy):
        act(lake.staging, CHUNKS[0])
    assert lake.files.read(f"{STAGING}/{SILVER}-1/rows/part.parquet") == b"PAR1"


@pytest.mark.parametrize("act", ON_STAGED)
def test_a_takeover_while_staged_rows_are_listed_is_noticed(lake, monkeypatch, act):
    staged(lake, CHUNKS[0])
    stored = lake.files.stored

    def listed(*names, **how):
        yield from stored(*names, **how)
        take_over(lake)

    monkeypatch.setattr(lake.files, "stored", listed)
    with pytest.raises(Busy):
        act(lake.staging, CHUNKS[0])
    assert lake.files.read(f"{STAGING}/{SILVER}-1/rows/part.parquet") == b"PAR1"


def test_a_reader_deletes_no_staged_rows(lake):
    staged(lake, CHUNKS[0])
    with pytest.raises(RuntimeError, match="opened for reading"):
        Lake(no_spark, lake.files, lake.run).staging.remove(CHUNKS[0])
    assert staged_numbers(lake) == {1}


def test_a_certificate_of_the_successor_is_not_replaced(lake):
    erasure = requested("two")
    name = f"{certificate.FOLDER}/{certificate.file_name(erasure, is_whole=True)}"
    take_over(lake)
    lake.files.write(name, b"theirs")
    with pytest.raises(Busy):
        written(lake, erasure)
    assert lake.files.read(name) == b"theirs"


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_certificate_that_the_successor_wrote_after_the_check_is_not_replaced(
    lake, monkeypatch, is_whole
):
    """The writer is paused between the check of its lease and the writing."""
    erasure = replace(requested("two"), due_at=datetime.now(UTC))
    name = f"{certificate.FOLDER}/{certificate.file_name(erasure, is_whole=is_whole)}"
    check = lake.check_lease

    def paused():
        check()
        lake.files.write(name, b"theirs")
        take_over(lake)

    monkeypatch.setattr(lake, "check_lease", once_then(paused, check))
    with pytest.raises(Busy, match="was taken over by run successor"):
        written(lake, erasure, is_whole=is_whole)
    assert lake.files.read(name) == b"theirs"


def once_then(first, later):
    """A function that does one thing when it is first called, and another later."""
    acts = [first]

    def called():
        (acts.pop() if acts else later)()

    return called


def test_a_first_part_that_changed_after_it_was_read_is_not_deleted(lake, monkeypatch):
    erasure = replace(requested("two"), due_at=datetime.now(UTC))
    written(lake, erasure, is_whole=False)
    part = f"{certificate.FOLDER}/{certificate.file_name(erasure, is_whole=False)}"
    swap = LocalFolder.swap

    def swapping(self, name, content, *, expected):
        if name == part and content is None:
            self.write(part, b"theirs")
        return swap(self, name, content, expected=expected)

    monkeypatch.setattr(LocalFolder, "swap", swapping)
    with pytest.raises(FruitLakeError, match="was changed by another program"):
        written(lake, erasure)
    assert lake.files.read(part) == b"theirs"
