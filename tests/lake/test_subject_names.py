"""The rule for names: one name for all spellings that a person would call the same."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.pseudonyms import Pseudonyms
from lake.subject_names import NameRule, NameRuleVersion, near_key, normalised
from tests.support.name_spellings import NAMES, WAYS

SECRET = b"0123456789abcdef"
KEPT, FOLDED = NameRule(), NameRule(folds_case=True)
AS_WRITTEN = NameRule(NameRuleVersion.AS_WRITTEN)
NFC, NFD = "Zo\u00e9", "Zoe\u0301"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (NFD, NFC),
        ("Zo%C3%A9", NFC),
        ("Zoe%CC%81", NFC),
        ("Zo%25C3%25A9", NFC),
        (" anna\t", "anna"),
        ("\u3000anna\u00a0", "anna"),
        ("\ufeff anna\u200b ", "anna"),
        ("%20anna%20", "anna"),
        ("\u202aanna\u202c", "anna"),
        ("\u200fאנה\u200e", "אנה"),
        ("\u00adanna\u200d", "anna"),
        ("anna%00", "anna"),
        ("\u2800anna\u3164", "anna"),
        ("an\u200dna", "an\u200dna"),
        ("\u00ad", ""),
        ("anna%20b", "anna b"),
        ("Anna", "Anna"),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("Zo%E9", "Zo\udce9"),
        ("Zo\udcc3\udca9", "Zo\udcc3\udca9"),
        ("%20", ""),
        ("", ""),
    ],
)
def test_a_name_has_one_spelling(written, name):
    assert KEPT.name(written) == name
    assert AS_WRITTEN.name(written) == written


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "aNNa"),
        ("ZOÉ", NFD),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("%41nna", "anna"),
    ],
)
def test_case_is_folded_where_the_lake_says_so(one, other):
    assert FOLDED.name(one) == FOLDED.name(other)
    assert KEPT.name(one) != KEPT.name(other)


@given(NAMES, st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=4), st.booleans())
def test_spellings_that_a_person_calls_the_same_are_one_name(name, ways, folds_case):
    rule = NameRule(folds_case=folds_case)
    spelled = name
    for way in ways:
        spelled = WAYS[way](spelled)
    assert rule.name(spelled) == rule.name(name)
    known = Pseudonyms(SECRET, rule)
    assert known.subject(spelled) == known.subject(name)


@given(st.text(st.characters(codec="utf-8"), max_size=12), st.booleans())
def test_a_name_is_its_own_spelling(text, folds_case):
    name = normalised(text, folds_case=folds_case)
    assert normalised(name, folds_case=folds_case) == name
    assert unicodedata.is_normalized("NFC", name)
    assert name == name.strip()


@given(st.text(st.sampled_from("annaÉözЖд -1"), min_size=1, max_size=9))
def test_cases_are_one_name_where_case_is_folded_and_near_where_it_is_kept(name):
    for other in (name.lower(), name.upper(), name.title(), name.swapcase()):
        assert FOLDED.name(other) == FOLDED.name(name)
        assert near_key(other) == near_key(name)


@pytest.mark.parametrize(
    "other",
    [
        *(
            "ANNA LEE",
            " annalee",
            "anna\u00a0lee",
            "ａｎｎａ　ｌｅｅ",
            "Anna%20Lee",
            "an\u200bnalee",
        ),
        *("an\u00adna lee", "anna+lee", "'Anna Lee'", "“anna lee”", '"anna lee"', "Anna Lee."),
        *("Anna&nbsp;Lee", "&#65;nna Lee", "Anna%26%2332%3BLee", "Annа Lее", "аnnа lее"),
    ],
)
def test_names_that_look_alike_are_near(other):
    assert near_key(other) == near_key("Anna Lee")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zoé", "Zo\udce9"),
        ("Zoé", "ZoÃ©"),
        ("É", "Ã‰"),
        ("Zoé", "Zo&eacute;"),
        ("Zoé", "Zo%26%23233%3B"),
        ("IŞIK", "ışık"),
        ("İpek", "ipek"),
        ("ﬁona", "Fiona"),
    ],
)
def test_names_in_other_encodings_and_by_the_turkish_rule_are_near(one, other):
    assert near_key(one) == near_key(other)


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_what_looks_alike_has_one_key(text):
    assert near_key(near_key(text)) == near_key(text)


@pytest.mark.parametrize("other", ["anne lee", "anna", "anna-lee"])
def test_other_letters_are_not_near(other):
    assert near_key(other) != near_key("Anna Lee")


@pytest.mark.parametrize(
    "rule", [KEPT, FOLDED, NameRule(plain_keys=frozenset(["client"])), AS_WRITTEN]
)
def test_a_rule_is_what_its_record_says(rule):
    assert NameRule.of_record(rule.record()) == rule


def test_a_lake_without_a_record_has_the_rule_of_format_4():
    assert NameRule.of_record(None) == AS_WRITTEN
    assert AS_WRITTEN.with_plain_keys(["client"]) == AS_WRITTEN
