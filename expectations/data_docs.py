"""Data Docs: one HTML page with the last result of every suite, from ops/quality.

The page shows numbers only and no value of a row. The rules stand in Great Expectations' own words. Its own
site is not used, because its pages load scripts from ten hosts and a picture that counts visits, and stay
empty where the network doesn't reach these hosts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from expectations import suites
from lake import catalog, delta_rs_reader
from lake.enums import GateAction
from lake.readable_lake import Lake
from lake.storage.folder import Folder

PAGE = "index.html"
SIGNS: Mapping[str, str] = {
    GateAction.PASSED: "✓",
    GateAction.WARNED: "!",
    GateAction.QUARANTINED: "▸",
    GateAction.BLOCKED: "✗",
    GateAction.RELEASED: "▸",
}

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; --good: #18794e; --bad: #cd2b31;
  --warn: #ad5700 }
@media (prefers-color-scheme: dark) { :root { --good: #4cc38a; --bad: #ff6369; --warn: #f1a10d } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem }
p { margin: .25rem 0; color: var(--soft) }
table { border-collapse: collapse; width: 100%; margin-top: .75rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-top: 1px solid var(--line) }
th { font-weight: 600; border-top: 0 } td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
td small { display: block; color: var(--soft) } code { font-size: .93em }
.passed { color: var(--good) } .warned { color: var(--warn) }
.quarantined, .blocked, .released { color: var(--bad) } .action { white-space: nowrap }
"""


def publish(lake: Lake, folder: Folder, *, suite_folder: Path = suites.HERE) -> str:
    """Write the page into the folder and return its URI. Raises Blocked where a suite can't be read."""
    rules = {suites.name_of(t): _rules(suites.name_of(t), suite_folder) for t in suites.GATED}
    folder.make()
    folder.write(PAGE, page(_last_results(lake), rules).encode())
    return folder.uri(PAGE)


def _last_results(lake: Lake) -> Sequence[Mapping[str, Any]]:
    """Return the rows of ops/quality from the last judgement of each suite."""
    table = delta_rs_reader.read(lake.log(catalog.QUALITY).table())
    newest = table.group_by("suite").aggregate([("judged_at", "max")])
    last = {row["suite"]: row["judged_at_max"] for row in newest.to_pylist()}
    is_candidate = pc.is_in(table["judged_at"], value_set=newest["judged_at_max"])
    rows = table.filter(is_candidate).to_pylist()
    return [row for row in rows if row["judged_at"] == last[row["suite"]]]


def _rules(name: str, folder: Path) -> Mapping[str, tuple[str, str]]:
    """Return (rule, why) for each expectation of a suite, by its id, in the suite's order."""
    return {
        expectation["meta"]["id"]: (_in_words(json.dumps(expectation)), expectation["meta"]["why"])
        for expectation in suites.written(name, folder=folder)["expectations"]
    }


@cache
def _in_words(expectation: str) -> str:
    """Return Great Expectations' own words for an expectation, which is given as JSON."""
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.renderer.inline_renderer import InlineRenderer

    renderer = InlineRenderer(render_object=ExpectationConfiguration(**json.loads(expectation)))
    rendered: Any = renderer.get_rendered_content()[0].value
    rule: str = rendered.template or ""
    arguments: dict[str, Any] = rendered.to_json_dict().get("params") or {}
    # Longer names are replaced first, because $v__10 begins with $v__1.
    for key in sorted(arguments, key=len, reverse=True):
        rule = rule.replace(f"${key}", _argument_text(arguments[key].get("value")))
    return rule


def _argument_text(value: Any) -> str:
    """Return an argument of an expectation as text; for a parameter, its name."""
    return str(value.get("$PARAMETER") if isinstance(value, dict) else value)


def page(
    results: Sequence[Mapping[str, Any]], rules: Mapping[str, Mapping[str, tuple[str, str]]]
) -> str:
    """Return the HTML page, which loads nothing from other addresses.

    `results` are rows of ops/quality. `rules` has, for each suite, (rule, why) by the expectation's id.
    """
    by_suite = {suite: [r for r in results if r["suite"] == suite] for suite in rules}
    links = " · ".join(
        f'<a href="#{suite}">{suite}</a> {_verdict(judged)}' for suite, judged in by_suite.items()
    )
    sections = "".join(
        _section(suite, by_suite[suite], suite_rules) for suite, suite_rules in rules.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data Docs</title><style>{STYLE}</style></head><body><h1>Data Docs</h1>"
        "<p>The last result of every suite. Numbers only: no value of a row is here.</p>"
        f"<p>{links}</p>{sections}</body></html>\n"
    )


def _section(
    suite: str, results: Sequence[Mapping[str, Any]], rules: Mapping[str, tuple[str, str]]
) -> str:
    """Return the HTML of one suite: a heading, and a table of its results in the suite's order."""
    heading = f'<h2 id="{suite}">{suite}: {_verdict(results)}</h2>'
    if not results:
        return heading
    places = {identity: place for place, identity in enumerate(rules)}
    ordered = sorted(results, key=lambda r: places.get(r["expectation"], len(places)))
    first = ordered[0]
    judged: datetime = first["judged_at"]
    version = first["table_version"]
    published = (
        f"version {version} of its table" if version is not None else "nothing was published"
    )
    head = "".join(f"<th>{name}</th>" for name in ("", "rule", "severity", "found", "then"))
    rows = "".join(_row(r, rules.get(r["expectation"], ("", ""))) for r in ordered)
    return (
        f"{heading}<p>chunk {first['chunk']}, {published}, run "
        f"<code>{escape(first['run_id'])}</code>, judged at {judged:%Y-%m-%d %H:%M:%S}</p>"
        f"<table><tr>{head}</tr>{rows}</table>"
    )


def _verdict(results: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of the results hold or fail, in a few words."""
    failed = sum(not r["success"] for r in results)
    if failed:
        return f"{failed} of {len(results)} fail"
    return f"all {len(results)} hold" if results else "nothing judged yet"


def _row(result: Mapping[str, Any], rule_and_why: tuple[str, str]) -> str:
    """Return the table row of one result."""
    rule, why = rule_and_why
    action = result["action"]
    return (
        f'<tr><td class="{action}">{SIGNS.get(action, "?")}</td>'
        f"<td><code>{escape(result['expectation'])}</code> {escape(rule)}<small>{escape(why)}</small></td>"
        f'<td>{escape(result["severity"])}</td><td class="number">{found(result)}</td>'
        f'<td class="action {action}">{escape(action)}</td></tr>'
    )


def found(result: Mapping[str, Any]) -> str:
    """Return what an expectation found, in a few words, from its row of ops/quality."""
    if result["unexpected_count"] is not None:
        return f"{result['unexpected_count']:,} of {result['element_count']:,} rows fail"
    if result["observed"] is None:
        return "–"
    return f"{float(result['observed']):,.6g}"
