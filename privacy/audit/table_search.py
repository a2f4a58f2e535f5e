"""The search of one table for a subject or a photo, according to its log and its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from conf.errors import BadInput
from lake.catalog import Table
from lake.storage.folder import Folder
from privacy.audit.table_findings import (
    TIMES,
    AuditQuestion,
    HoldingStatus,
    PastErasure,
    Span,
    TableFinding,
    told,
)
from privacy.audit.table_history import Commit, DataFile, History, spans
from privacy.owned_rows import OwnedKeys, key_columns

BEHIND_A_GAP = "earlier entries of the log are gone, and no checkpoint follows that has the files"
"""The note on a version whose files nobody knows."""

KEYS = ("photo_id", "object", "subject", "weights_id", "model_version", "run_id", "chunk")


@dataclass(frozen=True)
class TableSearch:
    """The search for the answer to one question, in one table at a time.

    `owned` are the keys of the rows in question. `erasures` are the past erasures of the subject or photo,
    oldest first.
    """

    files: Folder
    owned: OwnedKeys
    question: AuditQuestion
    erasures: Sequence[PastErasure]
    now: datetime

    def finding(self, table: Table) -> TableFinding:
        """Return what the table held. Raises BadInput where it never had the version in question."""
        time = TIMES[table]
        columns = [*KEYS, time] if time else list(KEYS)
        keys = key_columns(table)
        history = History(self.files, table, columns, lambda rows: self.owned.among(rows, keys))
        if self.question.history:
            return self._over_history(history)
        if self.question.version is not None:
            return self._at_asked_version(history, self.question.version)
        if self.question.at is not None:
            return self._at_time(history, self.question.at)
        return self._now(history)

    def _at_asked_version(self, history: History, version: int) -> TableFinding:
        """Return what the version in question held. Raises BadInput where the table never had it."""
        if not 0 <= version <= history.newest:
            raise BadInput(
                f"{history.table.name} has the versions 0 to {history.newest}, but no version {version}."
            )
        if version in history.versions:
            return self._at_version(history, version)
        if version in history.commits:
            return _lost(history, BEHIND_A_GAP)
        return _lost(history, "the log no longer has the entry of that version")

    def _at_time(self, history: History, time: datetime) -> TableFinding:
        """Return what the table held at a time, where the log tells which version was current then."""
        version = history.version_at(time)
        if version is None:
            return self._before_the_log(history)
        for first, last in history.gaps:
            if first == version + 1:
                return _lost(history, f"{_missing(first, last)}, which may be of that time")
        if version not in history.versions:
            return _lost(history, BEHIND_A_GAP)
        return self._at_version(history, version)

    def _now(self, history: History) -> TableFinding:
        """Return what the table holds now, from its current snapshot.

        Where entries are missing so that Delta can't read the table either, every file in its folder is
        searched.
        """
        if history.newest in history.versions:
            return self._at_version(history, history.newest)
        rows = history.rows(history.lying_files)
        status = HoldingStatus.HELD if rows else HoldingStatus.OUT_OF_RETENTION
        note = f"{BEHIND_A_GAP}; all files in the table's folder were searched"
        return _finding(history.table, status, rows, note=note)

    def _at_version(self, history: History, version: int) -> TableFinding:
        """Return what one version of the table held. Its files are known."""
        files, commit = history.versions[version], history.commits.get(version)
        rows, missing = history.rows(files), history.missing(files)
        note = ""
        if missing:
            note = f"{missing:,} of its {len(files):,} files are gone or can't be read"
        if rows:
            status = HoldingStatus.HELD
        elif missing:
            status = HoldingStatus.OUT_OF_RETENTION
        else:
            time = self.question.at or (commit.at if commit else self.now)
            status, note = self._absent(history, time)
        return _finding(
            history.table,
            status,
            rows,
            version=version,
            since=commit and commit.at,
            written_by=_writers(history, rows, version),
            note=note,
        )

    def _absent(self, history: History, time: datetime) -> tuple[HoldingStatus, str]:
        """Return the status and the note of a version that held nothing, though all its files are there.

        It is ERASED where an erasure was requested before the time in question: now, or else `time`. Files
        that no entry of the log names are told. Where they hold such rows, and no entry that may have named
        them is known to be gone, nobody can say.
        """
        is_now = self.question.at is None and self.question.version is None
        moment = self.now if is_now else time
        for each in reversed(self.erasures):
            if each.since <= moment and each.rows.get(history.table.name):
                note = f"request {each.request}, certificate {each.certificate}"
                return HoldingStatus.ERASED, note
        unnamed = history.unnamed_files
        if not unnamed:
            return HoldingStatus.NOT_HELD, ""
        note = f"{len(unnamed):,} files in the table's folder are named by no entry of the log"
        rows = history.rows(unnamed)
        note += f", and {len(rows):,} such rows were read in them"
        # Behind entries that are gone, files of earlier versions may lie there.
        is_whole = history.begins_with_the_table and not history.gaps
        is_lost = bool(rows) and is_whole
        return HoldingStatus.OUT_OF_RETENTION if is_lost else HoldingStatus.NOT_HELD, note

    def _before_the_log(self, history: History) -> TableFinding:
        """Return what the table held at a time before the log's first entry, by the rows' own times."""
        table, time = history.table, TIMES[history.table]
        if history.begins_with_the_table:
            note = f"the table was made at {told(history.commits[0].at)}"
            return TableFinding(table.name, HoldingStatus.NOT_HELD, note=note)
        assert self.question.at is not None
        rows = history.rows(_current_files(history)) if time else []
        early = [row for row in rows if time and row[time] <= self.question.at]
        note = "the log doesn't go back that far"
        if early:
            note += f"; judged by the rows' own times ({time}) in the current version"
        for each in (e for e in self.erasures if e.since > self.question.at):
            note += f"; erased later by request {each.request}, certificate {each.certificate}"
        status = HoldingStatus.HELD if early else HoldingStatus.OUT_OF_RETENTION
        return _finding(table, status, early, note=note)

    def _over_history(self, history: History) -> TableFinding:
        """Return when rows came and when they left, over all versions whose files are known."""
        found = {version: history.rows(files) for version, files in history.versions.items()}
        came_and_left = _spans(history, found)
        notes = _unknown(history)
        held = history.rows(_current_files(history))
        if held:
            status = HoldingStatus.HELD
        else:
            status, note = self._absent(history, self.now)
            if status is HoldingStatus.NOT_HELD and notes:
                status = HoldingStatus.OUT_OF_RETENTION
            notes += [note] if note else []
        last = history.commits.get(history.newest)
        rows = [*held, *(row for rows in found.values() for row in rows)]
        distinct_rows = list({_identity(row): row for row in rows}.values())
        return _finding(
            history.table,
            status,
            distinct_rows,
            version=history.newest,
            since=last and last.at,
            written_by=[span.came for span in came_and_left],
            spans=came_and_left,
            note="; ".join(notes),
        )


def _lost(history: History, note: str) -> TableFinding:
    """Return the finding of a table of which nobody knows any more what it held."""
    return TableFinding(history.table.name, HoldingStatus.OUT_OF_RETENTION, note=note)


def _current_files(history: History) -> Sequence[DataFile]:
    """Return the files of the current version; where these aren't known, all files in the table's folder."""
    return history.versions.get(history.newest, history.lying_files)


def _missing(first: int, last: int) -> str:
    """Return in words that the log lacks a stretch of entries."""
    which = f"version {first}" if first == last else f"versions {first} to {last}"
    return f"the log lacks the entries of {which}"


def _unknown(history: History) -> list[str]:
    """Return notes on what of a table's history nobody knows any more."""
    incomplete = [v for v, files in sorted(history.versions.items()) if history.missing(files)]
    notes = []
    if incomplete:
        count, newest = len(incomplete), incomplete[-1]
        notes.append(f"files of {count:,} versions, up to version {newest}, are gone")
    for first, last in history.gaps:
        notes.append(f"{_missing(first, last)}; what came or left there stands at the next commit")
    if history.commits.keys() - history.versions.keys():
        notes.append(BEHIND_A_GAP)
    if not history.begins_with_the_table:
        notes.append("the log doesn't go back to the table's beginning")
    return notes


