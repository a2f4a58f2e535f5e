"""What a stop by a signal does to the calls to Java: each is awaited, and the jobs of a long one cancelled.

An exception in the middle of a call would leave its answer in the connection, for the next call to read.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pyspark.core.context
from py4j.clientserver import JavaClient
from py4j.protocol import ERROR
from pyspark import SparkContext
from pyspark.accumulators import AccumulatorServer

from lake import stop_signals
from lake.stop_signals import Stopped

NO_HANDLER = SimpleNamespace(SIGINT=signal.SIGINT, signal=lambda *_: None)
"""What PySpark gets in place of Python's module `signal`. Where a session starts, PySpark puts a handler in
the place of ours that makes a call in the middle of another one, which fails."""


@contextmanager
def stopped_between() -> Iterator[None]:
    """Have a stop be raised between calls to Java in this context, and cancel the jobs of one that lasts."""
    pysparks = vars(pyspark.core.context)
    signals, pysparks["signal"] = pysparks["signal"], NO_HANDLER
    send = JavaClient.send_command
    JavaClient.send_command = _awaited(send)
    AccumulatorServer.handle_error = _told_unless_java_ended  # type: ignore[method-assign, assignment]
    try:
        with stop_signals.cancelled_by(_cancel_jobs):
            yield
    finally:
        JavaClient.send_command = send
        pysparks["signal"] = signals


_handle_error = AccumulatorServer.handle_error


def _told_unless_java_ended(server: AccumulatorServer, request: Any, address: Any) -> None:
    """Have a thread of PySpark's print an error, but not that Java has ended its connection: a signal to the
    whole group ends Java too, and where Java ends by itself, the call that waits for it says so.

    It stays after the context, as the thread may notice it a moment later.
    """
    if not isinstance(sys.exception(), EOFError | OSError):
        _handle_error(server, request, address)


@contextmanager
def starting() -> Iterator[None]:
    """Have a stop end Java in this context, in which a session starts. Nothing can be half done then."""
    with stop_signals.cancelled_by(_end_java):
        try:
            with stop_signals.told_from_errors():
                yield
        except Stopped as stop:
            raise Stopped(stop.number) from None


def _end_java() -> None:
    """End the Java process that this process has started, and with it the call that waits for it."""
    process = getattr(SparkContext._gateway, "proc", None)
    if process is not None:
        process.terminate()


def _awaited(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return Py4J's method that makes a call, so that a stop comes after the answer."""

    def send_command(client: JavaClient, *words: Any, **options: Any) -> Any:
        return stop_signals.answer(
            lambda: send(client, *words, **options), is_lost=lambda found: found == ERROR
        )

    return send_command


def _cancel_jobs() -> None:
    """Cancel all jobs of this process' Spark, on a connection of this thread's own."""
    context = SparkContext._active_spark_context
    if context is not None:
        context.cancelAllJobs()
