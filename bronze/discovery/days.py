"""Objects that lie under names which begin with their day: those of the last days are listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import ClassVar

from bronze.discovery.earlier_runs import EarlierRuns
from bronze.discovery.way import Way
from bronze.landing import Landing, LandingObject, Listing, ListingCounts
from conf import day_pattern


@dataclass(frozen=True)
class Days(Way):
    """The way of `landing.after`: a run lists the names of the days since the last run, and of so many days
    before it for objects that came late, and all names after them. In S3 the listing begins there
    (StartAfter), on a disk folders before are not entered."""

    landing: Landing
    pattern: str
    look_back: int

    def listings(self, earlier: EarlierRuns) -> Iterator[Listing]:
        """Yield the listing of the last days, or of all."""
        if earlier.since is None:
            yield self.landing
        else:
            day = earlier.since.astimezone(UTC).date() - timedelta(self.look_back)
            yield NamesFrom(self.landing, day_pattern.beginning(self.pattern, day))


@dataclass(frozen=True)
class NamesFrom:
    """The objects of a landing folder whose names, in the order of their bytes, don't come before `begin`."""

    landing: Landing
    begin: str
    is_whole: ClassVar[bool] = False

    def objects(self, counts: ListingCounts) -> Iterator[LandingObject]:
        """Yield the objects as they are found, and count what is met. Raises BadInput where there is no such
        folder, or it can't be listed."""
        self.landing.check()
        yield from self.landing.taken(self.landing.files.listing(begin=self.begin), counts)
