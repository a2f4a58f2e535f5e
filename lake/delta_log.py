"""The Delta log of a table, read by delta-rs in this process: version, numbers and size.

It takes milliseconds and no Spark. delta-rs can't commit to a table with in-commit timestamps, so those of a
data table are Spark's; see `lake.idempotent_commits`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from lake import delta_rs_reader
from lake.catalog import Table
from lake.delta_transactions import DeltaTransaction
from lake.json_objects import json_object
from lake.storage.addresses import is_s3
from lake.storage.folder import Folder

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from pyspark.sql import SparkSession

FOLDER = "_delta_log"

TAKEOVER = 10**12
"""The number that a takeover adds to the numbers of commits. There will never be as many of them."""

CREDENTIALS_LAST = 300.0
"""The seconds for which a table in S3 keeps the credentials that it was opened with. Those of a role end
within hours, and new ones are there ten minutes before."""

IN_COMMIT_TIMESTAMP = "inCommitTimestamp"
"""The feature of a Delta table that keeps the time of each commit in the commit itself."""


def has_commit(files: Folder, table: str) -> bool:
    """Whether a Delta table under the root has a commit. A killed writer may leave a folder without one."""
    return bool(files.names(f"{table}/{FOLDER}", suffix=".json"))


class DeltaLog:
    """The log of one table under a root. Its commits are numbered under the table's name, as Delta's
    `txnAppId`."""

    def __init__(self, root: str, table: Table) -> None:
        self._root = root
        self._table = table
        self._known: DeltaTable | None = None
        self._opened = 0.0

    def table(self) -> DeltaTable:
        """Return delta-rs' table in its current version. Raises BadInput where there is no such table."""
        is_stale = is_s3(self._root) and monotonic() - self._opened > CREDENTIALS_LAST
        if self._known is None or is_stale:
            self._known = delta_rs_reader.delta_table(self._root, self._table)
            self._opened = monotonic()
        else:
            self._known.update_incremental()
        return self._known

    def version(self) -> int:
        """Return the current version of the table."""
        return int(self.table().version())

    def size(self) -> tuple[int, int]:
        """Return the number of files in the current version, and their bytes."""
        sizes = self.table().get_add_actions()["size_bytes"].to_pylist()
        return len(sizes), sum(sizes)

    def number(self) -> int:
        """Return the highest number that was ever committed, including takeovers. A RESTORE doesn't lower
        it."""
        return number_of(self.table(), self._table)

    def has_commit_timestamps(self) -> bool:
        """Return whether the table keeps the time of each commit in the commit, so that only Spark can commit
        to it."""
        return IN_COMMIT_TIMESTAMP in (self.table().protocol().writer_features or ())


def actions(files: Folder, table: Table, version: int) -> list[dict[str, Any]] | None:
    """Return the actions of a table's commit, as `actions_in` does."""
    return actions_in(files, table.name, version)


def actions_in(files: Folder, name: str, version: int) -> list[dict[str, Any]] | None:
    """Return the actions of a commit to the Delta table in a folder, from its entry in the log.

    It is None where the log has the entry no more, or where the entry can't be understood: it is empty, torn,
    or lacks what a commit says of itself. Spark and delta-rs never write such an entry.

    delta-rs' own history would stop all threads of this process while it waits for S3: also the one that
    renews the lease.
    """
    content = files.read(f"{name}/{FOLDER}/{version:020}.json")
    try:
        found = [json.loads(line) for line in (content or b"").splitlines()]
    except (ValueError, RecursionError):
        return None
    is_whole = all(isinstance(action, dict) for action in found) and commit_info(found)
    return found if is_whole else None


def commit_info(commit: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what a commit says of itself among its actions; nothing where it says nothing."""
    return next((action["commitInfo"] for action in commit if "commitInfo" in action), {})


def written_by(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a commit says of the run that made it (`Run.metadata`), by what it says of itself; nothing
    where another program made it, which may say anything."""
    return json_object(info.get("userMetadata")) or {}


def commit_time(info: Mapping[str, Any]) -> datetime:
    """Return when a commit was made (UTC), by what it says of itself; the year 1970 where it doesn't say."""
    milliseconds = info.get(IN_COMMIT_TIMESTAMP) or info.get("timestamp") or 0
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def number_of(known: DeltaTable, table: Table) -> int:
    """Return the highest number that was committed to a table, as delta-rs knows the table."""
    return int(known.transaction_version(table.name) or 0)


def add_takeover(spark: SparkSession, uri: str, *, application: str) -> None:
    """Commit with Spark nothing but a number that is TAKEOVER above the last one of the table at `uri`.

    The last number is read within the transaction, so a commit that another process makes meanwhile is a
    conflict.
    """
    transaction = DeltaTransaction(spark, uri, application)
    transaction.commit(max(transaction.last_number, 0) + TAKEOVER)
