"""A landing folder that was listed: looked up, and in the order of arrival, however many objects it has."""

import os
from dataclasses import replace

import pytest

from bronze import listed_objects
from bronze.labels import Labels
from bronze.landing import Landing, LandingObject, arrival
from bronze.listed_objects import ListedObjects, facts_of
from bronze.new_objects import NewObjects
from conf.settings import Settings
from lake import key_spool, sorted_runs, working_files
from lake.pseudonyms import Pseudonyms
from tests.support.landing_folders import ODD_NAMES

KEYS = Pseudonyms(b"0123456789abcdef")
LABELS = Labels.of(Settings.load("local", environment={}).labels, KEYS.names)

TIMES = (0, 1, -1, 2**62, 10**9 * 2**61, -(10**9) * 2**61)
"""Times of modification in ns: also those of a broken disk, which 64 bits don't hold."""


class GeneratedLanding(Landing):
    """A landing folder with so many objects, which are in no folder."""

    def __init__(self, count, *, found=()):
        super().__init__("nowhere")
        self.made = [
            LandingObject(f"kiwi/{n * 7919 % count:06}.jpg", n, n // 3 * 10**9)
            for n in range(count)
        ]
        self.made += found

    def objects(self, counts=None):
        for each in self.made:
            counts.objects += 1
            yield each


@pytest.fixture(params=["memory", "file"])
def place(request, monkeypatch):
    """What is kept in memory, and what is kept in a file."""
    if request.param == "file":
        monkeypatch.setattr(listed_objects, "PART", 50)
        for spool in (key_spool.KeySpool, sorted_runs.SortedRuns):
            monkeypatch.setattr(spool.__init__, "__kwdefaults__", {"held": 50})
    return request.param


def in_order(listed, arrivals):
    with NewObjects() as new:
        for begin in range(0, len(arrivals), 30):
            new.add(facts_of(each.landing for each in arrivals[begin : begin + 30]))
        return new, list(new.in_order(listed, lambda each: each))


def test_all_objects_are_there_once_and_in_the_order_of_their_arrival(place):
    landing = GeneratedLanding(1_000)
    with ListedObjects(landing, KEYS, LABELS) as listed:
        assert listed.are_many is (place == "file")
        assert listed.counts.objects == 1_000
        arrivals = list(listed.arrivals())
        new, ordered = in_order(listed, arrivals)
    made = sorted(landing.made, key=lambda each: (each.modified_ns, each.path))
    assert [each.landing for each in ordered] == made
    assert [each.position for each in ordered] == list(range(1_000))
    assert (new.count, new.oldest, new.archived) == (1_000, 0, 0)


def test_an_object_is_as_if_it_had_never_been_put_away(place, monkeypatch):
    found = [
        LandingObject(f"{folder}/{name}", 5, time, tag, is_archived)
        for folder in ("subject=anna/2026", "Kiwi", "user=anna")
        for name in ODD_NAMES
        for time, tag, is_archived in zip(
            TIMES, ("", '"etag"', "a b", "", "x" * 99, ""), (True, *[False] * 5), strict=True
        )
    ]
    landing = GeneratedLanding(0, found=found)
    with ListedObjects(landing, KEYS, LABELS) as listed:
        _, ordered = in_order(listed, list(listed.arrivals()))
    told = [arrival(each, position=0, pseudonyms=KEYS, labels=LABELS) for each in found]
    by_object = {each.landing: each for each in told}
    assert len(ordered) == len(found)
    for each in ordered:
        assert replace(each, position=0) == by_object[each.landing]


def test_some_objects_are_found_by_their_keyed_hashes(place):
    landing = GeneratedLanding(500)
    wanted = {KEYS.path(each.path) for each in landing.made[10:20]}
    with ListedObjects(landing, KEYS, LABELS) as listed:
        for _ in range(2):  # they can be asked for again
            found = {each.landing for each in listed.of(wanted | {"none"})}
            assert found == set(landing.made[10:20])
        assert list(listed.of(set())) == []


def test_nothing_is_listed_of_an_empty_folder(tmp_path):
    with ListedObjects(Landing(str(tmp_path)), KEYS, LABELS) as listed:
        assert list(listed.arrivals()) == []
        assert (listed.are_many, listed.counts.objects) == (False, 0)


def test_no_name_lies_in_a_folder_while_they_are_put_away(place, tmp_path, monkeypatch):
    """A process that is killed leaves nobody's name behind."""
    monkeypatch.setattr(working_files, "place", lambda: tmp_path)
    with ListedObjects(GeneratedLanding(500), KEYS, LABELS) as listed:
        assert len(list(listed.arrivals())) == 500
        assert os.listdir(tmp_path) == []
