"""Removal of metadata from JPEG: an allow-list decides which segments stay.

Entropy-coded data is copied unchanged. Hierarchical files are refused, because no common decoder
reads them. Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone

SIGNATURE = b"\xff\xd8\xff"
START, END = b"\xff\xd8", b"\xff\xd9"
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
JFIF, ICC, ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
JFIF_BYTES, ADOBE_BYTES = 14, 12

DHT, DAC, EOI, SOS, DQT, DNL, DRI = 0xC4, 0xCC, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
NAMES = (
    {DHT: "DHT", DAC: "DAC", EOI: "EOI", SOS: "SOS", DQT: "DQT", DNL: "DNL", DRI: "DRI", COM: "COM"}
    | {marker: f"SOF{marker - 0xC0}" for marker in FRAMES}
    | {APP0 + number: f"APP{number}" for number in range(16)}
)

_FILL = re.compile(rb"\xff+")
# The pattern matches one 0xFF and not a run of them, which would take quadratic time in a file of 0xFF only.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Segment(NamedTuple):
    """A segment of a JPEG file.

    `body` is its data without marker and length. `scan` is the entropy-coded data behind an SOS,
    and empty for other markers. `end` is the offset in the file where the next segment begins.
    """

    marker: int
    body: bytes
    scan: bytes
    end: int


class _CutError(Exception):
    """The file ends inside a segment, which the message names."""


@dataclass
class _JpegFacts:
    """What the segments read so far say: EXIF and XMP, whether a frame and a scan began, the size."""

    exif: list[bytes] = field(default_factory=list)
    xmp: bytes = b""
    framed: bool = False
    scanned: bool = False
    width: int = 0
    height: int = 0


def cleaned(original: bytes) -> CleanPhoto:
    """Return the JPEG with its tables, frame, scans, JFIF header, ICC profile and Adobe's APP14 alone.

    Raises NotAPhoto (MALFORMED) where the structure is broken.
    """
    seen, kept = _JpegFacts(), [START]
    for segment in _segments(original):
        _collect(segment, seen)
        if piece := _kept(segment):
            kept.append(piece)
    if not (seen.width and seen.height):
        raise malformed("the frame has no width or no height")
    orientation, taken_on = capture_facts(b"".join(seen.exif), seen.xmp)
    if orientation != UPRIGHT:
        # A JFIF header must be the first segment, so the EXIF block goes behind it.
        position = 2 if kept[1].startswith(b"\xff\xe0") else 1
        kept.insert(position, _encoded(APP1, EXIF + orientation_alone(orientation)))
    return CleanPhoto(b"".join(kept), "JPEG", seen.width, seen.height, taken_on)


def _segments(original: bytes) -> Iterator[Segment]:
    """Yield every whole segment up to EOI.

    A file that is cut off after its first scan began yields the segments that are whole. Raises
    NotAPhoto (MALFORMED) for a file that is cut off earlier.
    """
    position, scanned = len(START), False
    try:
        while True:
            segment = _segment(original, position)
            yield segment
            if segment.marker == EOI:
                return
            scanned = scanned or segment.marker == SOS
            position = segment.end
    except _CutError as cut:
        if not scanned:
            raise malformed(f"{cut} runs past the end") from None


def _segment(original: bytes, position: int) -> Segment:
    """Return the segment that begins at an offset of the file.

    Raises _CutError where the file ends inside it, and NotAPhoto where no segment begins there.
    """
    fill = _FILL.match(original, position)
    at = fill.end() if fill else position
    if at >= len(original):
        raise _CutError("the part before the first scan")
    if fill is None:
        raise malformed("garbage before a segment")
    marker = original[at]
    if marker == EOI:
        return Segment(marker, b"", b"", at + 1)
    name = NAMES.get(marker)
    if name is None:
        raise malformed(f"marker {marker:02X} has no place there")
    if at + 3 > len(original):
        raise _CutError(f"segment {name}")
    length = int.from_bytes(original[at + 1 : at + 3])
    if length < 2:
        raise malformed(f"segment {name} has no length")
    end = at + 1 + length
    if end > len(original):
        raise _CutError(f"segment {name}")
    return _with_scan(original, Segment(marker, original[at + 3 : end], b"", end))


def _with_scan(original: bytes, segment: Segment) -> Segment:
    """Return the segment; an SOS gets the scan behind it, up to the next marker or the file's end."""
    if segment.marker != SOS:
        return segment
    following = _NEXT_MARKER.search(original, segment.end)
    end = following.start() if following else len(original)
    return segment._replace(scan=original[segment.end : end], end=end)


