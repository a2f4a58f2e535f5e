"""Removal of metadata from AVIF: the photo is written anew from what its pixels need, and AV1 pictures keep
their headers and tiles alone.

Metadata and padding of AV1 go. Sources: AV1 Image File Format, AV1 Bitstream & Decoding Process.
"""

from __future__ import annotations

from collections.abc import Iterator

from bronze.formats import heif_pictures
from bronze.formats.av1_sequence import AV1Sequence, av1_sequence
from bronze.formats.cleaning_results import CleanPhoto, malformed
from bronze.formats.heif_items import ItemData
from bronze.formats.heif_pictures import MOST_UNITS, Codec, CodedPicture, unclear_units

SEQUENCE, FRAME_HEADER, TILES, FRAME, HEADER_AGAIN, TILE_LIST = 1, 3, 4, 6, 7, 8
"""The types of OBUs (open bitstream units). Others, and frame headers that are told again, are not kept."""

CONFIGURATION = 4
"""The bytes of av1C before its OBUs, which repeat those of the picture."""


def cleaned(original: bytes) -> CleanPhoto:
    """Return the photo of an AVIF file without metadata. Raises NotAPhoto (MALFORMED)."""
    return heif_pictures.heif_photo(original, "AVIF", CODEC)


def _picture(configuration: bytes, data: ItemData) -> CodedPicture:
    """Return an AV1 picture without metadata. Raises NotAPhoto (MALFORMED)."""
    if len(configuration) < CONFIGURATION:
        raise malformed("box av1C is too short")
    sequence: AV1Sequence | None = None
    frame, kept = 0, list[bytes]()
    for kind, header, payload, missing in _units(data):
        if kind == SEQUENCE:
            found = av1_sequence(payload)
            if missing or sequence not in (None, found):
                raise malformed("a picture has no readable sequence header, or two")
            if sequence:
                continue  # it is told again
            sequence, payload = found, found.payload
        elif kind == TILE_LIST:
            raise malformed("a picture is a list of tiles")
        elif kind in (FRAME_HEADER, FRAME):
            if not sequence:
                break
            if frame or (not sequence.is_reduced and payload[:1] >= b"\x80"):
                raise malformed("an item holds another picture, or shows one again")
            frame = kind
        elif (kind == TILES and frame != FRAME_HEADER) or (kind == HEADER_AGAIN and not frame):
            raise malformed("an item holds tiles or a header of another picture")
        if kind in (SEQUENCE, FRAME_HEADER, TILES, FRAME):
            kept.append(header + _leb128(len(payload) + missing) + payload)
    if not sequence:
        raise malformed("a picture has no sequence header before its frame")
    content = ItemData(b"".join(kept), data.missing)
    return CodedPicture(configuration[:CONFIGURATION], content, sequence.width, sequence.height)


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
            raise unclear_units()
        yield first >> 3 & 15, header, payload, data.missing if missing else 0


def _read_leb128(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the lowest first, and where it ends."""
    number = 0
    for place in range(8):
        byte = content[at + place] if at + place < len(content) else 0x80
        number |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return number, at + place + 1
    raise unclear_units()


def _leb128(number: int) -> bytes:
    """Return a number in bytes of seven bits, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


CODEC = Codec(b"av01", b"av1C", (b"avif", b"mif1", b"miaf"), _picture, by_libheif=False)
