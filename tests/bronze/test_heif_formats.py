"""HEIC and AVIF are written anew from what their pixels need: the same pixels, and no private byte."""

from __future__ import annotations

import io
import math
import random
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from bronze.formats.cleaning_results import NotAPhoto, RejectionReason
from bronze.formats.heif_items import MOST_ITEMS, HeifItem, HeifItems
from bronze.formats.metadata_removal import clean
from lake.photo_formats import format_of
from tests.support.colour_profiles import display, printer
from tests.support.heif_files import (
    ALPHA,
    DEPTH,
    PRIVATE,
    Item,
    aux,
    box,
    coded,
    exif_item,
    full,
    grid,
    heif,
    imir,
    irot,
    ispe,
    parts,
    picture_of,
    shown,
    tiled,
)
from tests.support.photo_files import changed, encoded, opened, picture

KINDS = {"heic": b"hvc1", "avif": b"av01"}
BRANDS = {b"hvc1": b"heic", b"av01": b"avif"}

SECONDS = 5.0
"""The longest that bronze may take for a hostile file, on a machine that other programs slow down."""


def heic(image: Image.Image, **options: object) -> bytes:
    target = io.BytesIO()
    pillow_heif.from_pillow(image).save(target, **({"quality": 90} | options))
    return target.getvalue()


def deep(mode: str, bits: int) -> bytes:
    """A HEIC of more than 8 bits a channel."""
    shape = (48, 64, {"RGB;16": 3, "RGBA;16": 4}[mode])
    pixels = np.random.default_rng(bits).integers(0, 1 << 16, shape, np.uint16)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    try:
        target = io.BytesIO()
        pillow_heif.from_bytes(mode, (64, 48), pixels.tobytes()).save(target, quality=90)
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    return target.getvalue()


def exif(orientation: int = 6, day: str = "2021:07:04 12:00:00") -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x0132], tags[0x013B] = orientation, day, PRIVATE.decode()
    tags.get_ifd(0x8825)[29] = PRIVATE.decode()
    return bytes(tags.tobytes())


def turned(kind: bytes, quarters: int | None, axis: int | None, orientation: int | None) -> bytes:
    """A photo with boxes that turn and mirror it, and an EXIF orientation."""
    properties = [] if quarters is None else [irot(quarters)]
    properties += [] if axis is None else [imir(axis)]
    items = [coded(picture(size=(64, 80)), kind).without(b"clap").also(*properties)]
    if orientation is not None:
        items.append(exif_item(exif(orientation)))
    return heif(items, [(b"cdsc", 2, [1])] if orientation else [], brand=BRANDS[kind])


def with_alpha(kind: bytes, *, references: tuple[bytes, ...] = ()) -> bytes:
    colours, alphas = coded(picture(size=(64, 64)), kind), coded(picture("L", (64, 64)), kind)
    more = [(name, 1, [2]) for name in references]
    return heif([colours, alphas.also(aux(ALPHA))], [(b"auxl", 2, [1]), *more], brand=BRANDS[kind])


MODES: dict[str, bytes] = {
    **{
        f"heic {mode} {size[0]}x{size[1]} {chroma}": heic(picture(mode, size), chroma=chroma)
        for mode in ("RGB", "RGBA", "L", "LA")
        for size, chroma in (((64, 48), "420"), ((65, 49), "422"), ((200, 130), "444"))
    },
    **{f"heic {mode} {bits} bit": deep(mode, bits) for mode in ("RGB;16", "RGBA;16") for bits in (10, 12)},
    "heic lossless": heic(picture(), quality=-1, chroma=444, matrix_coefficients=0),
    "heic with a profile": heic(picture(), icc_profile=display()),
    **{
        f"avif {mode} {size[0]}x{size[1]} {chroma}": encoded(
            picture(mode, size), "AVIF", subsampling=chroma, speed=8
        )
        for mode in ("RGB", "RGBA", "L", "LA")
        for size, chroma in (((64, 48), "4:2:0"), ((65, 49), "4:2:2"), ((200, 130), "4:4:4"))
    },
    "avif grey": encoded(picture("L"), "AVIF", subsampling="4:0:0"),
    "avif lossless": encoded(picture(), "AVIF", quality=100, subsampling="4:4:4"),
    "avif with a profile": encoded(picture(), "AVIF", icc_profile=display()),
    "avif animated": encoded(picture(), "AVIF", save_all=True, append_images=[picture(seed=2)]),
    **{f"{name} alpha": with_alpha(kind) for name, kind in KINDS.items()},
    **{f"{name} premultiplied": with_alpha(kind, references=(b"prem",)) for name, kind in KINDS.items()},
    **{f"{name} grid": tiled(2, 2, 128, 128, kind=kind) for name, kind in KINDS.items()},
    **{f"{name} uneven grid": tiled(2, 3, 190, 100, kind=kind) for name, kind in KINDS.items()},
}  # fmt: skip

