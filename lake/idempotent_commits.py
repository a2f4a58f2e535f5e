"""Commits with numbers: how a commit gets its number, its transaction and the metadata of its run.

Spark commits to the tables of photos, delta-rs to the small ones, where it takes milliseconds.

A commit carries a number under the table's own name (`txnAppId`, `txnVersion`). Delta takes no number twice,
and no lower one after a higher. The number is the chunk's, or is counted for commits that belong to no chunk
(models, moments, tombstones, erasures). When a lease is taken over, each table gets an empty commit that adds
TAKEOVER to its number: a writer that was only paused is below it from then on, and can't commit with Spark.
With delta-rs it can't commit because the table is not at the version any more that it knows; so the journals
(`ops`), whose rows have no numbers, get such a commit too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import delta.exceptions.captured  # noqa: F401  (Delta's exceptions arrive as themselves only after it)
from delta.exceptions import ConcurrentTransactionException

from conf.errors import FruitLakeError
from lake import delta_log, fault_points, small_tables
from lake.catalog import Table
from lake.chunks import Chunk, NoChunk
from lake.delta_log import TAKEOVER, add_takeover, commit_info, number_of
from lake.file_commits import Overtaken
from lake.lease import Lease
from lake.readable_lake import Lake

TRANSACTION = "spark.databricks.delta.write"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"

TOKEN = "commitToken"
"""The key of what tells a commit of delta-rs from any other, among what the commit says of itself."""


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
        if table not in self._counted:
            self._counted[table] = self._lake.log(table).number()
        self._counted[table] += 1
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
        except (ConcurrentTransactionException, Overtaken):
            self._lease.check()
            raise
        finally:
            # Left behind, they would swallow the next commit to any table.
            for name in options:
                settings.unset(name)

    def commit_small(
        self,
        table: Table,
        write: Callable[[Any, Any], None],
        *,
        number: int | None,
        layer: str,
        chunk: int | None = None,
    ) -> None:
        """Makes one commit to a small table by `write`, a function of `lake.small_tables`.

        The table's version is found before the lease is checked: should this process be paused between the
        two, or after both, the commit is one of an old version, and delta-rs refuses it. Raises Busy.
        """
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError

        log = self._lake.log(table)
        known = log.table()
        version = known.version() + 1
        self._lease.check()
        if number is not None and number <= number_of(known, table):
            raise FruitLakeError(
                f"{table.name}: another run committed before commit {number}; run again."
            )
        token = uuid4().hex
        metadata = self._lake.run.metadata(layer=layer, chunk=chunk)
        properties = CommitProperties(
            custom_metadata={"userMetadata": metadata, TOKEN: token},
            max_commit_retries=0,
            app_transactions=[] if number is None else [Transaction(table.name, number)],
        )
        self.written.add(table)
        try:
            write(known, properties)
        except CommitFailedError as error:
            self._lease.check()
            # S3 may have made the commit and lost the answer: then delta-rs finds its own entry in the way.
            made = delta_log.actions(self._lake.files, table, version) or []
            if commit_info(made).get(TOKEN) != token:
                raise FruitLakeError(
                    f"{table.name} was changed by another program while this run wrote to it; run again."
                ) from error

    def take_over(self, table: Table) -> None:
        """Makes every earlier writer of a table harmless: Delta refuses or leaves out what it still commits.
        Raises Busy."""
        log = self._lake.log(table)
        if log.has_commit_timestamps():
            with self.transaction(table, None, layer="lease"):
                uri = self._lake.files.uri(table.name)
                add_takeover(self._lake.spark, uri, application=table.name)
        else:
            number = log.number() + TAKEOVER if table.numbers else None
            self.commit_small(table, small_tables.take_over, number=number, layer="lease")
        fault_points.at("lake: a table fenced")
