"""Removal of metadata from JPEG: an allow-list decides which segments stay.

Entropy-coded data is copied unchanged, up to the first marker that a decoder doesn't expect there.
Where data end that no marker ends, only a decoder can tell: bytes between the last block of a scan
and the marker behind it stay. Hierarchical files are refused, because no common decoder reads them.
Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, counted, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone
from bronze.formats.icc_profiles import rebuilt
from bronze.formats.jpeg_scans import (
    DAC,
    DHT,
    DQT,
    DRI,
    MOST_TABLES,
    SIZES,
    SOS,
    Frame,
    data_end,
    next_marker,
    tables,
    used_tables,
)

SIGNATURE = b"\xff\xd8\xff"
START, END = b"\xff\xd8", b"\xff\xd9"
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
JFIF, ICC, ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
JFIF_BYTES, ADOBE_BYTES = 14, 12
ADOBE_ALONE = ADOBE + b"\0\x64" + bytes(4)
"""Adobe's segment up to its last byte, which alone says what the colours are: version 100, no flags."""

PROFILE_PART = 65_519
"""The most bytes of a colour profile in one segment."""

EOI, DNL = 0xD9, 0xDC
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
NAMES = (
    {DHT: "DHT", DAC: "DAC", EOI: "EOI", SOS: "SOS", DQT: "DQT", DNL: "DNL", DRI: "DRI", COM: "COM"}
    | {marker: f"SOF{marker - 0xC0}" for marker in FRAMES}
    | {APP0 + number: f"APP{number}" for number in range(16)}
)

_FILL = re.compile(rb"\xff+")


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
    """What the segments read so far say.

    `kept` are the segments that stay, and `profile` are the parts of the colour profile. `headed`
    says that a JFIF header stays, `scanned` that a scan began, and `complete` that no other scan can
    belong to the image.
    """

    kept: list[Segment] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    xmp: bytes = b""
    profile: list[bytes] = field(default_factory=list)
    frame: Frame | None = None
    headed: bool = False
    scanned: bool = False
    complete: bool = False
    height: int = 0


def cleaned(original: bytes) -> CleanPhoto:
    """Return the JPEG with its tables, frame, scans, JFIF header, colour profile and APP14 alone.

    Raises NotAPhoto (MALFORMED) where the structure is broken.
    """
    seen = _JpegFacts()
    for segment in counted(_segments(original), "segments"):
        if _stays(segment, seen):
            seen.kept.append(segment)
            seen.headed = seen.headed or segment.marker == APP0
        _collect(segment, seen)
    if not (seen.frame and seen.frame.width and seen.height):
        raise malformed("the frame has no width or no height")
    orientation, days = capture_facts(b"".join(seen.exif), seen.xmp)
    stored = _stored(seen.kept, seen.frame, _profile(seen.profile))
    if orientation != UPRIGHT:
        # A JFIF header must be the first segment, so the EXIF block goes behind it.
        position = 2 if stored[1].startswith(b"\xff\xe0") else 1
        stored.insert(position, _encoded(APP1, EXIF + orientation_alone(orientation)))
    return CleanPhoto(b"".join(stored), "JPEG", seen.frame.width, seen.height, days)


def _segments(original: bytes) -> Iterator[Segment]:
    """Yield every whole segment up to EOI.

    A file that is cut off after its first scan began yields the segments that are whole, and EOI where
    its only scan ended at a marker: decoders read the rows that lack as grey then, without an error. Raises
    NotAPhoto (MALFORMED) for a file that is cut off earlier, and for a segment that contradicts its
    own counts.
    """
    position, scanned, ended, interval = len(START), False, False, 0
    frame: Frame | None = None
    try:
        while True:
            segment = _segment(original, position)
            if not _is_consistent(segment):
                raise malformed(f"segment {NAMES[segment.marker]} contradicts its own counts")
            if segment.marker in FRAMES:
                frame = Frame.of(segment.marker, segment.body)
            elif segment.marker == DRI:
                interval = int.from_bytes(segment.body)
            elif segment.marker == SOS:
                restarts = frame.restarts(segment.body, interval) if frame else None
                start, whole = segment.end, frame and frame.holds_one_scan(segment.body)
                segment = _with_scan(original, segment, restarts)
                ended = ended or bool(
                    whole and not scanned and start + len(segment.scan) < len(original)
                )
                scanned = True
            yield segment
            if segment.marker == EOI:
                return
            position = segment.end
    except _CutError as cut:
        if not scanned:
            raise malformed(f"{cut} runs past the end") from None
    if ended:
        yield Segment(EOI, b"", b"", len(original))


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
    return Segment(marker, original[at + 3 : end], b"", end)


def _with_scan(original: bytes, segment: Segment, restarts: int | None) -> Segment:
    """Return the SOS segment with the data of its scan, which has so many restart markers."""
    start, end = segment.end, data_end(original, segment.end, restarts)
    # In front of a marker any number of bytes of 0xFF may stand, which mean nothing.
    scan = original[start:end].rstrip(b"\xff") if end < len(original) else original[start:]
    return segment._replace(scan=scan, end=next_marker(original, end))


