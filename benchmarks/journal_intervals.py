"""Where the seconds of a run went, by the times in its lake's own journals, which are read without Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow.compute as pc

from lake import catalog
from lake.delta_rs_reader import rows

INTERVALS = {
    "bronze planned": "listing",
    "bronze staged": "staging",
    "bronze published": "publication",
    "extractor": "model",
    "bronze judged": "bronze's gate",
    "silver planned": "planning",
    "silver staged": "staging",
    "silver judged": "silver's gate",
    "silver published": "publication",
    "gold planned": "moments and PCA",
    "gold staged": "staging",
    "gold judged": "gold's gate",
    "gold published": "publication",
}
"""What a layer did until the event that its interval is known by."""

Row = Mapping[str, Any]
Event = tuple[datetime, str]
"""When something was written to a journal, and what."""


def layers_since(lake: str, moment: datetime) -> list[Row]:
    """The rows of ops/runs of the layers that began after a moment, in their order."""
    found = rows(lake, catalog.RUNS, where=pc.field("started_at") >= moment)
    return sorted(found, key=lambda row: row["started_at"])


def events_of(lake: str) -> list[Event]:
    """The states that chunks reached, as `layer state`, and the conversions of extractors."""
    chunks = rows(lake, catalog.CHUNKS, columns=["layer", "state", "at"])
    models = rows(lake, catalog.MODELS, where=pc.field("kind") == "extractor")
    events = [(row["at"], f"{row['layer']} {row['state']}") for row in chunks]
    return sorted([*events, *((row["created_at"], "extractor") for row in models)])


def intervals(layers: Sequence[Row], events: Sequence[Event]) -> dict[str, float]:
    """Seconds between the events of the layers of one run, by what was done until the later one.

    `layers` are rows of ops/runs, and `events` are in the order of time. What follows the last event of a
    layer is its `ending`.
    """
    parts: dict[str, float] = defaultdict(float)
    for row in layers:
        before, last = row["started_at"], row["finished_at"]
        within = [event for event in events if before <= event[0] <= last]
        for at, name in (*within, (last, "ending")):
            parts[f"{row['layer']}: {INTERVALS.get(name, name)}"] += (at - before).total_seconds()
            before = at
    return dict(parts)
