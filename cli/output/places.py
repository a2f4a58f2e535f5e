"""Where a file lies that a command wrote: its whole address, which a terminal that can makes a link."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from lake.storage.addresses import is_s3


def show(console: Console, what: str, address: str, more: str = "") -> None:
    """Print what lies where: a path from the root of the disk, or an address in S3."""
    place = whole(address)
    link = None if is_s3(place) else Path(place).as_uri()
    text = Text(f"{what}: ").append(place, Style(link=link) if link else None).append(more)
    console.print(text.plain if not console.is_terminal else text, markup=False, soft_wrap=True)


def whole(address: str) -> str:
    """Return the path from the root of the disk, or an address in S3 as it is."""
    return address if is_s3(address) else str(Path(address).resolve())
