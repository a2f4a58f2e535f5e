"""HEIC and AVIF files, box by box, around pictures that pillow-heif and Pillow code; and what readers show.

The boxes are written here once more, apart from those of the product.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pi_heif
import pillow_heif
from PIL import Image

from tests.support.photo_files import encoded, picture

ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
DEPTH = b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0"
PRIVATE = b"GPS 52.5163 13.3777 Anna Schmidt"


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def parts(content: bytes) -> list[tuple[bytes, bytes]]:
    found, start = [], 0
    while start < len(content):
        size, kind = struct.unpack_from(">I4s", content, start)
        found.append((kind, content[start + 8 : start + size]))
        start += size
    return found


def inside(content: bytes, *path: bytes) -> bytes:
    """The body of the first box on a path of kinds; meta is a full box."""
    for kind in path:
        content = dict(reversed(parts(content)))[kind]
        content = content[4:] if kind == b"meta" else content
    return content


@dataclass
class Item:
    """An item of a file: `properties` are boxes, `is_essential` says which a reader must understand."""

    kind: bytes
    data: bytes
    properties: list[bytes] = field(default_factory=list)
    essential: tuple[bytes, ...] = (b"hvcC", b"av1C", b"irot", b"imir", b"clap")
    name: bytes = b""
    method: int = 0
    more: bytes = b""

    def also(self, *properties: bytes) -> Item:
        return replace(self, properties=[*self.properties, *properties])

    def without(self, kind: bytes) -> Item:
        return replace(self, properties=[p for p in self.properties if p[4:8] != kind])

    def property(self, kind: bytes) -> bytes:
        return next(p[8:] for p in self.properties if p[4:8] == kind)

    def instead(self, written: bytes) -> Item:
        return self.without(written[4:8]).also(written)


def coded(image: Image.Image, kind: bytes = b"hvc1", **options: object) -> Item:
    """The picture that an encoder makes of an image, without transparency, as an item."""
    if kind == b"hvc1":
        target = io.BytesIO()
        pillow_heif.from_pillow(image).save(target, **({"quality": 90} | options))
        content = target.getvalue()
    else:
        content = encoded(image, "AVIF", **({"quality": 90, "speed": 8} | options))
    return picture_of(content, kind)


def picture_of(content: bytes, kind: bytes) -> Item:
    """The first picture of a file of an encoder, with its configuration, its sides and its colours."""
    properties = [box(k, b) for k, b in parts(inside(content, b"meta", b"iprp", b"ipco"))]
    kept = (b"hvcC", b"av1C", b"ispe", b"colr", b"pixi", b"clap")
    first = {p[4:8]: p for p in reversed(properties) if p[4:8] in kept}
    # The first item's data, from an iloc of version 0 or 1 with offsets and lengths of four bytes.
    iloc = inside(content, b"meta", b"iloc")
    at = 8 + 2 + (2 if iloc[0] else 0) + 2 + (iloc[5] >> 4) + 2
    offset, length = struct.unpack_from(">II", iloc, at)
    base = int.from_bytes(iloc[at - 2 - (iloc[5] >> 4) : at - 2])
    return Item(kind, content[base + offset : base + offset + length], list(first.values()))


def heif(
    items: list[Item],
    references: Sequence[tuple[bytes, int, list[int]]] = (),
    *,
    brand: bytes = b"heic",
    primary: int = 1,
    more: bytes = b"",
    gap: bytes = b"",
) -> bytes:
    """A file of items, which count from 1. `gap` are bytes in mdat before each item's data."""
    ftyp = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    properties: list[bytes] = []
    entries, infes, idat = [], [], b""
    for number, item in enumerate(items, start=1):
        listed = []
        for written in item.properties:
            if written not in properties:
                properties.append(written)
            listed.append((written[4:8] in item.essential) << 15 | properties.index(written) + 1)
        entries.append(struct.pack(f">HB{len(listed)}H", number, len(listed), *listed))
        head = struct.pack(">HH4s", number, 0, item.kind)
        infes.append(full(b"infe", head, item.name, b"\0", item.more, version=2))
    irefs = [box(k, struct.pack(f">HH{len(to)}H", at, len(to), *to)) for k, at, to in references]
    ipma = full(b"ipma", struct.pack(">I", len(items)), *entries, flags=1)

    def meta(start: int) -> bytes:
        nonlocal idat
        idat, places = b"", []
        for number, item in enumerate(items, start=1):
            if item.method:
                at, idat = len(idat), idat + item.data
            else:
                at = start = start + len(gap)
                start += len(item.data)
            places.append(struct.pack(">HHHHII", number, item.method, 0, 1, at, len(item.data)))
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(12), b"\0"),
            full(b"pitm", struct.pack(">H", primary)),
            full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), *places, version=1),
            full(b"iinf", struct.pack(">H", len(items)), *infes),
            *([full(b"iref", *irefs)] if irefs else []),
            box(b"iprp", box(b"ipco", *properties), ipma),
            *([box(b"idat", idat)] if idat else []),
        )

    start = len(ftyp) + len(meta(0)) + len(more) + 8
    data = b"".join(gap + item.data for item in items if not item.method)
    return ftyp + meta(start) + more + box(b"mdat", data)


def ispe(width: int, height: int) -> bytes:
    return full(b"ispe", struct.pack(">II", width, height))


def aux(kind: bytes) -> bytes:
    return full(b"auxC", kind)


def irot(quarters: int) -> bytes:
    return box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    return box(b"imir", bytes([axis]))


def exif_item(block: bytes, at: int = 6) -> Item:
    return Item(b"Exif", struct.pack(">I", at) + block)


def grid(rows: int, columns: int, width: int, height: int, *, method: int = 1) -> Item:
    data = bytes([0, 0, rows - 1, columns - 1]) + struct.pack(">HH", width, height)
    return Item(b"grid", data, [ispe(width, height)], method=method)


def tiled(rows: int, columns: int, width: int, height: int, **options: object) -> bytes:
    """A grid of tiles of 64 x 64 pixels."""
    kind = options.pop("kind", b"hvc1")
    tiles = [
        coded(picture(size=(64, 64), seed=seed), kind, **options) for seed in range(rows * columns)
    ]
    ids = list(range(2, 2 + len(tiles)))
    return heif(
        [grid(rows, columns, width, height), *tiles],
        [(b"dimg", 1, ids)],
        brand=b"heic" if kind == b"hvc1" else b"avif",
    )


def shown(content: bytes) -> tuple[str, tuple[int, int], bytes, object]:
    """What silver's decoder shows of a HEIC or AVIF file: its mode, size, pixels and EXIF orientation."""
    target = io.BytesIO(content)
    is_avif = content[8:12] in (b"avif", b"avis")
    with Image.open(target) if is_avif else pi_heif.HeifImageFile(target) as image:
        image.load()
        return image.mode, image.size, image.tobytes(), image.getexif().get(0x0112, 1)
