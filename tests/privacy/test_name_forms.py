"""A name is found in bytes in every form that it may take: behind the word `subject` by its pseudonym alone,
and bare where it is known. Other names are not found."""

import unicodedata

import pytest
from hypothesis import example, given

from lake.pseudonyms import Pseudonyms
from privacy.erasure import keyed_names
from privacy.erasure.name_forms import NameForms
from privacy.erasure.subject_matcher import SubjectMatcher
from tests.support.hidden_text import FORMS
from tests.support.name_spellings import KEYS, NAMES, WAYS

SECRETS = Pseudonyms(b"0123456789abcdef")
PEOPLE = ("anna", "Zoé", "Zoé O'Brien-Ångström", "Дядя Ваня", "李小龙", "Ana 😀 María", "D’Arcy")
WESTERN = ("anna", "Zoé", "Zoé O'Brien-Ångström")


def matcher(name):
    return SubjectMatcher(
        SECRETS, SECRETS.tombstone(SECRETS.subject(name)), frozenset(), frozenset()
    )


def can_be(name, form):
    return "Latin-1" not in form or name in WESTERN


CASES = [(name, form) for name in PEOPLE for form in FORMS if can_be(name, form)]


@pytest.mark.parametrize(("name", "form"), CASES)
@pytest.mark.parametrize("behind", ["", "/2026/1.jpg", "/", "\n", "\x00", "<br>", '"'])
def test_a_name_behind_the_key_is_found_in_each_form(name, form, behind):
    content = FORMS[form](f"subject={name}{behind}")
    assert matcher(name).in_bytes(b"\x01\xff..\n" + content) == "the subject's name"
    assert matcher("bert").in_bytes(content) is None


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(
    "text",
    [
        '{{"subject": "{}", "n": 1}}',
        "{{'subject': '{}'}}",
        "erase --subject {} --request R-1",
        "['erase', '--subject', '{}', '--request', 'R-1']",
        "Subject: {}'s photos",
        "subject={} is gone, and more",
        "subject={}, subject=bert",
        "subject={}.",
        "subject = {}; x",
        "(subject={})",
    ],
)
def test_a_name_behind_the_key_is_found_in_running_text(name, text):
    assert matcher(name).in_bytes(text.format(name).encode()) == "the subject's name"
    assert matcher("carl").in_bytes(text.format(name).encode()) is None


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("way", WAYS)
def test_a_name_behind_the_key_is_found_in_each_spelling_of_both(key, way):
    content = f"landing/{key}{WAYS[way]('Zoé Müller')}/1.jpg".encode()
    assert matcher("Zoé Müller").in_bytes(content) == "the subject's name"


@given(NAMES)
@example("'t Hooft")
@example("Anna M.")
def test_any_name_of_letters_is_found_behind_the_key(name):
    own = SECRETS.names.name(name)
    if own and "/" not in own:
        assert SECRETS.subject(name) in map(
            SECRETS.subject, keyed_names.candidates(f"subject={name}/1.jpg".encode())
        )


@pytest.mark.parametrize(("name", "form"), CASES)
@pytest.mark.parametrize(
    "around", [("", ""), ("", "'s photos"), ("of ", ", "), ("\n", "\n"), ("_", "_1")]
)
def test_a_bare_name_is_found_in_each_form(name, form, around):
    before, behind = around
    content = FORMS[form](f"{before}{name}{behind}")
    assert NameForms(name).in_bytes(b"\n" + (b"\n" if len(content) % 2 else b"") + content)
    assert not NameForms("bert").in_bytes(content)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("start", [0, 1])
def test_a_short_name_in_utf_16_is_found_in_text_alone(encoding, start):
    odd = b"\x01" * start
    assert NameForms("Lé").in_bytes(odd + "hello Lé you".encode(encoding))
    assert not NameForms("Lé").in_bytes(odd + "hello Léa, you".encode(encoding))
    noise = bytes(range(128, 160))
    assert not NameForms("Lé").in_bytes(odd + noise + "Lé".encode(encoding) + noise)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("O'Brien", b"O\x92Brien"),
        ("O'Brien", b"O%92Brien"),
        ("Šárka", b"\x8a\xe1rka"),
        ("Anna-Lena", b"anna\x96lena"),
        ("Zoé", b"Zo%u00e9"),
        ("Zoé", b"Zo%u00C9"),
        ("Zoé", b"Zo%25u00e9"),
        ("Šárka", b"%u0160%E1rka"),
        ("Šárka", b"name=%u0161%u00e1rka"),
        ("anna", b"%u00efanna"),
    ],
)
def test_a_bare_name_is_found_in_windows_1252_and_in_javascripts_escapes(name, content):
    assert NameForms(name).in_bytes(b"of " + content + b" and more")
    assert not NameForms("bert").in_bytes(content)


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        ("O’Brien", b"=O\x92Brien/1.jpg"),
        ("Šárka", b"=\x8a\xe1rka/1.jpg"),
        ("Zoé", b"=Zo%u00e9/1.jpg"),
        ("Zoé", b"=Zo%25u00E9/1.jpg"),
        ("Šárka", b"%3D%u0160%u00E1rka/1.jpg"),
        ("😀", b"=%uD83D%uDE00/1.jpg"),
    ],
)
def test_a_name_behind_the_key_is_found_in_those_too(name, behind):
    assert matcher(name).in_bytes(b"landing/subject" + behind) == "the subject's name"


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title, str.swapcase])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_bare_name_is_found_in_each_case(case, form):
    text = unicodedata.normalize(form, case("Zoé Müller"))
    assert NameForms("Zoé Müller").in_bytes(text.encode())
    assert NameForms(text).in_bytes("zoé müller".encode())
    assert NameForms("Strauß").in_bytes(case("strauß").encode())


@pytest.mark.parametrize(
    "content",
    [b"Johanna", b"annas", b"ANNAB", b"an na", b"\x00\x01anna\x9a\x80\x00\x00", "jannä".encode()],
)
def test_a_part_of_a_word_or_of_other_bytes_is_no_bare_name(content):
    assert not NameForms("anna").in_bytes(content)


@pytest.mark.parametrize(
    ("name", "request_id", "is_held"),
    [
        ("anna", "R-ANNA-1", True),
        ("anna", "savanna-1", True),
        ("anna", "R-17", False),
        ("Zoé", "zoe\u0301/7", True),
        ("Zoé", "Zo%C3%A9-7", True),
        ("Zoé", "Zo\\u00e9", True),
        ("Zoé", "zoe-7", False),
        ("Li", "li-2026", True),
        ("Li", "client-7", False),
    ],
)
def test_the_id_of_a_request_holds_a_name(name, request_id, is_held):
    assert NameForms(name).in_id(request_id) is is_held


def test_the_search_shows_no_name():
    assert "anna" not in repr(NameForms("anna"))
