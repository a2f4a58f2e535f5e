"""Imports of tombstones before and after a move to a new key, without Spark."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from conf.errors import Busy, Refused
from conf.settings import Settings
from lake import catalog, lake_format, secret_places
from lake.enums import REKEY
from lake.pseudonyms import Pseudonyms
from privacy import moved_rows, rekey, tombstones
from tests.support.tombstone_lakes import NOW, TombstoneLake

DAY = timedelta(days=1)


class Moving(TombstoneLake):
    """A lake of tombstones that moves to new keys."""

    current = None
    before = ()

    @property
    def key(self):
        return self.current or f"file:{self.root}.key"

    @property
    def settings(self):
        known = [each.key for each in self.others] + list(self.before)
        for each in self.others:
            known += list(getattr(each, "before", ()))
        listed = ", ".join(f'"{each}"' for each in dict.fromkeys(known))
        return Settings.load(
            "local",
            environment={},
            overrides=[
                f"paths.lake={self.root}",
                f"subjects.key={self.key}",
                f"subjects.tombstone_keys=[{listed}]",
            ],
        )

    def move(self, name):
        place = f"file:{self.root}.{name}"
        new = secret_places.load(place, lake=str(self.root), make=True)
        known = rekey.under(self.keys, new)
        record = {"to": known.fingerprint}
        lake_format.begin_rekey(self.files, record)
        with self.writing() as lake:
            lake.rewrite(
                catalog.TOMBSTONES,
                lambda rows: moved_rows.moved_tombstones(rows, known),
                layer=REKEY,
            )
        lake_format.finish_rekey(self.files, known, record)
        self.before = (self.key, *self.before)
        self.current = place


@pytest.fixture
def first(tmp_path):
    lake = Moving.make(tmp_path / "first")
    lake.erase("anna", b"her photo")
    lake.erase_photo("carl", b"carl's photo")
    return lake


def test_lifted_stays_lifted_when_the_same_file_of_another_lake_is_imported_after_a_move(
    first, tmp_path
):
    lake = Moving.make(tmp_path / "second", others=(first,))
    file = first.exported()
    lake.take_in(file)
    assert lake.lift("anna", now=NOW + DAY)
    assert not lake.keeps_out("subject=anna/1.jpg", now=NOW + DAY)
    assert lake.take_in(file, now=NOW + DAY).added == 0
    lake.move("next")
    assert not lake.keeps_out("subject=anna/1.jpg", now=NOW + DAY)
    did = lake.take_in(file, now=NOW + DAY)
    assert not lake.keeps_out("subject=anna/1.jpg", now=NOW + DAY)
    assert did.added == 0


def test_own_file_of_before_the_move(first):
    file = first.exported()
    assert first.lift("anna", now=NOW + DAY)
    first.move("next")
    did = first.take_in(file, now=NOW + DAY)
    assert not first.keeps_out("subject=anna/1.jpg", now=NOW + DAY)
    assert did.added == 0


def test_keeps_out_all_after_two_moves_with_imports_between(first, tmp_path):
    lake = Moving.make(tmp_path / "second", others=(first,))
    lake.erase("bert", b"bert's photo", request="R-9")
    lake.take_in(first.exported())
    lake.move("next")
    first.erase("dora", b"dora's", request="R-2")
    first.move("next1")
    lake.take_in(first.exported())
    lake.move("last")
    first.erase("emil", b"emil's", request="R-3")
    lake.take_in(first.exported())
    for who in ("anna", "bert", "dora", "emil"):
        assert lake.keeps_out(f"subject={who}/1.jpg"), who
    for what in (b"her photo", b"bert's photo", b"dora's", b"emil's", b"carl's photo"):
        assert lake.keeps_out("kiwi/1.jpg", what), what
    assert lake.keeps_out("subject=carl/1.jpg", b"carl's photo")
    assert not lake.keeps_out("subject=anton/1.jpg", b"carl's photo")
    assert not lake.keeps_out("subject=carl/1.jpg", b"another photo")
    third = Moving.make(tmp_path / "third", others=(lake, first))
    third.take_in(lake.exported())
    for who in ("anna", "bert", "dora", "emil"):
        assert third.keeps_out(f"subject={who}/1.jpg"), who
    assert third.keeps_out("subject=carl/1.jpg", b"carl's photo")


def test_a_photo_is_lifted_by_the_id_that_it_had_when_it_was_erased(first):
    earlier = first.photo_id("carl", b"carl's photo")
    first.move("next")
    first.move("last")
    assert first.keeps_out("subject=carl/1.jpg", b"carl's photo")
    with first.writing() as lake:
        ids = list(map(first.keys.tombstone, first.keys.ids_since(earlier)))
        assert [tombstones.lift_photo(lake, each, now=NOW) for each in ids] == [False, False, True]
    assert not first.keeps_out("subject=carl/1.jpg", b"carl's photo")


def test_code_of_before_refuses_a_lake_that_is_half_way(first):
    """Code that knows no rekey asks for the format alone: 5 is one that it knows."""
    values = {**lake_format.values_of(first.files), "format": 5}
    first.files.write(lake_format.NAME, json.dumps(values).encode())
    lake_format.begin_rekey(first.files, {"to": "x"})
    assert lake_format.values_of(first.files)["format"] > 5


def test_lakes_of_one_key_that_both_moved_to_another_one_share_what_one_had_imported(
    first, tmp_path
):
    here = Moving.make(tmp_path / "here", others=(first,))
    here.take_in(first.exported())
    there = Moving.make(tmp_path / "there", key_of=here, others=(first,))
    for each in (here, there):
        Path(f"{each.root}.next").write_bytes(b"one new key for both of them")
        each.move("next")
    assert here.keeps_out("subject=anna/1.jpg")
    there.take_in(here.exported())
    assert there.keeps_out("subject=anna/1.jpg")
    assert there.keeps_out("kiwi/1.jpg", b"her photo")


def test_a_lake_json_that_lost_the_earlier_key_is_refused(first):
    first.move("next")
    assert first.keeps_out("subject=anna/1.jpg")
    values = dict(lake_format.values_of(first.files))
    del values[lake_format.EARLIER]
    first.files.write(lake_format.NAME, json.dumps(values).encode())
    with pytest.raises(Refused, match="made with another key"):
        first.keeps_out("subject=anna/1.jpg")


def test_only_who_began_a_move_ends_it(first):
    known = rekey.under(first.keys, Pseudonyms(b"another secret of it"))
    lake_format.begin_rekey(first.files, {"to": "one"})
    before = first.files.read(lake_format.NAME)
    with pytest.raises(Refused, match="half way"):
        lake_format.begin_rekey(first.files, {"to": "other"})
    with pytest.raises(Busy):
        lake_format.finish_rekey(first.files, known, {"to": "other"})
    with pytest.raises(Refused, match="half way"):
        lake_format.with_plain_keys(first.files, known.earlier, ["client"])
    assert first.files.read(lake_format.NAME) == before
