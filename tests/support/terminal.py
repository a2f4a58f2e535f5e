"""A terminal without a person: what the command line shows on one of a width, and what it pipes."""

from __future__ import annotations

import fcntl
import io
import os
import struct
import sys
import termios
import threading
from collections.abc import Sequence

import pyte
import pytest

import run

LINES = 2_000
"""The lines that are kept; nothing scrolls out of sight."""

CONTROL = {*map(chr, range(32)), "\x7f"} - {"\n"}
"""The control characters that a file of a program's output must not hold."""


def on_terminal(words: Sequence[str], *, width: int) -> tuple[int, str]:
    """Runs a command line on a terminal of that width: its exit code, and the screen when it has ended.

    Both streams are the terminal, as a shell starts a program.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, width, 0, 0))
    screen = pyte.Screen(width, LINES)
    stream = pyte.ByteStream(screen)

    def draw() -> None:
        # Linux answers the end of a pseudo-terminal with an error.
        try:
            while drawn := os.read(ours, 65_536):
                stream.feed(drawn)
        except OSError:
            pass

    reader = threading.Thread(target=draw)
    reader.start()
    with open(theirs, "w", buffering=1) as terminal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        for name, value in (("COLUMNS", width), ("LINES", 50), ("TERM", "xterm-256color")):
            patch.setenv(name, str(value))
        code = run.main(list(words))
    reader.join()
    os.close(ours)
    return code, "\n".join(line.rstrip() for line in screen.display).rstrip()


def piped(words: Sequence[str]) -> tuple[int, str, str]:
    """Runs a command line whose output goes into files: its exit code, and what stands in both."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        patch.delenv("COLUMNS", raising=False)
        code = run.main(list(words))
    return code, out.getvalue(), err.getvalue()
