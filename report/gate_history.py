"""Gate results: what each suite said last, and how it went before, from ops/quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from expectations import data_docs
from lake import catalog, delta_rs_reader

ACTIONS = ("blocked", "released", "quarantined", "warned", "passed")
"""What came of an expectation, the worst first."""


@dataclass(frozen=True)
class JudgedExpectation:
    """One expectation of one gate: a row of ops/quality."""

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
        """From a row of ops/quality."""
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
class Trouble:
    """An expectation that did not always hold: how often it was judged and failed, and its last failure."""

    suite: str
    expectation: str
    severity: str
    judged: int
    failed: int
    last: JudgedExpectation


@dataclass(frozen=True)
class Quality:
    """All findings, the last first; of each suite those of its last judgement."""

    findings: Sequence[JudgedExpectation]

    @classmethod
    def of(cls, root: str) -> Self:
        """Raises BadInput where there is no lake."""
        found = [JudgedExpectation.of(row) for row in delta_rs_reader.rows(root, catalog.QUALITY)]
        return cls(sorted(found, key=lambda f: (f.judged_at, f.suite, f.expectation), reverse=True))

    @property
    def suites(self) -> list[str]:
        """Those that ever judged."""
        return sorted({finding.suite for finding in self.findings})

    def last(self, suite: str) -> list[JudgedExpectation]:
        """The findings of a suite's last judgement, the worst first."""
        own = [finding for finding in self.findings if finding.suite == suite]
        newest = [finding for finding in own if finding.judged_at == own[0].judged_at]
        return sorted(newest, key=lambda f: (ACTIONS.index(f.action), f.expectation))

    def troubles(self) -> list[Trouble]:
        """The expectations that failed at some time, those of most failures first."""
        by: dict[tuple[str, str], list[JudgedExpectation]] = {}
        for finding in self.findings:
            by.setdefault((finding.suite, finding.expectation), []).append(finding)
        found = [
            Trouble(suite, name, own[0].severity, len(own), len(failed), failed[0])
            for (suite, name), own in by.items()
            if (failed := [finding for finding in own if finding.action != "passed"])
        ]
        return sorted(found, key=lambda t: (-t.failed, t.suite, t.expectation))


def worst(findings: Sequence[JudgedExpectation]) -> str:
    """The worst of their actions."""
    return min((finding.action for finding in findings), key=ACTIONS.index)
