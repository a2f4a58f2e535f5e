"""The photo of a HEIF file, written anew from the parts that its pixels need.

They are the primary item, the tiles of which it is made if it is a grid, and the alphas of both, each with
the properties that decide about pixels. Nothing else is copied: no metadata, thumbnail, further picture,
depth map or gain map, no name, and no byte of the data between items.
Source: ISO/IEC 23008-12.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from bronze.formats.cleaning_results import CleanPhoto, NotAPhoto, malformed
from bronze.formats.exif import capture_facts
from bronze.formats.heif_crops import CLAP, cropped
from bronze.formats.heif_file import KeptItem, heif_file
from bronze.formats.heif_items import HeifItem, HeifItems, ItemData, ItemProperty, items_of
from bronze.formats.icc_profiles import rebuilt
from lake.iso_boxes import FULL, BrokenBox, box, boxes, full_box

ALPHAS = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
    b"urn:mpeg:avc:2015:auxid:1",
)
"""The kinds of auxiliary pictures that are alphas."""

SIDES = range(1, 1 << 16)
"""The sides of a picture, as the suite of bronze/photos allows them."""

LONGEST_EXIF = 1 << 16

HARMLESS = (b"clli", b"mdcv", b"pasp", b"amve", b"udes", b"pixi")
"""Properties that don't change what the decoders show, also where a reader must understand them."""

MOST_UNITS = 200
"""The most units of a coded picture. Cameras write one or two."""

PIXI = range(FULL + 2, FULL + 6)
"""The bytes of a property with the bits of each channel."""

NCLX = 11
"""The bytes of colours by numbers: their kind, three numbers, and whether the range is full."""


class CodedPicture(NamedTuple):
    """A coded picture without private bytes: its configuration, its data, and its sides in pixels."""

    configuration: bytes
    data: ItemData
    width: int
    height: int


@dataclass(frozen=True)
class Codec:
    """How the pictures of a format are coded: the kind of its items and of their configuration, the brands
    of its files, and what cleans a picture. `cleaned` raises NotAPhoto (MALFORMED)."""

    item: bytes
    configuration: bytes
    brands: tuple[bytes, ...]
    cleaned: Callable[[bytes, ItemData], CodedPicture]
    by_libheif: bool
    """Whether libheif decodes the format. It cuts a picture to its property clap, knows the colours nclc, and
    takes an alpha for every picture that it names. Pillow's AVIF does neither, and takes it for the last."""


def unclear_units() -> NotAPhoto:
    """Return the refusal of a picture of which nobody can tell where its units begin and end."""
    return malformed("the units of a picture can't be told apart")


def heif_photo(original: bytes, name: str, codec: Codec) -> CleanPhoto:
    """Return the photo of a HEIF file in the format of that name.

    Raises NotAPhoto (MALFORMED) where its structure can't be followed, contradicts itself, or needs what
    isn't read, such as pictures that are made of others in another way than as a grid.
    """
    try:
        found = items_of(_meta(original), original)
        return _Pictures(found, codec).photo(name, _days(found))
    except BrokenBox as error:
        raise malformed(str(error)) from None


def _meta(original: bytes) -> memoryview:
    """Return the body of the box meta of a file. What stands behind it needs to be no box.

    Raises NotAPhoto (MALFORMED) and BrokenBox.
    """
    metas = list[memoryview]()
    try:
        for each in boxes(original):
            if each.kind == b"meta":
                if each.missing:
                    raise malformed("box meta runs past the end")
                metas.append(each.body)
    except BrokenBox:
        if not metas:
            raise
    if len(metas) != 1:
        raise malformed("there is no box meta, or more than one")
    return metas[0]


def _days(found: HeifItems) -> tuple[date, ...]:
    """Return the days on which the primary picture may have been taken, by EXIF that describes it."""
    for kind, start, to in found.references:
        item = found.items.get(start, HeifItem())
        if (kind, to, item.kind) == (b"cdsc", found.primary, b"Exif") and item.method < 2:
            source = found.idat if item.method else found.file
            block = b"".join(source[at : at + min(n, LONGEST_EXIF)] for at, n in item.places)
            # A number says how far behind it TIFF's header stands, usually behind `Exif\0\0`.
            block = block[4 + int.from_bytes(block[:4]) :]
            return capture_facts(block[:LONGEST_EXIF], b"").days
    return ()


