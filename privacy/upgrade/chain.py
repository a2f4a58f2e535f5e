"""The steps from the earliest format to today's, in their order: what they would change, and taking them.

lake.json tells the format that the lake has reached, and that is all that a later call needs to know: a step
that died is taken again, and makes what is still outstanding. Between two changes the tables agree, so other
commands go on with a lake that is half way. No change removes a row or a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lake import fault_points, lake_format, table_creation
from lake.catalog import Table
from lake.context import Context
from lake.readable_lake import Lake
from privacy.upgrade import from_format_4, from_format_5
from privacy.upgrade.upgrade_step import Change, UpgradeStep

STEPS = (from_format_4.STEP, from_format_5.STEP)
"""Every step, each to the format of the next. A change of the format comes with its step."""


def steps_from(number: int) -> tuple[UpgradeStep, ...]:
    """Return the steps that take a lake of the format `number` to today's, in their order."""
    return tuple(step for step in STEPS if step.of >= number)


def outstanding(lake: Lake) -> Iterator[tuple[UpgradeStep, list[Change]]]:
    """Yield each step that the lake has before it, with what it would change now. Nothing is written."""
    for step in steps_from(lake_format.format_of(lake.files)):
        yield step, list(step.changes(lake))


def by_opening(lake: Lake) -> Iterator[str]:
    """Yield a sentence for each thing that changes before the first step, as with any command that writes."""
    if new := table_creation.lacking_tables(lake):
        yield f"{_names(new)}: made first, without rows, as by every command that writes."
    if closed := table_creation.left_to_spark(lake):
        yield (
            f"{_names(closed)}: commits keep no time of their own any more, as after every command that "
            f"writes, so that delta-rs can commit."
        )


def _names(tables: Sequence[Table]) -> str:
    return ", ".join(table.name for table in tables)


def upgrade(context: Context) -> Iterator[tuple[UpgradeStep, Change | None]]:
    """Take the lake to today's format. Yield each change after it was made, and None for a change once
    lake.json has the number of the next format. Raises Busy, and Refused while the lake moves to a new key.
    """
    lake = context.lake
    for step in steps_from(lake_format.format_of(lake.files)):
        for change in step.changes(lake):
            change.make(lake)
            fault_points.at(f"upgrade: {change.name}")
            yield step, change
        lake.check_lease()
        lake_format.reach(lake.files, step.to, step.record)
        fault_points.at(f"upgrade: format {step.to} reached")
        yield step, None
