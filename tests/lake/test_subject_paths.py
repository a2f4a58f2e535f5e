"""What paths say: whose photo, which label; and that no part of a name stays where that isn't certain."""

import os
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bronze.landing import LandingObject, arrival
from conf.errors import BadInput
from lake.pseudonyms import Pseudonyms
from lake.subject_names import NameRule, NameRuleVersion, near_key
from lake.subject_paths import (
    IN_CLEAR,
    check_subject,
    hidden_names,
    mentions,
    names_a_folder,
    read,
    stored_subject,
)
from tests.support.name_spellings import KEYS, NAMES, UNCERTAIN_KEYS, WAYS
from tests.support.spelled_paths import CANARY, canary_paths

RULE = NameRule()
AS_WRITTEN = NameRule(NameRuleVersion.AS_WRITTEN)
PSEUDONYMS = Pseudonyms(b"0123456789abcdef", RULE)
PSEUDONYM, KEY = "0123456789abcdef" * 4, "f" * 64
MARKER = "quincé"
"""A name that stands in no path by chance."""


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_read_in_any_spelling_that_is_certain(key):
    assert read(f"{key}anna/1.jpg", RULE).subject == "anna"
    assert read(f"2026/{key}anna/11/1.jpg", RULE).subject == "anna"
    label = key.lower().replace("subject", "label").replace("%73ubject", "label")
    label = label.replace("ｓｕｂｊｅｃｔ", "ｌａｂｅｌ").replace("ſubject", "label")
    assert read(f"{label}kiwi/1.jpg", RULE).label == "kiwi"


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("subject=anna/subject=/x.jpg", "anna"),
        ("subject=anna/SUBJECT=%20/x.jpg", "anna"),
        ("subject=anna/subject=\ufeff/x.jpg", "anna"),
        ("subject=anna/subject=bert/x.jpg", "bert"),
        ("subject=anna/subject=bert/subject=/x.jpg", "bert"),
        ("subject=Zoe\u0301/x.jpg", "Zo\u00e9"),
        ("subject=Zo%C3%A9/x.jpg", "Zo\u00e9"),
        ("subject= anna /x.jpg", "anna"),
        ("subject=Smith, Anna/x.jpg", "Smith, Anna"),
        ("subject=YW5uYQ==/x.jpg", "YW5uYQ=="),
        ("subject=user-17/x.jpg", "user-17"),
        ("subject=anna/user=bert/user_3.jpg", "anna"),
        ("user=bert/subject=anna/x.jpg", "anna"),
        ("subject=/x.jpg", None),
        ("subject=/2026/x.jpg", None),
    ],
)
def test_the_innermost_value_counts_that_is_not_empty(path, subject):
    found = read(path, RULE)
    assert (found.subject, found.is_uncertain) == (subject, False)


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("Kiwi/1.jpg", "Kiwi"),
        (" Golden%20Delicious /1.jpg", "Golden Delicious"),
        ("Zoe\u0301/1.jpg", "Zo\u00e9"),
        ("LABEL=kiwi/label=/1.jpg", "kiwi"),
        ("label=kiwi/Label = lime/1.jpg", "lime"),
        ("kiwi%3D3/1.jpg", None),
        ("kiwi＝3/1.jpg", None),
        ("%20/1.jpg", None),
        ("1.jpg", None),
        ("subject=anna/kiwi/1.jpg", None),
    ],
)
def test_a_label_is_read_by_the_same_rule(path, label):
    assert kept(path)[1].label == label


@pytest.mark.parametrize("rule", [RULE, AS_WRITTEN])
def test_the_name_of_a_folder_without_a_key_is_no_label_here(rule):
    """`bronze.labels` is the one definition of it."""
    assert read("Kiwi/1.jpg", rule).label is None
    assert read("Kiwi/label=lime/1.jpg", rule).label == "lime"


@pytest.mark.parametrize("key", UNCERTAIN_KEYS)
def test_what_only_looks_like_a_subject_is_uncertain(key):
    assert read(f"{key}anna/1.jpg", RULE).is_uncertain
    assert read(f"2026/{key}anna/11/1.jpg", RULE).is_uncertain
    assert read(f"kiwi/{key}anna.jpg", RULE).is_uncertain


@pytest.mark.parametrize(
    "path",
    [
        *("subject%3Danna%2F1.jpg", "kiwi/2026%2Fsubject%3Danna%2F1.jpg", "subject=anna\\1.jpg"),
        *("subject=anna\\2026/1.jpg", "subject=a%2Fb/1.jpg", "subject=subject=anna/1.jpg"),
        *("subject=anna;label=kiwi/1.jpg", "subject=anna/subject:bert/1.jpg"),
        *("subject=anna;user=bert/1.jpg", "subject=anna&batch=3/1.jpg", "user=;anna/1.jpg"),
        *("kiwi/users;anna.jpg", "label=user,anna/1.jpg", "anna@example.com/1.jpg"),
        *("subject=anna/label=Anna/1.jpg", "label=%41nna 3/subject=anna/1.jpg"),
        *("subject=anna/label=user-bert/1.jpg", "kiwi/anna-subject.jpg", "subject-anna"),
    ],
)
def test_other_paths_that_are_uncertain(path):
    assert read(path, RULE).is_uncertain