def _collect(segment: Segment, seen: _JpegFacts) -> None:
    """Add the segment's facts to `seen`.

    Raises NotAPhoto (MALFORMED) for an impossible order of segments, and for a segment that
    contradicts its own counts.
    """
    marker, body = segment.marker, segment.body
    if not _is_consistent(segment):
        raise malformed(f"segment {NAMES[marker]} contradicts its own counts")
    if marker in FRAMES:
        if seen.framed:
            raise malformed("a second frame")
        seen.framed = True
        seen.height, seen.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    elif marker == SOS:
        if not seen.framed:
            raise malformed("a scan before any frame")
        seen.scanned = True
    elif marker == EOI and not seen.scanned:
        raise malformed("no scan before the end of the image")
    elif marker == DNL and not seen.height:
        seen.height = int.from_bytes(body)
    elif marker == APP1 and not seen.scanned and body.startswith(EXIF):
        # EXIF that is too long for one segment continues in the next ones.
        seen.exif.append(body[len(EXIF) :] if seen.exif else body)
    elif marker == APP1 and not seen.scanned and body.startswith(XMP):
        seen.xmp = body[len(XMP) :]


def _is_consistent(segment: Segment) -> bool:
    """Return whether the body is as long as its own counts say, so that nothing hides behind a table."""
    marker, body = segment.marker, segment.body
    if marker in FRAMES:
        return len(body) > 6 and len(body) == 6 + 3 * body[5]
    if marker == SOS:
        return len(body) > 4 and len(body) == 4 + 2 * body[0]
    if marker in (DRI, DNL):
        return len(body) == 2
    if marker == DAC:
        return len(body) % 2 == 0 and all(table < 32 for table in body[::2])
    if marker == DQT:
        return _table_end(body, lambda at: 129 if body[at] >> 4 else 65) == len(body)
    if marker == DHT:
        return _table_end(body, lambda at: 17 + sum(body[at + 1 : at + 17])) == len(body)
    return True


def _table_end(body: bytes, size: Callable[[int], int]) -> int:
    """Return where the last table of a body ends, which may be beyond the body.

    `size` returns the length in bytes of the table that begins at an offset.
    """
    position = 0
    while position < len(body):
        position += size(position)
    return position


def _kept(segment: Segment) -> bytes:
    """Return the bytes of the segment that are stored; they are empty for one that is removed."""
    marker, body = segment.marker, segment.body
    if marker == EOI:
        return END
    if marker == APP0:
        whole = body.startswith(JFIF) and len(body) >= JFIF_BYTES
        # The last two bytes are the width and height of a thumbnail, which is removed.
        return _encoded(APP0, body[: JFIF_BYTES - 2] + bytes(2)) if whole else b""
    if marker == APP14:
        whole = body.startswith(ADOBE) and len(body) >= ADOBE_BYTES
        return _encoded(APP14, body[:ADOBE_BYTES]) if whole else b""
    if marker == APP2:
        return _encoded(APP2, body) if body.startswith(ICC) else b""
    # The markers below APP0 are tables, frames and scans. The others from APP0 on are removed.
    return _encoded(marker, body) + segment.scan if marker < APP0 else b""


def _encoded(marker: int, body: bytes) -> bytes:
    """Return the bytes of a segment as they stand in a file: marker, length and body."""
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2) + body
