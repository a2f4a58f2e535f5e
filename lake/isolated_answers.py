"""What an isolated process sends to its parent: answers, and the way in which it ended."""

from __future__ import annotations

import signal
import socket
import time

from lake.isolated_work import ANSWER


def received_answer(channel: socket.socket, seconds: float) -> tuple[bytes, int, str]:
    """Receive an answer: its sign, the length of what was made, and its text.

    Raises OSError, and its subclass TimeoutError where the answer isn't there in time.
    """
    until = time.monotonic() + seconds
    frame = bytearray()
    while len(frame) < ANSWER.size:
        channel.settimeout(max(until - time.monotonic(), 0.001))
        part = channel.recv(ANSWER.size - len(frame))
        if not part:
            raise ConnectionError
        frame += part
    sign, length, text_bytes, text = ANSWER.unpack(frame)
    return sign, length, text[:text_bytes].decode(errors="replace")


def death(exit_code: int) -> str:
    """Return the detail of a failure by a dead child, from its exit code."""
    cause = signal.strsignal(-exit_code) if exit_code < 0 else f"exit code {exit_code}"
    return f"its process died: {cause}"
