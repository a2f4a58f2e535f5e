"""What the label of an object is: by its folders, a pattern or a file, in one spelling, and never a date."""

import json
import shutil
import time
import unicodedata

import pyarrow as pa
import pytest
from delta import DeltaTable
from pyarrow import parquet
from pyspark.sql.types import StructType

from bronze import listing_counts
from bronze.date_names import is_date
from bronze.labels import Labels, Lack
from bronze.landing import LandingObject, arrival
from conf.errors import BadInput, BadSettings, FruitLakeError
from conf.settings import Settings
from lake import aws, catalog
from lake.pseudonyms import Pseudonyms
from lake.subject_names import NameRule, NameRuleVersion
from tests.support.photo_files import picture

KEYS = Pseudonyms(b"0123456789abcdef")
OLD = NameRule(NameRuleVersion.AS_WRITTEN)


def settings(*overrides):
    return Settings.load("local", environment={}, overrides=overrides).labels


def arrived(path, *overrides, rule=None):
    labels = Labels.of(settings(*overrides), rule or NameRule())
    return arrival(LandingObject(path, 1, 1), position=0, pseudonyms=KEYS, labels=labels)


def label(path, *overrides, rule=None):
    return arrived(path, *overrides, rule=rule).label


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Kiwi/1.jpg", "Kiwi"),
        ("a/Kiwi/1.jpg", "Kiwi"),
        ("Kiwi//1.jpg", "Kiwi"),
        ("Kiwi/ /1.jpg", "Kiwi"),
        ("Kiwi/%20/1.jpg", "Kiwi"),
        ("Kiwi/\u200b/1.jpg", "Kiwi"),
        ("Kiwi/./1.jpg", "Kiwi"),
        ("./1.jpg", None),
        ("../1.jpg", None),
        ("Ki\twi/1.jpg", None),
        ("k" * 255 + "/1.jpg", "k" * 255),
        ("k" * 256 + "/1.jpg", None),
        ("//1.jpg", None),
        ("1.jpg", None),
        ("photos/2026/11/25/x.jpg", None),
        ("Kiwi/2026-11-25/x.jpg", None),
        ("label=kiwi/2026/11/x.jpg", "kiwi"),
        ("label=7/x.jpg", "7"),
        ("label=/x.jpg", None),
        ("Apple Red 1/x.jpg", "Apple Red 1"),
        ("IMG_2026/x.jpg", "IMG_2026"),
        ("subject=anna/Kiwi/x.jpg", None),
        ("Kiwi /x.jpg", "Kiwi"),
    ],
)
def test_the_parent_folder_is_the_label_unless_it_is_a_date(path, expected):
    assert label(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("25", "1", "2026", "20261125", "2026-11-25", "2026_11", "25.11.2026", "2026 11 25"),
        *("2026-Nov-25", "25 November 2026", "Nov 2026", "2026-W48", "20261125T101500Z", "٢٥"),
        *(
            "25. März 2026",
            "1 août 2026",
            "25 de noviembre de 2026",
            "25 dezembro",
            "2026年11月25日",
        ),
        *("Wednesday 25 November", "2026-11-25 at 10.15", "2026 Q3", "1st", "2026-11-25 (2)"),
    ],
)
def test_dates_and_numbers_are_no_labels_by_default(name):
    assert is_date(name)
    assert label(f"{name}/x.jpg") is None
    assert label(f"{name}/x.jpg", "labels.dates=true") == name


@pytest.mark.parametrize(
    "name",
    [
        *("Kiwi", "Apple 1", "May", "March", "IMG_1", "100APPLE", "v1", "T1x", "---", ""),
        *("T1", "Q1", "Z10", "W 2", "Set 1", "Out 3", "Kiwi 2026", "月"),
    ],
)
def test_other_names_are_none_of_them(name):
    assert not is_date(name)


@pytest.mark.parametrize("rule", [NameRule(), OLD])
def test_the_two_forms_of_unicode_are_one_kind(rule):
    composed, decomposed = (unicodedata.normalize(form, "Açaí") for form in ("NFC", "NFD"))
    assert label(f"{decomposed}/1.jpg", rule=rule) == label(f"{composed}/1.jpg") == composed
    assert label(f"label={decomposed}/1.jpg", rule=rule) == composed


