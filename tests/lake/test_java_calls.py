"""Calls to Java and stops by a signal, without Java: a call is awaited, and PySpark's handler stays out."""

import os
import signal
import socket
import threading
import time
from types import SimpleNamespace

import pyspark.core.context
import pytest
from py4j.clientserver import JavaClient
from py4j.protocol import ERROR
from pyspark import SparkContext, accumulators

from lake import java_calls, stop_signals
from lake.stop_signals import Stopped


def stopped(work):
    """The Stopped that the work raised on its way out."""
    caught = []

    def caught_work():
        try:
            work()
        except Stopped as stop:
            caught.append(stop)
            raise
        return 0

    assert stop_signals.obeyed(caught_work, lambda _: None) == 143
    return caught[0]


@pytest.mark.parametrize(
    ("answer", "is_cut_off"), [("yro12", False), ("xro3", False), (ERROR, True)]
)
def test_a_stop_comes_after_the_answer_and_knows_whether_there_was_one(
    monkeypatch, answer, is_cut_off
):
    """An error that Java answers with is an answer; Py4J's own says that the connection broke."""
    said = []

    def send_command(client, command):
        os.kill(os.getpid(), signal.SIGTERM)
        said.append(command)
        return answer

    monkeypatch.setattr(JavaClient, "send_command", send_command)

    def work():
        with java_calls.stopped_between():
            JavaClient.send_command(None, "first")
            JavaClient.send_command(None, "second")

    assert stopped(work).is_cut_off is is_cut_off
    assert said == ["first"]
    assert JavaClient.send_command is send_command


def test_pyspark_puts_no_handler_in_the_place_of_ours():
    ours, before = signal.getsignal(signal.SIGINT), pyspark.core.context.signal
    with java_calls.stopped_between():
        pysparks = pyspark.core.context.signal
        pysparks.signal(pysparks.SIGINT, lambda *_: None)
        assert signal.getsignal(signal.SIGINT) is ours
        assert pysparks is java_calls.NO_HANDLER
    assert pyspark.core.context.signal is before


def test_that_java_ended_its_connection_is_printed_by_no_thread(capsys):
    with java_calls.stopped_between():
        pass
    server = accumulators._start_update_server("token")
    for sent in (b"token", b"other"):  # the second one is an error of its own
        with socket.create_connection(server.server_address) as java:
            java.sendall(sent)
    printed, until = "", time.monotonic() + 10
    while "ValueError" not in printed and time.monotonic() < until:
        time.sleep(0.01)
        printed += capsys.readouterr().err
    server.shutdown()
    assert "ValueError" in printed
    assert "EOFError" not in printed


def test_where_a_session_starts_a_stop_ends_java_and_leaves_nothing_half_done(monkeypatch):
    ended = threading.Event()
    java = SimpleNamespace(terminate=ended.set)
    monkeypatch.setattr(SparkContext, "_gateway", SimpleNamespace(proc=java))

    def call():
        os.kill(os.getpid(), signal.SIGTERM)
        assert ended.wait(10)
        return ERROR

    def work():
        with java_calls.starting():
            stop_signals.answer(call, is_lost=ERROR.__eq__)

    assert not stopped(work).is_cut_off
    assert ended.is_set()
