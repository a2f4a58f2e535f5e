"""What colours cost in decoding: photos without a profile, with one of sRGB, and with others.

    python benchmarks/colour_conversion.py FOLDER [--photos N] [--rounds N]

N photos of the folder are encoded anew as JPEG, their colours in sRGB or in another space, with and without
the profile. Each variant is decoded to 224 × 224 pixels in this process, in turns. The seconds are those of
the processor, which other programs disturb less, and the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conf.settings import Settings
from lake.enums import PixelWay
from silver import pixels
from silver.pixels import Limits
from tests.support.colour_profiles import in_space, printer, rgb_space, scanner

LIMITS = Limits(**Settings.load("local", environment={}).photos.model_dump())


def jpeg(image: Image.Image, profile: bytes | None) -> bytes:
    """The bytes of an image as JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90, icc_profile=profile)
    return stream.getvalue()


def variants(photos: list[Image.Image]) -> Mapping[str, list[bytes]]:
    """The photos in each of the variants, by its name."""
    wide = [in_space(photo, "Display P3") for photo in photos]
    printed = [photo.convert("CMYK") for photo in photos]
    return {
        "sRGB, no profile": [jpeg(photo, None) for photo in photos],
        "sRGB, its profile": [jpeg(photo, rgb_space("sRGB")) for photo in photos],
        "Display P3, no profile": [jpeg(photo, None) for photo in wide],
        "Display P3, its profile": [jpeg(photo, rgb_space("Display P3")) for photo in wide],
        "RGB, a LUT's profile": [jpeg(photo, scanner()) for photo in photos],
        "CMYK, no profile": [jpeg(photo, None) for photo in printed],
        "CMYK, a printer's profile": [jpeg(photo, printer()) for photo in printed],
    }


def main() -> None:
    """Measure, and print the photos per second of one processor and the milliseconds of each variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    files = sorted(words.folder.rglob("*.jpg"))
    photos = [Image.open(file).convert("RGB") for file in files[:: len(files) // words.photos]]
    contents = variants(photos[: words.photos])
    seconds: dict[str, list[float]] = {name: [] for name in contents}
    for _ in range(words.rounds):
        for name, each in contents.items():
            began = time.process_time()
            for content in each:
                pixels.decode(content, size=224, limits=LIMITS, way=PixelWay.HAMMING)
            seconds[name].append((time.process_time() - began) / len(each))
    console = Console()
    for name, taken in seconds.items():
        middle = statistics.median(taken)
        console.print(f"{name:28} {1 / middle:7.0f} photos/s  {middle * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
