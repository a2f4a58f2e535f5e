"""From format 5 to 6: every table has the columns of one made today.

The ids of photos stay keyed hashes of the bytes, as lake.json says already, while a lake made today has those
of the bytes' keyed hash: `rekey` needs no others, and gives a lake new ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from lake import catalog
from lake.readable_lake import Lake
from privacy.upgrade.upgrade_step import Change, UpgradeStep, new_columns


def changes(lake: Lake) -> Iterator[Change]:
    """Yield what a lake of format 5 lacks of format 6. Its privacy/erasures has all columns already."""
    for table in catalog.TABLES:
        if table is not catalog.ERASURES:
            yield from new_columns(lake, table)


STEP = UpgradeStep(
    of=5,
    changes=changes,
    records="lake.json keeps the rule for ids of photos that it has.",
)