def _stays(segment: Segment, seen: _JpegFacts) -> bool:
    """Return whether the segment, which comes behind those that were seen, belongs to the image.

    Of the colour profile's segments the first one stays, as the place of the profile.
    """
    marker, body = segment.marker, segment.body
    if marker == EOI:
        return True
    if marker == DNL:
        return not seen.height
    if seen.complete or (seen.scanned and marker >= APP0):
        return False
    if marker == APP0:
        return body.startswith(JFIF) and len(body) >= JFIF_BYTES and not seen.headed
    if marker == APP2:
        return body.startswith(ICC) and not seen.profile
    if marker == APP14:
        return body.startswith(ADOBE) and len(body) >= ADOBE_BYTES
    # The markers below APP0 are tables, frames and scans. The others from APP0 on are removed.
    return marker < APP0


def _collect(segment: Segment, seen: _JpegFacts) -> None:
    """Add the segment's facts to `seen`. Raises NotAPhoto (MALFORMED) for an impossible order."""
    marker, body = segment.marker, segment.body
    if marker in FRAMES:
        if seen.frame:
            raise malformed("a second frame")
        seen.frame = Frame.of(marker, body)
        seen.height = seen.frame.height
    elif marker == SOS:
        if not seen.frame:
            raise malformed("a scan before any frame")
        seen.complete = seen.complete or (not seen.scanned and seen.frame.holds_one_scan(body))
        seen.scanned = True
    elif marker == EOI and not seen.scanned:
        raise malformed("no scan before the end of the image")
    elif marker == DNL and not seen.height:
        seen.height = int.from_bytes(body)
    elif seen.scanned:
        return
    elif marker == APP1 and body.startswith(EXIF):
        # EXIF that is too long for one segment continues in the next ones.
        seen.exif.append(body[len(EXIF) :] if seen.exif else body)
    elif marker == APP1 and body.startswith(XMP):
        seen.xmp = body[len(XMP) :]
    elif marker == APP2 and body.startswith(ICC):
        seen.profile.append(body[len(ICC) :])


def _is_consistent(segment: Segment) -> bool:
    """Return whether the body is as long as its own counts say, so that nothing hides behind a table."""
    marker, body = segment.marker, segment.body
    if marker in FRAMES:
        return len(body) > 6 and len(body) == 6 + 3 * body[5]
    if marker == SOS:
        return len(body) > 4 and len(body) == 4 + 2 * body[0]
    if marker in (DRI, DNL):
        return len(body) == 2
    if marker in (DQT, DHT, DAC):
        found = tables(marker, body)
        whole = not body or (len(found) <= MOST_TABLES and found[-1][1] == len(body))
        return whole and (marker != DAC or max(body[::2], default=0) < 32)
    return True


def _profile(parts: list[bytes]) -> bytes:
    """Return the segments of the colour profile, rebuilt; empty where there is none that can be.

    Each part begins with its number, from 1 on, and with the number of all parts.
    """
    numbered = sorted(parts, key=lambda part: part[:1])
    if [tuple(part[:2]) for part in numbered] != [(n + 1, len(parts)) for n in range(len(parts))]:
        return b""
    profile = rebuilt(b"".join(part[2:] for part in numbered)) or b""
    pieces = [profile[at : at + PROFILE_PART] for at in range(0, len(profile), PROFILE_PART)]
    heads = (ICC + bytes([number + 1, len(pieces)]) for number in range(len(pieces)))
    return b"".join(_encoded(APP2, head + piece) for head, piece in zip(heads, pieces, strict=True))


def _stored(kept: list[Segment], frame: Frame, profile: bytes) -> list[bytes]:
    """Return the start of the image and the bytes of the segments that stay, none of them empty.

    Of tables those stay that a scan refers to. `profile` takes the place of the colour profile.
    """
    used = sorted(used_tables([(segment.marker, segment.body) for segment in kept], frame))
    bodies = dict[int, bytes]()
    for number, start, end in used:
        bodies[number] = bodies.get(number, b"") + kept[number].body[start:end]
    stored = [START]
    for number, (marker, body, scan, _) in enumerate(kept):
        if marker == EOI:
            stored.append(END)
        elif marker == APP0:
            # The last two bytes are the width and height of a thumbnail, which is removed.
            stored.append(_encoded(APP0, body[: JFIF_BYTES - 2] + bytes(2)))
        elif marker == APP14:
            stored.append(_encoded(APP14, ADOBE_ALONE + body[ADOBE_BYTES - 1 : ADOBE_BYTES]))
        elif marker == APP2:
            stored += [profile] if profile else []
        elif marker not in SIZES:
            stored.append(_encoded(marker, body) + scan)
        elif number in bodies:
            stored.append(_encoded(marker, bodies[number]))
    return stored


def _encoded(marker: int, body: bytes) -> bytes:
    """Return the bytes of a segment as they stand in a file: marker, length and body."""
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2) + body
