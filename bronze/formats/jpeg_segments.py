"""The segments of a JPEG, read as libjpeg reads them: what it skips is passed over, and so is cut.

libjpeg looks for the next 0xFF that a marker's code follows. So it skips bytes between segments, such as
those that a camera's wrong length leaves over, fill bytes, and markers without data that have no place there.
Sources: ITU-T T.81, annex B; `next_marker` and `read_markers` in libjpeg's jdmarker.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bronze.formats.cleaning_results import NotAPhoto, malformed
from bronze.formats.jpeg_scans import (
    DAC,
    DHT,
    DQT,
    DRI,
    MOST_TABLES,
    RESTARTS,
    RST0,
    SOS,
    CodedPart,
    Frame,
    data_end,
    marker_from,
    next_marker,
    tables,
)

START = b"\xff\xd8"

EOI, DNL = 0xD9, 0xDC
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
NAMES = (
    {DHT: "DHT", DAC: "DAC", EOI: "EOI", SOS: "SOS", DQT: "DQT", DNL: "DNL", DRI: "DRI", COM: "COM"}
    | {marker: f"SOF{marker - 0xC0}" for marker in FRAMES}
    | {APP0 + number: f"APP{number}" for number in range(16)}
)

WITHOUT_DATA = frozenset({0x01, *range(RST0, RST0 + RESTARTS)})
"""TEM and the restart markers, which mean nothing between segments."""

SKIPPED = frozenset({DNL, COM, *range(APP0, APP0 + 16)})
"""The segments that decoders skip by their length, whatever it is: one below 2 counts as 2."""


class Segment(NamedTuple):
    """A segment of a JPEG file.

    `body` is its data without marker and length. `scan` is the entropy-coded data behind an SOS,
    and empty for other markers. `end` is the offset in the file where the next segment is looked for.
    """

    marker: int
    body: bytes
    scan: bytes
    end: int


class _CutError(Exception):
    """The file ends inside a segment, which the message names."""


def segments(original: bytes) -> Iterator[Segment]:
    """Yield every whole segment up to EOI, and EOI itself where it lacks behind a whole image.

    An image is whole where its scans code everything and a marker ends the last one: whatever comes then
    is no part of it. A file that is cut off behind the beginning of its first scan, and isn't whole, yields
    the segments before and no EOI, as it came.

    Raises NotAPhoto (MALFORMED) for a file that is cut off before its first scan, and for one that isn't
    whole and has a segment that contradicts its own counts, a marker that no decoder expects, or scans
    and frames in an impossible order.
    """
    position, interval, ended = len(START), 0, False
    frame: Frame | None = None
    coded: CodedPart | None = None
    try:
        while True:
            segment = _segment(original, position)
            if not _is_consistent(segment, frame):
                raise malformed(f"segment {NAMES[segment.marker]} contradicts its own counts")
            if segment.marker in FRAMES:
                if frame:
                    raise malformed("a second frame")
                frame = Frame.of(segment.marker, segment.body)
            elif segment.marker == DRI:
                interval = int.from_bytes(segment.body)
            elif segment.marker == SOS:
                if not frame:
                    raise malformed("a scan before any frame")
                start, restarts = segment.end, frame.restarts(segment.body, interval)
                segment = _with_scan(original, segment, restarts)
                coded = coded or CodedPart(frame)
                if not coded.is_whole:
                    ended = start + len(segment.scan) < len(original)
                coded.add(segment.body)
            yield segment
            if segment.marker == EOI:
                return
            position = segment.end
    except (_CutError, NotAPhoto) as broken:
        if isinstance(broken, NotAPhoto) and not (coded and coded.is_whole):
            raise
        if not coded:
            raise malformed(f"{broken} runs past the end") from None
    if coded.is_whole and ended:
        yield Segment(EOI, b"", b"", len(original))


def _segment(original: bytes, position: int) -> Segment:
    """Return the first segment that begins at an offset of the file or behind it.

    Raises _CutError where the file ends before it does, and NotAPhoto for a marker that no decoder knows.
    """
    at = marker_from(original, position) + 1
    while at < len(original) and original[at] in WITHOUT_DATA:
        at = marker_from(original, at + 1) + 1
    if at >= len(original):
        raise _CutError("the part before the first scan")
    marker = original[at]
    if marker == EOI:
        return Segment(marker, b"", b"", at + 1)
    name = NAMES.get(marker)
    if name is None:
        raise malformed(f"marker {marker:02X} has no place there")
    if at + 3 > len(original):
        raise _CutError(f"segment {name}")
    length = int.from_bytes(original[at + 1 : at + 3])
    if length < 2 and marker not in SKIPPED:
        raise malformed(f"segment {name} has no length")
    end = at + 1 + max(length, 2)
    if end > len(original):
        raise _CutError(f"segment {name}")
    return Segment(marker, original[at + 3 : end], b"", end)


def _with_scan(original: bytes, segment: Segment, restarts: int | None) -> Segment:
    """Return the SOS segment with the data of its scan, which has so many restart markers."""
    start, end = segment.end, data_end(original, segment.end, restarts)
    # In front of a marker any number of bytes of 0xFF may stand, which mean nothing.
    scan = original[start:end].rstrip(b"\xff") if end < len(original) else original[start:]
    return segment._replace(scan=scan, end=next_marker(original, end))


def _is_consistent(segment: Segment, frame: Frame | None) -> bool:
    """Return whether the body is as long as its own counts say, so that nothing hides behind a table.

    A DNL is read only where the frame tells no height.
    """
    marker, body = segment.marker, segment.body
    if marker in FRAMES:
        return len(body) > 6 and len(body) == 6 + 3 * body[5]
    if marker == SOS:
        return len(body) > 4 and len(body) == 4 + 2 * body[0]
    if marker == DRI or (marker == DNL and frame and not frame.height):
        return len(body) == 2
    if marker in (DQT, DHT, DAC):
        found = tables(marker, body)
        whole = not body or (len(found) <= MOST_TABLES and found[-1][1] == len(body))
        return whole and (marker != DAC or max(body[::2], default=0) < 32)
    return True
