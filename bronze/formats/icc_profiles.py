"""ICC profiles, written anew from the tags that a colour-managed reader computes with.

A profile may name its owner's display with its serial number, a person, a machine and a time. The
profile that is written has a fresh header and neutral texts. It keeps white point, primaries,
curves and LUTs, and the rendering intent. The numbers that make the colours stay as they are.
Colours are made by the LUT `A2B0` where a profile has one, else by primaries and curves; these must
be readable. Any other tag that can't be read is left out, as readers do.
Source: ICC.1:2022; the types of version 2 are those of ICC.1:2001-04.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial

from bronze.formats.icc_tags import UnusableProfile, curve, lut, numbers, padded, part

LONGEST = 2**24
"""The longest profile in bytes, read or written. A JPEG can hold no more."""

MOST_TAGS = 100
INTENTS = 4
"""The rendering intents, which count from 0."""

HEADER_BYTES, ENTRY_BYTES = 128, 12
CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
CHANNELS = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}
CONNECTIONS = (b"XYZ ", b"Lab ")

VERSIONS = {2: bytes.fromhex("02400000"), 4: bytes.fromhex("04400000")}
"""The version that is written: 4 for profiles of version 4, and 2 for older ones, which have its types."""

CREATED = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
D50 = bytes.fromhex("0000f6d6 00010000 0000d32d")
DESCRIPTION, COPYRIGHT = "Colours of a photo", "None"

COLOURANTS = (b"rXYZ", b"gXYZ", b"bXYZ")
CURVES = (b"rTRC", b"gTRC", b"bTRC")
TO_CONNECTION, FROM_CONNECTION = (b"A2B0", b"A2B1", b"A2B2"), (b"B2A0", b"B2A1", b"B2A2")

DECIDING = (*COLOURANTS, *CURVES, b"kTRC", TO_CONNECTION[0])
"""The tags from which a reader falls back to no other, and which are never left out."""

Reader = Callable[[memoryview], bytes]


def rebuilt(profile: bytes) -> bytes | None:
    """Return the profile with its colour tags alone, or None where it can't be rebuilt.

    None is the answer to a profile that is broken or longer than `LONGEST`, and to kinds that describe
    no photo: device links, abstract and named colours, other spaces than grey, RGB and CMYK, and
    version 5. A profile that was rebuilt before is returned as it is.
    """
    try:
        return _rebuilt(memoryview(profile))
    except UnusableProfile:
        return None


def _rebuilt(profile: memoryview) -> bytes:
    header = bytes(part(profile, 0, HEADER_BYTES))
    version, kind, space, connection = header[8], header[12:16], header[16:20], header[20:24]
    known = kind in CLASSES and space in CHANNELS and connection in CONNECTIONS
    if not known or version > max(VERSIONS) or header[36:40] != b"acsp" or len(profile) > LONGEST:
        raise UnusableProfile
    version = 4 if version == 4 else 2
    tags = _tags(profile[: int.from_bytes(header[:4])], _readers(space))
    if not _makes_colours(tags, space):
        raise UnusableProfile
    intent = int.from_bytes(header[66:68])
    fresh = VERSIONS[version] + kind + space + connection + CREATED + b"acsp" + bytes(24)
    fresh += struct.pack(">I", intent if intent < INTENTS else 0) + D50
    return _written(fresh, _texts(version) | tags)


def _tags(profile: memoryview, readers: dict[bytes, Reader]) -> dict[bytes, bytes]:
    """Return the tags of a profile that have a reader and can be read, written anew, by name.

    Entries of the table that point past the end, or to nothing, count as absent, as in LittleCMS.
    Raises UnusableProfile where the table has too many tags or one of them twice, and where one of
    `DECIDING` is there and can't be read: beside a LUT, primaries still decide about the black point.
    """
    (count,) = struct.unpack(">I", part(profile, HEADER_BYTES, 4))
    if count > MOST_TAGS:
        raise UnusableProfile
    table = struct.iter_unpack(">4sII", part(profile, HEADER_BYTES + 4, count * ENTRY_BYTES))
    there = [each for each in table if each[1] and each[2] and each[1] + each[2] <= len(profile)]
    places = {name: (start, length) for name, start, length in there}
    if len(places) < len(there):
        raise UnusableProfile
    tags, total = dict[bytes, bytes](), 0
    for name, written_anew in readers.items():
        if name not in places:
            continue
        try:
            tags[name] = written_anew(part(profile, *places[name]))
        except UnusableProfile:
            if name in DECIDING:
                raise
            continue
        total += len(tags[name])
        if total > LONGEST:
            raise UnusableProfile
    return tags


def _readers(space: bytes) -> dict[bytes, Reader]:
    """Return the colour tags that a profile of that colour space may have, each with its reader."""
    channels = CHANNELS[space]
    readers: dict[bytes, Reader] = {b"wtpt": numbers(b"XYZ ", 12), b"chad": numbers(b"sf32", 36)}
    if space == b"GRAY":
        readers[b"kTRC"] = curve
    if space == b"RGB ":
        readers |= dict.fromkeys(COLOURANTS, numbers(b"XYZ ", 12)) | dict.fromkeys(CURVES, curve)
        readers[b"cicp"] = numbers(b"cicp", 4)
    readers |= dict.fromkeys(TO_CONNECTION, partial(lut, channels=(channels, 3)))
    return readers | dict.fromkeys(FROM_CONNECTION, partial(lut, channels=(3, channels)))


def _makes_colours(tags: dict[bytes, bytes], space: bytes) -> bool:
    """Return whether the tags say how a photo's numbers become colours.

    Primaries and curves do so also in a profile that connects to Lab: LittleCMS converts them.
    """
    if TO_CONNECTION[0] in tags or (space == b"GRAY" and b"kTRC" in tags):
        return True
    return all(name in tags for name in (*COLOURANTS, *CURVES))


def _texts(version: int) -> dict[bytes, bytes]:
    """Return the two texts that every profile must have, with neutral contents."""
    if version == 2:
        text = DESCRIPTION.encode() + b"\0"
        description = b"desc" + struct.pack(">4xI", len(text)) + text + bytes(78)
        return {b"desc": description, b"cprt": b"text" + bytes(4) + COPYRIGHT.encode() + b"\0"}
    return {b"desc": _localised(DESCRIPTION), b"cprt": _localised(COPYRIGHT)}


def _localised(text: str) -> bytes:
    """Return a text in the type of version 4: one record, in English."""
    value = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(value), 28) + value


def _written(header: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return the profile. `header` is its header without the first eight bytes; equal tags share theirs."""
    start = HEADER_BYTES + 4 + len(tags) * ENTRY_BYTES
    table, offsets, data = [], dict[bytes, int](), []
    for name, tag in tags.items():
        if tag not in offsets:
            offsets[tag] = start
            data.append(padded(tag))
            start += len(data[-1])
        table.append(struct.pack(">4sII", name, offsets[tag], len(tag)))
    head = struct.pack(">I4x", start) + header.ljust(HEADER_BYTES - 8, b"\0")
    return head + struct.pack(">I", len(tags)) + b"".join(table) + b"".join(data)
