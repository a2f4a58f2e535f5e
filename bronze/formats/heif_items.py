"""The items of a HEIF file, from which HEIC and AVIF are made: coded pictures, grids of them, and metadata.

Sources: ISO/IEC 14496-12 (boxes, items) and ISO/IEC 23008-12 (pictures).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from bronze.formats.cleaning_results import malformed
from lake.iso_boxes import FULL, IsoBox, boxes

MOST_ITEMS = 1000
"""The most items of a file, which is also the limit of libheif."""

MOST_EXTENTS = 32
"""The most pieces of one item's data, which is also the limit of libheif."""

MOST_MISSING = 1 << 30
"""The most bytes that an item may declare behind the end of a file that is cut off."""


class ItemProperty(NamedTuple):
    """A property of an item: the kind and the body of its box, and whether a reader must understand it."""

    kind: bytes
    body: bytes
    is_essential: bool


class ItemData(NamedTuple):
    """An item's data as far as the file holds them, and the number of bytes that it lacks at its end."""

    content: bytes
    missing: int


@dataclass
class HeifItem:
    """An item as its file describes it. `places` are (offset, length) in the file, or in the box idat."""

    kind: bytes = b""
    is_protected: bool = False
    method: int = 0
    places: list[tuple[int, int]] = field(default_factory=list)
    properties: list[ItemProperty] = field(default_factory=list)


@dataclass
class HeifItems:
    """The items of a file by their ids, the id of the primary one, and the references between them.

    `references` has (kind, from, to) in their order.
    """

    primary: int
    items: dict[int, HeifItem]
    references: list[tuple[bytes, int, int]]
    idat: memoryview
    file: memoryview

    def __post_init__(self) -> None:
        # Items may have the same places, and share a copy then. All copies together are no longer than the
        # file, so that places which overlap in part cost no more.
        self._left = len(self.file)
        self._copies = dict[tuple[object, ...], ItemData]()
        self._to = dict[tuple[bytes, int], list[int]]()
        for kind, start, to in self.references:
            self._to.setdefault((kind, start), []).append(to)

    def to(self, kind: bytes, item: int) -> list[int]:
        """Return the ids that an item refers to, in order."""
        return self._to.get((kind, item), [])

    def data(self, item: HeifItem, use: bytes = b"") -> ItemData:
        """Return the data of an item: one copy for all items of the same places that are of the same use.

        Raises NotAPhoto (MALFORMED) where they can't be found.
        """
        key = (use, item.method, *item.places)
        if key not in self._copies:
            self._copies[key] = self._copy(item)
        return self._copies[key]

    def _copy(self, item: HeifItem) -> ItemData:
        if item.method > 1 or not item.places or not all(length for _, length in item.places):
            raise malformed("an item's data are kept in a way that isn't read")
        source = self.idat if item.method else self.file
        parts = [source[at : at + length] for at, length in item.places]
        missing = sum(length for _, length in item.places) - sum(map(len, parts))
        self._left -= sum(map(len, parts))
        is_gap = any(
            len(p) < length for p, (_, length) in zip(parts[:-1], item.places, strict=False)
        )
        if is_gap or missing > MOST_MISSING or self._left < 0 or (missing and item.method):
            raise malformed("an item's data run past the end, or overlap")
        return ItemData(b"".join(parts), missing)


class _Numbers:
    """Reads big-endian numbers of a box. Raises NotAPhoto (MALFORMED) behind its end."""

    def __init__(self, kind: str, body: memoryview) -> None:
        self._kind, self._body, self._at = kind, body, FULL
        if len(body) < FULL:
            raise malformed(f"box {kind} is too short")
        self.version, self.flags = body[0], int.from_bytes(body[1:FULL])

    def next(self, size: int) -> int:
        end = self._at + size
        if end > len(self._body):
            raise malformed(f"box {self._kind} is too short")
        number = int.from_bytes(self._body[self._at : end])
        self._at = end
        return number

    def row(self, count: int, size: int) -> tuple[int, ...]:
        """Return so many numbers of one or two bytes each."""
        start, self._at = self._at, self._at + count * size
        if self._at > len(self._body):
            raise malformed(f"box {self._kind} is too short")
        return struct.unpack(f">{count}{'BH'[size - 1]}", self._body[start : self._at])

    def rest(self) -> memoryview:
        return self._body[self._at :]


