"""The bounds within which the page's server waits for clients and holds what they send."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientLimits:
    """How many clients the page's server has at one time, and how long it waits for each.

    A whole request head must come within `head_seconds` of the connection's start, or of the answer before.
    A photo on its way ends after `silent_seconds` without a byte. However slowly it comes, it is waited for:
    `photo_seconds` long, and another second for each `photo_rate` bytes, but never for more than
    `photo_seconds` from now on. By default that is 4 KB a second, less than a phone has at the edge of a
    network, so that 50 MB may take 3½ hours, and a byte now and then a minute. Whoever reads an answer must
    take `window_bytes` (or the rest) in each `window_seconds`.

    `connections` is the bound for all addresses together, and `connections_of_address` for each address but
    those of this machine: so many may have a request in work, and so many others may wait for their client.
    While photos arrive, they are `arrivals` at most, and have the memory of
    `arriving_photos` of the largest ones. Where these are too few, the slowest gives way that has been
    arriving for `grace_seconds`.
    """

    connections: int = 64
    connections_of_address: int = 16
    head_seconds: float = 5.0
    silent_seconds: float = 20.0
    photo_seconds: float = 60.0
    photo_rate: int = 4_000
    window_seconds: float = 10.0
    window_bytes: int = 80_000
    arrivals: int = 32
    arriving_photos: int = 4
    grace_seconds: float = 2.0
