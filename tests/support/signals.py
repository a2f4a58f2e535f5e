"""Signals as a terminal has them, whatever started the suite."""

import signal
from contextlib import contextmanager


@contextmanager
def as_in_a_terminal():
    """A shell has Ctrl-C ignored by what it runs in the background, and nohup the end of the terminal: so
    would the tests."""
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