TURNS = {
    f"{name} irot {quarters} imir {axis} exif {orientation}": (kind, quarters, axis, orientation)
    for name, kind in KINDS.items()
    for quarters in (None, 0, 1, 2, 3)
    for axis in (None, 0, 1)
    for orientation in (None, 1, 6)
}
EXIF_ALONE = {f"{n} exif {o}": (k, None, None, o) for n, k in KINDS.items() for o in range(1, 9)}


@pytest.mark.parametrize("original", MODES.values(), ids=MODES)
def test_a_decoder_shows_the_same_pixels_before_and_after(original: bytes) -> None:
    photo = clean(original)
    assert shown(photo.content) == shown(original)
    assert shown(photo.content)[1] == (photo.width, photo.height)
    assert photo.format == ("AVIF" if original[8:10] == b"av" else "HEIC")


@pytest.mark.parametrize("turn", (TURNS | EXIF_ALONE).values(), ids=TURNS | EXIF_ALONE)
def test_boxes_turn_a_photo_and_exif_does_not(
    turn: tuple[bytes, int | None, int | None, int | None],
) -> None:
    original = turned(*turn)
    photo = clean(original)
    assert shown(photo.content) == shown(original) == shown(turned(*turn[:3], None))
    assert b"Exif" not in photo.content


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_is_cleaned_to_itself(name: str) -> None:
    for original in [content for each, content in MODES.items() if each.startswith(name)]:
        assert clean(clean(original).content) == clean(original)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_days_of_exif_are_read(kind: bytes) -> None:
    expected = (date(2021, 7, 4),)
    assert clean(turned(kind, 1, None, 6)).days == expected
    block = exif_item(exif())
    assert clean(heif([coded(picture(), kind), replace(block, method=1)], [(b"cdsc", 2, [1])],
                      brand=BRANDS[kind])).days == expected  # fmt: skip
    other = heif([coded(picture(), kind), block], brand=BRANDS[kind])
    assert clean(other).days == ()  # it describes another picture, or none


# Private bytes


def sei(text: bytes = PRIVATE) -> bytes:
    """A message with user data, as a unit of HEVC behind its length."""
    body = bytes([39 << 1, 1, 5, len(text)]) + text + b"\x80"
    return struct.pack(">I", len(body)) + body


def obu(kind: int, text: bytes = PRIVATE) -> bytes:
    return bytes([kind << 3 | 2, len(text)]) + text


def extended(item: Item, more: bytes) -> Item:
    return replace(item, data=item.data + more)


def with_sequence(item: Item, more: bytes) -> Item:
    """The picture with more bytes at the end of its sequence header, which follows a delimiter."""
    assert item.data[:3] == bytes([2 << 3 | 2, 0, 1 << 3 | 2])
    end = 4 + item.data[3]
    return replace(item, data=obu(1, item.data[4:end] + more) + item.data[end:])


def hvcc_with(item: Item, kind: int, unit: bytes) -> Item:
    """The picture with one more array of units in its configuration."""
    old = item.property(b"hvcC")
    array = struct.pack(">BHH", kind, 1, len(unit)) + unit
    return item.instead(box(b"hvcC", old[:22], bytes([old[22] + 1]), old[23:], array))


def av1c_with(item: Item, more: bytes) -> Item:
    return item.instead(box(b"av1C", item.property(b"av1C"), more))


References = Sequence[tuple[bytes, int, list[int]]]

PICTURES = {kind: coded(picture(size=(64, 64)), kind) for kind in BRANDS}
SMALL = {kind: coded(picture(size=(64, 64), seed=5), kind) for kind in BRANDS}


def hidden(kind: bytes) -> Iterator[tuple[str, bytes]]:
    """Files with private bytes in every place that a file of that kind has for them."""
    one, other, brand = PICTURES[kind], SMALL[kind], BRANDS[kind]

    def of(*items: Item, references: References = (), **more: bytes) -> bytes:
        return heif(list(items), references, brand=brand, **more)

    described = [(b"cdsc", 2, [1])]
    yield "exif", of(one, exif_item(exif()), references=described)
    yield "exif in idat", of(one, replace(exif_item(exif()), method=1), references=described)
    xmp = Item(b"mime", PRIVATE, more=b"application/rdf+xml\0\0")
    yield "xmp", of(one, xmp, references=described)
    yield "maker's item", of(one, Item(b"uri ", PRIVATE, more=PRIVATE + b"\0"))
    yield "name", of(replace(one, name=PRIVATE))
    yield "thumbnail", of(one, replace(other, name=PRIVATE), references=[(b"thmb", 2, [1])])
    yield "another picture", of(one, replace(other, data=other.data + PRIVATE))
    yield (
        "depth",
        of(one, replace(other, data=PRIVATE).also(aux(DEPTH)), references=[(b"auxl", 2, [1])]),
    )
    yield (
        "alpha's subtype",
        of(one, other.also(aux(ALPHA + PRIVATE)), references=[(b"auxl", 2, [1])]),
    )
    yield "between data", of(one, gap=PRIVATE)
    yield "free", of(one, more=box(b"free", PRIVATE) + box(b"skip", PRIVATE))
    yield "uuid", of(one, more=box(b"uuid", bytes(16), PRIVATE))
    yield "udta", of(one, more=box(b"udta", PRIVATE))
    yield "behind the end", of(one) + box(b"free", PRIVATE)
    yield (
        "properties",
        of(one.also(box(b"udes", PRIVATE), full(b"altt", PRIVATE), box(b"uuid", PRIVATE))),
    )
    yield (
        "longer properties",
        of(one.also(box(b"irot", b"\1" + PRIVATE), box(b"imir", b"\0" + PRIVATE))),
    )
    yield "no profile", of(one.also(box(b"colr", b"prof", PRIVATE)))
    yield from hidden_in_hevc(one) if kind == b"hvc1" else hidden_in_av1(one)


