"""Where the scans of a JPEG end, and what they refer to: components, tables, restart intervals.

A decoder never reads a table that no scan refers to before it is defined anew, and no data behind
the last restart interval of a scan. Source: ITU-T T.81, annexes A and B.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

DHT, DAC, SOS, DQT, DRI = 0xC4, 0xCC, 0xDA, 0xDB, 0xDD
SIZES: dict[int, Callable[[bytes, int], int]] = {
    DQT: lambda body, at: 129 if body[at] >> 4 else 65,
    DHT: lambda body, at: 17 + sum(body[at + 1 : at + 17]),
    DAC: lambda body, at: 2,
    DRI: lambda body, at: 2,
}
"""The length in bytes of the table that begins at an offset of a segment's body."""

MOST_TABLES = 256
"""The most tables of one segment. There are 32 that a scan can refer to; a file of 50 MB of others would take
most of a minute."""

PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
ARITHMETIC = 0xC9
"""The first marker of frames with arithmetic coding."""

BLOCK = 8
"""The side of a block in samples."""


RST0, RESTARTS = 0xD0, 8
"""The first restart marker, and how many there are: they follow one another in circles."""

# The patterns match one 0xFF and not a run of them, which would take quadratic time in a file of 0xFF only.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_NO_RESTART = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Component(NamedTuple):
    """A component of a frame: its sampling factors, and the number of its quantization table."""

    across: int
    down: int
    quantization: int


