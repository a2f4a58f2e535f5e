"""Reading a suite: Great Expectations' own JSON, checked before anything is judged by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.errors import Blocked

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite

HERE = Path(__file__).parent
SEVERITIES = ("critical", "warning", "info")


def load(name: str, *, folder: Path = HERE) -> ExpectationSuite:
    """The suite of that name. A suite that can't be used blocks: a gate that can't run lets nothing pass.

    Raises Blocked, naming the suite, the expectation and what to do.
    """
    from great_expectations.core import ExpectationSuite

    path = folder / f"{name}.json"
    try:
        written = json.loads(path.read_text())
    except FileNotFoundError:
        raise Blocked(f"The suite {path} is missing; restore it.") from None
    except json.JSONDecodeError as error:
        raise Blocked(f"The suite {path} is no valid JSON ({error}); mend it.") from None
    for place, expectation in enumerate(written.get("expectations", ()), start=1):
        _check(expectation, where=f"The suite {path}, expectation {place}")
    if not written.get("expectations"):
        raise Blocked(f"The suite {path} holds no expectation: it would let everything pass.")
    ids = [expectation["meta"]["id"] for expectation in written["expectations"]]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        raise Blocked(f"The suite {path} has two expectations with the id {twice}; rename one.")
    # The suite logs and leaves out what it can't read: rules would vanish without a word.
    for expectation in written["expectations"]:
        _check_readable(expectation, suite=path)
    return ExpectationSuite(**written)


def _check(expectation: dict[str, Any], *, where: str) -> None:
    meta = expectation.get("meta", {})
    for key in ("id", "why"):
        if not meta.get(key):
            raise Blocked(f"{where} ({expectation.get('type')}) lacks meta.{key}; add it.")
    if expectation.get("severity") not in SEVERITIES:
        raise Blocked(
            f"{where} ({meta['id']}) lacks a severity; add one of {', '.join(SEVERITIES)}."
        )


def _check_readable(expectation: dict[str, Any], *, suite: Path) -> None:
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        ExpectationConfiguration(**expectation).to_domain_obj()
    except (ExpectationNotFoundError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise Blocked(
            f"The suite {suite}: the expectation {expectation['meta']['id']} can't be used ({reason}); "
            f"mend it."
        ) from None
