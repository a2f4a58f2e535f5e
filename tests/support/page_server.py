"""The page's server in this process, on a port of its own."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import uvicorn
from deltalake import DeltaTable

from conf.settings import Settings
from gold.acceptance import Acceptance
from gold.model_versions import ClassifierVersion
from lake import catalog, delta_rs_reader
from lake.storage.locate import folder
from page import server
from page.host_names import HostNames
from page.question_queue import QuestionQueue
from tests.support.archives import unpack
from tests.support.photo_tables import write

GOLDEN_CHAMPION = "classifier-5d2f1e24-1"
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
    while thread.is_alive() and not running.started:
        time.sleep(0.02)
    assert running.started, "the server's thread has ended"
    try:
        yield Served(queue, taken.getsockname()[1], running)
    finally:
        running.should_exit = True
        thread.join(60)
        assert not thread.is_alive(), "the server doesn't end"


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


def judged_golden_lake(at, *, sure_from, least_likeness):
    """That lake with a champion classifier that has bounds of answers to rely on, as a training of now gives
    them. Its confidences are lower than those of the test, so that they can be too low."""
    files, settings = golden_lake(at)
    [row] = delta_rs_reader.rows(
        files.root, catalog.MODELS, where=pc.field("version") == GOLDEN_CHAMPION
    )
    version = ClassifierVersion.read(row)
    embedded = delta_rs_reader.rows(files.root, catalog.EMBEDDINGS)
    vectors = np.array([each["embedding"] for each in embedded], np.float32)
    labels = [each["label"] for each in embedded]
    held = Acceptance.of(sure_from, vectors, labels, folds=[np.arange(1)])
    held = replace(held, least_likeness=least_likeness)
    classifier = replace(version.classifier, temperature=20.0, acceptance=held)
    DeltaTable(files.uri(catalog.MODELS.name)).delete(f"version = '{GOLDEN_CHAMPION}'")
    write(files.root, catalog.MODELS, [row | {"parameters": classifier.parameters()}])
    return files, settings


def answer_of(asked):
    """What a coroutine returns, in a loop of its own: a browser of other tests has one in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result()
