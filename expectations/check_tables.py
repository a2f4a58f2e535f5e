"""Checks of the lake's tables: each suite judges its whole table, as it is now or at one version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from conf.errors import BadInput, Blocked, hint
from expectations import rule_warnings, suites
from expectations.suite_views import Views
from expectations.validation import ExpectationResult, judge, judged_rows
from lake.catalog import LAYER_OF, Table
from lake.chunks import Chunk, ChunkState
from lake.enums import ERASE, REMOVAL, GateAction
from lake.readable_lake import Lake
from lake.run_journal import RuleWarning

LEAVING = (REMOVAL, ERASE)
"""The layers of chunks by which rows leave tables."""

UNREADABLE_LEDGER = (
    "how many rows there must be can't be told, because ops/chunks holds rows that no ledger has; run.py "
    "check --table ops/chunks names the rule that they fail."
)


@dataclass(frozen=True)
class Checked:
    """The result of a suite on one version of its table.

    It has either `findings`, one for each expectation, or an `error`: the sentence that says why the suite
    could not be used. `warnings` are those of this table, and those that the gates of its chunks recorded.
    """

    suite: str
    table: str
    version: int
    findings: Sequence[ExpectationResult] = field(default_factory=list)
    warnings: Sequence[RuleWarning] = field(default_factory=list)
    error: str | None = None

    @property
    def failures(self) -> list[str]:
        """One sentence for each critical expectation that fails, or the error."""
        if self.error:
            return [self.error]
        return [f"{self.suite}: {f.line}" for f in self.findings if f.action == GateAction.BLOCKED]


def named(name: str | None) -> Sequence[Table]:
    """Return the table with a name, or without a name all tables that have a suite.

    Raises BadInput where no table of that name has a suite.
    """
    known = {table.name: table for table in suites.TABLES}
    if name is None:
        return suites.TABLES
    if name not in known:
        nearest = hint(name, known, otherwise=f"those with a suite are {', '.join(known)}.")
        raise BadInput(f"There is no suite for a table {name}; {nearest}")
    return [known[name]]


def check(
    lake: Lake,
    table: Table,
    *,
    views: Views,
    version: int | None = None,
    folder: Path = suites.HERE,
) -> Checked:
    """Return what the table's suite finds in its rows, now or at a version, and what gates warned of in its
    chunks. It writes nothing.

    Suites are read from `folder`. Raises BadInput where there is no such version.
    """
    last = lake.version(table)
    rows = lake.source(table) if version is None else lake.version_source(table, version)
    at = last if version is None else version
    name = suites.name_of(table)
    chunks: Iterable[Chunk] = ()
    try:
        if table in LAYER_OF:
            chunks = lake.ledger.chunks().values()
    except (TypeError, ValueError):
        return Checked(name, table.name, at, error=f"{name}: {UNREADABLE_LEDGER}")
    expected = journalled(chunks, table, version=at, is_last=at == last)
    try:
        suite = suites.load(name, folder=folder)
        verdict = judge(
            judged_rows(views.of(table, rows), suite, expected=expected),
            suite,
            expected=expected,
            may_refuse_rows=False,
        )
    except Blocked as error:
        return Checked(name, table.name, at, error=str(error))
    gates = rule_warnings.of_gates(lake, suite, table, version=at)
    found = map(vars, verdict.findings)
    told = rule_warnings.warnings(found, suite, table, photos=expected or 0)
    findings = rule_warnings.with_gates(verdict.findings, gates)
    return Checked(name, table.name, at, findings, warnings=[*told, *gates])


def journalled(chunks: Iterable[Chunk], table: Table, *, version: int, is_last: bool) -> int | None:
    """Return how many rows a version of a table must have according to ops/chunks; None where it can't be
    known.

    ops/chunks doesn't record at which version rows of a retired model or of an erased person left. So nothing
    is known of a version before the last one if any rows have left: it may have held them or not.
    """
    known = list(chunks)
    filling = [c for c in known if c.layer == LAYER_OF.get(table) and table.name in c.versions]
    rows_left = any(c.layer in LEAVING for c in known) or any(
        c.state is ChunkState.RETIRED for c in filling
    )
    if table not in LAYER_OF or (not is_last and rows_left):
        return None
    return sum(c.photos for c in filling if c.is_published and c.versions[table.name] <= version)


def junit(checked: Sequence[Checked]) -> str:
    """Return the results as JUnit's XML, with a test suite for each table and a test case for each
    expectation.

    A critical expectation that fails is a `failure`. One that can't be evaluated is an `error`. One that has
    nothing to compare with is `skipped`. One that warns passes, and its warning stands in `system-err`.
    """
    root = ElementTree.Element("testsuites", name="expectations")
    for each in checked:
        title = f"{each.table} version {each.version}"
        suite = ElementTree.SubElement(root, "testsuite", name=f"{each.suite} on {title}")
        cases: list[tuple[ExpectationResult | None, str]] = [
            (f, f.expectation) for f in each.findings
        ]
        cases = cases or [(None, "the suite itself")]
        counts = {"tests": len(cases), "failures": 0, "errors": 0, "skipped": 0}
        for finding, name in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=each.suite, name=name)
            error = finding.error if finding else each.error
            if error:
                counts["errors"] += 1
                ElementTree.SubElement(case, "error", message=finding.line if finding else error)
            elif finding and finding.action == GateAction.BLOCKED:
                counts["failures"] += 1
                ElementTree.SubElement(case, "failure", message=finding.line)
            elif finding and finding.action == GateAction.SKIPPED:
                counts["skipped"] += 1
                ElementTree.SubElement(case, "skipped", message="there is nothing to compare with")
            elif finding and finding.action == GateAction.WARNED:
                ElementTree.SubElement(case, "system-err").text = f"warning: {finding.line}"
        suite.attrib.update({name: str(count) for name, count in counts.items()})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