def _spans(history: History, found: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[Span]:
    """Return the stretches of versions that held rows, by the rows that were `found` in each version.

    Behind a gap, a row came or left with the next commit that is known, or before it.
    """
    found = {version: rows for version, rows in found.items() if version in history.commits}
    held = {version: frozenset(map(_identity, rows)) for version, rows in found.items()}
    row_counts: dict[tuple[int, int | None], int] = {}
    for _, first, last in spans(held):
        row_counts[first, last] = row_counts.get((first, last), 0) + 1
    following = {before: history.commits[after] for before, after in pairwise(sorted(held))}
    return [
        Span(n, history.commits[first], None if last is None else following[last])
        for (first, last), n in sorted(row_counts.items(), key=lambda each: each[0][0])
    ]


def _identity(row: Mapping[str, Any]) -> str:
    """Return a text that identifies a row within its table."""
    names = ("photo_id", "object", "weights_id", "model_version")
    return " ".join(str(row[name]) for name in names if row.get(name))


def _writers(history: History, rows: Iterable[Mapping[str, Any]], version: int) -> list[Commit]:
    """Return the commits, up to a version, that wrote the rows: those with the same run and chunk.

    Rows of a table that is numbered by chunks may be of a run that another one finished: no two chunks have
    the same number.
    """
    has_chunks = history.table.numbers == "chunk"
    names = ("chunk",) if has_chunks else ("run_id", "chunk")
    known = {tuple(row[name] for name in names) for row in rows}
    return [
        commit
        for commit in history.commits.values()
        if commit.version <= version and tuple(map(commit.written_by.get, names)) in known
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
