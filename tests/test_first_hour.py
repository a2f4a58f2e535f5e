"""The first hour: the screens that somebody meets who comes from the README, on terminals of two widths.

`tests/first_hour/80.txt` and `120.txt` are what was seen. After a change of what a command says, write them
anew, and read the difference:

WRITE=first_hour python -m pytest tests/test_first_hour.py
"""

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lake import catalog, delta_rs_reader, isolated_python, secret_places
from tests.support.terminal import CONTROL, on_terminal, piped

HERE = Path(__file__).parent / "first_hour"
WIDTHS = (80, 120)

PHOTO = "data/landing/label=apple-red/IMG_1028.JPG"
FOLDER = "data/landing/label=apple-green"

HOUR = """
-                   status
-                   --lyer all
-                   --layer all --sampels 60
-                   statsu
writes              --layer all --samples 60
-                   --layer all
-                   status
-                   check
-                   report
writes              train
-                   models
-                   predict PHOTO
-                   predict FOLDER
-                   predict nothing.jpg
-                   similar PHOTO --count 3
-                   settings pca
-                   --set silver.bach=3 status
-                   --conf emrr status
-                   --conf nope.toml status
-                   --conf mine.toml status
-                   replay
-                   models --promote pca-91
-                   models --promote class
-                   models --promote nothing
-                   emr plan
-                   emr plna
-                   audit --subject nobody
-                   erase --subject nobody
-                   retain --dry-run
"""
"""What is typed after `python run.py`, in this order. What writes photos, tables or models is done once, on
the first terminal."""

BEGINNING = "pca-91"
"""How the name of a PCA version begins in the recordings."""

MINE = """
[pca]
components = "many"

[modle]
extractor = "mobilenet_v2"
"""
"""A settings file with two faults."""


WRAPPED_RUN = "\n?".join(
    [r"\d"] * 8 + ["T"] + [r"\d"] * 6 + ["(?:[.]\n?\\d\n?\\d\n?\\d)?", "Z", "-"] + ["[0-9a-f]"] * 8
)
"""The id of a run. It ends a long address, which is wrapped at any character."""

VARIES = (
    (r"\((logistic_regression|linear_svm)\s+on\s+[\w-]+\)", "(BEST)"),
    (WRAPPED_RUN, "RUN"),
    (r"(?<![0-9a-z])(?=[0-9a-f]*\d)[0-9a-f]{8,64}(?![0-9a-z])", "HASH"),
    (r"classifier-HASH-\d", "CLASSIFIER"),
    (r"\b(champion|candidate)\b", "STATUS"),
    (r"its most frequent mistakes: [^;]*|it made no mistake", "MISTAKES"),
    (r"(sure)\s+and\s+\S+\s+of\s+these\s+right", r"\1"),
    (r";\s+its\s+answers\s+are\s+sure\s+from\b[^()]*\(95%[^()]*\)", ""),
    (r";\s+its\s+answers\s+are\s+sure\s+from\b[^()]*\sset\s+the\s+bound", ""),
    (r"(;\s+its|^Its)\s+test\s+could\s+not\s+show\b[\s\S]*?\swant\s+less(\.\n(?=The|\[))?", ""),
    (r"^Not\s+sure\s+is\s+a\s+confidence\s+below\b[\s\S]*?_precision\)\.\n", ""),
    (r"\bnot\s+sure\b", "sure"),
    (r"\d[\d,.:-]*", "N"),
    (r"label=[\w-]+/[\w.]+|–", "PATH"),
    (
        r"\b(apple-green|apple-red|banana|grapes|kiwi|lemon|orange|pear|plum|strawberry|watermelon)\b",
        "KIND",
    ),
    (r"\b(a guess|likely|sure)\b", "SURE"),
    (r"\b((a little|hardly) )?alike\b|\bthe same picture\b", "ALIKE"),
    (r"\b\w+:(\s+[A-Za-z][A-Za-z ]*\s+N\s+s\b,?)+", ""),
    (r"(^[│┃].*\n)+", lambda rows: " ".join(sorted(re.findall(r"[^│┃\s]+", rows[0])))),
    (r"[─━┄╇╈┼┬┴├┤└┘┌┐╮╯╰╭┏┓┡┩\s]+", ""),
)
"""What differs from one machine and day to the next, or with the length of a path, and what stands for it in
a comparison. Among it are the parts of a step, which have a line where they take long. A width of one more
digit moves a word of a table's cell to another line: of a table, the words count and not their order."""

FOLDER_SHOWN = "/home/you/fruit-lake"


def calls(width):
    """What is typed on the terminal of that width."""
    for line in HOUR.strip().splitlines():
        writes, words = line.split(maxsplit=1)
        if writes != "writes" or width == WIDTHS[0]:
            yield words.replace("PHOTO", PHOTO).replace("FOLDER", FOLDER)


def typed(words):
    """The same words, with how the name of this lake's PCA version begins: a converted model has other bytes
    on another processor, and a version is named after them."""
    if BEGINNING not in words:
        return words
    rows = delta_rs_reader.rows("data/lake", catalog.MODELS, columns=["version", "kind"])
    [version] = [row["version"] for row in rows if row["kind"] == "pca"]
    return words.replace(BEGINNING, version[: len(BEGINNING)])


def seen(width, folder):
    """The hour on a terminal of that width: for each command what is typed, its screen and its exit code."""
    own = re.compile("\n?".join(map(re.escape, str(folder))))
    for words in calls(width):
        code, screen = on_terminal(typed(words).split(), width=width)
        assert max(map(len, screen.splitlines()), default=0) <= width, words
        yield f"$ python run.py {words}\n{own.sub(FOLDER_SHOWN, screen)}\n[{code}]\n"


def same(screens):
    """The screens of a recording without what differs, by command."""
    for pattern, stands in VARIES:
        screens = re.sub(pattern, stands, screens, flags=re.MULTILINE)
    return screens.split("$pythonrun.py")


def test_the_first_hour_looks_as_recorded(tmp_path, spark, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # A note says where a kernel gives no network of its own to a process.
    monkeypatch.setattr(isolated_python, "shared_rights", str)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    # With one key the same photos are tested, and the classifiers answer the same each time.
    one_key = SimpleNamespace(token_hex=lambda size: "5e" * size)
    monkeypatch.setattr(secret_places, "secrets", one_key)
    Path("mine.toml").write_text(MINE)
    for width in WIDTHS:
        screens = "\n".join(seen(width, tmp_path))
        file = HERE / f"{width}.txt"
        if os.environ.get("WRITE") == "first_hour":
            file.write_text(screens)
        assert same(screens) == same(file.read_text())


@pytest.mark.parametrize("width", WIDTHS)
def test_no_screen_of_the_first_hour_cuts_a_name_or_shows_a_traceback(width):
    screens = (HERE / f"{width}.txt").read_text()
    cut = [
        line for line in screens.splitlines() if re.search(r"\w…", line) and "EUW3-…" not in line
    ]
    assert cut == []
    assert "Traceback" not in screens


READING = ("status", "check", "models", "statsu", "--layer brnze", "settings")


@pytest.mark.parametrize("log", ["text", "json"])
def test_output_that_is_no_terminal_has_no_control_characters(
    log, samples_lake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for words in READING:
        code, out, err = piped([*words.split(), "--lake", samples_lake.files.root, "--log", log])
        assert bool(out) == (code == 0), words
        assert bool(err) == (code != 0), words
        assert not CONTROL & {*out, *err}, words
        if log == "json":
            assert all(json.loads(line)["event"] for line in (out + err).splitlines()), words
