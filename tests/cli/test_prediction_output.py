"""Predictions as a table, as JSON and as CSV: whole names, one row a photo, and words for the numbers."""

import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from cli.commands import predict
from cli.json_console import JsonConsole
from cli.output import photo_tables
from cli.output.photo_tables import PredictionTable, one_line
from cli.output.prediction_data import CsvWriter, JsonWriter
from gold.acceptance import NEVER_SURE, Acceptance, AnswerVerdict
from page.photo_files import PhotoFiles
from page.predictions import Prediction
from page.similar_photos import Neighbourhood
from tests.support.photo_tables import classifier

NAMES = ['a,"b".jpg', "new\nline.jpg", ":apple: [red].jpg", "tab\tand\rreturn.jpg", "=1+1.jpg"]
KINDS = (("kiwi", 0.95), ("lime", 0.04), ("plum", 0.0099), ("pear", 0.0001))
FOUND = [
    *(Prediction(name, KINDS, label="kiwi", trained_on=True) for name in NAMES),
    Prediction("new.jpg", (("lime", 0.7), ("kiwi", 0.3)), trained_on=False, label="kiwi"),
    Prediction("unsure.jpg", (("lime", 0.5), ("kiwi", 0.4999), ("plum", 0.0001)), trained_on=None),
    Prediction("bad.jpg", refused="blank (at most 4 levels, of luminance)"),
]


def written(make, found=FOUND, width=200):
    file = io.StringIO()
    writer = make(Console(file=file, width=width))
    for each in found:
        writer.add(each)
    writer.end()
    return file.getvalue()


def judged(verdicts):
    """Predictions with verdicts on answers that would be sure by their confidence alone."""
    return [Prediction(f"{verdict}.jpg", KINDS, verdict=verdict) for verdict in verdicts]


def test_csv_is_read_back_with_every_name_and_reason():
    header, *rows = csv.reader(io.StringIO(written(CsvWriter), newline=""))
    rows = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["photo"] for row in rows] == [each.photo for each in FOUND]
    assert [row["trained_on"] for row in rows] == [*["true"] * 5, "false", "", ""]
    assert (rows[0]["kind"], rows[0]["third_kind"], rows[0]["label"]) == ("kiwi", "plum", "kiwi")
    assert float(rows[0]["second_confidence"]) == 0.04
    assert (rows[5]["third_kind"], rows[5]["refused"]) == ("", "")
    assert (rows[7]["kind"], rows[7]["refused"]) == ("", FOUND[7].refused)
    assert {row["verdict"] for row in rows} == {""}
    made = written(CsvWriter, judged(AnswerVerdict))
    assert [line.rpartition(",")[2] for line in made.splitlines()] == ["verdict", *AnswerVerdict]


def test_a_name_that_is_no_unicode_is_written_all_the_same():
    odd = [Prediction("\udcff.jpg", KINDS)]
    assert "\n�.jpg,kiwi," in written(CsvWriter, odd)
    made = written(lambda console: JsonWriter(console, classifier(photos=2, tested=2)), odd)
    assert json.loads(made)["photos"][0]["photo"] == "\udcff.jpg"


def test_json_is_one_document_with_a_line_for_each_photo():
    made = written(lambda console: JsonWriter(console, classifier(photos=2, tested=2)), width=40)
    read = json.loads(made)
    assert read["classifier"]["version"] == "classifier-aaaaaaaa-1"
    figures = [read["classifier"][f"accuracy{end}"] for end in ("", "_low", "_high")]
    assert (figures, read["classifier"]["groups"]) == ([0.9, 0.4, 1.0], 2)
    surely = ("calibration_error", "sure_from", "sure_share", "sure_accuracy")
    assert [read["classifier"][name] for name in surely] == [0.05, 0.8, 0.5, None]
    assert [each["photo"] for each in read["photos"]] == [each.photo for each in FOUND]
    first, *_, unsure, bad = read["photos"]
    assert first["kinds"][2] == {"kind": "plum", "confidence": 0.0099}
    assert len(first["kinds"]) == 3
    assert (first["label"], first["trained_on"], first["refused"]) == ("kiwi", True, None)
    assert unsure["trained_on"] is None
    assert unsure["verdict"] is None
    assert (bad["kinds"], bad["refused"]) == ([], FOUND[7].refused)
    assert sum('"photo": ' in line for line in made.splitlines()) == len(FOUND)


