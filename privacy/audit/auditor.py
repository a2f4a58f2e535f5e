"""The auditor: it answers what the lake held on a subject or of a photo.

A question is about now, a time, a version of a table, or the whole history. The auditor reads the logs and
files of the tables themselves (`privacy.audit.table_history`). It takes no lease and starts no Spark. All
times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from conf import identifiers
from conf.errors import BadInput, hint
from lake import catalog, delta_rs_reader
from lake.catalog import Table
from lake.chunks_table import chunks_in
from lake.enums import FITTED_PREFIX, POSSIBLY_FITTED_PREFIX, GateAction, ModelKind
from lake.pseudonyms import Pseudonyms
from lake.storage.folder import Folder
from lake.storage.locate import folder
from privacy import bucket_checks
from privacy.audit.key_rows import FileRows
from privacy.audit.place_search import PlaceSearch
from privacy.audit.staged_rows import StagedRows
from privacy.audit.table_findings import (
    TIMES,
    AuditQuestion,
    PastErasure,
    TableFinding,
    told,
)
from privacy.audit.table_search import TableSearch
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.request_journal import Journal
from privacy.model_lineage import MODEL_COLUMNS, ModelLineage, PhotoLineage
from privacy.near_names import NearNames
from privacy.owned_rows import OwnedKeys

PHOTO_ID_DIGITS = 64

FITTED = {FITTED_PREFIX: "fitted", POSSIBLY_FITTED_PREFIX: "possibly fitted"}
"""The words for what the journal of erasures counts by model version, by the prefix of the count."""


@dataclass(frozen=True)
class Audit:
    """The answer to a question.

    `findings` are those of the tables, and for a question about now or the whole history also of staged rows
    and of the landing folder (`table_findings.STAGED`, `LANDED`). `storage` says where the lake lies and how
    it is encrypted. `models` has one line for each model version that had seen the photos. `gates` has one
    line for each chunk of the rows and each suite that judged it. `near` is what stands near the name of the
    subject; None where the question is about a photo.
    """

    asked_at: datetime
    question: AuditQuestion
    storage: Mapping[str, str]
    findings: Sequence[TableFinding]
    erasures: Sequence[PastErasure]
    models: Sequence[str]
    gates: Sequence[str]
    near: NearNames | None = None


@dataclass(frozen=True)
class Auditor:
    """Answers questions about the lake under `files`. The key of `pseudonyms` is the one of that lake.

    `landing` is the address of the landing folder; it is None where that is not to be looked into.
    """

    files: Folder
    pseudonyms: Pseudonyms
    landing: str | None = None

    def answer(self, question: AuditQuestion, *, now: datetime | None = None) -> Audit:
        """Answer a question at the time `now` (default: the current time).

        Raises BadInput where the question names a version that never existed or a time in the future.
        """
        asked_at = now or datetime.now(UTC)
        if question.at is not None and question.at > asked_at:
            raise BadInput(
                f"--at {told(question.at)} lies in the future: it is {told(asked_at)} now; name an earlier "
                f"time."
            )
        own = question.photo or self.pseudonyms.subject(question.subject or "")
        requests = self._requests()
        erasures = self._erasures(question, own, requests)
        owned = self._owned(question, own)
        search = TableSearch(self.files, owned, question, erasures, asked_at)
        tables = [question.table] if question.table else list(TIMES)
        if question.photo is not None:  # rows of bronze/rejected have no photo_id
            tables = [table for table in tables if table is not catalog.REJECTED]
        findings = [search.finding(table) for table in tables]
        return Audit(
            asked_at=asked_at,
            question=question,
            storage=bucket_checks.storage_facts(self.files.root),
            findings=[*findings, *self._places(question, own, owned, requests, now=asked_at)],
            erasures=erasures,
            models=self._models(findings, erasures, until=question.at or asked_at),
            gates=self._gates({chunk for finding in findings for chunk in finding.chunks}),
        )

    def _requests(self) -> Mapping[str, Sequence[ErasureRequest]]:
        """Return the states of every erasure that the journal records, by request, oldest first.

        Rows that another program changed or added don't count.
        """
        rows = delta_rs_reader.rows(self.files.root, catalog.ERASURES)
        journal = Journal.of(rows, self.pseudonyms.certificates, self.files)
        by_request: dict[str, list[ErasureRequest]] = {}
        for row in journal.trusted:
            by_request.setdefault(row.request, []).append(row)
        return by_request

    def _erasures(
        self,
        question: AuditQuestion,
        own: str,
        requests: Mapping[str, Sequence[ErasureRequest]],
    ) -> list[PastErasure]:
        """Return the erasures of the subject or the photo in question, oldest first."""
        tombstone = self.pseudonyms.tombstone(own)
        return [
            PastErasure(request, last.state, first.at, last.certificate, last.counts)
            for request, states in requests.items()
            for first, last in [(states[0], states[-1])]
            if last.subject == tombstone or question.photo in last.photo_ids
        ]

    def _owned(self, question: AuditQuestion, own: str) -> OwnedKeys:
        """Return the keys of the rows in question: of now, or for the past those that any version had."""
        is_past = question.history or question.at is not None or question.version is not None
        rows = FileRows(self.files, is_past=is_past)
        if question.photo is not None:
            return OwnedKeys.of_photo(rows, question.photo)
        return OwnedKeys.of_subject(rows, self.pseudonyms, pseudonym=own)

    def _places(
        self,
        question: AuditQuestion,
        own: str,
        owned: OwnedKeys,
        requests: Mapping[str, Sequence[ErasureRequest]],
        *,
        now: datetime,
    ) -> list[TableFinding]:
        """Return what lies outside the tables now; nothing for a question about a time or about one table."""
        if question.at is not None or question.table is not None:
            return []
        tombstone = self.pseudonyms.tombstone(own)
        made = {request for request, states in requests.items() if states[-1].subject == tombstone}
        search = PlaceSearch(self.files, self.pseudonyms, own, owned, made, now)
        landed = [] if self.landing is None else [search.landed(self.landing)]
        return [search.staged(), *landed]

    def _models(
        self, findings: Iterable[TableFinding], erasures: Iterable[PastErasure], *, until: datetime
    ) -> list[str]:
        """Return a line for each model version that had seen the photos at the time `until`.

        These are the extractors that embedded the photos, and the PCAs and classifiers that were fitted up to
        the chunk of the embeddings or later. Then come those that may have seen the photos, by the lineage of
        chunks: rows of a retired model, or from before a restore, are gone. For erased photos the journal of
        erasures has them.
        """
        findings = list(findings)
        embedded = [each for each in findings if each.table == catalog.EMBEDDINGS.name]
        first = min((chunk for each in embedded for chunk in each.chunks), default=None)
        weights_ids = {weights_id for each in embedded for weights_id in each.models}
        columns = [*MODEL_COLUMNS, "kind", "status"]
        rows = delta_rs_reader.rows(self.files.root, catalog.MODELS, columns=columns)
        made = sorted(
            (row for row in rows if row["created_at"] <= until), key=lambda row: row["created_at"]
        )
        certain = [
            row
            for row in made
            if row["weights_id"] in weights_ids
            and (row["kind"] == ModelKind.EXTRACTOR or (row["through_chunk"] or 0) >= (first or 0))
        ]
        others = [row for row in made if row not in certain and row["kind"] != ModelKind.EXTRACTOR]
        seen = [f"{row['version']} ({row['kind']}, {row['status']})" for row in certain]
        seen += [
            f"{row['version']} ({row['kind']}, {row['status']}; possibly, by the lineage of chunks)"
            for row in self._possibly_fitted(others, findings)
        ]
        for each in erasures:
            state = "wiped" if each.has_freed else f"to be wiped by request {each.request}"
            for prefix, how in FITTED.items():
                names = (name for name in each.rows if name.startswith(prefix))
                seen += [
                    f"{name.removeprefix(prefix)} ({how} on what was erased; {state})"
                    for name in sorted(names)
                ]
        return seen

    def _possibly_fitted(
        self, models: Sequence[Mapping[str, Any]], findings: Iterable[TableFinding]
    ) -> list[Mapping[str, Any]]:
        """Return the rows of gold/models whose versions may have seen the photos that bronze holds."""
        by_table = {each.table: each for each in findings}
        photos, refused = (by_table.get(t.name) for t in (catalog.PHOTOS, catalog.QUARANTINE))
        if not models or photos is None or not photos.chunks:
            return []
        refused_in = frozenset(product(refused.models, refused.chunks)) if refused else frozenset()
        known = [PhotoLineage(chunk, refused_in=refused_in) for chunk in photos.chunks]
        chunks = chunks_in(self.files.root)
        lineage = ModelLineage(chunks.values())
        return [row for row in models if lineage.fitted_on([row], known)]

    def _gates(self, chunks: set[int]) -> list[str]:
        """Return a line for each chunk and suite, with the results that ops/quality records."""
        columns = ["chunk", "suite", "expectation", "action"]
        where = pc.field("chunk").isin(pa.array(sorted(chunks), pa.int64()))
        rows = delta_rs_reader.rows(self.files.root, catalog.QUALITY, columns=columns, where=where)
        by_suite: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for row in rows:
            by_suite.setdefault((row["chunk"], row["suite"]), []).append(row)
        return [
            f"chunk {chunk}, {suite}: {len(results)} expectations, {_failures(results)}"
            for (chunk, suite), results in sorted(by_suite.items())
        ]


def _failures(results: Iterable[Mapping[str, Any]]) -> str:
    """Return the expectations that did not pass, each with the action that followed, or "all passed"."""
    failures = [
        f"{result['expectation']} {result['action']}"
        for result in results
        if result["action"] != GateAction.PASSED
    ]
    return ", ".join(sorted(failures)) or "all passed"


def photo_named(root: str, text: str) -> str:
    """Return the photo_id that begins with a text, of photos that the lake holds, has staged or has erased.

    A whole photo_id, of 64 digits, is returned as it is: the lake may have held it once. Raises BadInput
    where no photo_id begins with the text, or several.
    """
    if len(text) == PHOTO_ID_DIGITS:
        return text
    rows = delta_rs_reader.rows(root, catalog.ERASURES, columns=["photo_ids"])
    known = {photo_id for row in rows for photo_id in row["photo_ids"] or ()}
    objects = delta_rs_reader.delta_table(root, catalog.OBJECTS)
    near = text[: identifiers.SHORTEST]  # enough for an error to name one that begins so
    for batch in delta_rs_reader.batches(objects, columns=["photo_id"]):
        known |= {each for each in batch.column(0).to_pylist() if each and each.startswith(near)}
    known |= StagedRows(folder(root)).photo_ids(near)
    otherwise = f"one that left the lake is found by all of its {PHOTO_ID_DIGITS} digits."
    return identifiers.named(text, known, what="photo", otherwise=otherwise)


def named(name: str) -> Table:
    """Return the table of that name. Raises BadInput where it is none of the tables that audits search."""
    tables = {table.name: table for table in TIMES}
    if name not in tables:
        nearest = hint(name, tables, otherwise=f"audits search {', '.join(tables)}.")
        raise BadInput(f"There is no table {name} that can be audited; {nearest}")
    return tables[name]