def unit(kind: int, layer: int = 0) -> bytes:
    """A unit of HEVC with private bytes, behind its length."""
    return struct.pack(">IBB", 2 + len(PRIVATE), kind << 1, layer << 3 | 1) + PRIVATE


def hidden_in_hevc(one: Item) -> Iterator[tuple[str, bytes]]:
    colours = box(b"colr", b"nclx\0\1\0\r\0\6\x80", PRIVATE)
    yield "longer colours", heif([one.without(b"colr").also(colours)])
    longer = grid(1, 1, 64, 64)
    longer = replace(longer, data=longer.data + PRIVATE)
    yield "longer grid", heif([longer, one], [(b"dimg", 1, [2])])
    yield "message", heif([replace(one, data=sei() + one.data + sei())])
    yield "message in hvcC", heif([hvcc_with(one, 39, sei()[4:])])
    yield "filler", heif([extended(one, unit(38))])
    yield "unspecified unit", heif([extended(one, unit(50))])
    yield "another layer", heif([extended(one, unit(1, layer=1))])
    for number in (0, 1, 6, 8):
        yield f"picture of type {number}", heif([extended(one, unit(number))])
    yield "unused parameters", heif([hvcc_with(one, 34, bytes([34 << 1, 1, 0x20]) + PRIVATE)])
    old = one.property(b"hvcC")
    yield "constraints", heif([one.instead(box(b"hvcC", old[:6] + PRIVATE[:6] + old[12:]))])


def hidden_in_av1(one: Item) -> Iterator[tuple[str, bytes]]:
    def of(item: Item) -> bytes:
        return heif([item], brand=b"avif")

    yield "metadata", of(replace(one, data=obu(5) + one.data + obu(5)))
    yield "padding", of(extended(one, obu(15)))
    yield "reserved unit", of(extended(one, obu(9)))
    yield "metadata in av1C", of(av1c_with(one, obu(5)))
    yield "last unit without a size", of(extended(one, bytes([15 << 3]) + PRIVATE))
    yield "longer sequence header", of(with_sequence(one, PRIVATE))


HIDDEN = {
    f"{name} {what}": content for name, kind in KINDS.items() for what, content in hidden(kind)
}


@pytest.mark.parametrize("original", HIDDEN.values(), ids=HIDDEN)
def test_no_private_byte_stays(original: bytes) -> None:
    photo = clean(original)
    needle = PRIVATE[:6]
    assert needle in original
    assert needle not in photo.content
    assert shown(photo.content) == shown(original)
    assert set(dict(parts(photo.content))) == {b"ftyp", b"meta", b"mdat"}


