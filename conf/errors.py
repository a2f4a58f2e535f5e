"""The errors that reach a user, as a tree of classes. Each has the exit code of the command line.

A message is one sentence that names the thing, what is wrong with it, and what to do.
"""

import difflib
from collections.abc import Iterable


class FruitLakeError(Exception):
    """The base of every error that this product raises on purpose."""

    exit_code = 1


class BadInput(FruitLakeError):
    """The caller named something that doesn't exist, isn't known or can't be used."""

    exit_code = 2


class BadSettings(BadInput):
    """A settings file, an environment variable or a flag holds an unknown key or a bad value."""


class Blocked(FruitLakeError):
    """A gate stopped a chunk, and nothing of it was published."""

    exit_code = 3


class Busy(FruitLakeError):
    """Another process is writing to the lake, or has taken it over from this one."""

    exit_code = 4


class Refused(FruitLakeError):
    """The request is understood, but it is not allowed here."""

    exit_code = 5


class Inconsistent(FruitLakeError):
    """The lake holds something that should not be there, or lacks something that should."""

    exit_code = 6


class LeftBehind(Inconsistent):
    """Data of an erased subject is still there.

    The message names files, and a file name may contain a person's name: it is for the screen alone.
    """


class Pending(FruitLakeError):
    """The request is under way, and can't be completed before a certain date."""

    exit_code = 7


class NearName(FruitLakeError):
    """An erasure found something under names that are spelled like the one asked for, and did nothing."""

    exit_code = 8


def hint(word: str, known: Iterable[str], *, otherwise: str, cutoff: float = 0.6) -> str:
    """Return the end of an error message: "did you mean …?" with the nearest known word.

    Returns `otherwise` where no known word is similar to `word` by `cutoff`, in [0, 1].
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else otherwise
