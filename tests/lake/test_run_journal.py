"""Which code a run says that it is of."""

import subprocess

import pytest

from lake import run_journal
from lake.run_journal import code_revision


@pytest.fixture
def repository(tmp_path):
    """Somebody's repository with one commit."""

    def git(*words):
        names = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        command = ["git", "-C", str(tmp_path), *names, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "run.py").write_text("")
    git("add", "run.py")
    git("commit", "-q", "-m", "first")
    return git


def test_it_is_the_commit_and_a_sign_where_files_differ(tmp_path, repository, monkeypatch):
    monkeypatch.setattr(run_journal, "PROJECT", tmp_path)
    commit = repository("rev-parse", "--short=12", "HEAD")
    assert code_revision() == commit
    (tmp_path / "run.py").write_text("changed")
    assert code_revision() == f"{commit}+"


def test_installed_in_somebody_elses_repository_it_is_unknown(tmp_path, repository, monkeypatch):
    installed = tmp_path / ".venv" / "lib"
    installed.mkdir(parents=True)
    monkeypatch.setattr(run_journal, "PROJECT", installed)
    assert code_revision() == "unknown"


def test_a_package_has_it_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(run_journal, "REVISION", tmp_path / "REVISION")
    (tmp_path / "REVISION").write_text("0123456789ab\n")
    assert code_revision() == "0123456789ab"
