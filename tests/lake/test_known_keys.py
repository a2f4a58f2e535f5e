"""What the lake knows of object versions and photos is the same with the index, without it and half of it."""

import errno
import hashlib
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake import catalog, delta_rs_reader, known_keys, small_tables
from lake.enums import BRONZE, KeyKind
from lake.known_keys import UNREADABLE, keys_of, version_texts
from lake.run_journal import LayerRun
from tests.support.photo_tables import write
from tests.support.small_lake import small_lake

VERSIONS = [KeyKind.VERSION, KeyKind.UNREADABLE]


def hashed(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def objects(chunk, count=30):
    """The rows of a chunk: of each six, four were stored, one was a copy, and one could not be read."""
    rows = []
    for n in range(count):
        outcome = {4: "duplicate", 5: "rejected"}.get(n % 6, "stored")
        photo = hashed("photo", chunk, n - 1 if outcome == "duplicate" else n)
        row = {"chunk": chunk, "object": hashed(chunk, n), "etag": f"e{n}", "outcome": outcome}
        row["seen_at"] = datetime(2026, 11, 29, tzinfo=UTC)
        if outcome == "rejected":
            row["etag"] = UNREADABLE + row["etag"]
        else:
            row |= {"photo_id": photo, "label": f"kind {n % 3}", "split": ""}
        rows.append(row)
    return rows


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A lake of three chunks of thirty objects, in which an index of 20 rows is worth its while."""
    monkeypatch.setattr(known_keys, "FEWEST", 20)
    with small_lake(tmp_path) as made:
        for chunk in (1, 2, 3):
            write(tmp_path, catalog.OBJECTS, objects(chunk))
        yield made


def answers(lake, *, before=None):
    """What the lake knows of every version and photo of five chunks, and of the index' own keys."""
    asked = [row for chunk in range(1, 6) for row in objects(chunk)]
    etags = [row["etag"].removeprefix(UNREADABLE) for row in asked]
    texts = version_texts(pa.array([row["object"] for row in asked]), pa.array(etags))
    found = {}
    for each in lake.known_keys.find(VERSIONS, texts, before=before):
        once = [place for place in each.places.to_pylist() if (each.kind, place) in found]
        assert once == []
        told = zip(each.places.to_pylist(), each.told.to_pylist(), strict=True)
        found |= {(each.kind, place): row for place, row in told if place is not None}
    ids = pa.array([row["photo_id"] for row in asked if "photo_id" in row]).unique()
    return found, lake.known_keys.photos(ids, before=before or 100)


def from_rows(rows):
    """The same, by a look at the rows."""
    asked = [row for chunk in range(1, 6) for row in objects(chunk)]
    places = {(row["object"], row["etag"]): place for place, row in enumerate(asked)}
    found = {}
    for row in rows:
        kind = KeyKind.UNREADABLE if row["etag"].startswith(UNREADABLE) else KeyKind.VERSION
        told = {name: row.get(name) for name in ("chunk", "label", "split")}
        found[kind, places[row["object"], row["etag"]]] = told
    return found, {row["photo_id"]: row["chunk"] for row in rows if row["outcome"] == "stored"}


def test_the_index_says_what_the_rows_say(lake):
    rows = [row for chunk in (1, 2, 3) for row in objects(chunk)]
    assert answers(lake) == from_rows(rows)
    assert known_keys.fold(lake)
    assert lake.known_keys.lacking() == (0, 75 + 15 + 60)
    assert answers(lake) == from_rows(rows)


def test_the_index_is_made_anew_when_it_lacks_a_part(lake, tmp_path, monkeypatch):
    assert known_keys.fold(lake)
    monkeypatch.setattr(known_keys, "FEWEST", 0)
    monkeypatch.setattr(known_keys, "SHARE", 8)
    held = delta_rs_reader.most_rows(lake.log(catalog.KNOWN_KEYS).table())
    write(tmp_path, catalog.OBJECTS, objects(4, count=held // 8))
    assert not known_keys.fold(lake)
    write(tmp_path, catalog.OBJECTS, objects(5, count=1))
    assert known_keys.fold(lake)


def test_the_rows_that_came_since_are_read_from_the_table(lake, tmp_path):
    assert known_keys.fold(lake)
    write(tmp_path, catalog.OBJECTS, objects(4, count=12))
    assert lake.known_keys.lacking()[0] == 12
    rows = [row for chunk in (1, 2, 3) for row in objects(chunk)] + objects(4, count=12)
    assert answers(lake) == from_rows(rows)
    assert not known_keys.fold(lake)  # twelve rows are not worth it
    write(tmp_path, catalog.OBJECTS, objects(5, count=12))
    assert known_keys.fold(lake)
    assert answers(lake) == from_rows(rows + objects(5, count=12))


def test_only_the_chunks_before_a_number_count(lake):
    """A chunk that was published, and is decided again, must not find its own photos."""
    for _ in range(2):
        for before in (1, 2, 3, 4):
            rows = [row for chunk in range(1, before) for row in objects(chunk)]
            assert answers(lake, before=before) == from_rows(rows)
        known_keys.fold(lake)


def test_an_index_is_used_for_early_chunks_too(lake, monkeypatch):
    """The gate of bronze judges the first chunk when the last one is in the lake."""
    known_keys.fold(lake)
    read, of_lake = [], lake.batches

    def batches(*given, **named):
        for batch in of_lake(*given, **named):
            read.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(lake, "batches", batches)
    for before in (1, 2, 3, 4):
        assert answers(lake, before=before)[1].keys() == {
            row["photo_id"]
            for chunk in range(1, before)
            for row in objects(chunk)
            if row["outcome"] == "stored"
        }
    assert sum(read) == 0


def test_an_object_that_several_runs_could_not_read_has_one_key(lake, tmp_path):
    again = [row | {"chunk": 4} for row in objects(1) if row["outcome"] == "rejected"]
    write(tmp_path, catalog.OBJECTS, again)
    known_keys.fold(lake)
    keys = [row["key"] for row in delta_rs_reader.rows(str(tmp_path), catalog.KNOWN_KEYS)]
    assert len(keys) == len(set(keys)) == 75 + 15 + 60


def test_a_full_disk_leaves_the_lake_without_an_index_and_is_noted_once(lake, monkeypatch):
    def fails(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(known_keys.KeySpool, "add", fails)
    did = LayerRun(BRONZE)
    for _ in range(2):
        assert not known_keys.fold(lake, did=did)
    [note] = did.notes
    assert "is full: all of bronze/objects is read instead; free some of it" in note
    assert answers(lake) == from_rows([row for chunk in (1, 2, 3) for row in objects(chunk)])


@pytest.mark.parametrize("change", ["remove", "alter"])
def test_an_index_of_rows_that_changed_is_not_used(lake, tmp_path, change):
    """Another program's DELETE, a MERGE of an erasure: the index says nothing until it is made anew."""
    known_keys.fold(lake)
    table = delta_rs_reader.delta_table(str(tmp_path), catalog.OBJECTS)
    rows = [row for chunk in (1, 2, 3) for row in objects(chunk)]
    if change == "remove":
        table.delete("chunk = 2")
        rows = [row for row in rows if row["chunk"] != 2]
    else:
        table.update(predicate="label = 'kind 1'", updates={"label": "'kiwi'"})
        rows = [row | ({"label": "kiwi"} if row.get("label") == "kind 1" else {}) for row in rows]
    assert answers(lake) == from_rows(rows)
    assert lake.known_keys.lacking() == (len(rows), 0)
    assert known_keys.fold(lake)
    assert answers(lake) == from_rows(rows)


def test_files_that_are_joined_leave_the_index_as_it_is(lake):
    known_keys.fold(lake)
    delta_rs_reader.delta_table(lake.files.root, catalog.OBJECTS).optimize.compact()
    assert lake.known_keys.lacking()[0] == 0
    assert answers(lake) == from_rows([row for chunk in (1, 2, 3) for row in objects(chunk)])


def test_of_a_file_that_was_joined_of_both_only_the_later_rows_are_lacking(lake, tmp_path):
    known_keys.fold(lake)
    write(tmp_path, catalog.OBJECTS, objects(4, count=21))
    delta_rs_reader.delta_table(lake.files.root, catalog.OBJECTS).optimize.compact()
    assert lake.known_keys.lacking()[0] == 21
    rows = [row for chunk in (1, 2, 3) for row in objects(chunk)] + objects(4, count=21)
    assert answers(lake) == from_rows(rows)


def test_nothing_of_the_index_is_left_when_it_is_forgotten(lake):
    known_keys.fold(lake)
    known_keys.forget(lake, layer="erase")
    assert delta_rs_reader.rows(lake.files.root, catalog.KNOWN_KEYS) == []
    assert answers(lake) == from_rows([row for chunk in (1, 2, 3) for row in objects(chunk)])
    version = lake.version(catalog.KNOWN_KEYS)
    known_keys.forget(lake, layer="erase")
    assert lake.version(catalog.KNOWN_KEYS) == version  # there was nothing to forget


def test_a_lake_of_few_rows_has_no_index(tmp_path):
    with small_lake(tmp_path, {catalog.OBJECTS: objects(1)}) as lake:
        assert not known_keys.fold(lake)
        assert lake.version(catalog.KNOWN_KEYS) == 0
        assert answers(lake) == from_rows(objects(1))


def test_few_row_groups_are_read_for_few_keys(lake, tmp_path, monkeypatch):
    """Those whose statistics say that they may have one."""
    monkeypatch.setattr(small_tables, "GROUP_ROWS", 10)
    known_keys.fold(lake)
    read = []
    of_file = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda *given: (read.extend(given[1]), of_file(*given))[1],
    )
    for each in answers(lake)[1]:
        assert lake.known_keys.photos(pa.array([each]), before=9).keys() == {each}
    read.clear()
    photo = objects(2)[0]["photo_id"]
    assert lake.known_keys.photos(pa.array([photo]), before=9) == {photo: 2}
    assert len(read) == 1
    assert lake.known_keys.photos(pa.array(["none"]), before=9) == {}
    assert len(read) <= 2
    [path] = tmp_path.glob("bronze/known_keys/*.parquet")
    assert pq.ParquetFile(path).num_row_groups == 15


def test_a_killed_fold_leaves_the_index_of_before(lake, tmp_path, monkeypatch):
    known_keys.fold(lake)
    write(tmp_path, catalog.OBJECTS, objects(4))

    def fails(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(known_keys.KeySpool, "add", fails)
    with pytest.raises(OSError, match="No space"):
        known_keys.fold(lake)
    assert answers(lake) == from_rows([row for chunk in range(1, 5) for row in objects(chunk)])


def test_a_fold_that_dies_while_it_is_written_leaves_the_index_of_before(
    lake, tmp_path, monkeypatch
):
    known_keys.fold(lake)
    before = lake.version(catalog.KNOWN_KEYS)
    write(tmp_path, catalog.OBJECTS, objects(4))
    once, made = known_keys._once, []

    def fails(part):
        made.append(part)
        if len(made) == 2:
            raise RuntimeError("the second part can't be read")
        return once(part)

    monkeypatch.setattr(known_keys, "_once", fails)
    with pytest.raises(Exception, match="the second part"):
        known_keys.fold(lake)
    assert lake.version(catalog.KNOWN_KEYS) == before
    assert answers(lake) == from_rows([row for chunk in range(1, 5) for row in objects(chunk)])


def test_a_table_is_looked_up_once_for_as_many_rows_as_are_asked_for(lake, monkeypatch):
    """However small its batches are: with one look for each, the time would grow with both."""
    looks, of_arrow = [], pc.index_in
    monkeypatch.setattr(
        pc, "index_in", lambda *given, **named: (looks.append(1), of_arrow(*given, **named))[1]
    )
    answers(lake)
    assert len(looks) == 3  # of three files: versions and unreadable ones, and photos


STEPS = st.lists(
    st.sampled_from(["came", "came", "came", "folded", "left", "told", "joined", "forgotten"]),
    min_size=2,
    max_size=12,
)


@settings(max_examples=15)
@given(steps=STEPS, before=st.integers(1, 6))
def test_whatever_became_of_the_rows_the_answers_are_theirs(tmp_path_factory, steps, before):
    """Chunks come, rows leave or change, files are joined, and the index is made, in any order."""
    root = tmp_path_factory.mktemp("lake")
    rows, chunk = [], 0
    with pytest.MonkeyPatch.context() as patch, small_lake(root) as lake:
        patch.setattr(known_keys, "FEWEST", 20)
        for step in steps:
            table = delta_rs_reader.delta_table(str(root), catalog.OBJECTS)
            if step == "came" and chunk < 5:
                chunk += 1
                write(root, catalog.OBJECTS, objects(chunk, count=18))
                rows += objects(chunk, count=18)
            elif step == "folded":
                known_keys.fold(lake)
            elif step == "left":
                table.delete(f"chunk = {chunk}")
                rows = [row for row in rows if row["chunk"] != chunk]
            elif step == "told":
                table.update(predicate="label = 'kind 1'", updates={"label": "'kiwi'"})
                other = {"label": "kiwi"}
                rows = [row | (other if row.get("label") == "kind 1" else {}) for row in rows]
            elif step == "joined":
                table.optimize.compact()
            elif step == "forgotten":
                known_keys.forget(lake, layer="erase")
            assert answers(lake) == from_rows(rows)
            earlier = [row for row in rows if row["chunk"] < before]
            assert answers(lake, before=before) == from_rows(earlier)


def test_keys_are_of_the_texts():
    assert keys_of(["a b"]).to_pylist() == [hashlib.sha256(b"a b").digest()[:16]]
    assert version_texts(pa.array(["a"]), pa.array(["b"])).to_pylist() == ["a b"]
