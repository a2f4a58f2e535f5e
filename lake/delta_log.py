"""The Delta log of a table, read by the JVM's API, because Python's API has no transaction numbers."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

TAKEOVER = 10**12
"""The number that a takeover adds to the numbers of commits and entries. There will never be as many of
them."""


class DeltaLog:
    """The log of the table at `uri`. Its commits are numbered for `application`, as Delta's `txnAppId`."""

    def __init__(self, spark: SparkSession, uri: str, *, application: str) -> None:
        jvm: Any = spark.sparkContext._jvm
        self._delta = jvm.org.apache.spark.sql.delta
        self._none = jvm.scala.Option.empty()
        self._sequence = jvm.org.apache.spark.api.python.PythonUtils.toSeq
        self._manual = getattr(jvm, "org.apache.spark.sql.delta.DeltaOperations$ManualUpdate$")
        self._log = self._delta.DeltaLog.forTable(spark._jsparkSession, uri)
        self._application = application

    def version(self) -> int:
        """Return the current version of the table."""
        return int(self._snapshot().version())

    def size(self) -> tuple[int, int]:
        """Return the number of files in the current version, and their bytes."""
        checksum = self._snapshot().checksumOpt()
        if checksum.isDefined():
            return int(checksum.get().numFiles()), int(checksum.get().tableSizeBytes())
        return int(self._snapshot().numOfFiles()), int(self._snapshot().sizeInBytes())

    def number(self) -> int:
        """Return the highest number that was ever committed, including takeovers. A RESTORE doesn't lower it.

        It is read from the checksum of the last commit where that has it, because to gather it from the log
        takes half a second.
        """
        checksum = self._snapshot().checksumOpt()
        known = checksum.get().setTransactions() if checksum.isDefined() else checksum
        recorded = known.get() if known.isDefined() else self._snapshot().setTransactions()
        transactions = recorded.iterator()
        while transactions.hasNext():
            transaction = transactions.next()
            if transaction.appId() == self._application:
                return int(transaction.version())
        return 0

    def add_takeover(self) -> None:
        """Commit nothing but a number that is TAKEOVER above the last one.

        The last number is read within the transaction, so a commit that another process makes meanwhile is a
        conflict.
        """
        transaction = self._log.startTransaction(self._none, self._none)
        number = max(int(transaction.txnVersion(self._application)), 0) + TAKEOVER
        action = self._delta.actions.SetTransaction(self._application, number, self._none)
        transaction.commit(self._sequence([action]), getattr(self._manual, "MODULE$"))

    def _snapshot(self) -> Any:
        return self._log.update(False, self._none, self._none)
