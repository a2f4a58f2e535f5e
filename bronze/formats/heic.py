"""Removal of metadata from HEIC: the photo is written anew from what its pixels need, and HEVC pictures keep
their slices and parameter sets alone.

User data in messages (SEI) and fillings go. A picture whose parameter sets stand between its slices alone,
and not in its configuration, is refused. Sources: ISO/IEC 23008-12, ISO/IEC 14496-15, ITU-T H.265.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from bronze.formats import heif_pictures
from bronze.formats.bit_reader import BitReader
from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.heif_items import ItemData
from bronze.formats.heif_pictures import MOST_UNITS, Codec, CodedPicture, unclear_units

SLICES = range(16, 22)
"""The types of NAL units with pixels that need no other picture. Any other picture is not what is shown."""

VPS, SPS, PPS = PARAMETER_SETS = (32, 33, 34)

LONGEST_SET = 128
"""The most bytes of a parameter set. Those of cameras have a hundred at most. Whatever follows their last
field isn't told from an extension, so that the limit is what keeps other bytes short."""

HEAD = 22
"""The bytes of hvcC before the number of its arrays."""

LEVELS = slice(3, 15)
"""Where a sequence parameter set holds its profile, its constraints and its level, which hvcC repeats."""


def cleaned(original: bytes) -> CleanPhoto:
    """Return the photo of a HEIC file without metadata. Raises NotAPhoto (MALFORMED)."""
    return heif_pictures.heif_photo(original, "HEIC", CODEC)


def _picture(configuration: bytes, data: ItemData) -> CodedPicture:
    """Return an HEVC picture without messages. Raises NotAPhoto (MALFORMED)."""
    if len(configuration) <= HEAD or configuration[0] != 1:
        raise malformed("box hvcC is too short")
    sets = _parameter_sets(configuration)
    if len(sets.get(SPS, ())) != 1 or len(sets.get(VPS, ())) > 1:
        raise malformed("a picture has not one sequence parameter set")
    plain = sets[SPS][0].replace(b"\0\0\3", b"\0\0")
    width, height = _sides(plain)
    length_size = (configuration[21] & 3) + 1
    kept = list[bytes]()
    kinds, used = set[int](), set[int]()
    for unit, is_whole in _units(data.content, length_size, is_cut=data.missing > 0):
        kind = unit[0] >> 1 & 63
        is_base = not (unit[0] & 1 or unit[1] >> 3)
        if is_base and kind in PARAMETER_SETS and is_whole and unit not in sets.get(kind, ()):
            raise malformed("a picture changes its parameter sets")
        if is_base and kind in SLICES:
            is_first, parameters = _slice_head(unit)
            kinds.add(kind)
            used.add(parameters)
            if is_first is bool(kept) or len(kinds) > 1:
                raise malformed("an item holds another picture, or a part of one")
            length = len(unit) if is_whole else len(unit) + data.missing
            kept.append(length.to_bytes(length_size) + unit)
    if not kept and not data.missing:
        raise malformed("a picture has no pixels")
    sets[PPS] = [each for each in sets.get(PPS, ()) if BitReader(each[2:]).exponential() in used]
    if len(sets[PPS]) != len(used):
        raise malformed("a slice has no picture parameter set, or two")
    content = ItemData(b"".join(kept), data.missing)
    return CodedPicture(_configuration(configuration, sets, plain), content, width, height)


def _slice_head(unit: bytes) -> tuple[bool, int]:
    """Return whether a slice is the first of its picture, and the number of its picture parameter set."""
    bits = BitReader(unit[2:12])
    is_first = bool(bits.next(1))
    bits.next(1)
    return is_first, bits.exponential()


def _units(content: bytes, length_size: int, *, is_cut: bool) -> Iterator[tuple[bytes, bool]]:
    """Yield the NAL units of an item's data, each with whether it is whole.

    Only the last one of data that are cut off may not be.
    """
    at = count = 0
    while at + length_size + 2 <= len(content):
        length = int.from_bytes(content[at : at + length_size])
        at += length_size
        unit = content[at : at + length]
        count += 1
        if length < 2 or count > MOST_UNITS or (len(unit) < length and not is_cut):
            raise unclear_units()
        yield unit, len(unit) == length
        at += length
    if at < len(content) and not is_cut:
        raise unclear_units()


def _parameter_sets(configuration: bytes) -> dict[int, list[bytes]]:
    """Return the parameter sets of hvcC by their type. Raises NotAPhoto (MALFORMED)."""
    sets = dict[int, list[bytes]]()
    at, arrays = HEAD + 1, configuration[HEAD]
    try:
        for _ in range(arrays):
            kind, count = struct.unpack_from(">BH", configuration, at)
            at += 3
            for _ in range(count):
                (length,) = struct.unpack_from(">H", configuration, at)
                unit = configuration[at + 2 : at + 2 + length]
                at += 2 + length
                if at > len(configuration):
                    raise malformed("box hvcC is too short")
                if kind & 63 in PARAMETER_SETS:
                    if not 2 < length <= LONGEST_SET or unit[0] >> 1 & 63 != kind & 63:
                        raise malformed("a parameter set is none")
                    known = sets.setdefault(kind & 63, [])
                    known += [unit] * (unit not in known)
    except struct.error:
        raise malformed("box hvcC is too short") from None
    if sum(map(len, sets.values())) > 8:
        raise malformed("a picture has too many parameter sets")
    return sets


def _configuration(original: bytes, sets: dict[int, list[bytes]], sps: bytes) -> bytes:
    """Return the body of hvcC with the parameter sets alone. `sps` is without its escapes."""
    head = b"\1" + sps[LEVELS] + b"\xf0\0\xfc" + bytes([0xFC | original[16] & 3])
    head += bytes([0xF8 | original[17] & 7, 0xF8 | original[18] & 7, 0, 0, original[21] & 0x3F])
    arrays = [
        struct.pack(">BH", 0x80 | kind, len(units))
        + b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
        for kind, units in sorted(sets.items())
        if units
    ]
    return head + bytes([len(arrays)]) + b"".join(arrays)


def _sides(sps: bytes) -> tuple[int, int]:
    """Return (width, height) of a picture from its sequence parameter set, which is without escapes."""
    bits = BitReader(sps)
    bits.next(16 + 4)
    layers = bits.next(3)
    bits.next(1 + 88 + 8)
    known = [(bits.next(1), bits.next(1)) for _ in range(layers)]
    if layers:
        bits.next(2 * (8 - layers))
    for has_profile, has_level in known:
        bits.next(88 * has_profile + 8 * has_level)
    bits.exponential()
    chroma = bits.exponential()
    if chroma == 3:
        bits.next(1)
    width, height = bits.exponential(), bits.exponential()
    if bits.next(1):
        left, right, top, bottom = (bits.exponential() for _ in range(4))
        width -= (2 if chroma in (1, 2) else 1) * (left + right)
        height -= (2 if chroma == 1 else 1) * (top + bottom)
    return width, height


CODEC = Codec(b"hvc1", b"hvcC", (b"heic", b"mif1"), _picture, by_libheif=True)
