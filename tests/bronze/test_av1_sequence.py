"""The sequence header of AV1 is read up to its last field, whatever it says, and nothing behind it stays."""

from __future__ import annotations

import pytest

from bronze.formats.av1_sequence import av1_sequence
from bronze.formats.cleaning_results import NotAPhoto
from tests.support.heif_files import coded, picture_of
from tests.support.photo_files import encoded, picture

SIDES = "0101 0101 111111 101111"  # two numbers of six bits: 64 x 48
STILL = "1 1 00000" + SIDES + "000 000"  # behind the profile, up to the colours
NO_COLOURS, RGB = "0", "1" + f"{1:08b}{13:08b}{0:08b}"
WHOLE = "0 0 0 0 00000 000000000000 00000" + SIDES + "0 000"  # up to the tools

# The bits of headers up to their last field: the profile, and how each field that may be missing is there.
HEADERS = {
    "8 bits, 4:2:0": "000" + STILL + "0 0" + NO_COLOURS + "0 00 0" + "0",
    "10 bits, grey": "000" + STILL + "1 1" + NO_COLOURS + "0" + "0",
    "RGB": "001" + STILL + "0" + RGB + "0" + "1",
    "4:4:4": "001" + STILL + "1" + NO_COLOURS + "1 0" + "0",
    "12 bits, 4:2:0": "010" + STILL + "1 1 0" + NO_COLOURS + "0 1 1 01 0" + "0",
    "12 bits, 4:2:2": "010" + STILL + "1 1 0" + NO_COLOURS + "0 1 0 0" + "0",
    "12 bits, 4:4:4": "010" + STILL + "1 1 0" + NO_COLOURS + "0 0 0" + "0",
    "10 bits, 4:2:2": "010" + STILL + "1 0 0" + NO_COLOURS + "0 0" + "0",
    "tools": "000" + WHOLE + "0000 1 11 1 1 111 000" + "0 0 0 0 00 0" + "0",
    "a screen, whole motions": "000" + WHOLE + "0000 0 0 1 0 1 000" + "0 0 0 0 00 0" + "0",
    "no screen": "000" + WHOLE + "0000 0 0 0 000" + "0 0 0 0 00 0" + "0",
}


def packed(bits: str) -> bytes:
    """The header of those fields, with the bits that end it."""
    ended = bits.replace(" ", "") + "1"
    ended += "0" * (-len(ended) % 8)
    return int(ended, 2).to_bytes(len(ended) // 8)


@pytest.mark.parametrize("bits", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("more", [b"", b"\xff", b"Anna Schmidt"])
def test_what_follows_the_last_field_goes(bits: str, more: bytes) -> None:
    found = av1_sequence(packed(bits) + more)
    assert (found.payload, found.width, found.height) == (packed(bits), 64, 48)
    assert found.is_reduced is (STILL in bits)


def test_the_bits_behind_the_last_field_go() -> None:
    header = packed(HEADERS["RGB"])
    assert header[-1] == 0x80
    assert av1_sequence(header[:-1] + b"\xff").payload == header


def test_headers_of_encoders_stay_as_they_are() -> None:
    film = encoded(picture(), "AVIF", save_all=True, append_images=[picture(seed=2)])
    items = [
        coded(picture(mode), b"av01", subsampling=chroma)
        for mode, chroma in (("RGB", "4:2:0"), ("RGB", "4:2:2"), ("RGB", "4:4:4"), ("L", "4:0:0"))
    ]
    for item in (*items, picture_of(film, b"av01")):
        header = item.data[4 : 4 + item.data[3]]
        assert av1_sequence(header + b"Anna").payload == header


@pytest.mark.parametrize("header", [b"", packed(HEADERS["tools"])[:9], b"\x60" + bytes(30)])
def test_a_header_that_is_too_short_or_of_an_unknown_profile_is_refused(header: bytes) -> None:
    with pytest.raises(NotAPhoto):
        av1_sequence(header)
