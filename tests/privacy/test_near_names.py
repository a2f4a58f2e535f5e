"""What stands near a name: an erasure that would certify past it does nothing, and an audit tells of it."""

import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import NearName
from lake.pseudonyms import Pseudonyms
from lake.storage.locate import folder
from lake.subject_names import NameRule
from privacy import near_names
from privacy.name_spellings import spellings
from privacy.near_names import NearNames, NearSearch
from tests.support.name_spellings import WAYS
from tests.support.named_rows import FORMAT_4, TODAY, land, make

RULES = {"today": TODAY, "format 4": FORMAT_4}
OTHER_CASES = (
    ("anna", "Anna"),
    ("BERT", "bert"),
    ("annamaria", "AnnaMaria"),
    ("anna-maria-josephine", "Anna-maria-Josephine"),
    ("carla lee", "carlalee"),
    ("doralee", "Dora Lee"),
    ("Straße", "strasse"),
    ("O'Brien", "O’Brien"),
    ("Mary O’Hara-Smith", "Mary O'Hara‑Smith"),
    ("D'Amico", "damico"),
    ("Lea-Sophie", "Lea Sophie"),
)
"""A name that is asked for, and one that is near it whatever the rule is."""

OTHER_FORMS = {
    way: (f"Zo\u00e9{letter}", WAYS[way](f"Zoe\u0301{letter}"))
    for letter, way in zip("qxwzyvujkbcdfg", sorted(WAYS), strict=True)
}
"""A name that is asked for, and another spelling of it: the same name by today's rule."""


@pytest.fixture(scope="module")
def lakes(tmp_path_factory):
    """A lake under each rule, with a photo and a rejected file of every spelling."""
    spelled = [spelling for _, spelling in (*OTHER_CASES, *OTHER_FORMS.values())]
    paths = [f"subject={spelling}/1.jpg" for spelling in spelled]
    files = [f"subject={spelling}/2.jpg" for spelling in spelled]
    roots = {}
    for name, known in RULES.items():
        roots[name] = str(tmp_path_factory.mktemp("lake"))
        more = ["Subject=Nils/1.jpg", "user=nils/2.jpg", "kiwi/3.jpg", "Subject=nils/4.jpg"]
        more = more if known is FORMAT_4 else []
        make(roots[name], [*paths, *more], pseudonyms=known, rejected=[*files, *more[:1]])
    return roots


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("asked", "spelled"), OTHER_CASES)
def test_another_case_or_space_is_near_in_rows_and_folders(lakes, tmp_path, rule, asked, spelled):
    land(tmp_path, [f"subject={spelled}/1.jpg"])
    found = near_names.told(lakes[rule], str(tmp_path), asked, RULES[rule])
    rows = {"bronze/objects": 2, "bronze/photos": 1, "bronze/rejected": 1}
    assert found == NearNames(rows, 2)
    assert NearSearch(asked, RULES[rule]).rows(lakes[rule]) == rows  # without the folder's help


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_lake_of_format_4_has_other_forms_near_and_today_they_are_the_name(lakes, tmp_path, way):
    asked, spelled = OTHER_FORMS[way]
    land(tmp_path, [f"subject={spelled}/1.jpg"])
    is_same = asked == spelled
    before = near_names.told(lakes["format 4"], str(tmp_path), asked, FORMAT_4)
    assert bool(before.rows) is bool(before.landed) is not is_same
    assert not near_names.told(lakes["today"], str(tmp_path), asked, TODAY)


def test_rows_are_near_by_a_spelling_that_a_folder_shows(tmp_path):
    """No list has it: a name of twelve letters with capitals anywhere."""
    spelled = "aNNaMaRiAlEe"
    make(tmp_path / "lake", [f"subject={spelled}/1.jpg"], pseudonyms=TODAY)
    search = NearSearch("annamarialee", TODAY)
    assert search.rows(str(tmp_path / "lake")) == {}
    land(tmp_path / "landing", [f"subject={spelled}/2.jpg"])
    assert search.landed(str(tmp_path / "landing")) == 2
    assert search.rows(str(tmp_path / "lake")) == {"bronze/objects": 1, "bronze/photos": 1}


@pytest.mark.parametrize(
    "path",
    [
        *("user=anna/1.jpg", "subject:Anna/1.jpg", "subject-anna.jpg", "users/Anna/1.jpg"),
        *("subject%3Danna%2F1.jpg", "subject=bert/subject:anna/1.jpg", "subjct=anna/1.jpg"),
    ],
)
def test_uncertain_landing_objects_are_near_where_they_mention_the_name(tmp_path, path):
    land(tmp_path, [path])
    assert NearSearch("anna", TODAY).landed(str(tmp_path))
    assert not NearSearch("carla", TODAY).landed(str(tmp_path))


