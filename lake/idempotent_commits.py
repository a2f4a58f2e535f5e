"""Commits with numbers: how a commit gets its number, its transaction and the metadata of its run.

A commit carries a number under the table's own name (`txnAppId`, `txnVersion`). Delta takes no number twice,
and no lower one after a higher. The number is the chunk's, or is counted for commits that belong to no chunk
(models, moments, tombstones, erasures). When a lease is taken over, each table gets an empty commit that adds
TAKEOVER to its number: a writer that was only paused is below it from then on, and can't commit. The journals
(`ops`) need no numbers: see `lake.ledger`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import delta.exceptions.captured  # noqa: F401  (Delta's exceptions arrive as themselves only after it)
from delta.exceptions import ConcurrentTransactionException

from conf.errors import FruitLakeError
from lake import fault_points
from lake.catalog import Table
from lake.chunks import Chunk, NoChunk
from lake.delta_log import TAKEOVER
from lake.lease import Lease
from lake.readable_lake import Lake

TRANSACTION = "spark.databricks.delta.write"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class NumberedCommits:
    """The numbers and transactions of one run's commits. `written` are the tables that it committed to."""

    def __init__(self, lake: Lake, lease: Lease) -> None:
        self.written: set[Table] = set()
        self._lake = lake
        self._lease = lease
        self._counted: dict[Table, int] = {}

    def number(self, table: Table, chunk: Chunk | NoChunk) -> int | None:
        """The number of a chunk's commit to a table; None where the commit was made already.

        Raises FruitLakeError where a later chunk was committed before it, because Delta would drop its rows
        without a word.
        """
        if table.numbers != "chunk":
            return self._next(table)
        if isinstance(chunk, NoChunk):
            raise RuntimeError(f"commits to {table.name} need a chunk")
        takeovers, last = divmod(self._lake.log(table).number(), TAKEOVER)
        if last > chunk.number:
            raise FruitLakeError(
                f"{table.name}: chunk {chunk.number} can't follow chunk {last}, which "
                f"was committed before it; run again."
            )
        return None if last == chunk.number else takeovers * TAKEOVER + chunk.number

    def _next(self, table: Table) -> int:
        """The next number of a table whose commits are counted.

        It is counted from what the table told when this run first asked: a number that was asked for after a
        takeover would slip above the takeover's.
        """
        known = self._counted.get(table) or self._lake.log(table).number()
        self._counted[table] = known + 1
        return self._counted[table]

    @contextlib.contextmanager
    def transaction(
        self, table: Table, number: int | None, *, layer: str, chunk: int | None = None
    ) -> Iterator[None]:
        """Gives the one commit within its number and the metadata of its run. Raises Busy.

        `number` was found before the lease is checked here: should this process be paused between the two,
        the number is too low afterwards.
        """
        self._lease.check()
        options = {USER_METADATA: self._lake.run.metadata(layer=layer, chunk=chunk)}
        if number is not None:
            options |= {
                f"{TRANSACTION}.txnAppId": table.name,
                f"{TRANSACTION}.txnVersion": str(number),
            }
        self.written.add(table)
        settings = self._lake.spark.conf
        try:
            for name, value in options.items():
                settings.set(name, value)
            yield
        except ConcurrentTransactionException:
            self._lease.check()
            raise
        finally:
            # Left behind, they would swallow the next commit to any table.
            for name in options:
                settings.unset(name)

    def take_over(self, table: Table) -> None:
        """Makes every earlier writer of a table harmless: Delta refuses or leaves out what it still commits.
        Raises Busy."""
        with self.transaction(table, None, layer="lease"):
            self._lake.log(table).add_takeover()
        fault_points.at("lake: a table fenced")
