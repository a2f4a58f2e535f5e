"""Signals that ask this process to stop: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a terminal that closes.

The first one ends the work with `Stopped`, which the main thread raises where nothing is cut in two: at once,
or after the call to Java that it waits for, whose jobs are cancelled meanwhile, or after what is `deferred`.
A second one ends the process at once, as a kill would.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from conf.errors import FruitLakeError

OWNED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TOGETHER = 0.5
"""The seconds in which further signals count as the first one: a closed terminal and some supervisors send
several."""

REPEATED = 0.1
"""The seconds between two attempts to end the work. Spark may begin another job after one was cancelled."""

MOMENT = 0.1
"""The seconds by which a signal may come later than an error that has the same cause."""

POKE = signal.SIGURG
"""The signal by which our own thread lets the main thread look again. It never leaves this process, and the
system does nothing for it."""

SHOW_CURSOR = b"\x1b[?25h"
"""What a terminal is told by a process that ends in the middle of a progress bar."""


class Stopped(KeyboardInterrupt):
    """The end of the work, asked for by a signal. `number` is the signal's.

    `is_cut_off` says that a call to Java ended because Java did: it may have been at a commit.
    """

    def __init__(self, number: int, *, is_cut_off: bool = False) -> None:
        super().__init__(number)
        self.number = number
        self.is_cut_off = is_cut_off

    @property
    def exit_code(self) -> int:
        """The exit code that shells give to a process which a signal ended."""
        return 128 + self.number

    @property
    def cause(self) -> str:
        """What asked for the stop, in words."""
        name = signal.Signals(self.number).name
        return {"SIGINT": "Ctrl-C", "SIGHUP": "the terminal was closed"}.get(name, name)


def end_without_a_word() -> None:
    """Have Ctrl-C end this process, as SIGTERM does, until its work begins: nothing is done yet."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


