"""Work that runs in a thread beside other work."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator

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
