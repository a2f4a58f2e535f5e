"""Findings: what one table held of a subject or a photo, as its log and its files tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf.errors import BadInput
from lake import catalog
from lake.catalog import Table
from lake.column_values import ErasureState
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder
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
"""The tables with rows of photos, and the column that tells by itself when a row came."""

KEYS = ("photo_id", "object", "subject", "weights_id", "model_version", "run_id", "chunk")


class HoldingStatus(StrEnum):
    """What an audit says of a table. History that is gone is never NOT_HELD."""

    HELD = "HELD"
    NOT_HELD = "NOT_HELD"
    ERASED = "ERASED"
    OUT_OF_RETENTION = "OUT_OF_RETENTION"


@dataclass(frozen=True)
class AuditQuestion:
    """Of whom or what, and when: `at` a time, at a `version` of one `table`, over the `history`, or now."""

    subject: str | None = None
    photo: str | None = None
    at: datetime | None = None
    table: Table | None = None
    version: int | None = None
    history: bool = False


@dataclass(frozen=True)
class PastErasure:
    """An erasure of the subject, or of the photo: since when, its last state, and its certificate's id.

    `rows`: what it removed, by table, and by model version (`erasures.FITTED`) how many it was fitted on.
    """

    request: str
    state: str
    since: datetime
    certificate: str
    rows: Mapping[str, int]

    @property
    def has_freed(self) -> bool:
        """Whether files and models are gone, and not rows alone."""
        return self.state in (ErasureState.PHYSICAL, ErasureState.VERIFIED, ErasureState.CERTIFIED)


@dataclass(frozen=True)
class Span:
    """So many rows that came with one commit and left with another; `left` is None for those still there."""

    rows: int
    came: Commit
    left: Commit | None


@dataclass(frozen=True)
class TableFinding:
    """What one table held: at `version`, which was made at `since`, or over its history (`spans`).

    `written_by` are the commits that brought the rows; `note` says what the status rests on, where that is
    not the rows themselves.
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
    """One question, put to table after table."""

    files: Folder
    pseudonyms: Pseudonyms
    question: AuditQuestion
    erasures: Sequence[PastErasure]
    now: datetime

    @cached_property
    def _pseudonym(self) -> str | None:
        return (
            None
            if self.question.subject is None
            else self.pseudonyms.subject(self.question.subject)
        )

    def finding(self, table: Table) -> TableFinding:
        """What the table held."""
        time = TIMES[table]
        columns = [*KEYS, time] if time else list(KEYS)
        history = History(self.files, table, columns, self._own)
        if self.question.history:
            return self._ever(history)
        if self.question.version is not None:
            known = [commit.version for commit in history.commits]
            if not 0 <= self.question.version <= max(known, default=-1):
                raise BadInput(
                    f"{table.name} has the versions 0 to {max(known)}, but no version "
                    f"{self.question.version}."
                )
            if self.question.version not in known:
                note = "the log tells nothing of that version any more"
                return TableFinding(table.name, HoldingStatus.OUT_OF_RETENTION, note=note)
            return self._at(history, self.question.version)
        version = history.version_at(self.question.at or self.now)
        if version is not None:
            return self._at(history, version)
        return self._before_the_log(history)

    def _own(self, rows: pa.Table) -> pa.Table:
        """The rows that are asked about."""
        if self._pseudonym is None:
            return rows.filter(pc.field("photo_id") == self.question.photo)
        return rows.filter(pc.field("subject") == self._pseudonym)

    def _at(self, history: History, version: int) -> TableFinding:
        """At one version of the table, of which the log tells."""
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
        return _of_rows(
            history.table,
            status,
            rows,
            version=version,
            since=commits[version].at,
            written_by=_writers(history, rows, version),
            note=note,
        )

    def _absent(self, table: Table, time: datetime) -> tuple[HoldingStatus, str]:
        """What it means that a version, all of which is there, holds nothing."""
        moment = self.now if self.question.at is None and self.question.version is None else time
        for each in reversed(self.erasures):
            if each.since <= moment and each.rows.get(table.name):
                return (
                    HoldingStatus.ERASED,
                    f"request {each.request}, certificate {each.certificate}",
                )
        return HoldingStatus.NOT_HELD, ""

    def _before_the_log(self, history: History) -> TableFinding:
        """At a time of which the log tells nothing: nothing was there yet, or rows tell by themselves."""
        table, time = history.table, TIMES[history.table]
        if history.begins_with_the_table:
            made = told(history.commits[0].at)
            return TableFinding(
                table.name, HoldingStatus.NOT_HELD, note=f"the table was made at {made}"
            )
        assert self.question.at is not None
        last = history.commits[-1].version
        rows = history.rows(last) if time else []
        early = [row for row in rows if time and row[time] <= self.question.at]
        note = "the log doesn't go back that far"
        if early:
            note += f"; by the rows' own times ({time}) in what is there now"
        for each in (e for e in self.erasures if e.since > self.question.at):
            note += f"; erased later by request {each.request}, certificate {each.certificate}"
        status = HoldingStatus.HELD if early else HoldingStatus.OUT_OF_RETENTION
        return _of_rows(table, status, early, note=note)

    def _ever(self, history: History) -> TableFinding:
        """Over all versions that the log tells of: when rows came, and when they left."""
        commits = {commit.version: commit for commit in history.commits}
        held = {v: frozenset(map(_identity, history.rows(v))) for v in commits}
        counted: dict[tuple[int, int | None], int] = {}
        for _, first, last in spans(held):
            counted[first, last] = counted.get((first, last), 0) + 1
        order = sorted(commits)
        found = [
            Span(n, commits[first], None if last is None else commits[order[order.index(last) + 1]])
            for (first, last), n in sorted(counted.items(), key=lambda each: each[0][0])
        ]
        gone = [version for version in order if history.missing(version)]
        notes = [f"of {len(gone):,} versions up to {gone[-1]} files are gone"] if gone else []
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
        every = list({_identity(row): row for row in rows}.values())
        return _of_rows(
            history.table,
            status,
            every,
            version=last,
            since=commits[last].at,
            written_by=[span.came for span in found],
            spans=found,
            note="; ".join(notes),
        )


def _identity(row: Mapping[str, Any]) -> str:
    """What tells a row of a table from the others."""
    names = ("photo_id", "object", "weights_id", "model_version")
    return " ".join(str(row[name]) for name in names if row.get(name))


def _writers(history: History, rows: Iterable[Mapping[str, Any]], version: int) -> list[Commit]:
    """The commits up to a version that brought the rows, by their run and chunk."""
    wanted = {(row["run_id"], row["chunk"]) for row in rows}
    return [
        commit
        for commit in history.commits
        if commit.version <= version
        and (commit.written_by.get("run_id"), commit.written_by.get("chunk")) in wanted
    ]


def _of_rows(
    table: Table, status: HoldingStatus, rows: Sequence[Mapping[str, Any]], **more: Any
) -> TableFinding:
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
    """A time as everything here shows it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
