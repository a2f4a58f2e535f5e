"""The files that a process keeps on this machine while it works: Spark's, a model that is converted, a log.

They may hold photos and names. They lie in one place, under names with the number of the process and the time
when it was started: so the files of a killed process are known, though another one may have its number now.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from conf.errors import BadInput
from lake.lease import start_time

PREFIX = "fruit-lake-spark-"
"""The first part of the names. The number of the process, a hyphen and its time follow."""

_named: list[str] = []


def use(place: str) -> None:
    """Have this process keep its working files in a local folder, which is made where there is none; with an
    empty text, where the system keeps temporary files. Raises BadInput where the folder can't be made."""
    _named[:] = [place] if place else []
    if place:
        try:
            Path(place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"paths.working: the folder {place} can't be made ({error.strerror}); name another one."
            ) from None


def place() -> Path:
    """Return the folder in which the working files of all processes lie."""
    return Path(_named[0] if _named else tempfile.gettempdir()).absolute()


def own_folder() -> Path:
    """Return the folder where this process' Spark keeps broadcasts, and data that doesn't fit into memory; a
    model that is being converted lies there too.

    It is removed with the session. On a cluster, the cluster's manager names another folder.
    """
    return place() / _own_name()


def log_file() -> Path:
    """Return the file for the output of this process' Java and Python workers, kept off the terminal."""
    return place() / f"{_own_name()}.log"


def left_behind() -> list[Path]:
    """Return the logs and folders that killed processes of this user left in the place of working files.

    Earlier code left the time of the process out of the names. Its files are those of a living process where
    one has the number. Raises OSError where the place can't be listed.
    """
    found = []
    for name in os.listdir(place()):
        path = place() / name
        pid, _, time = name.removeprefix(PREFIX).removesuffix(".log").partition("-")
        with contextlib.suppress(FileNotFoundError):
            is_own = name.startswith(PREFIX) and path.lstat().st_uid == os.getuid()
            if is_own and pid.isdecimal() and not _lives(int(pid), time):
                found.append(path)
    return sorted(found)


def sweep() -> list[Path]:
    """Remove the logs and folders that killed processes left; return those that could not be removed, or the
    place where it can't be listed."""
    try:
        for path in left_behind():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        return left_behind()
    except OSError:
        return [place()]


def _own_name() -> str:
    return f"{PREFIX}{os.getpid()}-{start_time(os.getpid())}"


def _lives(pid: int, time: str) -> bool:
    """Whether a process lives that has that number, and was started at that time, if there is one."""
    now = start_time(pid)
    return bool(now) and now == (time or now)
