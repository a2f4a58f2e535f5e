"""Findings: what one table held of a subject or a photo, according to its log and its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput
from lake import catalog
from lake.catalog import Table
from lake.enums import ErasureState
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder
from privacy.audit import subject_rows
from privacy.audit.table_history import Commit, History, spans

TIMES: Mapping[Table, str | None] = {
    catalog.OBJECTS: "seen_at",
    catalog.PHOTOS: "ingested_at",
    catalog.REJECTED: "rejected_at",
    catalog.EMBEDDINGS: "embedded_at",
    catalog.QUARANTINE: "quarantined_at",
    catalog.FEATURES: None,
    catalog.HELD_OUT: None,
}
"""The tables with rows of photos, and the column with the time at which a row was written, if any."""

KEYS = ("photo_id", "object", "subject", "weights_id", "model_version", "run_id", "chunk")


class HoldingStatus(StrEnum):
    """What an audit says about a table. It never says NOT_HELD where history is gone."""

    HELD = "HELD"
    NOT_HELD = "NOT_HELD"
    ERASED = "ERASED"
    OUT_OF_RETENTION = "OUT_OF_RETENTION"


@dataclass(frozen=True)
class AuditQuestion:
    """A question: the `subject` or the `photo` that it is about, and the time that it is about.

    The time is `at`, that of a `version` of one `table`, the whole `history`, or else now.
    """

    subject: str | None = None
    photo: str | None = None
    at: datetime | None = None
    table: Table | None = None
    version: int | None = None
    history: bool = False


@dataclass(frozen=True)
class PastErasure:
    """An erasure of the subject or the photo, in its last state.

    `since` is when it was requested, and `certificate` the id of its certificate. `rows` has the number of
    rows that it removed, by table, and by model version (`FITTED_PREFIX`) the number of erased photos that
    the version was fitted on.
    """

    request: str
    state: str
    since: datetime
    certificate: str
    rows: Mapping[str, int]

    @property
    def has_freed(self) -> bool:
        """True where the erasure removed old files and models too, and not only rows."""
        return self.state in (ErasureState.PHYSICAL, ErasureState.VERIFIED, ErasureState.CERTIFIED)


@dataclass(frozen=True)
class Span:
    """A number of rows that came with one commit and left with another; `left` is None if they are there."""

    rows: int
    came: Commit
    left: Commit | None


@dataclass(frozen=True)
class TableFinding:
    """What one table held, at the `version` that was made at the time `since`, or over its history (`spans`).

    `rows` is a number, `photos` are the ids of the photos, and `models` has the number of rows by weights_id
    or model version. `written_by` are the commits that brought the rows. `note` says why the status is what
    it is, where the rows alone don't show it.
    """

    table: str
    status: HoldingStatus
    version: int | None = None
    since: datetime | None = None
    rows: int = 0
    photos: Sequence[str] = ()
    chunks: Sequence[int] = ()
    models: Mapping[str, int] = field(default_factory=dict)
    written_by: Sequence[Commit] = ()
    spans: Sequence[Span] = ()
    note: str = ""


@dataclass(frozen=True)
class TableSearch:
    """The search for the answer to one question, in one table at a time.

    `erasures` are the past erasures of the subject or photo, oldest first.
    """

    files: Folder
    pseudonyms: Pseudonyms
    question: AuditQuestion
    erasures: Sequence[PastErasure]
    now: datetime

    @cached_property
    def _matching(self) -> Callable[[pa.Table], pa.Table]:
        """The filter that keeps the rows of the subject or the photo in question."""
        if self.question.subject is not None:
            return subject_rows.filter_of(self.files, self.pseudonyms, self.question.subject)
        return lambda rows: rows.filter(pc.field("photo_id") == self.question.photo)

    def finding(self, table: Table) -> TableFinding:
        """Return what the table held. Raises BadInput where it never had the version in question."""
        time = TIMES[table]
        columns = [*KEYS, time] if time else list(KEYS)
        history = History(self.files, table, columns, self._matching)
        if self.question.history:
            return self._over_history(history)
        if self.question.version is not None:
            versions = [commit.version for commit in history.commits]
            if not 0 <= self.question.version <= max(versions, default=-1):
                raise BadInput(
                    f"{table.name} has the versions 0 to {max(versions)}, but no version "
                    f"{self.question.version}."
                )
            if self.question.version not in versions:
                note = "the log no longer has the entry of that version"
                return TableFinding(table.name, HoldingStatus.OUT_OF_RETENTION, note=note)
            return self._at_version(history, self.question.version)
        version = history.version_at(self.question.at or self.now)
        if version is not None:
            return self._at_version(history, version)
        return self._before_the_log(history)

    def _at_version(self, history: History, version: int) -> TableFinding:
        """Return what one version of the table held. The log has an entry of the version."""
        commits = {commit.version: commit for commit in history.commits}
        rows, missing = history.rows(version), history.missing(version)
        note = ""
        if missing:
            note = f"{missing:,} of its {len(history.versions[version]):,} files are gone"
        if rows:
            status = HoldingStatus.HELD
        elif missing:
            status = HoldingStatus.OUT_OF_RETENTION
        else:
            status, note = self._absent(history.table, self.question.at or commits[version].at)
        return _finding(
            history.table,
            status,
            rows,
            version=version,
            since=commits[version].at,
            written_by=_writers(history, rows, version),
            note=note,
        )

    def _absent(self, table: Table, time: datetime) -> tuple[HoldingStatus, str]:
        """Return the status and the note of a version that held nothing, though all its files are there.

        It is ERASED where an erasure was requested before the time in question: now, or else `time`.
        """
        is_now = self.question.at is None and self.question.version is None
        moment = self.now if is_now else time
        for each in reversed(self.erasures):
            if each.since <= moment and each.rows.get(table.name):
                note = f"request {each.request}, certificate {each.certificate}"
                return HoldingStatus.ERASED, note
        return HoldingStatus.NOT_HELD, ""

    def _before_the_log(self, history: History) -> TableFinding:
        """Return what the table held at a time before the log's first entry, by the rows' own times."""
        table, time = history.table, TIMES[history.table]
        if history.begins_with_the_table:
            note = f"the table was made at {told(history.commits[0].at)}"
            return TableFinding(table.name, HoldingStatus.NOT_HELD, note=note)
        assert self.question.at is not None
        last = history.commits[-1].version
        rows = history.rows(last) if time else []
        early = [row for row in rows if time and row[time] <= self.question.at]
        note = "the log doesn't go back that far"
        if early:
            note += f"; judged by the rows' own times ({time}) in the current version"
        for each in (e for e in self.erasures if e.since > self.question.at):
            note += f"; erased later by request {each.request}, certificate {each.certificate}"
        status = HoldingStatus.HELD if early else HoldingStatus.OUT_OF_RETENTION
        return _finding(table, status, early, note=note)

    def _over_history(self, history: History) -> TableFinding:
        """Return when rows came and when they left, over all versions of which the log has an entry."""
        commits = {commit.version: commit for commit in history.commits}
        held = {version: frozenset(map(_identity, history.rows(version))) for version in commits}
        row_counts: dict[tuple[int, int | None], int] = {}
        for _, first, last in spans(held):
            row_counts[first, last] = row_counts.get((first, last), 0) + 1
        order = sorted(commits)
        next_commit = {before: commits[after] for before, after in pairwise(order)}
        came_and_left = [
            Span(n, commits[first], None if last is None else next_commit[last])
            for (first, last), n in sorted(row_counts.items(), key=lambda each: each[0][0])
        ]
        incomplete = [version for version in order if history.missing(version)]
        notes = []
        if incomplete:
            count, newest = len(incomplete), incomplete[-1]
            notes.append(f"files of {count:,} versions, up to version {newest}, are gone")
        if not history.begins_with_the_table:
            notes.append("the log doesn't go back to the table's beginning")
        last = order[-1]
        rows = [row for version in order for row in history.rows(version)]
        if history.rows(last):
            status = HoldingStatus.HELD
        else:
            status, note = self._absent(history.table, self.now)
            if status is HoldingStatus.NOT_HELD and notes:
                status = HoldingStatus.OUT_OF_RETENTION
            notes += [note] if note else []
        distinct_rows = list({_identity(row): row for row in rows}.values())
        return _finding(
            history.table,
            status,
            distinct_rows,
            version=last,
            since=commits[last].at,
            written_by=[span.came for span in came_and_left],
            spans=came_and_left,
            note="; ".join(notes),
        )


def _identity(row: Mapping[str, Any]) -> str:
    """Return a text that identifies a row within its table."""
    names = ("photo_id", "object", "weights_id", "model_version")
    return " ".join(str(row[name]) for name in names if row.get(name))


def _writers(history: History, rows: Iterable[Mapping[str, Any]], version: int) -> list[Commit]:
    """Return the commits, up to a version, that wrote the rows: those with the same run and chunk."""
    runs_and_chunks = {(row["run_id"], row["chunk"]) for row in rows}
    return [
        commit
        for commit in history.commits
        if commit.version <= version
        and (commit.written_by.get("run_id"), commit.written_by.get("chunk")) in runs_and_chunks
    ]


def _finding(
    table: Table, status: HoldingStatus, rows: Sequence[Mapping[str, Any]], **more: Any
) -> TableFinding:
    """Return a finding about these rows. `more` are its further fields."""
    models: dict[str, int] = {}
    for row in rows:
        name = row.get("weights_id") or row.get("model_version")
        if name:
            models[name] = models.get(name, 0) + 1
    return TableFinding(
        table=table.name,
        status=status,
        rows=len(rows),
        photos=sorted({row["photo_id"] for row in rows if row.get("photo_id")}),
        chunks=sorted({row["chunk"] for row in rows}),
        models=models,
        **more,
    )


def told(time: datetime) -> str:
    """Return a time as audits show it: in UTC and to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
