"""Removal of metadata from JPEG: an allow-list decides which segments stay.

Bytes that a decoder skips, between segments or behind the image, go with the metadata: they may be private.
Entropy-coded data is copied unchanged, up to the first marker that a decoder doesn't expect there.
Where data end that no marker ends, only a decoder can tell: bytes between the last block of a scan
and the marker behind it stay. Hierarchical files are refused, because no common decoder reads them.
Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bronze.formats.cleaning_results import CleanPhoto, counted, malformed
from bronze.formats.exif import UPRIGHT, capture_facts, orientation_alone
from bronze.formats.icc_profiles import rebuilt
from bronze.formats.jpeg_scans import SIZES, SOS, Frame, used_tables
from bronze.formats.jpeg_segments import (
    APP0,
    APP1,
    APP2,
    APP14,
    DNL,
    EOI,
    FRAMES,
    START,
    Segment,
    segments,
)

END = b"\xff\xd9"
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
JFIF, ICC, ADOBE = b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"
JFIF_BYTES, ADOBE_BYTES = 14, 12
ADOBE_ALONE = ADOBE + b"\0\x64" + bytes(4)
"""Adobe's segment up to its last byte, which alone says what the colours are: version 100, no flags."""

PROFILE_PART = 65_519
"""The most bytes of a colour profile in one segment."""


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
    for segment in counted(segments(original), "segments"):
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


def _stays(segment: Segment, seen: _JpegFacts) -> bool:
    """Return whether the segment, which comes behind those that were seen, belongs to the image.

    Of the colour profile's segments the first one stays, as the place of the profile.
    """
    marker, body = segment.marker, segment.body
    if marker == EOI:
        return True
    if marker == DNL:
        return bool(seen.frame) and not seen.height
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
        seen.frame = Frame.of(marker, body)
        seen.height = seen.frame.height
    elif marker == SOS:
        assert seen.frame  # no scan is yielded before it
        seen.complete = seen.complete or (not seen.scanned and seen.frame.holds_one_scan(body))
        seen.scanned = True
    elif marker == EOI and not seen.scanned:
        raise malformed("no scan before the end of the image")
    elif marker == DNL and seen.frame and not seen.height:
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
