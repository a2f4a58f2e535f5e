"""Conversion of a photo's colours to sRGB, by the ICC profile that the photo has.

Models were trained on photos in sRGB. In Display P3, Adobe RGB or ProPhoto RGB, the same numbers stand for
stronger colours. A photo without a profile, or with one that can't be used, counts as sRGB.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

SPACES = {"1": "GRAY", "L": "GRAY", "LA": "GRAY", "P": "RGB ", "PA": "RGB ", "CMYK": "CMYK"}
SPACES |= dict.fromkeys(("RGB", "RGBA", "RGBX"), "RGB ")
SPACES |= dict.fromkeys(("I", "I;16", "I;16B", "I;16L"), "GRAY")
"""The colour space of a profile that belongs to an image, by the image's mode in Pillow. A profile of another
space is not for this image."""

MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
"""The mode in which the colours of each space are converted."""

TOLERANCE = 3
"""The most levels of 255 by which a profile's colours differ from sRGB's where they are taken for the same.
Profiles of sRGB differ from one another by rounded primaries and by curves of few points."""

PROBES = np.stack(np.meshgrid(*[np.arange(0, 256, 17, dtype=np.uint8)] * 3), axis=-1).reshape(
    1, -1, 3
)
"""Colours of all kinds, uint8[1, n, 3]."""

MOST_KEPT = 16
"""The most profiles whose conversion is kept for the next photo, each of some 2 MB at most."""


@dataclass(frozen=True)
class ColourConversion:
    """The conversion of images in the colour space of a profile to sRGB."""

    transform: ImageCms.ImageCmsTransform
    space: str

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the image in sRGB: RGB, or RGBA where it has transparency, which stays as it is.

        `image` is RGB, RGBA, L or CMYK. Grey that has transparency is RGBA.
        """
        is_grey = self.space == "GRAY" and image.mode == "RGBA"
        colours = image.getchannel("R") if is_grey else image.convert(MODES[self.space])
        converted = ImageCms.applyTransform(colours, self.transform)
        assert converted is not None
        if image.mode == "RGBA":
            converted.putalpha(image.getchannel("A"))
        return converted

    @property
    def is_useful(self) -> bool:
        """Whether the colours are others than those of sRGB, and not all one colour."""
        probes = Image.fromarray(PROBES).convert(MODES[self.space])
        unmanaged = np.asarray(probes.convert("RGB")).astype(int)
        levels = np.asarray(self(probes)).astype(int)
        return bool(np.abs(levels - unmanaged).max() > TOLERANCE and np.ptp(levels) > TOLERANCE)


_kept: OrderedDict[tuple[str, bytes], ColourConversion | None] = OrderedDict()


def conversion(image: Image.Image) -> ColourConversion | None:
    """Return the conversion of an image's colours to sRGB, or None where it needs none.

    It is kept for the next photos with that profile. No bytes of a profile raise an error but MemoryError.
    """
    profile = image.info.get("icc_profile")
    space = SPACES.get(image.mode)
    if not (profile and space):
        return None
    key = space, sha256(profile).digest()
    if key not in _kept:
        _kept[key] = _conversion(profile, space)
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return _kept[key]


def _conversion(profile: bytes, space: str) -> ColourConversion | None:
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            MODES[space],
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
        )
        made = ColourConversion(transform, space)
        return made if made.is_useful else None
    except MemoryError:
        raise
    except Exception:  # it is broken, or of another colour space than the image
        return None
