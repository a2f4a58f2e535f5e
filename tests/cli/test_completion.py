"""What a Tab offers behind the installed command, in bash, zsh and fish."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli.main
from cli import command_reference, completion
from silver import extractors

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("bash", "zsh", "fish")

OFFERED = [
    ("st", ["status"]),
    ("emr pa", ["package"]),
    ("emr plan --ph", ["--photos", "--photo-bytes"]),
    ("--layer ", ["bronze", "silver", "gold", "all"]),
    ("emr submit --layer si", ["silver"]),
    ("status --js", ["--json"]),
    ("status --lo", ["--log"]),
    ("--log ", ["text", "json"]),
    ("--set pca.", ["pca.components=", "pca.variance=", "pca.scale="]),
    ("--set emr.reg", ["emr.region="]),
    ("--set a.b=1 --set lease.", ["lease.seconds="]),
    ("--extractor mob", ["mobilenet_v2"]),
    ("--conf ", ["emr", "local"]),
    ("check --table silver/e", ["silver/embeddings"]),
    ("restore --table silver/", ["silver/embeddings"]),
    ("audit --version bronze/r", ["bronze/rejected="]),
    ("replay --reason tr", ["truncated"]),
    ("erase --mode ", ["deferred", "immediate"]),
]


@pytest.fixture
def tab(monkeypatch, capsys):
    """What a shell is answered where somebody typed that: the kind and the value of each offer."""

    def answered(shell, words):
        monkeypatch.setenv("_FRUIT_LAKE_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words) - 1))
        assert cli.main.main([], None) == 0
        shown = capsys.readouterr().out
        if shell == "zsh":
            lines = shown.splitlines()
            return list(zip(lines[::3], lines[1::3], strict=True))
        return [tuple(line.split("\t")[0].split(",", 1)) for line in shown.splitlines()]

    return answered


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("typed", "offered"), OFFERED)
def test_a_tab_offers(shell, typed, offered, tab):
    found = tab(shell, ["fruit-lake", *typed.split(" ")])
    assert found == [("plain", value) for value in offered]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "typed",
    ["predict ", "similar ", "--lake ", "--conf my", "check --junit ", "emr policies --out "],
)
def test_a_path_is_left_to_the_shell(shell, typed, tab):
    [(kind, _)] = tab(shell, ["fruit-lake", *typed.split(" ")])
    assert kind == "file"


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--layer", "=", "si"], ["silver"]),
        (["--layer", "="], ["bronze", "silver", "gold", "all"]),
        (["--set", "=", "pca.comp"], ["pca.components="]),
        (["--set", "pca.scale", "=", "true", "sta"], ["status"]),
        (["--lake", "s3", ":", "//bucket/lake", "sta"], ["status"]),
    ],
)
def test_bash_splits_words_at_signs(words, offered, tab):
    assert [value for _, value in tab("bash", ["fruit-lake", *words])] == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_whole_word(shell, tab):
    assert tab(shell, ["fruit-lake", "--layer=si"]) == [("plain", "--layer=silver")]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_reference_has_the_line_for_each_shell(shell, monkeypatch, capsys):
    assert f"_FRUIT_LAKE_COMPLETE={shell}_source fruit-lake" in command_reference.markdown()
    monkeypatch.setenv("_FRUIT_LAKE_COMPLETE", f"{shell}_source")
    assert cli.main.main([], None) == 0
    assert f"_FRUIT_LAKE_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_the_scripts_put_no_space_behind_a_setting():
    assert "compopt -o nospace" in completion.Bash.source_template
    assert "ending=(-S '')" in completion.Zsh.source_template


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_bash_completes_by_that_line(tmp_path):
    command = tmp_path / "fruit-lake"
    command.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n")
    with command.open("a") as file:
        file.write("import run\nrun.main()\n")
    command.chmod(0o755)
    lines = f"""
PATH={tmp_path}:$PATH
eval "$(_FRUIT_LAKE_COMPLETE=bash_source fruit-lake)"
compopt() {{ echo "compopt $*"; }}
COMP_WORDS=(fruit-lake --set pca.comp); COMP_CWORD=2
"$(complete -p fruit-lake | sed 's/.*-F \\([^ ]*\\).*/\\1/')" fruit-lake
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-3:] == ["nospace", "pca.components=", ""]


def test_every_extractor_is_offered():
    assert tuple(completion.extractors()) == extractors.names()
