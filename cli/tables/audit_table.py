"""An audit on the terminal."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.json_console import JsonConsole
from privacy.audit.auditor import Audit
from privacy.audit.table_findings import AuditQuestion, TableFinding, told
from privacy.audit.table_history import Commit


def show(console: Console, audit: Audit) -> None:
    """The answer on the terminal: a table of tables, then who wrote, which models saw, what gates found."""
    question = audit.question
    if isinstance(console, JsonConsole):
        question = replace(question, subject="(named in no log)")
    console.print(f"asked at {told(audit.asked_at)}: {_asked(question)}", soft_wrap=True)
    table = Table()
    for name in ("table", "status", "rows", "version", "of"):
        table.add_column(name, justify="right" if name in ("rows", "version") else "left")
    for found in audit.findings:
        version = "–" if found.version is None else str(found.version)
        since = told(found.since) if found.since else "–"
        table.add_row(found.table, found.status, f"{found.rows:,}", version, since)
    console.print(table)
    lines = [f"{found.table}: {found.note}" for found in audit.findings if found.note]
    lines += [line for found in audit.findings for line in _came_and_left(found)]
    lines += [
        f"erasure {each.request}: asked for at {told(each.since)}, {each.state}, certificate "
        f"{each.certificate}"
        for each in audit.erasures
    ]
    photos = sorted({photo for found in audit.findings for photo in found.photos})
    lines += [f"photo {photo}" for photo in photos]
    lines += [f"seen by {model}" for model in audit.models]
    lines += [f"gate of {line}" for line in audit.gates]
    storage = audit.storage
    lines.append(
        f"storage: {storage['root']}, {storage['kind']}; region: {storage['region']}; encryption: "
        f"{storage['encryption']}"
    )
    for line in lines:
        console.print(escape(line), soft_wrap=True)


def _asked(question: AuditQuestion) -> str:
    """The question in a few words. The screen is for whoever asked, so it may name the subject."""
    who = f"subject {question.subject}" if question.photo is None else f"photo {question.photo}"
    if question.history:
        when = "over the whole history"
    elif question.table is not None:
        when = f"at version {question.version} of {question.table.name}"
    else:
        when = f"at {told(question.at)}" if question.at else "now"
    return escape(f"{who}, {when}")


def _came_and_left(found: TableFinding) -> list[str]:
    """Who brought the rows of a table and when; over a history, also when they left."""
    if not found.spans:
        return [f"{found.table}: written by {_commit(commit)}" for commit in found.written_by]
    return [
        f"{found.table}: {span.rows:,} rows came with {_commit(span.came)}, and "
        + (f"left with {_commit(span.left)}" if span.left else "are there still")
        for span in found.spans
    ]


def _commit(commit: Commit) -> str:
    run, code, settings = (
        commit.written_by.get(name, "unknown")
        for name in ("run_id", "code_revision", "settings_hash")
    )
    return (
        f"version {commit.version} ({commit.operation}, {told(commit.at)}, run {run}, code {code}, settings "
        f"{settings})"
    )
