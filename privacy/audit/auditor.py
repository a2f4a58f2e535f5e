"""The audit: what the lake held on a subject, or of a photo, now, at a time, at a version, or ever.

It reads the tables' logs and files themselves (`privacy.audit.table_history`), takes no lease and starts no Spark. All
times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from conf.errors import BadInput, hint
from lake import catalog, delta_rs_reader
from lake.catalog import Table
from lake.column_values import FITTED_PREFIX, ModelKind
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder
from privacy import bucket_rules
from privacy.audit.table_findings import (
    TIMES,
    AuditQuestion,
    PastErasure,
    TableFinding,
    TableSearch,
    told,
)


@dataclass(frozen=True)
class Audit:
    """The answer. `models`: the versions that had seen what was held, by name; `gates`: what they found in
    its chunks, one line a suite and chunk."""

    asked_at: datetime
    question: AuditQuestion
    storage: Mapping[str, str]
    findings: Sequence[TableFinding]
    erasures: Sequence[PastErasure]
    models: Sequence[str]
    gates: Sequence[str]


@dataclass(frozen=True)
class Auditor:
    """Answers questions about the lake under `files`; `pseudonyms` are by the key that it was made with."""

    files: Folder
    pseudonyms: Pseudonyms

    def answer(self, question: AuditQuestion, *, now: datetime | None = None) -> Audit:
        """Raises BadInput (a version that never was, a time to come)."""
        asked_at = now or datetime.now(UTC)
        if question.at is not None and question.at > asked_at:
            raise BadInput(
                f"--at {told(question.at)} is still to come: it is {told(asked_at)} now."
            )
        erased = self._erasures(question)
        looking = TableSearch(self.files, self.pseudonyms, question, erased, asked_at)
        tables = [question.table] if question.table else list(TIMES)
        if question.photo is not None:  # an object that was no photo has no photo_id
            tables = [table for table in tables if table is not catalog.REJECTED]
        findings = [looking.finding(table) for table in tables]
        return Audit(
            asked_at=asked_at,
            question=question,
            storage=bucket_rules.described(self.files.root),
            findings=findings,
            erasures=erased,
            models=self._models(findings, erased, until=question.at or asked_at),
            gates=self._gates({chunk for finding in findings for chunk in finding.chunks}),
        )

    def _erasures(self, question: AuditQuestion) -> list[PastErasure]:
        """The erasures of the subject, or of the photo, oldest first, by the journal."""
        rows = delta_rs_reader.rows(self.files.root, catalog.ERASURES)
        by_request: dict[str, list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: row["entry"]):
            by_request.setdefault(row["request"], []).append(row)
        found = []
        for request, states in by_request.items():
            last = states[-1]
            if question.subject is not None:
                pseudonym = self.pseudonyms.subject(question.subject)
                is_meant = last["subject"] == self.pseudonyms.tombstone(pseudonym)
            else:
                is_meant = question.photo in (last["photo_ids"] or ())
            if is_meant:
                counts = dict(last["counts"] or [])
                since = states[0]["at"]
                found.append(
                    PastErasure(request, last["state"], since, last["certificate"], counts)
                )
        return found

    def _models(
        self, findings: Iterable[TableFinding], erased: Iterable[PastErasure], *, until: datetime
    ) -> list[str]:
        """The model versions that had seen the photos: the extractors that embedded them, and what was fitted
        on the embeddings by then. Of what is erased the journal tells."""
        held = [f for f in findings if f.table == catalog.EMBEDDINGS.name]
        first = min((chunk for f in held for chunk in f.chunks), default=None)
        weights = {weights_id for f in held for weights_id in f.models}
        columns = ["version", "kind", "weights_id", "through_chunk", "created_at", "status"]
        rows = delta_rs_reader.rows(self.files.root, catalog.MODELS, columns=columns)
        seen = [
            f"{row['version']} ({row['kind']}, {row['status']})"
            for row in sorted(rows, key=lambda row: row["created_at"])
            if row["weights_id"] in weights
            and row["created_at"] <= until
            and (row["kind"] == ModelKind.EXTRACTOR or (row["through_chunk"] or 0) >= (first or 0))
        ]
        for each in erased:
            state = "wiped" if each.has_freed else f"to be wiped by request {each.request}"
            names = (name for name in each.rows if name.startswith(FITTED_PREFIX))
            seen += [
                f"{name.removeprefix(FITTED_PREFIX)} (fitted on what was erased; {state})"
                for name in sorted(names)
            ]
        return seen

    def _gates(self, chunks: set[int]) -> list[str]:
        """What ops/quality says of the chunks."""
        columns = ["chunk", "suite", "expectation", "action"]
        where = pc.field("chunk").isin(sorted(chunks))
        rows = delta_rs_reader.rows(self.files.root, catalog.QUALITY, columns=columns, where=where)
        judged: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row in rows:
            judged.setdefault((row["chunk"], row["suite"]), []).append(row)
        return [
            f"chunk {chunk}, {suite}: {len(found)} expectations, {_failed(found)}"
            for (chunk, suite), found in sorted(judged.items())
        ]


def _failed(rows: Iterable[Mapping[str, Any]]) -> str:
    others = [f"{r['expectation']} {r['action']}" for r in rows if r["action"] != "passed"]
    return ", ".join(sorted(others)) or "all passed"


def named(name: str) -> Table:
    """The table of that name. Raises BadInput where audits don't look into it."""
    known = {table.name: table for table in TIMES}
    if name not in known:
        nearest = hint(name, known, otherwise=f"audits look into {', '.join(known)}.")
        raise BadInput(f"There is no table {name} to be audited; {nearest}")
    return known[name]
