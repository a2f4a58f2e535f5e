"""The connections of the page's server: a silent one ends, and places belong to whoever sends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from page.client_limits import ClientLimits
from page.host_names import address
from page.refusals import refusal

NETWORK_BITS = 64
"""The bits of an IPv6 address that name its network. A client has all addresses of one, so they count as
one."""


def client_key(host: str) -> str | None:
    """Return what the connections of a client are counted by: its address, of IPv6 the network of 2^64
    addresses. It is None for this machine itself, where a proxy in front may stand for many clients."""
    found = address(host)
    if found is None or found.is_loopback:
        return None
    if isinstance(found, IPv6Address) and not found.is_link_local:
        return str(IPv6Network((found, NETWORK_BITS), strict=False))
    return str(found)


class ClientConnection(H11Protocol):
    """A connection of uvicorn's that ends where its client is silent.

    uvicorn waits for good for a request's head, for the rest of a body that it has refused, and for a client
    that doesn't read its answer. Here each of these has a time within the `limits`. Connections that wait for
    their client take no place of those with a request in work, and have a bound of their own: a new one that
    is one too many ends the one that has waited for the longest. A request that is one too many is answered
    with 503.
    """

    def __init__(self, *args: Any, limits: ClientLimits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._answering = self.app
        self._client_key: str | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._since, self._unsent = 0.0, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self._client_key = client_key(self.client[0]) if self.client else None
        self._wait()
        # In the loop's next round, after all that has come by now is read: who has sent is not silent.
        self.loop.call_later(0, self._end_silent)

    def _end_silent(self) -> None:
        """End the connection that has waited for its client for the longest, where too many wait."""
        for crowd, most in self._crowds():
            waiting = [each for each in crowd if each._alarm is not None]
            if len(waiting) > most:
                # One that is still reading an answer comes last.
                silent = min(waiting, key=lambda each: (each._unsent > 0, each._since))
                self.connections.discard(silent)  # at once: it is lost in the loop's next round
                silent._wait_no_more()  # nor does it count among all of them
                silent.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all waiting."""
        super().connection_lost(exc)
        self._wait_no_more()

    def handle_events(self) -> None:
        """Begin the requests that have come. One that is one too many is answered with a refusal."""
        before = self.cycle
        self.app = self._refusing() or self._answering
        super().handle_events()
        # Where the answers before it are not read, a request goes no further, so its client is waited for.
        if self.cycle is not before and not self.flow.write_paused:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        """Wait until the answer is read, and for the head of the next request."""
        self._wait()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for a client that does not read as fast as the answer is made."""
        super().pause_writing()
        if self._alarm is None:
            self._wait()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        if self._has_request:
            self._wait_no_more()

    @property
    def _has_request(self) -> bool:
        """Whether a request is in work, which has come at least in part and is not answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _crowds(self) -> Iterable[tuple[list[ClientConnection], int]]:
        """The connections of the same client and those of all, this one with them, and their bounds."""
        every = [each for each in self.connections if isinstance(each, ClientConnection)]
        if self._client_key is not None:
            same = [each for each in every if each._client_key == self._client_key]
            yield same, self._limits.connections_of_address
        yield every, self._limits.connections

    def _refusing(self) -> ASGIApp | None:
        """What refuses a request where others have all places; None where there is one."""
        for crowd, most in self._crowds():
            if sum(each._has_request for each in crowd if each is not self) >= most:
                return refusal(
                    503, "Too many requests are in work; try again in a second.", Retry_After="1"
                )
        return None

    def _wait(self) -> None:
        """Wait for the client: until what was written is read, or for the head of a request."""
        self._wait_no_more()
        self._unsent = self.transport.get_write_buffer_size()
        self._since = self.loop.time()
        seconds = self._limits.window_seconds if self._unsent else self._limits.head_seconds
        self._alarm = self.loop.call_later(seconds, self._be_overdue)

    def _wait_no_more(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _be_overdue(self) -> None:
        """Wait on for a client that reads; end the connection of one that doesn't, or that sent no head."""
        left = self.transport.get_write_buffer_size()
        has_read = self._unsent - left >= self._limits.window_bytes
        if self._unsent and (left == 0 or has_read):
            self._wait()
        else:
            # To close it would wait for the client to read what is left.
            self.transport.abort()
