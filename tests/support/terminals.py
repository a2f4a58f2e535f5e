"""A command in a pseudo-terminal of its own, as somebody at a keyboard has it."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import threading

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A pseudo-terminal, and the process that was started in it with all that it starts."""

    def __init__(self, command, **options):
        self._keyboard, inside = pty.openpty()
        self._printed = b""
        self.process = subprocess.Popen(
            command,
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            preexec_fn=_take_the_terminal,
            **options,
        )
        os.close(inside)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def press_ctrl_c(self):
        """The terminal sends SIGINT to every process of the group, Java among them."""
        os.write(self._keyboard, b"\x03")

    def send(self, number):
        """A signal to the whole group."""
        os.killpg(self.process.pid, number)

    def ended(self, *, within):
        """The exit code, and what the screen has shown, without what moves the cursor or colours it."""
        code = self.process.wait(within)
        self._reader.join(within)
        return code, ESCAPES.sub("", self._printed.decode())

    @property
    def raw(self):
        """What the screen has got so far, every byte of it."""
        return self._printed

    def _read(self):
        with contextlib.suppress(OSError):  # nobody has the terminal open any more
            while part := os.read(self._keyboard, 1 << 16):
                self._printed += part

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._keyboard)


def _take_the_terminal():
    """In the new process: its standard input becomes the terminal that controls it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A shell has Ctrl-C ignored by what it runs in the background, as this suite may be.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def terminal(command, **options):
    """A terminal in which the command runs; both end with the context."""
    made = Terminal(command, **options)
    try:
        yield made
    finally:
        made.close()