class _Watch:
    """The stop of one call of the command line: asked for, raised, carried out."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.is_raised = False
        self.is_cut_off = False
        self.cancellations: list[Callable[[], object]] = []
        self._asked_at = 0.0
        # Nothing is raised before the work begins, and nothing after it.
        self._held_back = 1
        self._calls = 0
        self._is_asked = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._insist, name="stop-signals", daemon=True)

    @contextmanager
    def owning(self, *, is_last: bool) -> Iterator[None]:
        """Own the signals in this context. With `is_last`, this process only ends afterwards."""
        kept = {number: signal.getsignal(number) for number in (*OWNED, POKE)}
        unraisable = sys.unraisablehook
        sys.unraisablehook = lambda args: self._not_raised(args, unraisable)
        self._thread.start()
        signal.signal(POKE, lambda *_: self.raise_if_asked())
        for number in OWNED:
            # What nohup, or a shell for work in the background, has set to be ignored stays ignored.
            if kept[number] is not signal.SIG_IGN:
                signal.signal(number, self._receive)
        try:
            with warnings.catch_warnings():
                yield
        finally:
            self._over.set()
            self._is_asked.set()
            self._thread.join(REPEATED)
            for number, handler in kept.items():
                ends = is_last and number in OWNED and handler is not signal.SIG_IGN
                signal.signal(number, signal.SIG_DFL if ends or handler is None else handler)
            sys.unraisablehook = unraisable
            logging.disable(logging.NOTSET)

    def _receive(self, number: int, _: FrameType | None) -> None:
        """Handle one of the signals, in the main thread."""
        if self.asked is None:
            self.asked, self._asked_at = number, time.monotonic()
            # What ends too early, such as a call in another thread, is no news from now on.
            logging.disable(logging.CRITICAL)
            warnings.simplefilter("ignore")
            self._is_asked.set()
        elif time.monotonic() - self._asked_at > TOGETHER:
            _end_at_once(number)
        self.raise_if_asked()

    def raise_if_asked(self) -> None:
        """Raise Stopped, once, where a stop was asked for and nothing holds it back."""
        if self.asked is not None and not self.is_raised and not self._held_back:
            self.is_raised = True
            raise Stopped(self.asked, is_cut_off=self.is_cut_off)

    def begin(self) -> None:
        """Let a stop be raised from now on."""
        self._held_back -= 1
        self.raise_if_asked()

    def _not_raised(self, args: Any, otherwise: Callable[[Any], object]) -> None:
        """Notice that Python dropped Stopped, as it does in callbacks of its garbage collection."""
        if args.exc_type is Stopped:
            self.is_raised = False
        else:
            otherwise(args)

    @contextmanager
    def held_back(self, *, is_call: bool = False) -> Iterator[None]:
        """Hold the stop back in this context; it is raised at the end. Jobs of a call are cancelled."""
        self._held_back += 1
        self._calls += is_call
        try:
            yield
        finally:
            self._calls -= is_call
            self._held_back -= 1
            self.raise_if_asked()

    def _insist(self) -> None:
        """Cancel jobs and let the main thread look again, until it has raised Stopped. Runs in a thread."""
        self._is_asked.wait()
        while not self._over.wait(REPEATED):
            if self.is_raised:
                continue
            for cancel in tuple(self.cancellations) if self._calls else ():
                # Java may end meanwhile: its own answer, or none, ends the call.
                with suppress(Exception):
                    cancel()
            if not self._held_back:
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, POKE)


_watch: _Watch | None = None


def _main_watch() -> _Watch | None:
    """Return what watches the signals, in the main thread, which is the one to stop."""
    return _watch if threading.current_thread() is threading.main_thread() else None


def obeyed(
    work: Callable[[], int], tell: Callable[[Stopped], object], *, is_last: bool = False
) -> int:
    """Do the work, and return its exit code. A signal stops it: then `tell` is called, and the exit code is
    the signal's.

    Whatever the work raises after a signal counts as the stop. With `is_last`, this process only ends
    afterwards.
    """
    global _watch
    if _main_watch() or threading.current_thread() is not threading.main_thread():
        return work()
    _watch = watch = _Watch()
    try:
        with watch.owning(is_last=is_last):
            try:
                watch.begin()
                code = work()
                watch.raise_if_asked()
                watch.is_raised = True
                return code
            except BaseException:
                watch.is_raised = True
                if watch.asked is None:
                    raise
            stop = Stopped(watch.asked)
            _whatever_the_streams_do(lambda: tell(stop))
            return stop.exit_code
    finally:
        _watch = None


@contextmanager
def told_from_errors() -> Iterator[None]:
    """Raise Stopped for what fails in this context after a signal: a call to Java fails too where the same
    signal ends that, and a terminal that is closed takes no output a moment before it sends one."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, FruitLakeError):
            time.sleep(MOMENT)
        if (watch := _main_watch()) and watch.asked is not None:
            watch.is_raised = True
            raise Stopped(watch.asked, is_cut_off=watch.is_cut_off) from None
        raise


def is_asked() -> bool:
    """Return whether a stop was asked for."""
    return _watch is not None and _watch.asked is not None


@contextmanager
def deferred() -> Iterator[None]:
    """Hold a stop back in this context, which takes a moment and must not be cut in two."""
    watch = _main_watch()
    if watch is None:
        yield
        return
    with watch.held_back():
        yield


@contextmanager
def cancelled_by(cancel: Callable[[], object]) -> Iterator[None]:
    """Have a stop call `cancel` while the main thread waits for an answer in this context. It is called
    again and again, in another thread."""
    watch = _watch
    if watch is None:
        yield
        return
    watch.cancellations.append(cancel)
    try:
        yield
    finally:
        watch.cancellations.remove(cancel)


def answer(call: Callable[[], Any], *, is_lost: Callable[[Any], bool]) -> Any:
    """Return the answer of another process, which is awaited to its end. A stop is raised after it.

    `is_lost` says of an answer that there was none, because the other process has ended.
    """
    watch = _main_watch()
    if watch is None:
        return call()
    with watch.held_back(is_call=True):
        is_there = False
        try:
            found = call()
            is_there = not is_lost(found)
            return found
        finally:
            watch.is_cut_off |= not is_there


def _end_at_once(number: int) -> None:
    """End this process as a kill would. The next run takes the lease over, and goes on."""
    if os.isatty(2):
        with suppress(OSError):
            os.write(2, SHOW_CURSOR)
    os._exit(128 + number)


def _whatever_the_streams_do(tell: Callable[[], object]) -> None:
    """Tell that the work was stopped. The terminal, or the process that reads our output, may be gone: then
    what is left of the output goes nowhere, and the exit code stays."""
    with suppress(OSError, SystemExit):  # Rich raises SystemExit for a broken pipe
        tell()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
