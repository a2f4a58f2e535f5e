"""Commits with Spark's Delta that its API for Python has no words for: by the JVM's own transactions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class DeltaTransaction:
    """A transaction on the table at `uri`, which begins now. What another process commits meanwhile is a
    conflict.

    `last_number` is the last number that `application` has committed to the table, -1 where there is none.
    """

    def __init__(self, spark: SparkSession, uri: str, application: str) -> None:
        jvm: Any = spark.sparkContext._jvm
        self._jvm, self._application = jvm, application
        self._delta = jvm.org.apache.spark.sql.delta
        self._none = jvm.scala.Option.empty()
        log = self._delta.DeltaLog.forTable(spark._jsparkSession, uri)
        self._transaction = log.startTransaction(self._none, self._none)
        self.last_number = int(self._transaction.txnVersion(application))

    def commit(self, number: int, added: Iterable[Mapping[str, Any]] = ()) -> None:
        """Commit a number of the application's, and the files `added`, each as the log tells of one."""
        from_json = self._module("actions.Action").fromJson
        actions = [from_json(json.dumps({"add": each})) for each in added]
        operation = self._append() if actions else self._module("DeltaOperations$ManualUpdate")
        actions.append(self._delta.actions.SetTransaction(self._application, number, self._none))
        sequence = self._jvm.org.apache.spark.api.python.PythonUtils.toSeq
        self._transaction.commit(sequence(actions), operation)

    def _append(self) -> Any:
        """Return what the log calls an append, as Spark's own."""
        write = self._module("DeltaOperations$Write")
        parameters = max(
            method.getParameterCount()
            for method in write.getClass().getMethods()
            if method.getName() == "apply"
        )
        defaults = [getattr(write, f"apply$default${each}")() for each in range(2, parameters + 1)]
        return write.apply(self._jvm.org.apache.spark.sql.SaveMode.Append, *defaults)

    def _module(self, name: str) -> Any:
        """Return the one object of a Scala module of Delta."""
        return getattr(getattr(self._jvm, f"org.apache.spark.sql.delta.{name}$"), "MODULE$")
