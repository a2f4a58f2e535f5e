"""Reads numbers of single bits, as the headers of coded pictures have them."""

from __future__ import annotations

from bronze.formats.cleaning_results import malformed


class BitReader:
    """The bits of some bytes, the highest of each byte first. Raises NotAPhoto (MALFORMED) behind the end."""

    def __init__(self, content: bytes) -> None:
        self._bits = int.from_bytes(content)
        self._left = self._length = 8 * len(content)

    @property
    def read(self) -> int:
        """The number of bits that were read."""
        return self._length - self._left

    def next(self, bits: int) -> int:
        """Return the number in the next bits."""
        self._left -= bits
        if self._left < 0:
            raise malformed("the header of a coded picture is too short")
        return self._bits >> self._left & (1 << bits) - 1

    def exponential(self) -> int:
        """Return a number in Exp-Golomb code, ue(v) of HEVC. It is below 2^32."""
        zeros = 0
        while not self.next(1):
            zeros += 1
            if zeros > 31:
                raise malformed("the header of a coded picture has a number that is too large")
        return (1 << zeros) - 1 + self.next(zeros)