@pytest.mark.parametrize(
    "path",
    [
        *("year=2026/month=11/day=27/1.jpg", "dt=2026-11-27/hour=07/1.jpg", "batch=3/1.jpg"),
        *("label=kiwi/1.jpg", "split=train/label=kiwi/1.jpg", "object=3/1.jpg", "subset=a/1.jpg"),
        *("Apple Golden 1/r_0_100.jpg", "Passion Fruit/IMG_2026.JPG", "Pear/3_100.jpg"),
        *("file_name=a/1.jpg", "model=9/1.jpg", "project=x/1.jpg", "source=web/1.jpg"),
        *("2026-11-27T07:00:00/1.jpg", "kiwi/subject.jpg", "kiwi/user.png", "région=sud/été.jpg"),
        *(
            "kiwi@2x.jpg",
            "kiwi@2x.min.png",
            "kiwi@1.5/1.jpg",
            "sub-tropical/1.jpg",
            "type=person/1.jpg",
        ),
        *("Субтропики=3/1.jpg", "субтропики/Персик.jpg", "Μήλο/1.jpg", "subset=3,part=4/1.jpg"),
        *("fruits-360/Training/Kiwi/1.jpg", "a b/c,d;e/1.jpg", "100%/1.jpg", "客户/1.jpg"),
    ],
)
def test_ordinary_folders_are_plain(path):
    found = read(path, RULE)
    assert (found.subject, found.is_uncertain) == (None, False)


@pytest.mark.parametrize(
    "path",
    [
        *("subject=anna/label=hannah/1.jpg", "subject=anna/label=annabel/1.jpg"),
        *("subject=Smith, Anna/1.jpg", "subject=ab/label=ab/1.jpg", "subject=anna/Anna/Anna.jpg"),
    ],
)
def test_a_label_without_the_subjects_name_leaves_the_subject_certain(path):
    assert not read(path, RULE).is_uncertain


@pytest.mark.parametrize(
    ("keys", "path", "is_uncertain"),
    [
        (["client"], "client=web/1.jpg", False),
        (["Client"], "CLIENT%3Dweb/1.jpg", False),
        (["client"], "client_id=web/1.jpg", True),
        (["client"], "client=web/user=anna/1.jpg", True),
        (["client"], "client=subject-anna/1.jpg", True),
        (["users"], "users/1.jpg", False),
        (["user-guide"], "user-guide/1.jpg", False),
        (["user-guide"], "user-anna/1.jpg", True),
    ],
)
def test_keys_that_a_team_knows_to_be_plain(keys, path, is_uncertain):
    rule = NameRule.of_settings(case="kept", plain_keys=keys)
    assert read(path, rule).is_uncertain is is_uncertain


@pytest.mark.parametrize(
    ("path", "subject", "label", "hidden"),
    [
        ("subject=anna/label=kiwi/1.jpg", "anna", "kiwi", ()),
        ("subject= anna/1.jpg", " anna", None, ()),
        ("Subject=anna/1.jpg", None, None, ("anna",)),
        ("subject%3DZoe\u0301/1.jpg", None, None, ("Zo\u00e9",)),
        ("subject =anna /1.jpg", None, None, ("anna", "anna ")),
        ("subject=anna/subject=/1.jpg", None, None, ("anna",)),
        ("user=anna/1.jpg", None, None, ()),
        ("kiwi/1.jpg", None, "kiwi", ()),
    ],
)
def test_a_lake_of_format_4_reads_as_it_did_and_its_hidden_names_are_known(
    path, subject, label, hidden
):
    found = read(path, AS_WRITTEN)
    assert (found.subject, found.is_uncertain) == (subject, False)
    before = Pseudonyms(PSEUDONYMS.secret, AS_WRITTEN)
    told = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=before)
    assert told.label == label
    assert hidden_names(path, AS_WRITTEN) == set(hidden)
    assert hidden_names(path, RULE) == set()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"subject={PSEUDONYM}/{KEY}", PSEUDONYM),
        (f"subject={PSEUDONYM}/{KEY}\n", IN_CLEAR),
        (f"subject={PSEUDONYM}/subject=anna/1.jpg", IN_CLEAR),
        (f"x/subject={PSEUDONYM}/{KEY}", IN_CLEAR),
        (f"subject={PSEUDONYM.upper()}/{KEY}", IN_CLEAR),
        ("Subject=anna/1.jpg", IN_CLEAR),
        ("user=anna/1.jpg", IN_CLEAR),
        ("kiwi/1.jpg", None),
        ("subject=/1.jpg", None),
        ("", None),
        (None, None),
    ],
)
def test_what_bronze_keeps_has_no_part_like_a_subject_but_the_pseudonym(path, expected):
    assert stored_subject(path, RULE) == expected


