"""ICC profiles as displays, scanners and printers have them, with private data wherever there is room."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms

Tags = dict[bytes, bytes]

PRIMARIES = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}
"""Those of Display P3."""

WHITE = (0.95045, 1.0, 1.08905)
ADAPTATION = (1.04788, 0.02292, -0.0502, 0.02959, 0.99048, -0.01706, -0.00923, 0.01508, 0.75168)
GAMMA = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PLAIN_HEAD = bytes(4)


def fixed(*values: float) -> bytes:
    """Numbers as s15Fixed16."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(*values: float) -> bytes:
    return b"XYZ " + PLAIN_HEAD + fixed(*values)


def para(*values: float) -> bytes:
    return (
        b"para"
        + PLAIN_HEAD
        + struct.pack(">Hxx", (1, 3, 4, 5, 7).index(len(values)))
        + fixed(*values)
    )


def curv(*values: int) -> bytes:
    return b"curv" + PLAIN_HEAD + struct.pack(f">I{len(values)}H", len(values), *values)


def profile(
    tags: Tags,
    *,
    space: bytes = b"RGB ",
    connection: bytes = b"XYZ ",
    kind: bytes = b"mntr",
    version: int = 4,
    private: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A profile with those tags.

    `private` fills the header's fields that no colour depends on, each with as much of it as goes in,
    and `behind` stands behind each tag and at the end.
    """
    fill = (private * 9).ljust(99, b"\0")
    header = fill[:4] + bytes([version, 0x30]) + fill[:2] + kind + space + connection
    header += struct.pack(">6H", 2024, 5, 1, 10, 11, len(private)) + b"acsp" + fill[:4] + fill[4:8]
    header += fill[8:12] + fill[12:16] + fill[16:24] + struct.pack(">I", 1)
    header += fixed(0.9642, 1.0, 0.8249) + fill[24:28] + fill[28:44] + fill[44:72]
    table, data, start = [], [], 132 + 12 * len(tags)
    for name, tag in tags.items():
        table.append(struct.pack(">4sII", name, start, len(tag) + len(behind)))
        padded = tag + behind + bytes(-len(tag + behind) % 4)
        data.append(padded)
        start += len(padded)
    body = struct.pack(">I", len(tags)) + b"".join(table + data) + behind
    return struct.pack(">I", 4 + len(header) + len(body)) + header + body


def texts(private: bytes) -> Tags:
    """The tags that name a person, a device and its serial number."""
    text = private + b"\0"
    unicode = private.decode().encode("utf-16-be")
    return {
        b"desc": b"mluc"
        + PLAIN_HEAD
        + struct.pack(">II4sII", 1, 12, b"enUS", len(unicode), 28)
        + unicode,
        b"cprt": b"text" + PLAIN_HEAD + text,
        b"dmnd": b"desc" + PLAIN_HEAD + struct.pack(">I", len(text)) + text + bytes(78),
        b"mmod": b"mmod" + PLAIN_HEAD + private,
        b"dscm": b"mluc" + PLAIN_HEAD + private,
        b"vcgt": b"vcgt" + PLAIN_HEAD + private,
        b"ndin": b"ndin" + PLAIN_HEAD + private,
        b"meta": b"dict" + PLAIN_HEAD + private,
        b"targ": b"text" + PLAIN_HEAD + text,
        b"priv": private,
        b"kTRC": b"text" + PLAIN_HEAD + text,
    }


def matrix_tags() -> Tags:
    tags = {name: xyz(*values) for name, values in PRIMARIES.items()}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), para(*GAMMA))
    return tags | {b"wtpt": xyz(*WHITE), b"chad": b"sf32" + PLAIN_HEAD + fixed(*ADAPTATION)}


def display(*, version: int = 4, private: bytes = b"", behind: bytes = b"") -> bytes:
    """The profile of a display: primaries and curves."""
    tags = (texts(private) if private else {}) | matrix_tags()
    return profile(tags, version=version, private=private, behind=behind)


RGB_SPACES = {
    "sRGB": (
        ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)),
        para(*GAMMA),
    ),
    "Display P3": (tuple(PRIMARIES.values()), para(*GAMMA)),
    "Adobe RGB": (
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        curv(563),
    ),
    "ProPhoto RGB": (
        ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03135, 0.00009, 0.82491)),
        curv(461),
    ),
}
"""The primaries and the curve of each space, as cameras, phones and editors write them."""


def rgb_space(name: str, *, version: int = 4) -> bytes:
    """The profile of one of the `RGB_SPACES`."""
    primaries, tone = RGB_SPACES[name]
    tags = dict(zip(PRIMARIES, (xyz(*values) for values in primaries), strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    return profile(tags | {b"wtpt": xyz(0.9642, 1.0, 0.8249)}, version=version)


def srgb_of_few_points(points: int) -> bytes:
    """A profile of sRGB with a curve of some points, as version 2 has it."""
    steps = (n / (points - 1) for n in range(points))
    curve = curv(
        *(
            round(65535 * (((x + 0.055) / 1.055) ** 2.4 if x > 0.04045 else x / 12.92))
            for x in steps
        )
    )
    tags = dict(zip(PRIMARIES, (xyz(*each) for each in RGB_SPACES["sRGB"][0]), strict=True))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return profile(tags | {b"wtpt": xyz(*WHITE)}, version=2)


def in_space(picture: Image.Image, name: str) -> Image.Image:
    """A picture in sRGB with its colours in one of the `RGB_SPACES`, and the profile of it in its `info`."""
    own = rgb_space(name)
    target = ImageCms.ImageCmsProfile(io.BytesIO(own))
    converted = ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), target)
    assert converted is not None
    converted.info["icc_profile"] = own
    return converted


def grey(*, private: bytes = b"", behind: bytes = b"") -> bytes:
    """The profile of a grey scanner: one curve, as a table."""
    steps = (round(65535 * (n / 99) ** 2.2) for n in range(100))
    tags = {b"wtpt": xyz(*WHITE), b"kTRC": curv(*steps)}
    named = (
        {name: tag for name, tag in texts(private).items() if name not in tags} if private else {}
    )
    tags = named | tags
    return profile(tags, space=b"GRAY", kind=b"scnr", version=2, private=private, behind=behind)


def grid(inputs: int, points: int, outputs: int, top: int, *, darkening: bool) -> np.ndarray:
    """Smooth numbers from 0 to `top` for each point of a grid: (points ** inputs, outputs)."""
    axes = np.meshgrid(*[np.linspace(0, 1, points)] * inputs, indexing="ij")
    mean = sum(axes) / inputs
    mixed = np.stack([(mean + axes[n % inputs]) / 2 for n in range(outputs)], axis=-1)
    return np.rint((1 - mixed if darkening else mixed) * top).reshape(-1, outputs).astype(int)


def table_lut(
    inputs: int, outputs: int, *, points: int, bits: int, darkening: bool = False
) -> bytes:
    """A LUT as a table: `mft1` of 8 bits, `mft2` of 16."""
    top, code = (255, "B") if bits == 8 else (65535, "H")
    steps = np.rint(np.linspace(0, 1, 256) ** 1.1 * top).astype(int)
    numbers = grid(inputs, points, outputs, top, darkening=darkening).ravel()
    values = [*np.tile(steps, inputs), *numbers, *np.tile(steps, outputs)]
    head = (b"mft1" if bits == 8 else b"mft2") + PLAIN_HEAD + bytes([inputs, outputs, points, 0])
    head += fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    head += b"" if bits == 8 else struct.pack(">HH", 256, 256)
    return head + struct.pack(f">{len(values)}{code}", *values)


def element_lut(
    kind: bytes, channels: tuple[int, int], *, points: int, gap: bytes, darkening: bool = False
) -> bytes:
    """A LUT of elements, in an order of its own, with `gap` between them."""
    device, connection = channels if kind == b"mAB " else channels[::-1]
    numbers = grid(channels[0], points, channels[1], 65535, darkening=darkening).ravel()
    elements = {
        3: bytes([points] * channels[0]).ljust(16, b"\0")
        + bytes([2, 0, 0, 0])
        + struct.pack(f">{len(numbers)}H", *numbers),
        0: para(1.0) * connection,
        4: para(1.1) * device,
        1: fixed(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0),
        2: para(1.2) * connection,
    }
    offsets, data, start = [0] * 5, b"", 32
    for number, element in elements.items():
        data += bytes(-len(data) % 4)
        offsets[number] = start + len(data)
        data += element + gap
    return kind + PLAIN_HEAD + bytes([*channels, 0, 0]) + struct.pack(">5I", *offsets) + data


def scanner(*, private: bytes = b"", behind: bytes = b"") -> bytes:
    """The profile of an RGB scanner: primaries and curves, and LUTs of elements beside them."""
    tags = matrix_tags() | {
        b"A2B0": element_lut(b"mAB ", (3, 3), points=5, gap=behind),
        b"B2A0": element_lut(b"mBA ", (3, 3), points=5, gap=behind),
        b"A2B1": table_lut(3, 3, points=5, bits=8),
    }
    named = texts(private) if private else {}
    return profile(named | tags, connection=b"Lab ", kind=b"scnr", private=private, behind=behind)


def printer(*, points: int = 5, private: bytes = b"", behind: bytes = b"") -> bytes:
    """The profile of a CMYK printer: LUTs of each type."""
    tags = {
        b"wtpt": xyz(0.7, 0.73, 0.6),
        b"A2B0": table_lut(4, 3, points=5, bits=16, darkening=True),
        b"A2B1": table_lut(4, 3, points=6, bits=16, darkening=True),
        b"A2B2": element_lut(b"mAB ", (4, 3), points=5, gap=behind, darkening=True),
        b"B2A0": table_lut(3, 4, points=points, bits=16, darkening=True),
        b"B2A1": element_lut(b"mBA ", (3, 4), points=5, gap=behind, darkening=True),
        b"B2A2": table_lut(3, 4, points=5, bits=8, darkening=True),
    }
    named = texts(private) if private else {}
    return profile(
        named | tags,
        space=b"CMYK",
        connection=b"Lab ",
        kind=b"prtr",
        private=private,
        behind=behind,
    )