def test_json_has_the_verdict():
    made = written(
        lambda console: JsonWriter(console, classifier(photos=2, tested=2)), judged(AnswerVerdict)
    )
    said = [each["verdict"] for each in json.loads(made)["photos"]]
    assert said == ["kind", "not_sure", "nothing_like_it"]


def test_nothing_but_the_document_is_written_where_there_are_no_photos():
    made = written(lambda console: JsonWriter(console, classifier(photos=2, tested=2)), [])
    assert json.loads(made)["photos"] == []


def judging(bound):
    held = Acceptance(bound, np.eye(2, dtype=np.float32), 0.5)
    return lambda console: PredictionTable(console, classifier(photos=2, tested=2, acceptance=held))


def test_the_table_says_which_answers_are_not_sure_and_what_that_means():
    shown = written(judging(0.97), judged(AnswerVerdict))
    for words in ("95.0% sure", "95.0% not sure", "95.0% nothing like this in the lake"):
        assert words in shown
    assert "Not sure is a confidence below 97.0%" in shown
    assert "may show no fruit at all" in shown
    assert "Not sure is" not in written(judging(0.9), judged([AnswerVerdict.KIND]))
    assert "none is sure" in written(judging(NEVER_SURE), judged([AnswerVerdict.NOT_SURE]))


def table(console):
    return PredictionTable(console, classifier(photos=2, tested=2))


def test_the_table_has_words_for_its_numbers_and_what_the_lake_knows():
    shown = written(table)
    for words in ("95.0% sure", "70.0% likely", "50.0% a guess", "lime 4.0%, plum 1.0%"):
        assert words in shown
    assert "pear" not in shown
    assert "plum 0.0%" not in shown
    assert shown.count("the classifier was trained on this photo; the lake's label is kiwi") == 5
    assert "can't be used: blank (at most 4 levels, of luminance)" in shown
    assert "in a cross-validation right for 90.0% of 2 photos held out, of 2 scenes (95%" in shown
    assert "interval 40.0% to 100.0%); then trained on all of them" in shown
    assert "adjusted on photos of this lake" in shown


def test_the_names_of_the_table_change_nothing_on_the_screen():
    shown = written(table)
    for name in ("new\\nline.jpg", ":apple: [red].jpg", "tab\\tand\\rreturn.jpg"):
        assert name in shown
    assert one_line("\x1b[31mé\udcff") == "\\x1b[31mé\\udcff"


def test_a_long_table_is_printed_piece_by_piece(monkeypatch):
    monkeypatch.setattr(photo_tables, "ROWS", 3)
    shown = written(table)
    assert shown.count("┃ photo") == 3
    assert all(f" {one_line(each.photo)} " in shown for each in FOUND)


def test_a_log_names_nobody(capsys):
    console = JsonConsole(level="info")
    made = table(console)
    for name in ("kiwi/a.jpg", "in/subject=anna/label=kiwi/anna.jpg"):
        made.add(Prediction(name, KINDS))
    made.end()
    rows = [json.loads(line)["row"]["photo"] for line in capsys.readouterr().out.splitlines()]
    assert rows == ["kiwi/a.jpg", "in/subject=… (photo 2 of the command)"]


def test_the_summary_tells_what_the_answers_are_worth():
    counts = predict.Counts()
    for each in FOUND:
        counts.add(each)
    assert predict._summary(counts) == (
        "8 photos: 1 can't be used. The classifier was trained on 5 of them: its answers there say little "
        "about new photos. Of 1 that it was not trained on and that have a label in the lake, it is right "
        "about 0."
    )


def test_folders_without_photos_are_one_sentence():
    photos = PhotoFiles(["a"], {"a": "no photo (JPEG, PNG, WebP, HEIC or AVIF) is in this folder"})
    photos.passed_over["hidden file", "hidden files"] = 2
    assert predict._nothing(photos) == (
        "a: no photo (JPEG, PNG, WebP, HEIC or AVIF) is in this folder (not looked at: 2 hidden files); "
        "name photos, or a folder with photos in it."
    )


@pytest.mark.parametrize(
    ("similarity", "words"),
    [
        (1.0, "the same picture"),
        (0.8, "very alike"),
        (0.65, "alike"),
        (0.5, "a little alike"),
        (0.3, "hardly alike"),
        (-1.0, "hardly alike"),
    ],
)
def test_a_similarity_has_words_on_the_way_from_the_average_to_the_same(similarity, words):
    assert Neighbourhood([], 0.2).words(similarity) == words
