"""From format 4 to 5: the journal of erasures can bear HMACs, moments forget who left, and lake.json says by
which rules the lake reads names and makes ids of photos.

Both rules stay those of format 4. Pseudonyms and tombstones are made of names that the lake doesn't know, and
audits, earlier versions of tables and what people noted hold the ids that photos have. Certificates and rows
of the journal that bear no HMAC stay without: nobody can tell today that they are what was written then.
"""

from __future__ import annotations

from collections.abc import Iterator

from gold import moments_table
from lake import catalog, lake_format
from lake.pseudonyms import PhotoIdRule
from lake.readable_lake import Lake
from lake.subject_names import NameRule, NameRuleVersion
from privacy.upgrade.upgrade_step import Change, UpgradeStep, new_columns


def changes(lake: Lake) -> Iterator[Change]:
    """Yield what a lake of format 4 lacks of format 5."""
    yield from new_columns(lake, catalog.ERASURES)
    if models := sum(1 for _ in moments_table.off_the_mean(lake)):
        yield Change(
            "moments moved",
            f"gold/moments is taken about the mean of the embeddings that are there (rows: {models:,}), in "
            f"place of a point that may be made of photos that have left.",
            moments_table.leave_shifts,
            bytes=lake.log(catalog.MOMENTS).size()[1],
        )


STEP = UpgradeStep(
    of=4,
    changes=changes,
    records="lake.json says the rules for names (as they are written) and for ids of photos (SHA-256), "
    "which stay.",
    record={
        "names": NameRule(NameRuleVersion.AS_WRITTEN).record(),
        lake_format.PHOTO_IDS: PhotoIdRule.PLAIN.value,
    },
)
