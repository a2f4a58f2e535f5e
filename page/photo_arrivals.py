"""The photos that are on their way to the page's server: silence ends one, and their memory is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from lake.photo_formats import MEDIA_TYPES, OTHER_TYPES
from page.client_limits import ClientLimits

PHOTO_TYPES = (*MEDIA_TYPES, *OTHER_TYPES)
"""The content types under which a photo may be sent, as patterns. Its bytes alone say which format it has. A
browser sends none of them for a page of another site without asking this server first, which does not allow
it."""


class PhotoArrival:
    """The bytes of a photo that have arrived, and the time by which more of them must be there."""

    def __init__(self, alarm: asyncio.Timeout, limits: ClientLimits) -> None:
        self.content = bytearray()
        self.is_ended = False
        self._alarm, self._limits = alarm, limits
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._last = self._began + limits.photo_seconds
        self._wait()

    @property
    def seconds(self) -> float:
        """The seconds since it began."""
        return self._loop.time() - self._began

    @property
    def rate(self) -> float:
        """The bytes that have arrived a second."""
        return len(self.content) / max(self.seconds, 1e-3)

    @property
    def is_overdue(self) -> bool:
        """Whether its bytes have come too slowly, and not only stopped."""
        return self._loop.time() >= self._last

    def add(self, part: bytes) -> None:
        """Add bytes that have arrived, and the time that they are worth."""
        self.content += part
        if part and not self.is_ended:
            limits, now = self._limits, self._loop.time()
            # What came fast before is no reason to wait for longer now.
            self._last = min(self._last + len(part) / limits.photo_rate, now + limits.photo_seconds)
            self._wait()

    def end(self) -> None:
        """End it now, because its place goes to another."""
        self.is_ended = True
        self._alarm.reschedule(self._loop.time())

    def _wait(self) -> None:
        """Wait for the next bytes: neither for long in silence, nor for good on a few now and then."""
        silent = self._loop.time() + self._limits.silent_seconds
        self._alarm.reschedule(min(silent, self._last))


class PhotoArrivals:
    """All photos on their way, each of at most `max_bytes`."""

    def __init__(self, limits: ClientLimits, *, max_bytes: int) -> None:
        self._limits, self._max_bytes = limits, max_bytes
        self._all: set[PhotoArrival] = set()

    async def receive(self, request: Request) -> bytes:
        """Receive the bytes of a photo.

        Raises HTTPException 400 (the connection ended early), 408 (silent, or too slow), 413 (too large),
        415 (not sent as a photo) and 503 (others are faster, and there is no room for all).
        """
        self._check_head(request)
        arrival = None
        try:
            async with asyncio.timeout(None) as alarm:
                with self._held(PhotoArrival(alarm, self._limits)) as arrival:
                    async for part in request.stream():
                        if len(arrival.content) + len(part) > self._max_bytes:
                            raise self._too_large()
                        self._make_room(arrival, len(part))
                        arrival.add(part)
        except TimeoutError:
            raise self._given_up(arrival) from None
        except ClientDisconnect:
            raise HTTPException(
                400, "The photo did not arrive as a whole; send it again."
            ) from None
        return bytes(arrival.content)

    def _check_head(self, request: Request) -> None:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not any(fnmatchcase(kind, photo_type) for photo_type in PHOTO_TYPES):
            raise HTTPException(
                415,
                "Send the bytes of a photo alone, with the Content-Type of a picture, such as image/jpeg, "
                "or application/octet-stream.",
            )
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise self._too_large()

    @contextmanager
    def _held(self, arrival: PhotoArrival) -> Iterator[PhotoArrival]:
        if len(self._all) >= self._limits.arrivals:
            self._end_slowest(besides=arrival)
        self._all.add(arrival)
        try:
            yield arrival
        finally:
            self._all.discard(arrival)

    def _make_room(self, arrival: PhotoArrival, size: int) -> None:
        """See to it that there is memory for more bytes of a photo. Raises HTTPException 503."""
        most = self._max_bytes * self._limits.arriving_photos
        while sum(len(each.content) for each in self._all) + size > most:
            self._end_slowest(besides=arrival)

    def _end_slowest(self, *, besides: PhotoArrival) -> None:
        """End the slowest of the other photos. Raises HTTPException 503 where none of them has been arriving
        for long enough to tell."""
        others = [
            each
            for each in self._all
            if each is not besides and each.seconds >= self._limits.grace_seconds
        ]
        if not others:
            raise self._full()
        slowest = min(others, key=lambda each: each.rate)
        self._all.discard(slowest)  # at once: its task ends only in the loop's next round
        slowest.end()

    def _given_up(self, arrival: PhotoArrival | None) -> HTTPException:
        if arrival is not None and arrival.is_ended:
            return self._full()
        if arrival is not None and arrival.is_overdue:
            what = f"came too slowly, with less than {self._limits.photo_rate:,} bytes a second"
        else:
            what = f"stopped coming for {self._limits.silent_seconds:g} seconds"
        return HTTPException(408, f"The photo {what}; send it again.")

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"A photo may have {self._max_bytes:,} bytes at most; send a smaller one."
        )

    def _full(self) -> HTTPException:
        return HTTPException(
            503,
            "Too many photos arrive at once, and this is one of the slowest; try again in a second.",
            {"Retry-After": "1"},
        )