@pytest.mark.parametrize(
    "path",
    [
        *("subject=anna/1.jpg", "Subject=anna/1.jpg", "subject=anna/subject=/1.jpg"),
        *(
            "subject=annabel/1.jpg",
            "subject=ann-e/1.jpg",
            "anna/1.jpg",
            "label=Anna/1.jpg",
            "subject=/Anna.jpg",
        ),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_the_name_itself_other_names_and_plain_folders_are_not_near(tmp_path, rule, path):
    land(tmp_path, [path])
    assert not NearSearch("anna", RULES[rule]).landed(str(tmp_path))


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("anna lee", "subject=anna+lee/1.jpg"),
        ("anna lee", 'subject="Anna Lee"/1.jpg'),
        ("Zo\u00e9", "subject=Zo\udce9/1.jpg"),
        ("Zo\u00e9", "subject=Zo&#233;/1.jpg"),
        ("Zo\u00e9", "user=Zo&eacute;/1.jpg"),
        ("Zo\u00e9", "subject=Zo\u00c3\u00a9/1.jpg"),
        ("\u0131\u015f\u0131k", "subject=I\u015eIK/1.jpg"),
        ("anna", "subject=\u0430nn\u0430/1.jpg"),
        ("anna", "subject=an\u00adna/1.jpg"),
        ("anna", "subject=anna;batch=3/1.jpg"),
    ],
)
@pytest.mark.parametrize("rule", RULES)
def test_names_that_tools_encode_in_other_ways_are_near(tmp_path, rule, asked, path):
    land(tmp_path, [path])
    assert NearSearch(asked, RULES[rule]).landed(str(tmp_path))


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        *(("anna", '"anna"'), ("anna", "\u2068anna\u2069"), ("Zo\u00e9", "Zo\u00c3\u00a9")),
        *(
            ("Zo\u00e9", "Zo&#233;"),
            ("\u0131\u015f\u0131k", "I\u015eIK"),
            ("I\u015eIK", "\u0131\u015f\u0131k"),
        ),
        *(("weiss", "Wei\u00df"), ("\u0130pek", "ipek"), ("ipek", "\u0130PEK")),
    ],
)
def test_rows_of_such_names_are_near_without_the_landing_folder(asked, row):
    assert row in {*spellings(asked)}


def test_rows_of_format_4_are_near_by_paths_that_they_keep(lakes):
    found = NearSearch("nils", FORMAT_4).rows(lakes["format 4"])
    assert found == {"bronze/photos": 2, "bronze/rejected": 1}


def test_where_case_is_folded_other_cases_are_the_name_itself(tmp_path):
    folded = Pseudonyms(TODAY.secret, NameRule(folds_case=True))
    land(tmp_path, ["subject=ANNA/1.jpg"])
    assert not NearSearch("anna", folded).landed(str(tmp_path))


@pytest.mark.parametrize("place", ["{tmp}/absent", "gs://bucket"])
def test_an_audit_says_that_the_landing_folder_could_not_be_looked_through(lakes, tmp_path, place):
    found = near_names.told(lakes["today"], place.format(tmp=tmp_path), "anna", TODAY)
    assert found.landed is None
    assert found.rows


def test_an_erasure_is_refused_with_numbers_and_without_a_name(lakes, tmp_path):
    land(tmp_path, ["subject=ANNA/1.jpg"])
    paths = SimpleNamespace(landing=str(tmp_path))
    lake = SimpleNamespace(files=folder(lakes["today"]))
    context = SimpleNamespace(settings=SimpleNamespace(paths=paths), lake=lake, pseudonyms=TODAY)
    with pytest.raises(NearName) as refused:
        near_names.refuse(context, "anna")
    message = str(refused.value)
    assert refused.value.exit_code == 8
    assert "2 rows of bronze/objects, 1 rows of bronze/photos" in message
    assert "2 landing objects and folders" in message
    assert "--exact" in message
    assert not re.search("anna", message, re.IGNORECASE)
    near_names.refuse(context, "nobody")


@given(st.text(st.sampled_from("annaÉöß -"), min_size=1, max_size=6).filter(str.strip), st.data())
def test_the_usual_spellings_are_guessed(name, data):
    unusual = {"percent in part", "joiners", "controls", "soft hyphen"}
    way = data.draw(st.sampled_from(sorted(WAYS.keys() - unusual)))
    case = data.draw(st.sampled_from([str.lower, str.upper, str.title, str.casefold]))
    written = WAYS[way](case(NameRule().name(name)))
    assert written in {*spellings(name)}


@pytest.mark.parametrize("name", ["a" * 10, "Maximilian-Alexander von und zu Hohenfels", "é" * 40])
def test_not_too_many_spellings_are_guessed(name):
    assert len({*spellings(name)}) < 20_000
