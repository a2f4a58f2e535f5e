"""The image data of a PNG: where they end, and the rows that the header says they hold.

Image data are one zlib stream, spread over chunks. Bytes behind its end, and rows behind the last
row of the image, are read by no decoder. Source: W3C PNG, third edition, sections 7 to 10.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bronze.formats.cleaning_results import malformed
from bronze.formats.png_palette import PaletteUse

LONGEST = 2**30
"""The most bytes that the images of a file may unpack to: 268 million pixels of 32 bits."""

PACKED_BYTES, UNPACKED_BYTES = 2**16, 2**18
"""The most bytes that are unpacked at once, and that come out at once."""

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PALETTE = 3
"""The colour type of images whose pixels are numbers of a palette's entries."""

INTERLACED = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""For each pass of an interlaced image the first column and row, and the steps to the next ones."""


class Pass(NamedTuple):
    """The rows that are stored one after the other: their number, their pixels, and their bytes.

    The first byte of a row says how it is filtered.
    """

    rows: int
    pixels: int
    row_bytes: int


@dataclass(frozen=True)
class PixelLayout:
    """How the pixels of a PNG are stored: bits of a sample, colour type, and whether they are interlaced."""

    depth: int
    colour: int
    interlaced: bool

    @classmethod
    def of(cls, header: bytes) -> PixelLayout:
        """Return what the body of IHDR says. Raises NotAPhoto (MALFORMED) where no decoder reads that."""
        depth, colour, packing, filtering, interlacing = header[8:13]
        if depth not in DEPTHS.get(colour, ()) or packing or filtering or interlacing > 1:
            raise malformed("the header names no kind of pixels")
        return cls(depth, colour, bool(interlacing))

    def passes(self, width: int, height: int) -> list[Pass]:
        """Return the passes of an image of that size in pixels."""
        found = []
        for left, top, across, down in INTERLACED if self.interlaced else ((0, 0, 1, 1),):
            pixels, rows = max(0, -(-(width - left) // across)), max(0, -(-(height - top) // down))
            row_bytes = 1 + -(-pixels * self.depth * SAMPLES[self.colour] // 8)
            found += [Pass(rows, pixels, row_bytes)] if pixels and rows else []
        return found


class ImageData:
    """Cuts the image data of one file, in bounded memory. `unpacked` counts the bytes of all its images."""

    def __init__(self) -> None:
        self.unpacked = 0

    def cut(
        self, bodies: list[bytes], passes: list[Pass], palette: PaletteUse | None
    ) -> list[bytes]:
        """Return the bodies of the chunks of one image without what no decoder reads.

        A stream that holds more rows than the image is packed anew. `palette`, where there is one, is
        told of the rows. Raises NotAPhoto (MALFORMED) for data that can't be unpacked, and for a file
        that unpacks to more than `LONGEST` bytes.
        """
        expected = sum(each.rows * each.row_bytes for each in passes)
        stream = _Stream(bodies, self)
        pieces = stream.pieces(expected)
        if palette:
            palette.see(passes, pieces)
        for _ in pieces:
            pass
        if stream.unpacked > expected:
            # The same bytes are unpacked once more, and count once.
            self.unpacked -= stream.unpacked
            return [self._packed(bodies, expected)]
        if stream.end is None:
            return bodies
        number, offset = stream.end
        return [*bodies[:number], *([bodies[number][:offset]] if offset else [])]

    def _packed(self, bodies: list[bytes], expected: int) -> bytes:
        """Return the first `expected` bytes of the image data, packed anew."""
        packer, left, packed = zlib.compressobj(), expected, []
        for piece in _Stream(bodies, self).pieces(expected):
            packed.append(packer.compress(piece[:left]))
            left -= min(left, len(piece))
        return b"".join([*packed, packer.flush()])


class _Stream:
    """A zlib stream in the bodies of chunks.

    `unpacked` counts the bytes that came out. `end` is (body, offset) behind the stream once its end
    was read. It is None before, and where the stream goes on to the end of the last body. Behind the
    first byte that passes the image nothing is unpacked or checked, because decoders end before it.
    """

    def __init__(self, bodies: list[bytes], image_data: ImageData) -> None:
        self.bodies, self.image_data = bodies, image_data
        self.unpacked = 0
        self.end: tuple[int, int] | None = None
        self._unpacker = zlib.decompressobj()

    def pieces(self, expected: int) -> Iterator[bytes]:
        """Yield what comes out, up to the stream's end or the first byte behind `expected` ones."""
        for number, body in enumerate(self.bodies):
            for start in range(0, len(body), PACKED_BYTES):
                packed = body[start : start + PACKED_BYTES]
                behind = start + len(packed)
                while packed and self.end is None and self.unpacked <= expected:
                    yield self._piece(packed, expected)
                    packed = self._unpacker.unconsumed_tail
                    if self._unpacker.eof:
                        self.end = number, behind - len(self._unpacker.unused_data)
            if self.end or self.unpacked > expected:
                return
        # What was read may wait for room in the output.
        while self.unpacked <= expected and (piece := self._piece(b"", expected)):
            yield piece

    def _piece(self, packed: bytes, expected: int) -> bytes:
        """Return what comes out of these bytes, at most `UNPACKED_BYTES`; the rest waits."""
        room = min(UNPACKED_BYTES, max(1, expected - self.unpacked))
        try:
            piece = self._unpacker.decompress(packed, room)
        except zlib.error:
            if self.unpacked < expected:
                raise malformed("the image data can't be unpacked") from None
            # What is broken behind the image is more than the image, as a byte that can be unpacked is.
            piece = b"\0"
        self.unpacked += len(piece)
        self.image_data.unpacked += len(piece)
        if self.image_data.unpacked > LONGEST:
            raise malformed(f"the image data unpack to more than {LONGEST:,} bytes")
        return piece