def test_in_a_lake_of_format_4_an_empty_part_of_a_key_is_no_label():
    assert label("a//1.jpg", rule=OLD) == "a"
    assert label("//1.jpg", rule=OLD) is None


@pytest.mark.parametrize(
    ("source", "path", "expected"),
    [
        ("level:1", "Kiwi/2026/11/1.jpg", "Kiwi"),
        ("level:2", "app/Kiwi/11/1.jpg", "Kiwi"),
        ("level:2", "app//Kiwi/1.jpg", "Kiwi"),
        ("level:1", "2026/Kiwi/1.jpg", None),
        ("level:3", "app/Kiwi/1.jpg", None),
        ("level:1", "./Kiwi/1.jpg", "Kiwi"),
        ("level:1", "a/label=kiwi/1.jpg", "kiwi"),
        ("level:2", "subject=anna/Kiwi/1.jpg", "Kiwi"),
        ("level:1", "subject=anna/Kiwi/1.jpg", None),
        ("level:2", "subject=anna/Photos of Anna/1.jpg", None),
        ("label=", "Kiwi/1.jpg", None),
        ("label=", "Kiwi/label=lime/1.jpg", "lime"),
        ("none", "label=kiwi/Kiwi/1.jpg", None),
        ("pattern:/(?P<label>[a-z]+)_[0-9]+[.]jpg$", "2026/kiwi_12.jpg", "kiwi"),
        ("pattern:/(?P<label>[a-z]+)_[0-9]+[.]jpg$", "2026/Kiwi.jpg", None),
        ("pattern:^(?P<label>[a-z]+)", "label=lime/kiwi.jpg", "lime"),
        ("pattern:^(?P<label>[0-9]+)/", "7/x.jpg", "7"),
    ],
)
def test_a_source_says_where_the_label_stands(source, path, expected):
    assert label(path, f"labels.source={source}") == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_pattern_and_a_path_may_be_in_either_form_of_unicode(form, other):
    source = f"labels.source=pattern:^(?P<label>{unicodedata.normalize(form, 'Äpfel')})/"
    assert label(unicodedata.normalize(other, "Äpfel/1.jpg"), source) == "Äpfel"


def test_a_pattern_takes_no_time_whatever_it_is():
    began = time.perf_counter()
    assert label("a" * 5000 + "/1.jpg", "labels.source=pattern:^(?P<label>(?P<b>a+)+)+$") is None
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "source",
    [
        *("", "folders", "level", "level:0", "level:x", "pattern:", "pattern:(?P<label>a"),
        *("pattern:(a)", "pattern:(?P<label>a)(b)", "file:", "label=kiwi", "pattern:(?P<split>a)"),
        *(r"pattern:\(?P<label>a", "pattern:[(?P<label>]", "pattern:(?P<label>a)|(?P<label>b)"),
    ],
)
def test_a_source_that_is_none_is_refused(source):
    with pytest.raises(BadSettings, match='give "folder", "level:N"'):
        settings(f"labels.source={source}")


def test_spellings_are_joined():
    same = 'labels.same={"Kiwis" = "kiwi", "Kivi" = "kiwi", "kiwi" = "kiwi"}'
    for name in ("Kiwis", "KIWIS", "kivi", "Kiwi", "label=kiwis"):
        assert label(f"{name}/1.jpg", same) == "kiwi"
    assert label("Lime/1.jpg", same) == "Lime"


def test_a_spelling_may_stand_for_another_one_and_for_none():
    same = 'labels.same={"Kivi" = "Kiwis", "Kiwis" = "Kiwi", "kiwi" = "Kiwi", "misc" = ""}'
    for name in ("Kivi", "KIWIS", "kiwi", "Kiwi"):
        assert label(f"{name}/1.jpg", same) == "Kiwi"
    assert label("Misc/1.jpg", same) is None


@pytest.mark.parametrize(
    "same",
    [
        *('{"a" = "b", "b" = "a"}', '{"a" = "b", "b" = "c", "C" = "b"}', '{"a" = "b", "A" = "c"}'),
        *('{"" = "a"}', '{" " = "a"}'),
    ],
)
def test_spellings_that_stand_for_no_one_label_are_refused(same):
    with pytest.raises(BadSettings, match="none is empty, has two labels or leads back to itself"):
        settings(f"labels.same={same}")


