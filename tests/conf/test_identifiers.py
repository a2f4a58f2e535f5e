"""Ids are shown short, and any unambiguous beginning of one is understood."""

import hashlib

import pytest

from conf.errors import BadInput
from conf.identifiers import SHOWN, named, shortened

IDS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(40)]
VERSIONS = ["pca-91b5d0b2-1", "pca-91b5d0b2-2", "pca-91b5d0b2-10", "classifier-91b5d0b2-1"]


def test_ids_are_shown_with_twelve_digits_or_as_many_as_tell_them_apart():
    twins = ["ab" * 10 + "0" * 44, "ab" * 10 + "1" * 44]
    short = shortened([*IDS, *twins])
    assert [short[each] for each in IDS] == [each[:SHOWN] for each in IDS]
    assert [short[each] for each in twins] == ["ab" * 10 + "0", "ab" * 10 + "1"]
    assert len(set(short.values())) == len(IDS) + 2
    assert shortened([]) == {}
    assert shortened(["short", "shorter"]) == {"short": "short", "shorter": "shorter"}


@pytest.mark.parametrize("digits", [4, 12, 64])
def test_a_beginning_names_the_one_that_begins_so(digits):
    assert all(named(each[:digits], IDS, what="photo") == each for each in IDS)


def test_a_whole_name_is_that_name_though_others_begin_with_it():
    assert named("pca-91b5d0b2-1", VERSIONS, what="version") == "pca-91b5d0b2-1"
    assert named("R-1", ["R-1", "R-17"], what="erasure") == "R-1"
    assert named("clas", VERSIONS, what="version") == "classifier-91b5d0b2-1"


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        (
            "pca-91b5",
            VERSIONS,
            "pca-91b5 is the beginning of 3 versions: give more of one; there is pca-91b5d0b2-1, "
            "pca-91b5d0b2-10, pca-91b5d0b2-2.",
        ),
        (
            "pca",
            VERSIONS[:1],
            "There is no version pca, and it is too short for the beginning of one: give at least 4 "
            "characters; there is pca-91b5d0b2-1.",
        ),
        (
            "",
            [],
            "There is no version (an empty text), and it is too short for the beginning of one: give at "
            "least 4 characters; there is none.",
        ),
        ("pca-91b5d0b3", VERSIONS[:1], "There is no version pca-91b5d0b3; did you mean pca-91b5d0b2-1?"),
        ("resnet", VERSIONS[:1], "There is no version resnet; there is pca-91b5d0b2-1."),
        (
            f"{IDS[0][:7]}x",
            IDS[:2],
            f"There is no version {IDS[0][:7]}x; did you mean {IDS[0][:SHOWN]}?",
        ),
        (
            "zzzz",
            IDS[:9],
            f"There is no version zzzz; there is {', '.join(i[:SHOWN] for i in sorted(IDS[:9])[:8])} and 1 "
            "more.",
        ),
    ],
)  # fmt: skip
def test_what_names_nothing_or_several_is_refused(text, known, said):
    with pytest.raises(BadInput) as refused:
        named(text, known, what="version")
    assert str(refused.value) == said
