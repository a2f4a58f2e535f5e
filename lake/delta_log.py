"""The Delta log of a table, as the JVM knows it: Python's API tells no transaction numbers."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

TAKEOVER = 10**12
"""What a takeover adds to the numbers of commits and entries: more than there will ever be of them."""


class DeltaLog:
    """The log of the table under `uri`, whose commits are numbered in the name of `application`."""

    def __init__(self, spark: SparkSession, uri: str, *, application: str) -> None:
        jvm: Any = spark.sparkContext._jvm
        self._delta = jvm.org.apache.spark.sql.delta
        self._none = jvm.scala.Option.empty()
        self._sequence = jvm.org.apache.spark.api.python.PythonUtils.toSeq
        self._manual = getattr(jvm, "org.apache.spark.sql.delta.DeltaOperations$ManualUpdate$")
        self._log = self._delta.DeltaLog.forTable(spark._jsparkSession, uri)
        self._application = application

    def version(self) -> int:
        """The current version."""
        return int(self._snapshot().version())

    def size(self) -> tuple[int, int]:
        """How many files the current version has, and their bytes."""
        checksum = self._snapshot().checksumOpt()
        if checksum.isDefined():
            return int(checksum.get().numFiles()), int(checksum.get().tableSizeBytes())
        return int(self._snapshot().numOfFiles()), int(self._snapshot().sizeInBytes())

    def number(self) -> int:
        """The highest number that was ever committed, takeovers included; a RESTORE doesn't lower it.

        From the last commit's checksum where it tells: to gather it from the log takes half a second.
        """
        checksum = self._snapshot().checksumOpt()
        known = checksum.get().setTransactions() if checksum.isDefined() else checksum
        held = known.get() if known.isDefined() else self._snapshot().setTransactions()
        numbers = held.iterator()
        while numbers.hasNext():
            transaction = numbers.next()
            if transaction.appId() == self._application:
                return int(transaction.version())
        return 0

    def add_takeover(self) -> None:
        """A commit of nothing but a number, TAKEOVER above the last.

        That one is read within the transaction: a commit that comes between is a conflict.
        """
        transaction = self._log.startTransaction(self._none, self._none)
        number = max(int(transaction.txnVersion(self._application)), 0) + TAKEOVER
        action = self._delta.actions.SetTransaction(self._application, number, self._none)
        transaction.commit(self._sequence([action]), getattr(self._manual, "MODULE$"))

    def _snapshot(self) -> Any:
        return self._log.update(False, self._none, self._none)