def test_spellings_stand_in_a_settings_file(tmp_path):
    (tmp_path / "my.toml").write_text('[labels.same]\n"Apple Red 1" = "Apple Red"\n')
    held = Settings.load(str(tmp_path / "my.toml"), environment={})
    assert held.labels.same == {"Apple Red 1": "Apple Red"}


def test_spellings_are_texts():
    with pytest.raises(BadSettings, match="give a table of spellings"):
        settings('labels.same={"Kiwis" = 5}')


ROWS = [("a/1.jpg", "Kiwi", "train"), ("a/2.jpg", "", ""), ("a/é.jpg", "Açaí", "")]


def write(path, rows, names=("path", "label", "split")):
    columns = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    else:
        lines = [",".join(names), *(",".join(row[: len(names)]) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8")
    return f"labels.source=file:{path}"


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet"])
def test_a_file_tells_labels_by_paths(tmp_path, name):
    source = write(tmp_path / name, ROWS)
    assert label("a/1.jpg", source) == "Kiwi"
    assert label("a/2.jpg", source) is None
    assert label(unicodedata.normalize("NFD", "a/é.jpg"), source) == "Açaí"
    assert label("Lime/3.jpg", source) is None
    assert label("label=lime/3.jpg", source) == "lime"
    assert label("a/1.jpg", source, 'labels.same={"kiwi" = "K"}') == "K"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't be read (No such file"),
        ("path;label\na;b\n", "has no column path; give it the columns path and label, and"),
        (
            "path,label,label\na,b,c\n",
            "neither CSV in UTF-8 nor Parquet, with texts and each column",
        ),
        ("path,label,größe\na,b,c\n".encode("latin-1"), "neither CSV in UTF-8"),
        ("path,label\na,Açaí\n".encode("latin-1"), "neither CSV in UTF-8"),
        ("path,label\na,b\n".encode("utf-16"), "neither CSV in UTF-8"),
        ("path,kind\na,b\n", "has no column label"),
        ("path,label\na,b\na,c\n", "has 1 paths twice with different labels"),
        ("", "can't be read"),
    ],
)
def test_a_file_that_tells_nothing_is_refused(tmp_path, content, told):
    if content is not None:
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(BadInput) as error:
        Labels.of(settings(f"labels.source=file:{tmp_path}/labels.csv"), NameRule())
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("content", "path", "expected"),
    [
        ("\ufeffpath,label\na/1.jpg,Kiwi\n", "a/1.jpg", "Kiwi"),
        ("path,label\r\n././a/1.jpg,Kiwi\r\n", "a/1.jpg", "Kiwi"),
        ("path,label\n\na/1.jpg,Kiwi\n,x\n,y\n", "a/1.jpg", "Kiwi"),
        ('path,label\n"a/\n1.jpg",Kiwi\n', "a/\n1.jpg", "Kiwi"),
        ("path,label\na/1.jpg,NA\n", "a/1.jpg", "NA"),
        ('path,label\na/1.jpg,"Ki\nwi"\n', "a/1.jpg", None),
        ("path,label\n" + "b/1.jpg,Lime\n" * 200_000 + "a/1.jpg,Kiwi\n", "a/1.jpg", "Kiwi"),
        ("path,label,note\na/1.jpg,Kiwi," + "x" * 3_000_000 + "\n", "a/1.jpg", "Kiwi"),
    ],
)
def test_a_file_as_spreadsheets_write_it_is_read(tmp_path, content, path, expected):
    (tmp_path / "labels.csv").write_bytes(content.encode())
    assert label(path, f"labels.source=file:{tmp_path}/labels.csv") == expected


def test_the_bucket_of_a_file_says_itself_what_is_wrong(s3):
    bucket = s3.bucket("labels")
    aws.client("s3").put_object(Bucket=bucket, Key="labels.csv", Body=b"path,label\na/1.jpg,Kiwi\n")
    assert label("a/1.jpg", f"labels.source=file:s3://{bucket}/labels.csv") == "Kiwi"
    with pytest.raises(FruitLakeError, match="no-such-bucket") as error:
        label("a/1.jpg", "labels.source=file:s3://no-such-bucket/labels.csv")
    assert "neither CSV" not in str(error.value)


PERSONAL = "subject=anna/label=kiwi/Photos of Anna/1.jpg"


