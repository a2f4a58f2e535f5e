"""Ranges of chunks' numbers: whether a chunk lies in one of many ranges is found without a look at each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class ChunkRanges:
    """The numbers within any of some ranges, each from its first number to its last one (inclusive). A range
    that ends before it begins has none."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(each for each in ranges if each[0] <= each[1]):
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yields the ranges of the numbers from one to another (inclusive) that are in none, in order."""
        for begins, ends in zip(self._firsts, self._lasts, strict=True):
            if first < begins and first <= last:
                yield first, min(begins - 1, last)
            first = max(first, ends + 1)
        if first <= last:
            yield first, last
