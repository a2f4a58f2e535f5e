"""Removal: photos and a subject leave every table, and what waits in staging; moments and chunks follow."""

from __future__ import annotations

from gold import departure
from lake import catalog, faults
from lake.chunks import Chunk, State
from lake.lake import ERASE, Lake, counts
from privacy.holdings import Holdings


def remove(lake: Lake, held: Holdings) -> None:
    """Removes the rows, in an order that lets the same call go on wherever one died.

    No chunk may be half published. Raises BadInput where one is, Busy.
    """
    for chunk in held.staged():
        lake.ledger.abandon(chunk)
    faults.at("erase: staged rows gone")
    departure.depart(lake, held.pairs())
    faults.at("erase: departed")
    for table, column in held.TABLES:
        rows = counts(held.rows_of(table, column), "chunk")
        if rows:
            [chunk] = lake.ledger.plan([Chunk(0, ERASE, State.PLANNED)])
            within = f"held.chunk between {min(rows)} and {max(rows)}"
            lake.remove(table, held.keys(column), on=[column], within=within, chunk=chunk)
            faults.at(f"erase: {table.name} gone")
    recount(lake)
    faults.at("erase: chunks counted")


def recount(lake: Lake) -> None:
    """Brings the photos of bronze's chunks in ops/chunks to what bronze/photos holds of them."""
    rows = counts(lake.read(catalog.PHOTOS), "chunk")
    published = [c for c in lake.ledger.chunks().values() if c.layer == "bronze" and c.is_published]
    lake.ledger.recount({chunk.number: rows.get(chunk.number, 0) for chunk in published})
