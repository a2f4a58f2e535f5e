"""The command line in processes of their own, and files that no process can delete."""

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

STARTS = 180
"""Seconds that a start of the command line may take on a busy machine."""

LEASE_SECONDS = 6
"""Of the lease in tests of processes that end, so that nobody waits for a minute."""


def wait_for(path, pattern, process):
    """Until something of that name is there."""
    until = time.monotonic() + STARTS
    while time.monotonic() < until:
        if list(path.glob(pattern)):
            return
        if process.poll() is not None:
            said = process.stdout.read() if process.stdout else process.returncode
            raise AssertionError(f"it ended before {pattern}: {said}")
        time.sleep(0.02)
    raise AssertionError(f"no {pattern} came")


def is_running(pid):
    """Whether a process is more than a zombie that its new parent has not noticed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def undeletable(path):
    """Meanwhile nobody can delete the file: not even root, for whom it is made immutable."""
    if os.geteuid() == 0:
        subprocess.run(["chattr", "+i", path], check=True)
        try:
            yield
        finally:
            subprocess.run(["chattr", "-i", path], check=True)
    else:
        path.parent.chmod(0o500)
        try:
            yield
        finally:
            path.parent.chmod(0o700)
