"""What an error says to people, and what logs and tables may keep of it."""

from __future__ import annotations

import errno
import os
import re
import traceback

from rich.console import Console

from cli.json_console import JsonConsole
from cli.output.sentences import say
from conf.errors import FruitLakeError, LeftBehind
from lake.path_words import EQUALS
from lake.stop_signals import Stopped

DISK_FULL = os.strerror(errno.ENOSPC)

IN_PATH = re.compile(
    rf"subject(\s|%(25)*20)*([{EQUALS}]|%(25)*3D)\s*[^\s.,;].*", re.DOTALL | re.IGNORECASE
)
"""The folder of a subject in a path, with all that follows it."""

OF_S3 = re.compile(
    r"lake\.storage\.s3_requests\.StorageFailed: (?P<ours>.+)"
    r"|(?:org\.apache\.hadoop\.fs\.s3a|software\.amazon\.awssdk)\.[\w.$]*?(?P<theirs>\w+(?:: [^\n(]+)?)"
)
"""What an error of Spark's holds where a bucket failed on a worker, or under a table."""


def exit_code(error: Exception) -> int:
    """The exit code of the command line for an error."""
    return error.exit_code if isinstance(error, FruitLakeError) else 1


def show(errors: Console, error: Exception, *, is_debugged: bool) -> None:
    """Shows an error to people, or as a JSON event. With `is_debugged`, the traceback too."""
    if isinstance(errors, JsonConsole):
        # A whole traceback ends with the message, which may hold what logs may not keep.
        raised = {"traceback": traceback.format_tb(error.__traceback__)} if is_debugged else {}
        errors.event("error", message=logged(error), exit_code=exit_code(error), **raised)
        return
    if is_debugged:
        traceback.print_exception(error)
    first = (str(error).strip() or "no message").splitlines()[0]
    sentence = str(error) if isinstance(error, FruitLakeError) else unexpected(error, message=first)
    say(errors, f"error: {sentence}")


def show_stop(errors: Console, stop: Stopped) -> None:
    """Shows that a signal stopped the command, as one sentence or one JSON event."""
    goes_on = "what was published stays, and the same command goes on from there"
    sentence = f"stopped ({stop.cause}): {goes_on}."
    if isinstance(errors, JsonConsole):
        errors.event("stopped", message=sentence, exit_code=stop.exit_code)
        return
    if errors.is_terminal:
        # The terminal has shown ^C where the cursor was, which a bar may have hidden.
        errors.show_cursor()
        errors.print()
    say(errors, sentence)


def may_be_kept(error: Exception) -> bool:
    """Whether tables and logs may keep the message. That of an error which isn't ours may hold a path or a
    value, and that of LeftBehind names files."""
    return isinstance(error, FruitLakeError) and not isinstance(error, LeftBehind)


def logged(error: Exception) -> str:
    """The message that a log may keep of an error."""
    if may_be_kept(error):
        return IN_PATH.sub("subject=… (no log has the rest)", str(error))
    if isinstance(error, LeftBehind):
        return (
            "Something of an erased subject, or an old file, is still there; the same command with "
            "--log text names it."
        )
    return unexpected(
        error, message="its message may name a person: the same with --log text says it"
    )


def unexpected(error: Exception, *, message: str) -> str:
    """The sentence for an error that isn't ours: what it is, its `message`, and that the same command goes on
    from there."""
    from lake import working_files  # a wrong word has no need of it

    goes_on = "what was published stays, and the same command goes on from there"
    if DISK_FULL in str(error):
        return (
            f"a disk is full ({DISK_FULL}): make space where the lake lies, or where Spark keeps its "
            f"working files ({working_files.place()}); {goes_on}."
        )
    if found := OF_S3.search(str(error)):
        why = (
            found["ours"] or f"S3 did not do what Spark asked for ({found['theirs'].rstrip('.: ')})"
        )
        return f"{why.rstrip('.')}; {goes_on}."
    file = working_files.log_file()
    log = f" and {file}" if file.exists() else ""
    return f"unexpected {type(error).__name__} ({message}); {goes_on}. --debug{log} may say more."
