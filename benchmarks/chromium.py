"""Which browser tests and pictures open pages in, and how it keeps to itself."""

from __future__ import annotations

import shutil

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ALONE = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def found() -> str | None:
    """The first that is on this machine."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
