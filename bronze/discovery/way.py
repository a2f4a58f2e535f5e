"""What each way to find new objects has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta

from bronze.discovery.earlier_runs import EarlierRuns
from bronze.landing import Listing


class Way(ABC):
    """A way to find new objects without a listing of the whole landing folder in each run."""

    def remembers(self) -> timedelta:
        """Return for how long after a whole listing this way still finds everything. Raises BadInput where
        what the way needs isn't there."""
        return timedelta.max

    @abstractmethod
    def listings(self, earlier: EarlierRuns) -> Iterator[Listing]:
        """Yield what a run has to look at, one part after the other.

        Whoever asks for the next one, or for the end, has committed all that was new in those before. Raises
        BadInput where what the way needs isn't there.
        """
