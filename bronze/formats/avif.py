"""Removal of metadata from AVIF: the photo is written anew from what its pixels need, and AV1 pictures keep
their headers and tiles alone.

Metadata and padding of AV1 go. Sources: AV1 Image File Format, AV1 Bitstream & Decoding Process.
"""

from __future__ import annotations

from collections.abc import Iterator

from bronze.formats import heif_pictures
from bronze.formats.bit_reader import BitReader
from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.heif_items import ItemData
from bronze.formats.heif_pictures import Codec, CodedPicture

SEQUENCE, FRAME_HEADER, TILES, FRAME, TILE_LIST = 1, 3, 4, 6, 8
KEPT = (SEQUENCE, FRAME_HEADER, TILES, FRAME)
"""The types of OBUs (open bitstream units) that are kept. Frame headers that are told again are not."""

MOST_UNITS = 200
CONFIGURATION = 4
"""The bytes of av1C before its OBUs, which repeat those of the picture."""

LONGEST_SEQUENCE = 24
"""The most bytes of a sequence header. Those of encoders have some ten."""


def cleaned(original: bytes) -> CleanPhoto:
    """Return the photo of an AVIF file without metadata. Raises NotAPhoto (MALFORMED)."""
    return heif_pictures.heif_photo(original, "AVIF", CODEC)


def _picture(configuration: bytes, data: ItemData) -> CodedPicture:
    """Return an AV1 picture without metadata. Raises NotAPhoto (MALFORMED)."""
    if len(configuration) < CONFIGURATION:
        raise malformed("box av1C is too short")
    sequence, frames, kept = b"", 0, []
    for kind, header, payload, missing in _units(data):
        if kind == SEQUENCE:
            if missing or len(payload) > LONGEST_SEQUENCE or sequence not in (b"", payload):
                raise malformed("a picture has no readable sequence header, or two")
            if sequence:
                continue  # it is told again
            sequence = payload
        if kind == TILE_LIST:
            raise malformed("a picture is a list of tiles")
        frames += kind in (FRAME_HEADER, FRAME)
        if frames > 1:
            raise malformed("an item holds another picture")
        if kind in KEPT:
            kept.append(header + _leb128(len(payload) + missing) + payload)
    if not sequence:
        raise malformed("a picture has no sequence header")
    content = ItemData(b"".join(kept), data.missing)
    return CodedPicture(configuration[:CONFIGURATION], content, *_sides(sequence))


def _units(data: ItemData) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Yield the type, the header with the mark of a size, the payload, and the missing bytes of each OBU."""
    content, at, count = data.content, 0, 0
    while at < len(content):
        first = content[at]
        header = bytes([first & 0x7C | 2]) + content[at + 1 : at + 1 + (first >> 2 & 1)]
        at += len(header)
        size = len(content) + data.missing - at
        if first & 2:
            size, at = _read_leb128(content, at)
        payload = content[at : at + size]
        at += size
        count += 1
        missing = size - len(payload)
        if first & 0x80 or count > MOST_UNITS or missing > data.missing:
            raise malformed("the units of a picture can't be told apart")
        yield first >> 3 & 15, header, payload, data.missing if missing else 0


def _read_leb128(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for place in range(8):
        byte = content[at + place] if at + place < len(content) else 0x80
        number |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return number, at + place + 1
    raise malformed("the units of a picture can't be told apart")


def _leb128(number: int) -> bytes:
    """Return a number in bytes of seven bits, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def _sides(sequence: bytes) -> tuple[int, int]:
    """Return (width, height) of the largest frame, from a sequence header."""
    bits = BitReader(sequence)
    bits.next(3)
    bits.next(1)
    if bits.next(1):  # the reduced header of a still picture
        bits.next(5)
    else:
        _skip_points(bits)
    wide, high = bits.next(4) + 1, bits.next(4) + 1
    return bits.next(wide) + 1, bits.next(high) + 1


def _skip_points(bits: BitReader) -> None:
    """Read on behind the times and the operating points of a whole sequence header."""
    has_model, delay = 0, 0
    if bits.next(1):
        bits.next(64)
        if bits.next(1):
            bits.exponential()
        has_model = bits.next(1)
        if has_model:
            delay = bits.next(5) + 1
            bits.next(32 + 5 + 5)
    has_delays = bits.next(1)
    for _ in range(bits.next(5) + 1):
        bits.next(12)
        if bits.next(5) > 7:
            bits.next(1)
        if has_model and bits.next(1):
            bits.next(2 * delay + 1)
        if has_delays and bits.next(1):
            bits.next(4)


CODEC = Codec(b"av01", b"av1C", (b"avif", b"mif1", b"miaf"), _picture, crops=False)
