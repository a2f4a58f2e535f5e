"""The boxes of the ISO base media file format (ISO/IEC 14496-12), of which HEIC and AVIF are made."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

MOST_BOXES = 10_000
"""The most boxes that are read in one place. A photo of a phone has some hundred."""

FULL = 4
"""The bytes of version and flags at the beginning of a full box."""


class BrokenBox(ValueError):
    """The structure of a file can't be followed. The message quotes nothing of the file."""


class IsoBox(NamedTuple):
    """A box: its kind, its body, and how many bytes of its body lie behind the end of the file."""

    kind: bytes
    body: memoryview
    missing: int


def boxes(content: bytes | memoryview) -> Iterator[IsoBox]:
    """Yield the boxes that stand in `content`, one after another. Only the last one may lack bytes.

    Raises BrokenBox where the bytes can't be boxes.
    """
    data, start, count = memoryview(content), 0, 0
    while start < len(data):
        count += 1
        header = bytes(data[start : start + 16])
        size, kind = int.from_bytes(header[:4]), header[4:8]
        first = 8
        if size == 1:
            size, first = int.from_bytes(header[8:16]), 16
        elif size == 0:  # it goes to the end
            size = len(data) - start
        if count > MOST_BOXES or len(header) < first or size < first:
            raise BrokenBox("garbage in the place of a box")
        body = data[start + first : start + size]
        yield IsoBox(kind, body, size - first - len(body))
        start += size


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box with that body."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box whose body begins with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def is_cut(content: bytes) -> bool:
    """Return whether a file ends before the end of its pictures' data, whatever stands behind them."""
    found = dict[bytes, int]()
    with suppress(BrokenBox):
        for each in boxes(content):
            found[each.kind] = each.missing
    data = found.get(b"mdat", 0 if b"idat" in content else 1)
    return bool(data or found.get(b"meta", 1))


def largest_picture(content: bytes) -> int:
    """Return the pixels of the largest picture that a file declares in its properties `ispe`."""
    areas = [0]
    with suppress(BrokenBox):  # what reads the file will say so
        metas = [each.body[FULL:] for each in boxes(content) if each.kind == b"meta"]
        for kind in (b"iprp", b"ipco"):
            metas = [each.body for meta in metas for each in boxes(meta) if each.kind == kind]
        for properties in metas:
            for each in boxes(properties):
                if each.kind == b"ispe" and len(each.body) >= FULL + 8:
                    width, height = struct.unpack_from(">II", each.body, FULL)
                    areas.append(width * height)
    return max(areas)


def item_kinds(content: bytes) -> list[bytes]:
    """Return the kinds of a file's items, such as hvc1, with that of the primary one first, as far as they
    can be read."""
    kinds, primary = dict[int, bytes](), -1
    with suppress(BrokenBox, IndexError):
        meta = next((each.body[FULL:] for each in boxes(content) if each.kind == b"meta"), b"")
        found = {each.kind: bytes(each.body) for each in boxes(meta)}
        pitm, iinf = found.get(b"pitm", b""), found.get(b"iinf", b"")
        primary = int.from_bytes(pitm[FULL : FULL + (4 if pitm[0] else 2)])
        for each in boxes(iinf[FULL + (4 if iinf[0] else 2) :]):
            infe = bytes(each.body)
            start = FULL + (4 if infe[0] == 3 else 2)
            kinds[int.from_bytes(infe[FULL:start])] = infe[start + 2 : start + 6]
    return [kinds[number] for number in sorted(kinds, key=lambda number: number != primary)]
