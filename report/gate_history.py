"""The results of the gates, from `ops/quality`: what each suite found last, and which expectations failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from expectations import data_docs
from lake import catalog, delta_rs_reader
from lake.enums import GateAction

ACTIONS = (
    GateAction.BLOCKED,
    GateAction.RELEASED,
    GateAction.QUARANTINED,
    GateAction.WARNED,
    GateAction.PASSED,
)
"""The actions that a gate can take for an expectation, the worst first."""


@dataclass(frozen=True)
class JudgedExpectation:
    """The result of one expectation in one judgement of a chunk: a row of `ops/quality`.

    `found` says in a few words what the expectation found. `judged_at` is in UTC.
    """

    suite: str
    expectation: str
    severity: str
    action: str
    found: str
    chunk: int | None
    run_id: str
    judged_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Make the result from a row of `ops/quality`."""
        return cls(
            row["suite"],
            row["expectation"],
            row["severity"],
            row["action"],
            data_docs.found(row),
            row["chunk"],
            row["run_id"],
            row["judged_at"].astimezone(UTC),
        )


@dataclass(frozen=True)
class FailedExpectation:
    """An expectation that failed at least once.

    It was judged `judged` times and failed `failed` times; `last` is its last failure.
    """

    suite: str
    expectation: str
    severity: str
    judged: int
    failed: int
    last: JudgedExpectation


@dataclass(frozen=True)
class GateHistory:
    """Every result of every suite in a lake; `findings` has the newest first."""

    findings: Sequence[JudgedExpectation]

    @classmethod
    def of(cls, root: str) -> Self:
        """Read the history of the lake under `root`. Raises BadInput where there is no lake."""
        found = [JudgedExpectation.of(row) for row in delta_rs_reader.rows(root, catalog.QUALITY)]
        return cls(sorted(found, key=lambda f: (f.judged_at, f.suite, f.expectation), reverse=True))

    @property
    def suites(self) -> list[str]:
        """The names of the suites that judged at least once, in alphabetical order."""
        return sorted({finding.suite for finding in self.findings})

    def last(self, suite: str) -> list[JudgedExpectation]:
        """The results of the last judgement by a suite, the worst first."""
        of_suite = [finding for finding in self.findings if finding.suite == suite]
        newest = [finding for finding in of_suite if finding.judged_at == of_suite[0].judged_at]
        return sorted(newest, key=lambda f: (ACTIONS.index(f.action), f.expectation))

    def failed_expectations(self) -> list[FailedExpectation]:
        """The expectations that failed at least once, those with the most failures first."""
        by_expectation: dict[tuple[str, str], list[JudgedExpectation]] = {}
        for finding in self.findings:
            by_expectation.setdefault((finding.suite, finding.expectation), []).append(finding)
        found = [
            FailedExpectation(
                suite, name, judged[0].severity, len(judged), len(failures), failures[0]
            )
            for (suite, name), judged in by_expectation.items()
            if (failures := [finding for finding in judged if finding.action != GateAction.PASSED])
        ]
        return sorted(found, key=lambda each: (-each.failed, each.suite, each.expectation))


def worst(findings: Sequence[JudgedExpectation]) -> str:
    """Return the worst action among some results, at least one."""
    return min((finding.action for finding in findings), key=ACTIONS.index)