@pytest.mark.parametrize(
    "source",
    [
        "pattern:^(?P<split>[^/]+)/(?P<label>nothing)?",
        "pattern:^[^/]+/[^/]+/(?P<split>[^/]+)/(?P<label>nothing)?",
        "file:{file}",
    ],
)
def test_no_name_of_a_subject_becomes_a_label_or_a_split(tmp_path, source):
    """Also where the path has `label=`, which goes over the label of a pattern."""
    rows = [(PERSONAL, "for Anna", "anna")]
    write(tmp_path / "labels.csv", rows)
    found = arrived(PERSONAL, f"labels.source={source.format(file=tmp_path / 'labels.csv')}")
    assert found.subject == KEYS.subject("anna")
    assert (found.label, found.split) in [("kiwi", None), (None, None)]
    assert arrived(PERSONAL, 'labels.same={"kiwi" = "Anna"}').label is None


def test_an_object_says_why_it_has_no_label_where_that_may_be_a_mistake(tmp_path):
    file = write(tmp_path / "labels.csv", ROWS)
    pattern = "labels.source=pattern:^(?P<split>[a-z]+)/(?P<label>Kiwi)?"
    for path, lack, *overrides in (
        ("2026/11/25/1.jpg", Lack.DATE),
        ("Kiwi/25/1.jpg", None, "labels.dates=true"),
        ("app/2026/1.jpg", Lack.DATE, "labels.source=level:2"),
        ("app/1.jpg", Lack.UNTOLD, "labels.source=level:2"),
        ("Ki\nwi/1.jpg", Lack.ILL_FORMED),
        ("b/1.jpg", Lack.UNTOLD, file),
        ("a/2.jpg", None, file),
        ("label=kiwi/1.jpg", None, file),
        ("1.jpg", Lack.UNTOLD, pattern),
        ("test/1.jpg", None, pattern),
        *(("Kiwi/1.jpg", None), ("1.jpg", None), ("subject=anna/2026/1.jpg", None)),
        ("2026/1.jpg", None, "labels.source=label="),
        ("2026/1.jpg", None, "labels.source=none"),
        ("user=anna/2026/1.jpg", None),
    ):
        assert arrived(path, *overrides).lack is lack, path
    assert arrived("2026/1.jpg").tombstoned().lack is None


def test_a_run_says_how_many_have_no_label_and_what_to_do(place):
    for number, path in enumerate(["2026/1.jpg", "Ki\nwi/2.jpg", "25/3.jpg", "Kiwi/4.jpg"]):
        file = place.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(size=(64 + number, 64)).save(file, "JPEG")
    did = place.run("bronze", "silver")
    assert did["silver"].counts["kept"] == 4  # an odd name of a folder blocks nothing
    notes = [each for each in did["bronze"].notes if "have no label" in each]
    assert notes == [
        "2 new objects have no label, because their folder's name is a date or a number: let labels.source "
        "say where a label stands, or set labels.dates = true to take such names.",
        "1 new objects have no label, because what is told has over 255 characters, or characters that can't "
        "be shown: give their folders other names, or join such spellings with labels.same.",
    ]
    again = place.run("bronze")["bronze"]
    assert not [each for each in again.notes if "have no label" in each]


def test_each_lack_has_a_sentence():
    assert listing_counts.UNLABELLED.keys() == set(Lack)


def test_a_run_gives_the_labels_of_the_settings(place):
    for number, path in enumerate(["Kiwi/2026/1.jpg", "Kiwis/2026/2.jpg", "2026/11/3.jpg"]):
        file = place.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(size=(64 + number, 64)).save(file, "JPEG")
    place.set("labels.source=level:1", 'labels.same={"Kiwis" = "Kiwi"}').run("bronze")
    rows = place.lake.records(catalog.PHOTOS, columns=["path", "label"])
    labels = {row["path"]: row["label"] for row in rows}
    assert labels == {"Kiwi/2026/1.jpg": "Kiwi", "Kiwis/2026/2.jpg": "Kiwi", "2026/11/3.jpg": None}


FRUITS = Settings.load("docs/fruits-360.toml", environment={})


