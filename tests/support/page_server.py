"""The page's server in this process, on a port of its own."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from conf.settings import Settings
from lake.storage.locate import folder
from page import server
from page.host_names import HostNames
from page.question_queue import QuestionQueue
from tests.support.archives import unpack

GOLDEN = Path(__file__).parents[1] / "lakes" / "format-5.tar.gz"


@dataclass(frozen=True)
class Served:
    """A running server: its queue, its port, and uvicorn's part of it."""

    queue: QuestionQueue
    port: int
    running: uvicorn.Server

    @property
    def connections(self):
        """How many connections it has."""
        return len(self.running.server_state.connections)

    def connect(self, *parts, host="127.0.0.1", source=None, buffer=None):
        """A new connection, on which these bytes were sent."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        line = socket.socket(family, socket.SOCK_STREAM)
        line.settimeout(10)
        if buffer:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if source:
            line.bind((source, 0))
        line.connect((host, self.port))
        for part in parts:
            line.sendall(part)
        return line


@contextmanager
def served_from(queue, *, limits=server.LIMITS, host="127.0.0.1", names=(), token=None, buffer=0):
    """A server over a lake, as `run.py serve` makes one. `buffer`: the bytes of an answer that its machine
    keeps for a client that doesn't read."""
    taken = server.bound(host, 0)
    if buffer:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    made = server.app(queue, hosts=HostNames.of(host, names), token=token, limits=limits)
    running = uvicorn.Server(server.config(made, limits=limits))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [taken]})
    thread.start()
    while not running.started:
        time.sleep(0.02)
    try:
        yield Served(queue, taken.getsockname()[1], running)
    finally:
        running.should_exit = True
        thread.join()


@contextmanager
def served(place, *overrides, limits=server.LIMITS, **more):
    """The address of the page over a lake."""
    settings = place.set(*overrides).settings
    with served_from(QuestionQueue(place.files, settings), limits=limits, **more) as started:
        yield f"http://127.0.0.1:{started.port}"


def golden_lake(at, *overrides):
    """The files and the settings of a small lake that earlier code made; no Spark is needed."""
    unpack(GOLDEN, at)
    own = (
        f"paths.lake={at / 'lake'}",
        "model.extractor=tflite",
        f"model.weights={at / 'model.tflite'}",
    )
    settings = Settings.load("local", environment={}, overrides=[*own, *overrides])
    return folder(settings.paths.lake), settings


def answer_of(asked):
    """What a coroutine returns, in a loop of its own: a browser of other tests has one in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result()
