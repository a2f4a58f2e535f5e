"""Arrivals as the rows of a listing, for what looks these up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from bronze.landing import Arrival
from bronze.listed_objects import keyed


def listed_rows(arrivals: Sequence[Arrival]) -> pa.Table:
    """Arrivals as a listing has them, in their order."""
    return keyed([each.landing for each in arrivals], [each.key for each in arrivals])


def told_by(arrivals: Sequence[Arrival]) -> Callable[[pa.Table], pa.Table]:
    """What gives the labels and splits of some of these."""
    by_key = {each.key: each for each in arrivals}

    def told(rows: pa.Table) -> pa.Table:
        found = [by_key[key] for key in rows["object"].to_pylist()]
        columns = ([getattr(each, name) or "" for each in found] for name in ("label", "split"))
        return pa.table([pa.array(each, pa.string()) for each in columns], ["label", "split"])

    return told
