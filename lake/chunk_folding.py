"""Folding of ops/chunks: what a chunk went through is dropped when it is over, so that the table grows by two
rows a chunk.

A fold is one commit. Every answer of the ledger is the same before it and after it, because these are told
from the last state of each chunk. The earlier rows stay for time travel until the retention ends.
"""

from __future__ import annotations

import pyarrow as pa

from lake import catalog, fault_points
from lake.chunks import latest
from lake.chunks_table import last_rows
from lake.writable_lake import WritableLake

LEAST_ROWS = 1000
"""The fewest rows that a fold is worth: those of some months of daily runs."""


def fold(lake: WritableLake, *, least_rows: int = LEAST_ROWS) -> bool:
    """Fold ops/chunks if it is due, and return whether it was. Raises Busy.

    It is due when about as many rows would go as there are chunks, and no fewer than `least_rows`. So the
    work of a fold, shared by the runs since the last one, doesn't grow with the age of the lake.
    """
    chunks = len(lake.ledger.chunks())
    rows = lake.source(catalog.CHUNKS).most
    if rows is None or rows - 2 * chunks < max(least_rows, chunks):
        return False
    lake.rewrite(catalog.CHUNKS, folded, layer="compaction")
    fault_points.at("lake: chunks folded")
    return True


def folded(rows: pa.Table) -> pa.Table:
    """Return the rows of ops/chunks that stay in a fold: the first and the last state of each chunk, and
    every state of a chunk that is unfinished.

    The first state stays because it tells when the chunk was planned, and that no row of it was lost.
    """
    numbers, entries = (rows[name].to_pylist() for name in ("chunk", "entry"))
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, entry in zip(numbers, entries, strict=True):
        first[number] = min(first.get(number, entry), entry)
        last[number] = max(last.get(number, entry), entry)
    chunks = latest(last_rows(rows).to_pylist())
    stays = [
        chunks[number].is_unfinished or entry in (first[number], last[number])
        for number, entry in zip(numbers, entries, strict=True)
    ]
    return rows.filter(pa.array(stays, pa.bool_()))
