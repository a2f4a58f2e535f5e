"""The page's server in this process, on a port of its own."""

import threading
import time
from contextlib import contextmanager

import uvicorn

from page import server
from page.question_queue import QuestionQueue


@contextmanager
def served(place, *overrides):
    """The address of the page over a lake."""
    settings = place.set(*overrides).settings
    taken = server.bound("127.0.0.1", 0)
    config = uvicorn.Config(
        server.app(QuestionQueue(place.files, settings)), log_level="critical", access_log=False
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [taken]})
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    running.should_exit = True
    thread.join()