@pytest.mark.parametrize(
    "text", ["subject=anna", "Subject = anna", "subject%3Danna", "subject＝anna", "subject:anna"]
)
def test_the_name_of_a_folder_is_no_name_of_a_subject(text):
    assert names_a_folder(text)
    assert not names_a_folder("anna")
    assert not names_a_folder("user=17")


@pytest.mark.parametrize(
    ("path", "is_told"),
    [
        ("user=Anna Lee/1.jpg", True),
        ("user=anna_lee-2026/1.jpg", True),
        ("user%3DANNALEE/1.jpg", True),
        ("UserAnnaLee/1.jpg", True),
        ("user=annalena/1.jpg", False),
        ("user=lee/1.jpg", False),
    ],
)
def test_an_uncertain_path_may_mention_a_name(path, is_told):
    assert mentions(path, "anna lee") is is_told


def kept(path):
    """What every table, log and report gets of a path, folded; and the pseudonym."""
    found = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=PSEUDONYMS)
    return near_key(f"{found.stored_path} {found.label}"), found


FOLDERS = st.lists(
    st.sampled_from(
        ["2026", "label=kiwi", "Kiwi", "year=2026", "subject=", "batch=3", "a b", "Label="]
    ),
    max_size=3,
)
WORDS = st.text(st.sampled_from("qxzéäЖ"), min_size=1, max_size=4)


@given(FOLDERS, st.sampled_from(KEYS), WORDS, st.sampled_from(sorted(WAYS)), FOLDERS)
def test_of_a_certain_subject_nothing_is_kept_but_the_pseudonym(before, key, word, way, after):
    name = f"{MARKER}{word}"
    path = "/".join([*before, f"{key}{WAYS[way](name)}", *after, "1.jpg"])
    text, found = kept(path)
    assert found.subject == PSEUDONYMS.subject(name)
    assert not found.is_uncertain
    assert near_key(MARKER) not in text


@given(FOLDERS, st.sampled_from(UNCERTAIN_KEYS), WORDS, FOLDERS, st.booleans())
def test_of_an_uncertain_subject_nothing_is_kept(before, key, word, after, is_file):
    name = f"{MARKER}{word}"
    parts = [*before, f"{key}{name}.jpg"] if is_file else [*before, f"{key}{name}", *after, "1.jpg"]
    _, found = kept("/".join(parts))
    assert found.is_uncertain
    assert (found.subject, found.label, found.stored_path) == (None, None, "")


@given(st.integers(0, 10_000))
@settings(max_examples=5)
def test_between_any_bytes_nothing_is_kept_of_a_name_that_looks_like_a_subjects(seed):
    for path in canary_paths(seed):
        text, found = kept(os.fsdecode(path))
        assert found.subject or found.is_uncertain
        assert CANARY not in text


@given(NAMES, st.sampled_from(KEYS), st.sampled_from(sorted(WAYS)), st.sampled_from(sorted(WAYS)))
def test_a_folder_and_a_typed_name_of_one_person_agree(name, key, one, other):
    """As a keyboard, a Mac or an S3 tool spells it. A name with the marks of a path can be no folder's."""
    folder = f"{key}{WAYS[one](name)}/1.jpg"
    found = read(folder, RULE)
    asked = RULE.name(WAYS[other](name))
    if found.is_uncertain or not asked:
        assert kept(folder)[1].stored_path == "" or not asked
    else:
        assert PSEUDONYMS.subject(found.subject) == PSEUDONYMS.subject(asked)


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.booleans())
def test_any_path_can_be_read_and_canonical_forms_read_the_same(path, folds_case):
    rule = NameRule(folds_case=folds_case)
    found = read(path, rule)
    for form in ("NFC", "NFD"):
        again = read(unicodedata.normalize(form, path), rule)
        assert (again.subject, again.label, again.is_uncertain) == (
            found.subject,
            found.label,
            found.is_uncertain,
        )
    read(path, AS_WRITTEN)


@pytest.mark.parametrize("name", ["%20", " ", "subject:anna", "Subject=anna", "anna"])
def test_every_name_of_a_lake_of_format_4_can_be_asked_for(name):
    assert read(f"subject={name}/1.jpg", AS_WRITTEN).subject == name
    check_subject(name, AS_WRITTEN)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", AS_WRITTEN),
        ("subject=anna", AS_WRITTEN),
        ("%20", NameRule()),
        (" ", NameRule()),
        ("subject:anna", NameRule()),
        ("Subject=anna", NameRule()),
    ],
)
def test_what_is_no_name_under_the_rule_of_the_lake_is_refused(text, rule):
    with pytest.raises(BadInput, match=r"--subject is empty|Give --subject only the part"):
        check_subject(text, rule)