def test_a_header_that_is_told_again_goes() -> None:
    one = PICTURES[b"av01"]
    content = heif([extended(one, obu(7))], brand=b"avif")
    assert clean(content) == clean(heif([one], brand=b"avif"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_profile_is_written_anew_as_in_other_formats(kind: bytes) -> None:
    content = heif([PICTURES[kind].also(box(b"colr", b"prof", display()))], brand=BRANDS[kind])
    assert shown(clean(content).content)[2] == shown(content)[2]
    with opened(clean(encoded(picture(), "JPEG", icc_profile=display())).content) as jpeg:
        assert jpeg.info["icc_profile"] in clean(content).content


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("more", [PRIVATE, b"\0\0\0\4" + PRIVATE, b"\0" * 9 + PRIVATE])
def test_what_stands_behind_the_boxes_goes(kind: bytes, more: bytes) -> None:
    content = heif([PICTURES[kind]], brand=BRANDS[kind])
    assert clean(content + more) == clean(content)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("major", [b"mif1", b"mif3", b"MiHE", b"miaf", b"msf1", b"1pic"])
def test_a_brand_that_tells_no_format_leaves_it_to_the_others(kind: bytes, major: bytes) -> None:
    content = heif([PICTURES[kind]], brand=BRANDS[kind])
    assert clean(content[:8] + major + content[12:]) == clean(content)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("brands", [(b"avif", b"heic"), (b"heic", b"avif")])
@pytest.mark.parametrize("major", [b"mif1", b""])
def test_where_brands_tell_two_formats_the_picture_does(
    kind: bytes, brands: tuple[bytes, ...], major: bytes
) -> None:
    one, other = PICTURES[kind], SMALL[next(each for each in BRANDS if each != kind)]
    made = partial_heif(BRANDS[kind])
    for whole in (
        made([one, other], [(b"thmb", 2, [1])]),
        made([other, one], [(b"thmb", 1, [2])], primary=2),
        made([grid(1, 1, 64, 64), one], [(b"dimg", 1, [2])]),
    ):
        ftyp = box(b"ftyp", major or brands[0], bytes(4), *brands)
        # Offsets count from the beginning, so the header keeps its length.
        two = ftyp + whole[24:]
        assert len(two) == len(whole)
        assert clean(two) == clean(whole)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_file_of_two_formats_is_told_wherever_it_is_cut(kind: bytes) -> None:
    content = heif([PICTURES[kind]], brand=BRANDS[kind])
    two = content[:16] + b"avifheic" + content[24:]
    known = {format_of(two[:cut]) for cut in range(24, min(len(content), 700))}
    assert None not in known
    assert {each.name for each in known if each} <= {"HEIC", "AVIF"}


HARMLESS = {
    "light levels": box(b"clli", bytes(4)),
    "mastering display": box(b"mdcv", bytes(24)),
    "square pixels": box(b"pasp", struct.pack(">II", 1, 1)),
    "ambience": box(b"amve", bytes(8)),
    "longer pixi": full(b"pixi", b"\3\x08\x08\x08", bytes(8), flags=1),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("written", HARMLESS.values(), ids=HARMLESS)
def test_what_changes_no_pixel_goes_also_where_it_must_be_understood(
    kind: bytes, written: bytes
) -> None:
    one = PICTURES[kind]
    essential = replace(one, essential=(*one.essential, written[4:8])).instead(written)
    plain = clean(heif([one.without(written[4:8])], brand=BRANDS[kind]))
    assert clean(heif([essential], brand=BRANDS[kind])) == plain


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_auxiliary_picture_of_a_kind_without_an_end_is_no_alpha(kind: bytes) -> None:
    one = PICTURES[kind]
    auxiliary = SMALL[kind].also(aux(ALPHA.rstrip(b"\0")))
    content = heif([one, auxiliary], [(b"auxl", 2, [1])], brand=BRANDS[kind])
    assert clean(content) == clean(heif([one], brand=BRANDS[kind]))


def crop_of(item: Item, *numbers: int) -> Item:
    """The picture with a crop: width, height, and how far its middle is across and down; four fractions."""
    return item.without(b"clap").also(box(b"clap", struct.pack(">IIIIiIiI", *numbers)))


FRACTIONS = [
    (wide, parts, high, 1, across, 2, down, 2)
    for wide, parts in ((125, 2), (121, 2), (127, 2), (40, 1), (41, 1), (100, 3), (64, 1), (70, 1))
    for high in (40, 41, 80)
    for across, down in ((0, 0), (-1, 1), (1, -3), (-41, 40))
]


def test_a_crop_has_the_sides_that_libheif_shows() -> None:
    one = coded(picture(size=(64, 80)))
    for numbers in FRACTIONS:
        down = (*numbers[2:4], *numbers[:2], *numbers[6:], *numbers[4:6])
        for content in (heif([crop_of(one, *numbers)]), heif([crop_of(one, *down)])):
            photo, expected = clean(content), shown(content)
            assert (photo.width, photo.height) == expected[1], numbers
            assert shown(photo.content) == expected


def test_what_a_crop_leaves_is_turned_or_what_is_turned_is_cropped() -> None:
    one, numbers = coded(picture(size=(64, 80))), (80, 1, 60, 1, 0, 1, 0, 1)
    upright = (*numbers[2:4], *numbers[:2], *numbers[4:])
    twice = crop_of(one.also(irot(1)), *numbers)
    cases = {
        (64, 60): crop_of(one, 64, 1, 60, 1, 0, 1, 0, 1).also(irot(1)),
        (60, 80): twice,
        (30, 80): twice.also(irot(3), box(b"clap", struct.pack(">8I", 30, 1, 80, 1, 0, 1, 0, 1))),
        (60, 79): crop_of(one.also(irot(2)), *upright[:2], 79, 1, *upright[4:]).also(irot(1)),
    }
    for sides, item in cases.items():
        photo = clean(heif([item]))
        assert (photo.width, photo.height) == sides
        assert shown(photo.content) == shown(heif([item]))
        quarters = sum(p[8] for p in item.properties if p[4:8] == b"irot")
        assert shown(photo.content)[1] == (sides[::-1] if quarters % 2 else sides)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("numbers", [(1, 1, 1), (9, 16, 9), (2, 2, 2)])
def test_colours_by_quicktime_s_numbers_stay_as_decoders_show_them(
    kind: bytes, numbers: tuple[int, ...]
) -> None:
    colours = box(b"colr", b"nclc", struct.pack(">3H", *numbers), PRIVATE)
    content = heif([PICTURES[kind].without(b"colr").also(colours)], brand=BRANDS[kind])
    photo = clean(content)
    assert shown(photo.content) == shown(content)
    assert PRIVATE not in photo.content


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("named", [([1, 3],), ([3, 1],), ([1], [3]), ([3], [1])])
def test_an_alpha_that_names_two_pictures_is_shown_as_before(
    kind: bytes, named: tuple[list[int], ...]
) -> None:
    alpha = coded(picture("L", (64, 64)), kind).also(aux(ALPHA))
    items = [PICTURES[kind], alpha, SMALL[kind]]
    references = [*((b"auxl", 2, to) for to in named), (b"thmb", 3, [1])]
    content = heif(items, references, brand=BRANDS[kind])
    assert shown(clean(content).content) == shown(content)


# Refusals


def sharing(tiles: list[Item], brand: bytes, *, shorter: int = 0) -> bytes:
    """A square grid of which each tile has the data of the last one, or some bytes less than the next."""
    rows, last = math.isqrt(len(tiles)), len(tiles)
    items = [grid(rows, rows, 64 * rows, 64 * rows)]
    items += [*(replace(each, data=b"?") for each in tiles[:-1]), tiles[-1]]
    content = bytearray(heif(items, [(b"dimg", 1, list(range(2, last + 2)))], brand=brand))
    at = content.index(b"iloc") + 12
    start, length = struct.unpack_from(">II", content, at + 16 * last + 8)
    for number in range(1, last):
        place = start, length - shorter * (last - number)
        struct.pack_into(">II", content, at + 16 * number + 8, *place)
    return bytes(content)


def test_items_share_data_only_where_all_their_places_are_the_same() -> None:
    found = HeifItems(1, {}, [], memoryview(b"ABCDEF"), memoryview(b"abcdefghij"))
    items = [HeifItem(places=places) for places in ([(0, 2), (2, 1)], [(0, 2), (3, 1)], [(0, 2)])]
    items.append(HeifItem(places=[(0, 2)], method=1))
    assert [found.data(each).content for each in items] == [b"abc", b"abd", b"ab", b"AB"]
    assert found.data(items[0]) is found.data(HeifItem(places=[(0, 2), (2, 1)]))
    with pytest.raises(NotAPhoto, match="overlap"):
        found.data(items[0], b"another use")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_tiles_that_share_their_data_are_kept_and_share_them_again(kind: bytes) -> None:
    one = PICTURES[kind]
    content = sharing([one] * 16, BRANDS[kind])
    photo = clean(content)
    assert shown(photo.content) == shown(content)
    assert len(photo.content) < 2 * len(one.data)
    assert clean(photo.content) == photo
    cut = clean(content[:-1]).content
    assert len(cut) == len(photo.content) - 1
    assert clean(cut).content == cut


def refused(kind: bytes) -> Iterator[tuple[str, bytes, str]]:
    one, other, brand = PICTURES[kind], SMALL[kind], BRANDS[kind]
    made = partial_heif(brand)
    whole = made([one])
    yield "no meta", whole[:24] + box(b"mdat"), "there is no box meta, or more than one"
    yield "two metas", whole + whole[24:], "there is no box meta, or more than one"
    yield "nothing", box(b"ftyp", brand, bytes(4)), "there is no box meta, or more than one"
    yield "sequence alone", box(b"ftyp", brand, bytes(4)) + full(b"meta"), "there is no box pitm"
    yield "primary missing", made([one], primary=9), "the primary item is missing"
    yield "metadata as primary", made([exif_item(exif()), one]), "its picture is neither coded"
    yield "another codec", made([replace(one, kind=b"jpeg")]), "its picture is neither coded"
    yield "overlay", made([replace(one, kind=b"iovl")]), "its picture is neither coded"
    yield "no configuration", made([one.without(b"hvcC").without(b"av1C")]), "no configuration"
    yield "no sides", made([one.without(b"ispe")]), "doesn't say its sides"
    yield "other sides", made([one.instead(ispe(64, 65))]), "declares other sides"
    yield "no pixels of a side", made([one.instead(ispe(0, 64))]), "a side of no or too many pixels"
    yield "long side", made([one.instead(ispe(70_000, 64))]), "a side of no or too many pixels"
    yield (
        "unknown essential",
        made([replace(one, essential=(*one.essential, b"new1")).also(box(b"new1", b"x"))]),
        "must be understood",
    )
    yield (
        "layer",
        made([replace(one, essential=(b"lsel",)).also(box(b"lsel", b"\0\1"))]),
        "must be understood",
    )
    yield "grid of itself", made([grid(1, 1, 64, 64)], [(b"dimg", 1, [1])]), "no coded picture"
    yield (
        "grid of grids",
        made([grid(1, 1, 64, 64), grid(1, 1, 64, 64), one], [(b"dimg", 1, [2]), (b"dimg", 2, [3])]),
        "no coded picture",
    )
    yield (
        "one tile twice",
        made([grid(1, 2, 128, 64), one], [(b"dimg", 1, [2, 2])]),
        "part of two others",
    )
    yield "tile missing", made([grid(1, 2, 128, 64), one], [(b"dimg", 1, [2, 7])]), "neither coded"
    yield (
        "too few tiles",
        made([grid(2, 2, 128, 128), one], [(b"dimg", 1, [2])]),
        "another number of tiles",
    )
    yield (
        "grid larger than its tiles",
        made([grid(1, 1, 128, 64), one], [(b"dimg", 1, [2])]),
        "don't fit it",
    )
    yield (
        "tile outside",
        made([grid(1, 2, 64, 64), one, one], [(b"dimg", 1, [2, 3])]),
        "don't fit it",
    )
    yield "alpha of itself", made([one.also(aux(ALPHA))], [(b"auxl", 1, [1])]), "part of two others"
    yield (
        "two alphas",
        made(
            [one, one.also(aux(ALPHA)), one.also(aux(ALPHA))],
            [(b"auxl", 2, [1]), (b"auxl", 3, [1])],
        ),
        "two transparencies",
    )
    yield "too many items", made([one] + [Item(b"free", b"x")] * MOST_ITEMS), "more than 1,000"
    yield "garbage", whole[:24] + b"\0\0\0\4" * 9, "garbage in the place of a box"
    yield (
        "protected",
        whole.replace(b"infe\2\0\0\0\0\1\0\0", b"infe\2\0\0\0\0\1\0\1"),
        "neither coded",
    )
    cut = box(b"colr", b"nclx", struct.pack(">3H", 1, 13, 6))
    yield "short colours", made([one.without(b"colr").also(cut)]), "colours of a picture are cut"
    filler = (
        struct.pack(">IBB", 96, 38 << 1, 1) + bytes(94) if kind == b"hvc1" else obu(15, bytes(98))
    )
    yield "overlap", sharing([extended(one, filler * 16)] * 16, brand, shorter=100), "or overlap"
    free = box(b"free", bytes(20_000))
    two = made([grid(1, 2, 128, 64), one, one], [(b"dimg", 1, [2, 3])], more=free)
    at = two.index(b"iloc") + 12 + 16 + 8
    start = struct.unpack_from(">I", two, at + 16)[0]
    two = changed(two, at, struct.pack(">II", start, len(two)))
    two = changed(two, at + 16, struct.pack(">II", start, len(two) + 1))
    yield "two that are cut", two, "run past the end, or overlap"
    of = b"hvcC" if kind == b"hvc1" else b"av1C"
    others = [one.instead(box(of, one.property(of), bytes([n]))) for n in range(16)]
    yield "data of many configurations", sharing(others, brand), "or overlap"
    yield "no units", made([replace(one, data=b"")]), "in a way that isn't read"
    if kind == b"hvc1":
        yield "cut unit", made([extended(one, b"\0\0\1\0ab")]), "can't be told apart"
        yield "half a length", made([extended(one, b"\0\0")]), "can't be told apart"
        yield (
            "many units",
            made([extended(one, struct.pack(">IBB", 2, 38 << 1, 1) * 201)]),
            "told apart",
        )
        yield (
            "other parameters",
            made([extended(one, struct.pack(">IBBI", 6, 33 << 1, 1, 7))]),
            "changes its parameter sets",
        )
        yield "no pixels", made([replace(one, data=sei())]), "has no pixels"
        yield "another picture", made([extended(one, other.data)]), "holds another picture"
        yield "a private slice", made([extended(one, b"\0\0\0\7\x28\1\x80Anna")]), "another picture"
        # x265 writes slices of the type 20. Behind the mark of a first slice stands the number of a set.
        for number in (16, 17, 18, 19, 21):
            more = struct.pack(">IBBB", 6, number << 1, 1, 0x20) + b"Ann"
            yield f"a slice of type {number}", made([extended(one, more)]), "holds another picture"
        yield (
            "a slice of unknown parameters",
            made([extended(one, unit(20))]),
            "no picture parameter set, or two",
        )
        number_0 = bytes([34 << 1, 1, 0x80])
        yield (
            "parameters of one number twice",
            made([hvcc_with(one, 34, number_0 + PRIVATE)]),
            "no picture parameter set, or two",
        )
        for name, kept in (("video", 32), ("sequence", 33), ("picture", 34)):
            text = bytes([kept << 1, 1]) + PRIVATE * 4
            yield f"long {name} parameters", made([hvcc_with(one, kept, text)]), "set is none"
        yield (
            "no parameters",
            made([one.instead(box(b"hvcC", one.property(b"hvcC")[:22], b"\0"))]),
            "one sequence parameter set",
        )
        yield (
            "short parameters",
            made([one.instead(box(b"hvcC", one.property(b"hvcC")[:40]))]),
            "hvcC is too short",
        )
        yield (
            "long parameters",
            made([hvcc_with(one, 34, bytes([34 << 1, 1]) + bytes(2000))]),
            "a parameter set is none",
        )
        for what, why, numbers in (
            ("outside", "to nothing", (20, 1, 20, 1, 100, 1, 0, 1)),
            ("before", "to nothing", (20, 1, 20, 1, 0, 1, -100, 1)),
            ("by zero", "to nothing", (0,) * 8),
            ("of no part", "to nothing", (20, 1, 20, 1, 0, 0, 0, 1)),
            ("in many parts", "numbers that are too large", (6400, 100, 20, 1, 0, 1, 0, 1)),
            ("by large numbers", "numbers that are too large", (1 << 20, 64, 20, 1, 0, 1, 0, 1)),
        ):
            yield f"crop {what}", made([crop_of(one, *numbers)]), why
        yield "short crop", made([one.instead(box(b"clap", bytes(23)))]), "must be understood"
    else:
        yield (
            "cut unit",
            made([extended(one, bytes([15 << 3 | 2, 50]) + b"ab")]),
            "can't be told apart",
        )
        yield (
            "endless size",
            made([extended(one, bytes([15 << 3 | 2]) + b"\xff" * 9)]),
            "told apart",
        )
        yield (
            "many units",
            made([extended(one, bytes([15 << 3 | 2, 0]) * 201)]),
            "can't be told apart",
        )
        yield "another picture", made([extended(one, other.data)]), "holds another picture"
        film = encoded(picture(), "AVIF", save_all=True, append_images=[picture(seed=2)])
        frame = picture_of(film, kind)
        again = replace(frame, data=frame.data[: 4 + frame.data[3]] + obu(3, b"\x80" + PRIVATE))
        yield "a frame shown again", made([again]), "or shows one again"
        yield "tiles behind a frame", made([extended(one, obu(4))]), "tiles or a header of another"
        yield (
            "tiles before a frame",
            made([replace(one, data=one.data[:13] + obu(4) + one.data[13:])]),
            "tiles or a header of another",
        )
        yield (
            "a header told again before",
            made([replace(one, data=one.data[:13] + obu(7) + one.data[13:])]),
            "tiles or a header of another",
        )
        yield (
            "a frame before its header",
            made([replace(one, data=obu(6) + one.data)]),
            "no sequence header before its frame",
        )
        yield "a private frame", made([extended(one, obu(6))]), "holds another picture"
        yield "a private frame header", made([extended(one, obu(3))]), "holds another picture"
        yield (
            "another sequence",
            made([extended(one, obu(1, bytes(10)))]),
            "sequence header, or two",
        )
        yield "tiles of another kind", made([extended(one, obu(8))]), "a list of tiles"
        yield "no header", made([replace(one, data=obu(15))]), "has no sequence header"
        yield "long header", made([extended(one, obu(1, bytes(65)))]), "readable sequence header"
        yield "short configuration", made([one.instead(box(b"av1C", b"\x81"))]), "av1C is too short"


def partial_heif(brand: bytes) -> Callable[..., bytes]:
    return lambda items, references=(), **more: heif(items, references, brand=brand, **more)


REFUSED = {
    f"{name} {what}": (content, why)
    for name, kind in KINDS.items()
    for what, content, why in refused(kind)
}


@pytest.mark.parametrize(("content", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused_by_its_reason(content: bytes, why: str) -> None:
    with pytest.raises(NotAPhoto) as refused_photo:
        clean(content)
    assert refused_photo.value.reason is RejectionReason.MALFORMED
    assert why in refused_photo.value.detail


# Hostile files


def quickly(content: bytes) -> bytes | None:
    """What is kept of a file; None where it is refused. It never fails otherwise, nor takes long."""
    began = time.process_time()
    try:
        kept = clean(content).content
    except NotAPhoto:
        kept = None
    assert time.process_time() - began < SECONDS
    return kept


def places(content: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Where the boxes of a file begin, those of meta and iprp among them."""
    end = len(content) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        yield start
        if kind in (b"meta", b"iprp", b"ipco", b"iinf", b"iref"):
            first = {b"meta": 12, b"iref": 12, b"iinf": 14}.get(kind, 8)
            yield from places(content, start + first, start + size)
        start += max(size, 8)


def whole(kind: bytes) -> bytes:
    """A grid with alpha, EXIF, and private bytes around the data."""
    tiles = [coded(picture(size=(64, 64), seed=seed), kind) for seed in range(2)]
    alpha = coded(picture("L", (128, 64)), kind).also(aux(ALPHA))
    items = [grid(1, 2, 128, 64, method=0).also(irot(1)), *tiles, alpha, exif_item(exif())]
    references = [(b"dimg", 1, [2, 3]), (b"auxl", 4, [1]), (b"cdsc", 5, [1])]
    return heif(items, references, brand=BRANDS[kind], gap=PRIVATE)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_file_that_is_cut_anywhere_is_refused_or_stays_cut(kind: bytes) -> None:
    content = whole(kind)
    data = content.index(b"mdat") + 4
    cuts = {at + more for at in places(content) for more in (-1, 0, 1, 4, 8, 9)}
    for cut in sorted(
        c for c in cuts | set(range(data, len(content), 997)) if 0 < c < len(content)
    ):
        kept = quickly(content[:cut])
        if kept is None:
            assert cut < data or kind == b"av01" or cut < data + 300
            continue
        assert PRIVATE not in kept
        photo_format = format_of(kept)
        assert photo_format
        assert photo_format.is_cut(kept) or cut >= len(content) - len(exif()) - 80
        assert quickly(kept) == kept


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_photo_that_is_cut_keeps_the_alpha_that_stands_before_it(kind: bytes) -> None:
    """What is whole is written before what isn't, so that it stays whole when it is cleaned again."""
    one, alpha = PICTURES[kind], coded(picture("L", (64, 64)), kind).also(aux(ALPHA))
    content = heif([alpha, one], [(b"auxl", 1, [2])], brand=BRANDS[kind], primary=2)
    for missing in (1, len(one.data) // 2, len(one.data), len(one.data) + 50):
        kept = quickly(content[:-missing])
        if kept is None:  # no header says how large the picture is
            assert kind == b"av01"
            assert missing >= len(one.data)
            continue
        assert alpha.data[-150:-50] in kept
        assert quickly(kept) == kept


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    "size", [b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\7", b"\0\0\0\x09", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"]
)  # fmt: skip
def test_a_box_of_a_wrong_length_never_fails(kind: bytes, size: bytes) -> None:
    content = whole(kind)
    for at in places(content):
        kept = quickly(changed(content, at, size))
        assert kept is None or PRIVATE not in kept


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_private_byte_survives_a_changed_byte_of_the_structure(kind: bytes) -> None:
    content = whole(kind)
    for at in range(content.index(b"mdat")):
        for value in {0, 1, content[at] ^ 0x80, 0xFF} - {content[at]}:
            kept = quickly(changed(content, at, bytes([value])))
            assert kept is None or PRIVATE not in kept, (at, value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_random_damage_never_fails(kind: bytes) -> None:
    content, dice = whole(kind), random.Random(7)
    end = content.index(b"mdat") + 400
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(dice.randrange(1, 6)):
            damaged[dice.randrange(12, end)] = dice.choice(
                (0, 1, 2, 0x7F, 0xFF, dice.randrange(256))
            )
        quickly(bytes(damaged))


def large(kind: bytes) -> Iterator[tuple[str, bytes]]:
    """Files that make a careless reader work for long."""
    one, brand = PICTURES[kind], BRANDS[kind]
    profile = box(b"colr", b"prof", display() + bytes(5_000_000))
    tiles = [one.also(profile)] * 900
    yield (
        "a profile for each tile",
        heif([grid(30, 30, 1920, 1920), *tiles], [(b"dimg", 1, list(range(2, 902)))], brand=brand),
    )
    yield (
        "huge ipma",
        heif([one.also(*[box(b"free", bytes([n % 256])) for n in range(250)])] * 900, brand=brand),
    )
    free = [box(b"free", struct.pack(">I", number)) for number in range(200)]
    yield "many properties", heif([one.also(*free)], brand=brand, more=box(b"free") * 200_000)
    units = (
        struct.pack(">IBB", 2, 38 << 1, 1) * 199
        if kind == b"hvc1"
        else bytes([15 << 3 | 2, 0]) * 199
    )
    many = [replace(one, data=units + one.data) for _ in range(900)]
    yield (
        "many units",
        heif([grid(30, 30, 1920, 1920), *many], [(b"dimg", 1, list(range(2, 902)))], brand=brand),
    )
    yield "boxes of no body", box(b"ftyp", brand, bytes(4)) + box(b"free") * 3_000_000
    yield "many references", heif([one], [(b"cdsc", 1, [1] * 60_000)] * 20, brand=brand)
    references = [(b"dimg", 1, list(range(2, 902))), (b"cdsc", 1, list(range(2, 902)))]
    references += [(b"cdsc", 2, list(range(3, 703)))] * 3
    yield (
        "references of many items",
        heif([grid(30, 30, 1920, 1920), *[one] * 900], references, brand=brand),
    )
    yield "shared data", sharing([one] * 900, brand)
    yield "overlapping data", sharing([one] * 900, brand, shorter=1)
    # A picture with 2 MB of padding, and 900 configurations for it.
    units = (
        struct.pack(">IBB", 10_002, 38 << 1, 1) + bytes(10_000)
        if kind == b"hvc1"
        else bytes([15 << 3 | 2, 0x90, 0x4E]) + bytes(10_000)
    )
    heavy, of = extended(one, units * 195), (b"hvcC" if kind == b"hvc1" else b"av1C")
    yield "heavy shared data", sharing([heavy] * 900, brand)
    others = [heavy.instead(box(of, one.property(of), struct.pack(">H", n))) for n in range(900)]
    yield "heavy shared data of other configurations", sharing(others, brand)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_profile_of_many_tiles_is_written_once(kind: bytes) -> None:
    """Each tile names the profile; a copy for each would take a gigabyte where it is large."""
    profile = box(b"colr", b"prof", printer())
    tiles = [PICTURES[kind].also(profile)] * 900
    content = sharing(tiles, BRANDS[kind])
    tracemalloc.start()
    try:
        kept = clean(content).content
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kept.count(b"prof") == 1
    assert most < 100 * len(printer())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_large_structures_take_no_longer(kind: bytes) -> None:
    for name, content in large(kind):
        began = time.process_time()
        kept = quickly(content)
        assert time.process_time() - began < SECONDS, name
        assert kept is None or len(kept) <= 2 * len(content), name