@dataclass(frozen=True)
class Frame:
    """The frame of a JPEG: its marker, its size in pixels, and its components by their ids.

    `is_regular` says that no two components have the same id. Decoders read also frames of which
    two have, each in its own way, so nothing is concluded from such a frame.
    """

    marker: int
    width: int
    height: int
    components: dict[int, Component]
    is_regular: bool

    @classmethod
    def of(cls, marker: int, body: bytes) -> Frame:
        """Return the frame in the body of an SOF segment."""
        entries = (body[at : at + 3] for at in range(6, len(body), 3))
        components = {one: Component(f >> 4, f & 15, table & 15) for one, f, table in entries}
        size = int.from_bytes(body[3:5]), int.from_bytes(body[1:3])
        return cls(marker, *size, components, is_regular=len(components) == body[5])

    def holds_one_scan(self, scan: bytes) -> bool:
        """Return whether the scan with that header is all of the image, so that no other may follow."""
        whole = self.is_regular and scan[0] == len(self.components)
        return whole and self.marker not in PROGRESSIVE

    def restarts(self, scan: bytes, interval: int) -> int | None:
        """Return the number of restart markers in the scan with that header.

        `interval` counts minimum coded units, and is 0 where there are no restarts. Returns None
        where the frame doesn't tell.
        """
        if not interval:
            return 0
        parts = [self.components.get(scan[at]) for at in range(1, 1 + 2 * scan[0], 2)]
        across = max(component.across for component in self.components.values())
        down = max(component.down for component in self.components.values())
        if not (self.is_regular and all(parts) and self.width and self.height and across and down):
            return None
        width, height, unit = self.width, self.height, 1 if self.marker in LOSSLESS else BLOCK
        if len(parts) == 1 and parts[0] is not None:
            width, height = (
                -(-width * parts[0].across // across),
                -(-height * parts[0].down // down),
            )
            across = down = 1
        units = -(-width // (unit * across)) * -(-height // (unit * down))
        return max(0, -(-units // interval) - 1)


class CodedPart:
    """The part of an image that its scans have coded so far."""

    def __init__(self, frame: Frame) -> None:
        """Begin with nothing of the frame's components."""
        self._is_regular = frame.is_regular
        self._is_progressive = frame.marker in PROGRESSIVE
        count = BLOCK * BLOCK if self._is_progressive else 1
        self._lacking = {one: set(range(count)) for one in frame.components}

    @property
    def is_whole(self) -> bool:
        """Whether each coefficient of each component is coded to its last bit."""
        return self._is_regular and not any(self._lacking.values())

    def add(self, scan: bytes) -> None:
        """Add the scan with that header."""
        first, last, lowest = scan[-3], scan[-2], scan[-1] & 15
        for one in scan[1 : 1 + 2 * scan[0] : 2]:
            if one in self._lacking and not self._is_progressive:
                self._lacking[one].clear()
            elif one in self._lacking and lowest == 0:
                self._lacking[one].difference_update(range(first, last + 1))


class CodingTable(NamedTuple):
    """The place of a table: the number of its segment, and where it stands in the segment's body."""

    segment: int
    start: int
    end: int


def tables(marker: int, body: bytes) -> list[tuple[int, int]]:
    """Return (start, end) of each table in a body. The last may end beyond the body, if it is cut."""
    found, start = [], 0
    while start < len(body):
        end = start + SIZES[marker](body, start)
        found.append((start, end))
        start = end
    return found


def used_tables(segments: list[tuple[int, bytes]], frame: Frame) -> set[CodingTable]:
    """Return the tables that a scan refers to, of segments given as (marker, body) in their order.

    Of a frame that isn't regular these are all tables.
    """
    in_force = dict[tuple[int, int], CodingTable]()
    quantized, used = set[int](), set[CodingTable]()
    for number, (marker, body) in enumerate(segments):
        if marker in SIZES:
            for start, end in tables(marker, body):
                table = CodingTable(number, start, end)
                in_force[marker, _slot(marker, body, start)] = table
                used.update(() if frame.is_regular else [table])
        elif marker == SOS:
            wanted = _referred(body, frame, quantized)
            used.update(in_force[slot] for slot in wanted if slot in in_force)
    return used


def _slot(marker: int, body: bytes, start: int) -> int:
    """Return the number under which a table is referred to: for Huffman, with its class in bit 4."""
    if marker == DRI:
        return 0
    return body[start] & 15 if marker == DQT else body[start]


def _referred(scan: bytes, frame: Frame, quantized: set[int]) -> list[tuple[int, int]]:
    """Return the (marker, number) of each table that a scan refers to.

    A component keeps the quantization table of its first scan: `quantized` are the ids of those
    that have one, and the scan adds its own.
    """
    wanted = [(DRI, 0)]
    first, last = scan[-3], scan[-2]
    progressive, coding = frame.marker in PROGRESSIVE, DAC if frame.marker >= ARITHMETIC else DHT
    for at in range(1, 1 + 2 * scan[0], 2):
        one, selectors = scan[at], scan[at + 1]
        if one in frame.components and one not in quantized:
            quantized.add(one)
            wanted.append((DQT, frame.components[one].quantization))
        if not (progressive and first):
            wanted.append((coding, selectors >> 4))
        if not progressive or last:
            wanted.append((coding, 16 | selectors & 15))
    return wanted


def data_end(original: bytes, start: int, restarts: int | None) -> int:
    """Return where the entropy-coded data end that begin at `start`.

    They end at the first marker but the `restarts` that belong to them. Where that number is unknown,
    or the markers are out of order, all restart markers count as data, because decoders then differ.
    """
    for passed, found in enumerate(_MARKER.finditer(original, start)):
        number = original[found.start() + 1] - RST0
        if not 0 <= number < RESTARTS or passed == restarts:
            return found.start()
        if restarts is None or number != passed % RESTARTS:
            return next_marker(original, found.start())
    return len(original)


def marker_from(original: bytes, start: int) -> int:
    """Return where the first marker begins, from `start` on; or the file's end."""
    found = _MARKER.search(original, start)
    return found.start() if found else len(original)


def next_marker(original: bytes, start: int) -> int:
    """Return where the first marker begins, from `start` on, that isn't a restart; or the file's end."""
    found = _NO_RESTART.search(original, start)
    return found.start() if found else len(original)
