"""Suites of expectations, in Great Expectations' own JSON, which is checked before rows are judged by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql.types import DataType, FractionalType, StringType

from conf.errors import Blocked, hint
from lake import catalog, photo_formats
from lake.catalog import Table

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuite

HERE = Path(__file__).parent
SEVERITIES = ("critical", "warning", "info")

GATED = (catalog.PHOTOS, catalog.EMBEDDINGS, catalog.FEATURES, catalog.MODELS)
"""The tables whose rows pass through a gate."""

TABLES = (*GATED, *(table for table in catalog.TABLES if table not in GATED))
"""All tables, as each has a suite: those with a gate first, then those that `check` alone judges."""

EXPECTED_ROWS = "expected_rows"
"""The parameter that a suite may name, as {"$PARAMETER": "expected_rows"}, and that its caller gives.

It is the number of rows that must come from the layer before.
"""

LISTS = {"photo_formats": [each.name for each in photo_formats.FORMATS]}
"""Parameters that are known as a suite is read: lists that the code has, too, and that must not differ."""

BOUNDS = ("min_value", "max_value")

NO_NULLS = "either_value_is_missing"
"""The rows that a rule about the order of two columns leaves out."""

ANYTHING = r"[\s\S]"
"""The part of a regex that matches any one character, in Java and in Python."""

JAVA_OR_PYTHON = re.compile(
    r"\\[a-zA-Z](?<!\\[nrtfx])|\(\?<?[a-zA-Z]|\[(?:[^\]\\]|\\.)*\[|&&|\$|(?<!\\)\."
)
"""What the regexes of a suite may not hold, but for escapes of single characters."""

COMPARED = frozenset(
    {
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_not_be_null",
        "expect_compound_columns_to_be_unique",
        "expect_table_row_count_to_equal",
    }
)
"""The kinds of expectations that pandas and Spark are known to judge alike: those of our suites, which
tests/expectations/test_engines.py compares on odd values."""


def name_of(table: Table) -> str:
    """Return the name of a table's suite, for example bronze_photos for bronze/photos."""
    return table.name.replace("/", "_")


def load(name: str, *, folder: Path = HERE) -> ExpectationSuite:
    """Return the suite of that name, from a JSON file in `folder`.

    Raises Blocked where the suite can't be used, because a gate that can't run lets nothing pass.
    """
    from great_expectations.core import ExpectationSuite

    return ExpectationSuite(**written(name, folder=folder))


def unchecked(name: str) -> list[dict[str, Any]]:
    """Return the expectations of our suite of that name as its file has them, to read their bounds."""
    found: list[dict[str, Any]] = json.loads((HERE / f"{name}.json").read_text())["expectations"]
    return found


def written(name: str, *, folder: Path = HERE) -> dict[str, Any]:
    """Return the checked JSON of the suite of that name. Raises Blocked as `load` does."""
    suite = as_json(name, folder=folder)
    # Great Expectations only logs an expectation that it can't read and leaves it out of the suite, so the
    # rule would be lost.
    for expectation in suite["expectations"]:
        _check_usable(expectation, suite=folder / f"{name}.json")
    return suite


def as_json(name: str, *, folder: Path = HERE) -> dict[str, Any]:
    """Return the JSON of the suite of that name, for those who only read its bounds: it is not checked
    whether Great Expectations can use it, whose import takes seconds. Raises Blocked for any other fault."""
    path = folder / f"{name}.json"
    try:
        suite: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise Blocked(f"The suite {path} is missing; restore it.") from None
    except json.JSONDecodeError as error:
        raise Blocked(f"The suite {path} is no valid JSON ({error}); correct it.") from None
    for place, expectation in enumerate(suite.get("expectations", ()), start=1):
        expectation["kwargs"] = _with_lists(expectation.get("kwargs", {}))
        _check(expectation, where=f"The suite {path}, expectation {place}")
    if not suite.get("expectations"):
        raise Blocked(
            f"The suite {path} holds no expectation, so it would let everything pass; add one."
        )
    ids = [expectation["meta"]["id"] for expectation in suite["expectations"]]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        raise Blocked(f"The suite {path} has two expectations with the id {twice}; rename one.")
    return suite


