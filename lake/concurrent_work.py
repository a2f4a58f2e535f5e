"""Work that runs in threads beside other work."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Full, Queue
from typing import TypeVar

from lake.stop_signals import Stopped


@contextlib.contextmanager
def beside(work: Callable[[], object] | None) -> Iterator[None]:
    """Run a function in a thread beside this context, and wait for it. What it raises becomes a warning.

    After a stop by a signal, nobody waits for it.
    """
    if work is None:
        yield
        return
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="beside-java", daemon=True)
    thread.start()
    is_awaited = True
    try:
        yield
    except Stopped:
        is_awaited = False
        raise
    finally:
        if is_awaited:
            thread.join()
    for error in raised:
        told = f"What was to run while Java started failed: {type(error).__name__}: {error}"
        warnings.warn(told, RuntimeWarning, stacklevel=2)


Item = TypeVar("Item")


def merged(sources: Sequence[Callable[[], Iterator[Item]]], threads: int) -> Iterator[Item]:
    """Yield what several iterators yield, in any order, each read in a thread of its own, so many at once.

    Threads wait for whoever takes the items, so no more than two for each thread are in memory. What an
    iterator raises is raised here.
    """
    waiting: Queue[tuple[Item | None, BaseException | None]] = Queue(threads)
    is_over = threading.Event()

    def put(item: Item | None, error: BaseException | None = None) -> None:
        while not is_over.is_set():
            try:
                waiting.put((item, error), timeout=0.1)
            except Full:
                continue
            return

    def read(source: Callable[[], Iterator[Item]]) -> None:
        try:
            for item in source():
                put(item)
                if is_over.is_set():
                    return
            put(None)
        except BaseException as error:
            put(None, error)

    with ThreadPoolExecutor(threads) as pool:
        try:
            left = len([pool.submit(read, each) for each in sources])
            while left:
                item, error = waiting.get()
                if error is not None:
                    raise error
                if item is None:
                    left -= 1
                else:
                    yield item
        finally:
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)
