"""Shows the answer of an audit on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from cli.json_console import subject_on
from cli.output import tables
from cli.output.sentences import say
from cli.output.tables import NAME, NUMBER, WholeTable
from privacy.audit.auditor import Audit
from privacy.audit.table_findings import (
    LANDED,
    STAGED,
    AuditQuestion,
    HoldingStatus,
    TableFinding,
    told,
)
from privacy.audit.table_history import Commit
from privacy.near_names import STANDS


def show(console: Console, audit: Audit) -> None:
    """Show an answer: a table with a line for each table, then one line for each further fact.

    The facts are notes, writers, erasures, photos, models, gates and the storage.
    """
    question = replace(audit.question, subject=subject_on(console, audit.question.subject))
    asked_at = told(audit.asked_at)
    say(console, f"asked at {asked_at}: {_question_text(question)}")
    table = WholeTable(
        {"table": NAME, "status": NAME, "rows": NUMBER, "version": NUMBER, "made": NAME}
    )
    for finding in audit.findings:
        version = "–" if finding.version is None else str(finding.version)
        since = told(finding.since) if finding.since else "–"
        table.add(finding.table, finding.status, f"{finding.rows:,}", version, since)
    tables.show(console, table)
    say(console, _conclusion(audit.findings))
    lines = _near(audit)
    lines += [f"{finding.table}: {finding.note}" for finding in audit.findings if finding.note]
    lines += [line for finding in audit.findings for line in _writers(finding)]
    lines += [
        f"erasure {each.request}: requested at {told(each.since)}, {each.state}, certificate "
        f"{each.certificate}"
        for each in audit.erasures
    ]
    photos = sorted({photo for finding in audit.findings for photo in finding.photos})
    shown = tables.ids(console, photos)
    lines += [f"photo {shown[photo]}" for photo in photos]
    lines += [f"seen by {model}" for model in audit.models]
    lines += [f"gate of {line}" for line in audit.gates]
    storage = audit.storage
    lines.append(
        f"storage: {storage['root']}, {storage['kind']}; region: {storage['region']}; encryption: "
        f"{storage['encryption']}"
    )
    for line in lines:
        say(console, line)


CONCLUSIONS = {
    HoldingStatus.HELD: "with rows",
    HoldingStatus.ERASED: "whose rows were erased",
    HoldingStatus.NOT_HELD: "without any rows",
    HoldingStatus.OUT_OF_RETENTION: "of which nobody can say, because their history is gone",
}
"""What the tables with each status are, in the order in which it is said."""


PLACES = {LANDED: "the landing folder", STAGED: "staged rows"}
"""The words for what is no table."""


def _conclusion(findings: Sequence[TableFinding]) -> str:
    """Return how many tables have each status, and what this audit didn't look into."""
    counts = Counter(finding.status for finding in findings if finding.table not in PLACES)
    parts = [f"{counts[status]} {text}" for status, text in CONCLUSIONS.items() if counts[status]]
    found = {finding.table for finding in findings}
    left_out = [f"{text}, " for place, text in PLACES.items() if place not in found]
    left_out += ["and Data Docs" if left_out else "Data Docs"]
    return f"Tables: {', '.join(parts)}. Not looked into: {''.join(left_out)}."


def _near(audit: Audit) -> list[str]:
    """Return lines on what stands near the name of the subject; none where nothing does."""
    lines = []
    if audit.near:
        lines.append(
            f"near this name: {audit.near} {STANDS}; audit these spellings too, copied from their folders"
        )
    if audit.near is not None and audit.near.landed is None:
        lines.append("the landing folder could not be looked through for names near this one")
    if audit.near is not None and audit.near.has_unread:
        lines.append("files of tables can't be read, so rows near this name may be missing here")
    return lines


def _question_text(question: AuditQuestion) -> str:
    """Return the question in a few words. It names the subject, because only the one who asked sees it."""
    who = f"subject {question.subject}" if question.photo is None else f"photo {question.photo}"
    if question.history:
        when = "over the whole history"
    elif question.table is not None:
        when = f"at version {question.version} of {question.table.name}"
    else:
        when = f"at {told(question.at)}" if question.at else "now"
    return f"{who}, {when}"


def _writers(finding: TableFinding) -> list[str]:
    """Return lines with the commits that wrote the rows of a table; over a history, also when rows left."""
    if not finding.spans:
        return [
            f"{finding.table}: written by {_commit_text(commit)}" for commit in finding.written_by
        ]
    return [
        f"{finding.table}: {span.rows:,} rows came with {_commit_text(span.came)}, and "
        + (f"left with {_commit_text(span.left)}" if span.left else "are still there")
        for span in finding.spans
    ]


def _commit_text(commit: Commit) -> str:
    """Return the version, operation, time, run, code and settings of a commit in a few words."""
    run, code, settings = (
        commit.written_by.get(name, "unknown")
        for name in ("run_id", "code_revision", "settings_hash")
    )
    return (
        f"version {commit.version} ({commit.operation}, {told(commit.at)}, run {run}, code {code}, settings "
        f"{settings})"
    )
