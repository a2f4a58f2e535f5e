"""The gate: judges a chunk, records what it found, and lets the chunk pass, blocks it, or releases it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from conf.errors import Blocked
from conf.settings import GateSettings
from expectations import rule_warnings, suites
from expectations.judged_rows import REASON
from expectations.suite_views import Views
from expectations.validation import Verdict, judge, judged_rows
from lake import catalog, measured_values
from lake.catalog import LAYER_OF, Table
from lake.chunks import Chunk, ChunkState
from lake.enums import GateAction
from lake.layer_interfaces import NO_REFUSALS, GateOutcome
from lake.row_source import RowSource
from lake.run_journal import Judgement, LayerRun
from lake.writable_lake import WritableLake

REFUSES_ROWS = (catalog.PHOTOS, catalog.EMBEDDINGS)
"""The tables whose photos can go to quarantine one by one."""

REFUSAL = catalog.schema("photo_id string, subject string, label string, reason string")
"""The columns of a refused photo."""


@dataclass(frozen=True)
class SuiteGate:
    """The gate that chunks pass through (`lake.layer_interfaces.Gate`). `did` gathers its judgements.

    With `release`, a chunk that would be blocked passes, but every row is refused: by the rule that the row
    fails itself, or by what blocks the chunk. Suites are read from `folder`.
    """

    lake: WritableLake
    gates: GateSettings
    did: LayerRun
    folder: Path = suites.HERE
    release: bool = False

    @cached_property
    def _views(self) -> Views:
        return Views(self.lake, history_chunks=self.gates.history_chunks)

    def __call__(
        self,
        rows: RowSource,
        *,
        chunk: Chunk,
        table: Table,
        expected: int,
        refused_before: Mapping[str, int] = NO_REFUSALS,
        staged_models: Sequence[Mapping[str, Any]] | None = None,
    ) -> GateOutcome:
        """Judges rows of a chunk; see `lake.layer_interfaces.Gate`. Raises Blocked."""
        view = self._views.of(table, rows, chunk=chunk, staged_models=staged_models)
        suite = suites.load(suites.name_of(table), folder=self.folder)
        verdict = judge(
            judged_rows(view, suite, expected=expected),
            suite,
            expected=expected,
            # Replayed photos were refused before. That they are again must hold up nothing.
            gates=None if chunk.is_replay else self.gates,
            refused_before=refused_before,
            may_refuse_rows=table in REFUSES_ROWS,
        )
        is_released = self.release and bool(verdict.blocked)
        passes = not verdict.blocked and expected > verdict.refused
        version = self._version(table, chunk, passes=passes)
        is_small = table in LAYER_OF and expected < measured_values.FEWEST
        self._record(
            verdict, chunk=chunk, version=version, is_released=is_released, is_small=is_small
        )
        self.did.warnings += rule_warnings.warnings(
            map(vars, verdict.findings), suite, table, photos=expected, chunk=chunk.number
        )
        if verdict.blocked and not is_released:
            self._block(chunk, verdict)
        if not is_released and not verdict.refused:
            return GateOutcome()
        otherwise = next(iter(verdict.blocked)) if is_released else None
        refused = verdict.refusals.rows("photo_id", "subject", "label", otherwise=otherwise)
        if isinstance(refused, pa.Table):
            refused = self.lake.spark.createDataFrame(refused, REFUSAL)
        return GateOutcome(refused, released=is_released)

    def _block(self, chunk: Chunk, verdict: Verdict) -> None:
        why = (
            f"{chunk.layer} chunk {chunk.number} is blocked, and nothing of it goes on: "
            f"{'; '.join(verdict.blocked.values())}."
        )
        if chunk.state is ChunkState.PLANNED:  # nothing of it is staged, so nothing waits
            raise Blocked(f"{why} Correct the data or the rule, and run the command again.")
        self.lake.ledger.reached(chunk, ChunkState.BLOCKED)
        raise Blocked(
            f"{why} Correct the data, the rule or the bound, and run again: this chunk is judged first. "
            f"Or put its photos into quarantine, so that the next chunks can pass: "
            f"run.py replay --chunk {chunk.number} --quarantine."
        )

    def _version(self, table: Table, chunk: Chunk, *, passes: bool) -> int | None:
        """The version of the table that holds the judged rows; None where none of them is published.

        Bronze's rows are published already. Staged rows are in the version that their publication makes.
        """
        if table is catalog.PHOTOS:
            return chunk.versions.get(table.name) or self.lake.version(table)
        return self.lake.version(table) + 1 if passes else None

    def _record(
        self,
        verdict: Verdict,
        *,
        chunk: Chunk,
        version: int | None,
        is_released: bool,
        is_small: bool,
    ) -> None:
        """Records the results in ops/quality, pinned to that version of their table. Those of a small chunk
        are recorded without the values that were observed, as these tell of single photos."""
        now = datetime.now(UTC)
        rows: list[dict[str, Any]] = [
            {
                **vars(result),
                "table_version": version,
                "judged_at": now,
                "run_id": self.lake.run.run_id,
                "chunk": chunk.number,
            }
            for result in verdict.findings
            if result.action != GateAction.SKIPPED
        ]
        for row in rows:
            if is_released and row["action"] == GateAction.BLOCKED:
                row["action"] = GateAction.RELEASED
            if is_small:
                row["observed"] = None
        if rows:
            self.lake.record(catalog.QUALITY, rows, layer=chunk.layer, chunk=chunk.number)
            blocked = () if is_released else tuple(verdict.blocked)
            self.did.judgements.append(_judgement(rows, blocked))


def _judgement(rows: Sequence[Mapping[str, Any]], blocked: Sequence[str]) -> Judgement:
    """The judgement that rows of ops/quality tell of. `blocked` are the reasons that blocked the chunk, which
    may be more than expectations."""

    def those(*actions: GateAction) -> tuple[str, ...]:
        return tuple(row["expectation"] for row in rows if row["action"] in actions)

    return Judgement(
        suite=rows[0]["suite"],
        chunk=rows[0]["chunk"],
        passed=len(those(GateAction.PASSED)),
        warned=those(GateAction.WARNED),
        quarantined=those(GateAction.QUARANTINED, GateAction.RELEASED),
        blocked=tuple(reason.removeprefix(REASON) for reason in blocked),
    )
