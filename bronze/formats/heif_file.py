"""Writes a HEIF file: the boxes ftyp, meta and mdat around items.

Sources: ISO/IEC 14496-12 and ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import NamedTuple

from bronze.formats.cleaning_results import malformed
from bronze.formats.heif_items import ItemData
from lake.iso_boxes import box, full_box


class KeptItem(NamedTuple):
    """An item as it is written: its kind, (is essential, box) of its properties, and its data."""

    kind: bytes
    properties: list[tuple[bool, bytes]]
    data: ItemData


def heif_file(
    items: list[KeptItem], references: list[bytes], *, brands: tuple[bytes, ...]
) -> bytes:
    """Return the file of items, of which the first is the primary one, with the boxes of references.

    `brands` are those of the file, the major one first. Data that are cut off come last, and the file ends
    with them, as its original did. Raises NotAPhoto (MALFORMED) where it would be too long.
    """
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13))
    infe = [
        # Tiles and alphas are hidden: they are no photos of their own.
        full_box(b"infe", 2, int(at > 1), struct.pack(">HH4sx", at, 0, each.kind))
        for at, each in enumerate(items, start=1)
    ]
    inside = [
        full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
        full_box(b"iinf", 0, 0, struct.pack(">H", len(items)), *infe),
        *([full_box(b"iref", 0, 0, *references)] if references else []),
        box(b"iprp", *_associated(items)),
    ]
    # Items of the same data share their place, such as the tiles of a blue sky.
    data = sorted(
        dict.fromkeys(each.data for each in items),
        key=lambda part: (part.missing > 0, not part.content),
    )
    if sum(part.missing > 0 and bool(part.content) for part in data) > 1:
        raise malformed("an item's data run past the end, or overlap")
    lengths = [len(each.content) + each.missing for each in data]
    ftyp = box(b"ftyp", brands[0], bytes(4), *brands)
    iloc = full_box(b"iloc", 0, 0, struct.pack(">BBH", 0x44, 0, len(items)), bytes(14 * len(items)))
    start = len(ftyp) + len(full_box(b"meta", 0, 0, hdlr, iloc, *inside)) + 8
    if start + sum(lengths) >= 1 << 32:
        raise malformed("an item's data run past the end")
    starts = dict(zip(data, accumulate(lengths, initial=start), strict=False))
    places = [
        struct.pack(
            ">HHHII", at, 0, 1, starts[each.data], len(each.data.content) + each.data.missing
        )
        for at, each in enumerate(items, start=1)
    ]
    iloc = full_box(b"iloc", 0, 0, struct.pack(">BBH", 0x44, 0, len(items)), *places)
    meta = full_box(b"meta", 0, 0, hdlr, iloc, *inside)
    mdat = [struct.pack(">I4s", 8 + sum(lengths), b"mdat"), *(part.content for part in data)]
    return b"".join([ftyp, meta, *mdat])


def _associated(items: list[KeptItem]) -> tuple[bytes, bytes]:
    """Return the boxes ipco and ipma: each property once, and which item has which."""
    numbers = dict[bytes, int]()
    entries = []
    for at, item in enumerate(items, start=1):
        if len(item.properties) > 255:
            raise malformed("a picture has too many properties")
        entries.append(struct.pack(">HB", at, len(item.properties)))
        for is_essential, written in item.properties:
            number = numbers.setdefault(written, len(numbers) + 1)
            entries.append(struct.pack(">H", is_essential << 15 | number))
    ipma = full_box(b"ipma", 0, 1, struct.pack(">I", len(items)), *entries)
    return box(b"ipco", *numbers), ipma
