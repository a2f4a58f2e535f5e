"""Objects that events in their bucket name: each is looked at, and its messages are deleted afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from bronze.discovery.earlier_runs import EarlierRuns
from bronze.discovery.event_queue import HIDDEN_SECONDS, EventQueue, Message
from bronze.discovery.way import Way
from bronze.landing import Landing, LandingObject, Listing, ListingCounts
from lake import fault_points
from lake.run_journal import LayerRun
from lake.storage.addresses import bucket_and_prefix
from lake.storage.s3_folder import S3Folder

MOST = 100_000
"""The messages that a run receives before it takes in what they name. A queue gives out no more than 120,000
that aren't deleted."""

LOOKS, AHEAD = 16, 1_000
"""The number of objects that a run looks for at once, and of those whose answers may wait for it."""


class Events(Way):
    """The way of `landing.queue`: a run looks at the objects that the messages of a queue name, and deletes
    these when all that was new is committed. A run that is killed leaves them, and they come again.

    A message that nobody can read stays in the queue. Notes tell of these, of objects that lie elsewhere, and
    of messages that could not be deleted.
    """

    def __init__(self, landing: Landing, queue: EventQueue, did: LayerRun) -> None:
        self._landing = landing
        self._queue = queue
        self._did = did
        self._unreadable: set[str] = set()
        self._elsewhere = 0

    def remembers(self) -> timedelta:
        """Return how long the queue keeps messages, but for the time that they may be hidden."""
        return self._queue.retention() - timedelta(seconds=HIDDEN_SECONDS)

    def listings(self, earlier: EarlierRuns) -> Iterator[Listing]:
        """Yield what the messages name, so many of them at a time: until none is left that was sent before.
        Where a listing of all is due, there is nothing else.

        So messages are deleted only after a run of the same rule has ended well. Otherwise those of another
        rule, by which they tell nothing, would be lost where this run dies.
        """
        if earlier.since is None:
            yield self._landing
            return
        began_ms = int(time.time() * 1_000)
        undeleted, is_left, has_listed = 0, True, False
        while is_left and not undeleted:
            messages = self._queue.receive(MOST)
            readable = [each for each in messages if each.objects is not None]
            unreadable = {each.message_id for each in messages if each.objects is None}
            is_left = any(each.sent_ms < began_ms for each in readable)
            is_left |= not unreadable <= self._unreadable
            self._unreadable |= unreadable
            if readable or not has_listed:
                yield NamedObjects(self._landing, self._names(readable))
                has_listed = True
            fault_points.at("bronze: what events name is committed")
            undeleted = self._queue.delete(readable)
        self._note(undeleted)

    def _names(self, messages: Sequence[Message]) -> list[str]:
        """Return the names of the objects of the landing folder that messages name, each once."""
        bucket, prefix = bucket_and_prefix(self._landing.root, may_be_bucket=True)
        under = f"{prefix}/" if prefix else ""
        named = {each for message in messages for each in message.objects or ()}
        here = [key for of, key in named if of == bucket and key.startswith(under)]
        self._elsewhere += len(named) - len(here)
        return sorted(key.removeprefix(under) for key in here)

    def _note(self, undeleted: int) -> None:
        notes, arn = self._did.notes, self._queue.arn
        if self._unreadable:
            notes.append(
                f"{len(self._unreadable):,} messages in the queue {arn} can't be read as events of a bucket, "
                f"and stay there: see who sends them, and give the queue a dead-letter queue for them."
            )
        if self._elsewhere:
            notes.append(
                f"{self._elsewhere:,} objects that messages named lie outside the landing folder "
                f"{self._landing.root}: give it a queue of its own, with its prefix as a filter."
            )
        if undeleted:
            notes.append(
                f"{undeleted:,} messages could not be deleted from the queue {arn}: grant sqs:DeleteMessage, "
                f"if it isn't that what they name took more than an hour. They come again, and nothing is "
                f"taken in twice."
            )


@dataclass(frozen=True)
class NamedObjects:
    """The objects of a landing folder in S3 that have some names, as they are now. Those that are gone are
    left out."""

    landing: Landing
    names: Sequence[str]
    is_whole: ClassVar[bool] = False

    def objects(self, counts: ListingCounts) -> Iterator[LandingObject]:
        """Yield the objects, and count what is met. Raises StorageFailed where the bucket doesn't answer."""
        files = self.landing.files
        assert isinstance(files, S3Folder)
        with ThreadPoolExecutor(LOOKS) as pool:
            for begin in range(0, len(self.names), AHEAD):
                some = self.names[begin : begin + AHEAD]
                found = (each for each in pool.map(files.look_up, some) if each)
                yield from self.landing.taken(found, counts)