def items_of(meta: memoryview, file: bytes) -> HeifItems:
    """Return the items that a box `meta` describes. Raises NotAPhoto (MALFORMED) and BrokenBox."""
    parts = dict[bytes, IsoBox]()
    for each in boxes(meta[FULL:]):
        if each.missing:
            raise malformed("a box in meta runs past its end")
        if each.kind in parts and each.kind in (b"pitm", b"iinf", b"iloc", b"iprp", b"iref"):
            raise malformed("a box of meta is there twice")
        parts.setdefault(each.kind, each)
    for kind in (b"pitm", b"iinf", b"iloc", b"iprp"):
        if kind not in parts:
            raise malformed(f"there is no box {kind.decode()}, so no still picture")
    pitm = _Numbers("pitm", parts[b"pitm"].body)
    items = _kinds(parts[b"iinf"].body)
    _places(parts[b"iloc"].body, items)
    _properties(parts[b"iprp"].body, items)
    references = list(_references(parts[b"iref"].body)) if b"iref" in parts else []
    idat = parts[b"idat"].body if b"idat" in parts else memoryview(b"")
    primary = pitm.next(4 if pitm.version else 2)
    if primary not in items:
        raise malformed("the primary item is missing")
    return HeifItems(primary, items, references, idat, memoryview(file))


def _kinds(body: memoryview) -> dict[int, HeifItem]:
    """Return the items of the box iinf, by id."""
    numbers = _Numbers("iinf", body)
    numbers.next(4 if numbers.version else 2)
    items = dict[int, HeifItem]()
    for each in boxes(numbers.rest()):
        if each.kind != b"infe" or each.missing:
            raise malformed("box iinf holds something else")
        entry = _Numbers("infe", each.body)
        if entry.version not in (2, 3):
            raise malformed("box infe has a version that isn't read")
        item = entry.next(4 if entry.version == 3 else 2)
        if item in items or len(items) == MOST_ITEMS:
            raise malformed(f"an item is there twice, or more than {MOST_ITEMS:,} are")
        is_protected = bool(entry.next(2))
        items[item] = HeifItem(entry.next(4).to_bytes(4), is_protected)
    return items


def _places(body: memoryview, items: dict[int, HeifItem]) -> None:
    """Tell the items where their data are, from the box iloc."""
    numbers = _Numbers("iloc", body)
    if numbers.version > 2:
        raise malformed("box iloc has a version that isn't read")
    sizes = numbers.next(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if numbers.version else 0
    if not {offset_size, length_size, base_size, index_size} <= {0, 4, 8}:
        raise malformed("box iloc has numbers of an odd size")
    id_size = 4 if numbers.version == 2 else 2
    found = set[int]()
    for _ in range(numbers.next(id_size)):
        number = numbers.next(id_size)
        method = numbers.next(2) & 15 if numbers.version else 0
        is_elsewhere = bool(numbers.next(2))
        base = numbers.next(base_size)
        extents = numbers.next(2)
        if number in found or number not in items or extents > MOST_EXTENTS:
            raise malformed("box iloc names an unknown item, one twice, or too many pieces of one")
        found.add(number)
        for _ in range(extents):
            numbers.next(index_size)
            offset = base + numbers.next(offset_size)
            items[number].places.append((offset, numbers.next(length_size)))
        items[number].method = 3 if is_elsewhere else method


def _properties(body: memoryview, items: dict[int, HeifItem]) -> None:
    """Give the items their properties, from the box iprp."""
    inner = list(boxes(body))
    containers = [each for each in inner if each.kind == b"ipco"]
    if len(containers) != 1 or any(each.missing for each in inner):
        raise malformed("box iprp holds no properties")
    found = list(boxes(containers[0].body))
    if any(each.missing for each in found):
        raise malformed("a property runs past its box")
    properties = [(each.kind, bytes(each.body)) for each in found]
    for each in inner:
        if each.kind == b"ipma":
            _associations(each.body, properties, items)


def _associations(
    body: memoryview, properties: list[tuple[bytes, bytes]], items: dict[int, HeifItem]
) -> None:
    """Give the items the properties that a box ipma names for them."""
    numbers = _Numbers("ipma", body)
    size = 2 if numbers.flags & 1 else 1
    # By whether a reader must understand them.
    known = [
        [ItemProperty(*each, is_essential) for each in properties] for is_essential in (False, True)
    ]
    for _ in range(numbers.next(4)):
        number = numbers.next(4 if numbers.version else 2)
        if number not in items or items[number].properties:
            raise malformed("box ipma names an unknown item, or one twice")
        for entry in numbers.row(numbers.next(1), size):
            index = entry & (1 << 8 * size - 1) - 1
            if index > len(properties):
                raise malformed("box ipma names a property that isn't there")
            if index:
                items[number].properties.append(known[entry >> 8 * size - 1][index - 1])


def _references(body: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, from, to) of the box iref."""
    numbers = _Numbers("iref", body)
    size, count = (4 if numbers.version else 2), 0
    for each in boxes(numbers.rest()):
        inner = _Numbers("iref", memoryview(bytes(FULL) + each.body))
        start = inner.next(size)
        for _ in range(inner.next(2)):
            count += 1
            if count > 4 * MOST_ITEMS or each.missing:
                raise malformed("box iref runs past its end, or has too many references")
            yield each.kind, start, inner.next(size)
