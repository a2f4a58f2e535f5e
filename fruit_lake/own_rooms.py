"""Finds out whether the rooms that this package uses are those that were installed beside it.

Their names (`conf`, `lake`, `gold`) are common, and Python takes the first module of a name that it finds: a
`conf.py` in the folder of somebody's notebook hides `conf` of this product.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

ROOMS = ("conf", "lake", "gold")
"""The rooms that this package imports, directly or through one another."""

HOME = Path(__file__).resolve().parents[1]
"""The folder that this package and the rooms lie in."""


def check() -> None:
    """Raise ImportError where Python finds another module under the name of a room.

    Nothing is imported for that but what has already been imported.
    """
    for room in ROOMS:
        found = _file_of(room)
        if found is None:
            raise ImportError(
                f"fruit_lake can't find the package {room}, which is installed with it into {HOME}; install "
                f"fruit-lake again."
            )
        if found.resolve() != HOME / room / "__init__.py":
            raise ImportError(
                f"fruit_lake needs its own package {room} in {HOME}, but Python finds {found} first; rename "
                f"that one, or start Python in another folder, or install fruit-lake into a virtual "
                f"environment of its own."
            )


def _file_of(module: str) -> Path | None:
    """Return the file that Python finds for a module, or the folder of one without a file; None for none."""
    try:
        spec = find_spec(module)
    except ValueError:  # the module was made by hand, and tells nothing of itself
        return Path("another module")
    if spec is None:
        return None
    folders = spec.submodule_search_locations or [""]
    return Path(spec.origin) if spec.origin else Path(next(iter(folders), ""))