@pytest.mark.parametrize("root", ["", "fruits-360_dataset/fruits-360/"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Training/Apple Red 1/0_100.jpg", ("Apple Red 1", "Training")),
        ("Training/Apple Red 2/0_100.jpg", ("Apple Red 2", "Training")),
        ("Test/Apple Red 1/3_100.jpg", ("Apple Red 1", "Test")),
        ("Validation/Cabbage white 1/r0_3.jpg", ("Cabbage white 1", "Validation")),
        ("test-multiple_fruits/apples1.jpg", (None, "test-multiple_fruits")),
        ("readme.md", (None, None)),
    ],
)
def test_fruits_360_has_labels_and_splits(root, path, expected):
    labels = Labels.of(FRUITS.labels, NameRule())
    found = arrival(LandingObject(root + path, 1, 1), position=0, pseudonyms=KEYS, labels=labels)
    assert (found.label, found.split) == expected


def test_a_file_tells_splits(tmp_path):
    labels = Labels.of(settings(write(tmp_path / "labels.csv", ROWS)), NameRule())
    for path, split in (("a/1.jpg", "train"), ("a/2.jpg", None), ("a/9.jpg", None)):
        found = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=KEYS, labels=labels)
        assert found.split == split


def test_fruits_360_as_published_goes_through(place):
    """A tree of its shape: two varieties, both splits, a photo of several fruits, and papers."""
    paths = (
        *(f"Training/Apple Red {kind}/{n}_100.jpg" for kind in (1, 2) for n in range(2)),
        *(f"Test/Apple Red {kind}/9_100.jpg" for kind in (1, 2)),
        "test-multiple_fruits/apples.jpg",
        "papers/figure.jpg",
    )
    for number, path in enumerate(paths):
        file = place.landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        picture(size=(64 + number, 64)).save(file, "JPEG")
    source, over = FRUITS.labels.source, list(FRUITS.landing.passed_over)
    did = place.set(f"labels.source={source}", f"landing.passed_over={json.dumps(over)}").run(
        "bronze", "silver"
    )
    assert (did["bronze"].counts["kept"], did["bronze"].reasons) == (7, {})
    rows = place.lake.records(catalog.PHOTOS, columns=["path", "label", "split"])
    held = {row["path"]: (row["label"], row["split"]) for row in rows}
    assert held.pop("test-multiple_fruits/apples.jpg") == (None, "test-multiple_fruits")
    assert held == {
        path: tuple(reversed(path.split("/")[:2])) for path in paths if path.startswith("T")
    }


def test_a_lake_without_the_column_gets_it_by_the_next_run(place):
    """And rows of earlier code have NULL in it."""
    picture(size=(64, 64)).save(place.landing / "1.jpg", "JPEG")
    uri = place.files.uri(catalog.PHOTOS.name)
    shutil.rmtree(uri)
    earlier = [field for field in catalog.PHOTOS.schema.fields if field.name != "split"]
    table = DeltaTable.create(place.spark).location(uri).addColumns(StructType(earlier))
    for name, value in catalog.properties(catalog.PHOTOS, place.settings.delta).items():
        table = table.property(name, value)
    table.execute()
    assert place.run("bronze")["bronze"].counts["kept"] == 1
    frame = place.lake.read(catalog.PHOTOS)
    assert frame.columns == list(catalog.PHOTOS.column_names)
    assert [tuple(row) for row in frame.select("split").collect()] == [(None,)]
    version = place.lake.version(catalog.PHOTOS)
    place.run("bronze")
    assert place.lake.version(catalog.PHOTOS) == version


@pytest.mark.parametrize("rule", [NameRule(), OLD], ids=["today's", "format 4's"])
@pytest.mark.parametrize(
    "source", ["folder", "level:1", "label=", "none", r"pattern:(?P<label>\w+)/(?P<split>\w+)\."]
)
def test_what_an_object_tells_does_not_depend_on_those_before_it(source, rule):
    """Each folder is looked at once; a name of a file may make its path uncertain all the same."""
    folders = (
        "Kiwi",
        "subject=anna/Kiwi",
        "Subject=anna",
        "label=Kiwi/subject=anna",
        "2026/11",
        "",
    )
    files = ("subject=bert.jpg", "1.jpg", "user-bert.jpg", "2.jpg", "train.jpg")
    paths = [f"{folder}/{file}" for file in files for folder in folders]
    words = [f"labels.source={source}"]
    labels = Labels.of(settings(*words), rule)
    for path in [*paths, *reversed(paths)]:
        seen = arrival(LandingObject(path, 1, 1), position=0, pseudonyms=KEYS, labels=labels)
        fresh = arrived(path, *words, rule=rule)
        assert (seen.label, seen.split, seen.lack) == (fresh.label, fresh.split, fresh.lack), path
