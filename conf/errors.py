"""The errors that reach a user, drawn as a tree. Each carries the exit code of the command line.

A message is one sentence that names the thing, what is wrong with it, and what to do.
"""

import difflib
from collections.abc import Iterable


class FruitLakeError(Exception):
    """Anything this product raises on purpose."""

    exit_code = 1


class BadInput(FruitLakeError):
    """The caller named something that isn't there, isn't known or can't be used."""

    exit_code = 2


class BadSettings(BadInput):
    """A settings file, an environment variable or a flag holds an unknown key or a bad value."""


class Blocked(FruitLakeError):
    """A gate stopped a chunk; nothing of it was published."""

    exit_code = 3


class Busy(FruitLakeError):
    """Another process writes to the lake, or has taken it over from this one."""

    exit_code = 4


class Refused(FruitLakeError):
    """What was asked is understood and not allowed here."""

    exit_code = 5


class Inconsistent(FruitLakeError):
    """The lake holds something that should not be there, or lacks something that should."""

    exit_code = 6


class LeftBehind(Inconsistent):
    """Something of an erased subject is still there. The message names files, and so perhaps a person: it is
    for the screen alone."""


class Pending(FruitLakeError):
    """What was asked is under way, and can't be done before a date."""

    exit_code = 7


def hint(word: str, known: Iterable[str], *, otherwise: str, cutoff: float = 0.6) -> str:
    """The end of a refusal: the known word nearest to an unknown one, or `otherwise`."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else otherwise