class _Pictures:
    """The items that are kept, with new numbers from 1 on, in the order of `ids`."""

    def __init__(self, found: HeifItems, codec: Codec) -> None:
        self._found, self._codec = found, codec
        self._profiles = dict[bytes, bytes]()
        self._coded = dict[tuple[bytes, ItemData], CodedPicture]()
        self._sides = dict[int, tuple[int, int]]()
        alphas = self._alphas()
        self.ids = [found.primary, *self._tiles(found.primary)]
        for each in tuple(dict.fromkeys(self.ids)):
            for alpha in alphas.get(each, ()):
                self.ids += [alpha, *self._tiles(alpha)]
        if len(set(self.ids)) < len(self.ids):
            raise malformed("a picture is a part of two others")

    def photo(self, name: str, days: tuple[date, ...]) -> CleanPhoto:
        """Return the photo. Raises NotAPhoto (MALFORMED)."""
        # Tiles come first, because a grid is checked against their sides.
        kept = {each: self._kept(each) for each in reversed(self.ids)}
        items = [kept[each] for each in self.ids]
        number = {each: at for at, each in enumerate(self.ids, start=1)}
        references = [
            box(kind, struct.pack(f">HH{len(to)}H", number[start], len(to), *map(number.get, to)))
            for start in self.ids
            for kind in (b"dimg", b"auxl", b"prem")
            if (to := [each for each in self._found.to(kind, start) if each in number])
        ]
        width, height = self._cropped(self._found.primary)
        return CleanPhoto(
            heif_file(items, references, brands=self._codec.brands), name, width, height, days
        )

    def _alphas(self) -> dict[int, list[int]]:
        """Return the ids of the alphas by the id of their picture."""
        alphas = dict[int, list[int]]()
        for start, item in self._found.items.items():
            named = self._found.to(b"auxl", start)
            if any(each.kind == b"auxC" and _urn(each) in ALPHAS for each in item.properties):
                for to in named if self._codec.by_libheif else named[-1:]:
                    alphas.setdefault(to, []).append(start)
        if any(len(each) > 1 for each in alphas.values()):
            raise malformed("a picture has two transparencies")
        return alphas

    def _tiles(self, item: int) -> list[int]:
        """Return the ids of a grid's tiles; none of another picture."""
        if self._kind(item) != b"grid":
            return []
        tiles = self._found.to(b"dimg", item)
        if any(self._kind(each) != self._codec.item for each in tiles):
            raise malformed("a grid has a tile that is no coded picture")
        return tiles

    def _kind(self, item: int) -> bytes:
        """Return the kind of an item. Raises NotAPhoto (MALFORMED) where it isn't one that is kept."""
        known = self._found.items.get(item)
        if known is None or known.is_protected or known.kind not in (self._codec.item, b"grid"):
            raise malformed(
                "its picture is neither coded in the way of its format nor a grid of such"
            )
        return known.kind

    def _kept(self, item: int) -> KeptItem:
        found = self._found.items[item]
        sides = [each.body for each in found.properties if each.kind == b"ispe"]
        if len(sides) != 1 or len(sides[0]) != FULL + 8:
            raise malformed("a picture doesn't say its sides, or says them twice")
        width, height = struct.unpack_from(">II", sides[0], FULL)
        if width not in SIDES or height not in SIDES:
            raise malformed("a picture has a side of no or too many pixels")
        configurations = [
            each for each in found.properties if each.kind == self._codec.configuration
        ]
        configuration = b""
        if found.kind == b"grid":
            data = self._grid(item, self._found.data(found), width, height)
        else:
            if len(configurations) != 1:
                raise malformed("a picture has no configuration, or two")
            configuration, data, *coded = self._picture(configurations[0].body, found)
            if coded != [width, height]:
                raise malformed("a picture declares other sides than it is coded with")
        self._sides[item] = width, height
        kept = [
            (each.is_essential, written)
            for each in found.properties
            if (written := self._property(each, configuration))
        ]
        return KeptItem(found.kind, kept, data)

    def _picture(self, configuration: bytes, item: HeifItem) -> CodedPicture:
        """Return a coded picture without private bytes, once for all items that share it."""
        data = self._found.data(item, configuration)
        if (configuration, data) not in self._coded:
            self._coded[configuration, data] = self._codec.cleaned(configuration, data)
        return self._coded[configuration, data]

    def _cropped(self, item: int) -> tuple[int, int]:
        """Return (width, height) of a picture as it is shown, before it is turned."""
        sides, is_turned = self._sides[item], False
        for kind, body, _ in self._found.items[item].properties if self._codec.by_libheif else ():
            if kind == b"irot" and body and body[0] & 1:
                sides, is_turned = sides[::-1], not is_turned
            if kind == b"clap":
                sides = cropped(body, *sides)
        return sides[::-1] if is_turned else sides

    def _grid(self, item: int, data: ItemData, width: int, height: int) -> ItemData:
        """Return the data of a grid, whose tiles must cover it, none of them outside."""
        content, missing = data
        if len(content) < 8 or missing:
            raise malformed("a grid is too short")
        is_wide = content[1] & 1
        shape = ">II" if is_wide else ">HH"
        length = 4 + struct.calcsize(shape)
        tiles = self._found.to(b"dimg", item)
        rows, columns = content[2] + 1, content[3] + 1
        if len(content) < length or content[0] or rows * columns != len(tiles):
            raise malformed("a grid has another number of tiles than it says")
        sides = {self._sides[each] for each in tiles}
        wide, high = min(sides)
        is_covered = (columns - 1) * wide < width <= columns * wide
        is_covered &= (rows - 1) * high < height <= rows * high
        if (
            len(sides) > 1
            or not is_covered
            or struct.unpack_from(shape, content, 4) != (width, height)
        ):
            raise malformed("the tiles of a grid don't fit it")
        return ItemData(bytes([0, is_wide]) + content[2:length], 0)

    def _property(self, each: ItemProperty, configuration: bytes) -> bytes:
        """Return the box of a property that decides about pixels, written anew; nothing for others."""
        kind, body, is_essential = each
        if kind == self._codec.configuration:
            return box(kind, configuration) if configuration else b""
        if kind == b"ispe":
            return full_box(kind, 0, 0, body[FULL:])
        if kind == b"pixi" and len(body) in PIXI and len(body) == FULL + 1 + body[FULL]:
            return full_box(kind, 0, 0, body[FULL:])
        if kind == b"irot" and body:
            return box(kind, bytes([body[0] & 3]))
        if kind == b"imir" and body:
            return box(kind, bytes([body[0] & 1]))
        if kind == b"clap" and len(body) == CLAP.size:
            return box(kind, body)
        if kind == b"auxC" and _urn(each) in ALPHAS:
            return full_box(kind, 0, 0, _urn(each) + b"\0")
        if kind == b"colr":
            return self._colours(body)
        if is_essential and kind not in HARMLESS:
            raise malformed("a picture has a property that must be understood and isn't")
        return b""

    def _colours(self, body: bytes) -> bytes:
        """Return the box of a colour space: by numbers, or by a profile that is written anew."""
        kind = body[:4]
        if kind == b"nclx" and len(body) < NCLX:
            raise malformed("the colours of a picture are cut off")
        if kind == b"nclx":
            return box(b"colr", body[: NCLX - 1], bytes([body[NCLX - 1] & 0x80]))
        if kind == b"nclc" and len(body) >= NCLX - 1 and self._codec.by_libheif:
            return box(b"colr", b"nclx", body[4 : NCLX - 1], b"\0")
        if kind in (b"prof", b"rICC"):
            if body not in self._profiles:
                profile = rebuilt(body[4:])
                self._profiles[body] = box(b"colr", b"prof", profile) if profile else b""
            return self._profiles[body]
        return b""


def _urn(each: ItemProperty) -> bytes:
    """Return the kind of an auxiliary picture, from its property auxC; nothing where no zero ends it, as
    decoders don't read it then."""
    urn, end, _ = each.body[FULL:].partition(b"\0")
    return urn if end else b""