def _with_lists(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an expectation with the lists in the place of their parameters."""
    given = {key: value["$PARAMETER"] for key, value in kwargs.items() if parameters({key: value})}
    return {**kwargs, **{key: LISTS[name] for key, name in given.items() if name in LISTS}}


def _check(expectation: dict[str, Any], *, where: str) -> None:
    """Check that an expectation has an id, a why and a severity. Raises Blocked where it lacks one.

    `where` names the suite and the expectation's place in it, for the message.
    """
    meta = expectation.get("meta", {})
    for key in ("id", "why"):
        if not meta.get(key):
            raise Blocked(f"{where} ({expectation.get('type')}) lacks meta.{key}; add it.")
    if expectation.get("severity") not in SEVERITIES:
        raise Blocked(
            f"{where} ({meta['id']}) lacks a severity; add one of {', '.join(SEVERITIES)}."
        )


def _check_usable(expectation: dict[str, Any], *, suite: Path) -> None:
    """Check that an expectation can be evaluated and can fail. Raises Blocked where it can't."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    subject = f"The suite {suite}: the expectation {expectation['meta']['id']}"
    kwargs = expectation.get("kwargs", {})
    if isinstance(kwargs.get("row_condition"), str):
        raise Blocked(
            f"{subject} has a row_condition that is a text; write it as gold_models.json does."
        )
    try:
        ExpectationConfiguration(**expectation).to_domain_obj()
    except (ExpectationNotFoundError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise Blocked(f"{subject} can't be used ({reason}); correct it.") from None
    if not kwargs.get("mostly", 1) or (
        expectation["type"].endswith("_to_be_between")
        and all(kwargs.get(bound) is None for bound in BOUNDS)
    ):
        raise Blocked(
            f"{subject} can't fail, whatever the rows hold; give it bounds, or remove it."
        )
    for parameter in parameters(kwargs):
        if parameter != EXPECTED_ROWS:
            raise Blocked(
                f"{subject} names the parameter {parameter}; the only one is {EXPECTED_ROWS}."
            )
    if advice := _differs_between_engines(expectation["type"], kwargs):
        raise Blocked(f"{subject} would say other things in pandas than in Spark; {advice}.")


def _differs_between_engines(kind: str, kwargs: Mapping[str, Any]) -> str | None:
    """Return how to mend an expectation that the two engines would read differently, or None.

    Java and Python differ in what these signs of a regex match. Spark neither passes nor fails what it has to
    compare with null, while pandas fails it.
    """
    patterns = [kwargs.get("regex"), *kwargs.get("regex_list", ())]
    for pattern in filter(None, patterns):
        alike = pattern.replace(ANYTHING, "").replace(r"\\", "")
        if found := JAVA_OR_PYTHON.search(alike):
            return (
                f"write what {found[0]} means as characters, and the end as (?!{ANYTHING}), "
                "as bronze_photos.json does"
            )
    if kind.endswith("a_to_be_greater_than_b") and kwargs.get("ignore_row_if") != NO_NULLS:
        return f'add "ignore_row_if": "{NO_NULLS}"'
    condition = kwargs.get("row_condition") or {}
    parts = condition.get("conditions", [condition])
    present = [p["column"]["name"] for p in parts if p.get("is_null") is False]
    unequal = [p["column"]["name"] for p in parts if p.get("operator") in ("!=", "NOT_IN")]
    for column in unequal:
        if condition.get("type") == "or" or column not in present:
            return f"let its row_condition ask first that {column} isn't null, as gold_models.json does"
    return None


def are_judged_alike(suite: ExpectationSuite, columns: Mapping[str, DataType]) -> bool:
    """Return whether pandas and Spark are known to judge rows alike by a suite.

    `columns` are the types of the view's columns, by name. A suite with an expectation of another kind than
    COMPARED, or one that compares a column with values of another type, has its verdict from Spark alone.
    """
    return all(
        _is_judged_alike(e.configuration.type, e.configuration.kwargs, columns)
        for e in suite.expectations
    )


def _is_judged_alike(kind: str, kwargs: Mapping[str, Any], columns: Mapping[str, DataType]) -> bool:
    if kind not in COMPARED:
        return False
    if kind == "expect_column_values_to_be_in_set":
        is_text = all(isinstance(value, str) for value in kwargs.get("value_set") or ())
        return is_text and isinstance(columns.get(kwargs["column"]), StringType)
    if kind == "expect_column_pair_values_to_be_equal":  # not a number equals itself in Spark alone
        return not any(isinstance(columns.get(c), FractionalType) for c in _columns(kwargs))
    return True


def identity(expectation: Any) -> str:
    """Return the id of an expectation, which never changes."""
    return str(expectation.meta["id"])


def parameters(kwargs: Mapping[str, Any]) -> list[str]:
    """Return the names of the parameters in the arguments of an expectation."""
    return [
        value["$PARAMETER"]
        for value in kwargs.values()
        if isinstance(value, dict) and "$PARAMETER" in value
    ]


def conditions(condition: Mapping[str, Any]) -> list[str]:
    """Return the names of the columns in a row_condition."""
    if "conditions" in condition:
        return [name for each in condition["conditions"] for name in conditions(each)]
    return [condition["column"]["name"]]


def check_columns(suite: ExpectationSuite, columns: Sequence[str], *, folder: Path = HERE) -> None:
    """Check that `columns`, those of a table's view, include all that the suite's expectations name.

    Raises Blocked where one is missing.
    """
    for expectation in suite.expectations:
        for column in _columns(expectation.configuration.kwargs):
            if column not in columns:
                nearest = hint(column, columns, otherwise=f"it has {', '.join(columns)}.")
                raise Blocked(
                    f"The suite {folder / suite.name}.json: the expectation {identity(expectation)} names "
                    f"the column {column}, which the suite's table lacks; {nearest}"
                )


def _columns(kwargs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the columns in the arguments of an expectation."""
    for key in ("column", "column_A", "column_B"):
        if key in kwargs:
            yield kwargs[key]
    yield from kwargs.get("column_list", ())
    if condition := kwargs.get("row_condition"):
        yield from conditions(condition if isinstance(condition, dict) else condition.dict())
