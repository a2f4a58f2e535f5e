"""The bounds within which the page's server waits for clients and holds what they send."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientLimits:
    """How many clients the page's server has at one time, and how long it waits for each.

    A whole request head must come within `head_seconds` of the connection's start, or of the answer before.
    Whoever sends a photo or reads an answer must move `window_bytes` (or the rest) in each `window_seconds`:
    8 KB a second by default, the rate of a slow mobile line, so that 50 MB may take 1¾ hours, and silence 10
    seconds.

    `connections` is the bound for all addresses together, and `connections_of_address` for each address but
    those of this machine: so many may have a request in work, and so many others may wait for their client.
    While photos arrive, they are `arrivals` at most, and have the memory of
    `arriving_photos` of the largest ones. Where these are too few, the slowest gives way that has been
    arriving for `grace_seconds`.
    """

    connections: int = 64
    connections_of_address: int = 16
    head_seconds: float = 5.0
    window_seconds: float = 10.0
    window_bytes: int = 80_000
    arrivals: int = 32
    arriving_photos: int = 4
    grace_seconds: float = 2.0
