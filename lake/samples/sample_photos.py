"""Generated uploads of a photo app: drawn photos with the private metadata that phones add.

Sample i depends on i alone. In a fixed rhythm, samples also show what goes wrong in real uploads: a
truncated photo, a repeated one, a text file, a blank photo, a single pixel, an empty file, and a PNG
with a JPEG's name.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lake.samples.fruit_drawings import FRUITS
from lake.samples.scene import photo
from lake.storage.locate import folder

SEED = 2024
FIRST_TAKEN = datetime(2024, 5, 1, 8, 0)
EVERY = timedelta(minutes=37)
RHYTHM = 60
ODD = {
    5: "truncated",
    9: "repeated",
    14: "text",
    23: "blank",
    32: "pixel",
    41: "empty",
    50: "disguised",
}
TEXT = b"<!doctype html><title>502 Bad Gateway</title>"

# The operation that undoes each EXIF orientation. A phone stores the pixels as its sensor sees them, and
# writes in the EXIF how to turn them.
UNTURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Person:
    """A person who takes photos. `make` and `model` are those of the phone.

    `home` is (latitude, longitude) in degrees, north and east. `file_name` is the pattern of the phone's
    file names.
    """

    name: str
    make: str
    model: str
    home: tuple[float, float]
    file_name: str


PEOPLE = (
    Person("amelie", "Apple", "iPhone 15", (48.8566, 2.3522), "IMG_{number}.JPG"),
    Person("bruno", "samsung", "SM-S911B", (45.7640, 4.8357), "{taken:%Y%m%d_%H%M%S}.jpg"),
    Person("chiara", "Google", "Pixel 8", (41.9028, 12.4964), "PXL_{taken:%Y%m%d_%H%M%S}000.jpg"),
    Person("dimitris", "Xiaomi", "2201117TG", (37.9838, 23.7275), "IMG_{taken:%Y%m%d_%H%M%S}.jpg"),
    Person("elena", "Apple", "iPhone 12 mini", (40.4168, -3.7038), "IMG_{number}.JPG"),
    Person("felix", "OnePlus", "CPH2581", (52.5200, 13.4050), "IMG{taken:%Y%m%d%H%M%S}.jpg"),
    Person("greta", "samsung", "SM-A546B", (48.2082, 16.3738), "{taken:%Y%m%d_%H%M%S}.jpg"),
)


def write_samples(landing: str | Path, count: int) -> int:
    """Write samples 0 to count - 1 where they are missing, and return how many files are new.

    `landing` is a folder or `s3://bucket/prefix`. Existing files stay untouched. A file appears whole or
    not at all. Raises BadInput where the folder can't be made.
    """
    files = folder(str(landing))
    files.make()
    existing = files.current("")
    missing = [plan for plan in map(_plan, range(count)) if _path(plan).as_posix() not in existing]
    for plan in missing:
        files.write(_path(plan).as_posix(), _content(plan))
    return len(missing)


@dataclass(frozen=True)
class SamplePlan:
    """The plan of a sample, made before anything is drawn. `index` seeds its random numbers.

    `oddity` is what is wrong with it (a value of ODD), or None. `named` says whether its path has the
    person's name. `orientation` is that of EXIF, 1 to 8. `size` is (width, height) in pixels, upright.
    """

    index: int
    oddity: str | None
    fruit: str
    person: Person
    named: bool
    format: str
    orientation: int
    size: tuple[int, int]

    @property
    def taken(self) -> datetime:
        """The local time at which the sample was taken."""
        return FIRST_TAKEN + self.index * EVERY


def _plan(index: int) -> SamplePlan:
    oddity = ODD.get(index % RHYTHM)
    formats = {7: "PNG", 10: "WEBP"} if oddity is None else {}
    width, height = (1280, 960) if index % 9 == 3 else (640, 480)
    if index % 50 == 25:
        width, height = 4032, 3024
    return SamplePlan(
        index=index,
        oddity=oddity,
        fruit=list(FRUITS)[index % len(FRUITS)],
        person=PEOPLE[index % len(PEOPLE)],
        named=index % 6 != 4,
        format="PNG" if oddity == "disguised" else formats.get(index % 12, "JPEG"),
        orientation=1 + index % 8,
        size=(width, height) if index % 3 else (height, width),
    )


def _path(plan: SamplePlan) -> Path:
    """Return the file's path relative to the landing folder."""
    original = _plan(plan.index - 1) if plan.oddity == "repeated" else plan
    pattern = Path(original.person.file_name.format(number=1000 + plan.index, taken=plan.taken))
    disguised = plan.oddity == "disguised" or plan.format == "JPEG"
    name = pattern.name if disguised else f"{pattern.stem}.{plan.format.lower()}"
    folder = Path(f"subject={original.person.name}" if original.named else "")
    return folder / f"label={original.fruit}" / name


def _content(plan: SamplePlan) -> bytes:
    """Return the file's bytes: an encoded photo, or what the plan's oddity makes of it."""
    if plan.oddity == "repeated":
        return _content(_plan(plan.index - 1))
    if plan.oddity in ("text", "empty"):
        return TEXT if plan.oddity == "text" else b""
    rng = np.random.default_rng([SEED, plan.index])
    if plan.oddity in ("pixel", "blank"):
        image = Image.new("RGB", (1, 1) if plan.oddity == "pixel" else plan.size, (96, 92, 88))
    else:
        image = photo(plan.fruit, plan.size, rng)
    content = _encoded(image, plan, rng)
    return content[: len(content) * 3 // 5] if plan.oddity == "truncated" else content


def _encoded(image: Image.Image, plan: SamplePlan, rng: np.random.Generator) -> bytes:
    """Return the photo in the plan's format and orientation, with the metadata that a phone adds."""
    if plan.orientation in UNTURNED:
        image = image.transpose(UNTURNED[plan.orientation])
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>%s</dc:creator></x:xmpmeta>'
    options: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 88, "xmp": xmp % plan.person.name.encode()},
        "PNG": {"compress_level": 1},
        "WEBP": {"quality": 85, "method": 1, "xmp": xmp % plan.person.name.encode()},
    }
    target = io.BytesIO()
    image.save(target, plan.format, exif=_exif(image, plan, rng), **options[plan.format])
    return target.getvalue()


def _exif(image: Image.Image, plan: SamplePlan, rng: np.random.Generator) -> bytes:
    """Return an EXIF block: camera, owner, serial number, times, GPS near home and a thumbnail.

    GPS is within a few kilometres of the person's home.
    """
    person, taken = plan.person, plan.taken.strftime("%Y:%m:%d %H:%M:%S")
    latitude, longitude = (float(at + rng.normal(0, 0.02)) for at in person.home)
    tags = Image.Exif()
    tags.update({0x010F: person.make, 0x0110: person.model, 0x0112: plan.orientation})
    tags.update({0x0131: "fruit app 3.2", 0x0132: taken, 0x013B: person.name})
    details = {0x9003: taken, 0x9004: taken, 0xA430: person.name}
    serial = f"SN{sum(person.model.encode()) * 7919:010d}"
    tags.get_ifd(0x8769).update(details | {0xA431: serial, 0xA434: f"{person.model} camera"})
    where = {1: "N" if latitude >= 0 else "S", 2: _degrees(latitude)}
    where |= {3: "E" if longitude >= 0 else "W", 4: _degrees(longitude)}
    tags.get_ifd(0x8825).update(where | {29: plan.taken.strftime("%Y:%m:%d")})
    return _with_thumbnail(tags.tobytes(), image)


def _degrees(angle: float) -> tuple[float, float, float]:
    """Return the size of an angle in degrees as (degrees, minutes, seconds)."""
    minutes, seconds = divmod(abs(angle) * 3600, 60)
    return minutes // 60, minutes % 60, round(seconds, 2)


def _with_thumbnail(exif: bytes, image: Image.Image) -> bytes:
    """Return the EXIF block with a second directory, which holds the photo as a small JPEG.

    Pillow writes no thumbnails.
    """
    target = io.BytesIO()
    image.resize((160, 120), reducing_gap=2.0).save(target, "JPEG", quality=70)
    tiff = bytearray(exif[6:])
    link = 10 + 12 * int.from_bytes(tiff[8:10])
    tiff[link : link + 4] = len(tiff).to_bytes(4)
    start, length = len(tiff) + 42, len(target.getvalue())
    entries = ((0x0103, 3, 1, 6 << 16), (0x0201, 4, 1, start), (0x0202, 4, 1, length))
    tiff += struct.pack(">H", 3) + b"".join(struct.pack(">HHII", *entry) for entry in entries)
    return exif[:6] + bytes(tiff) + bytes(4) + target.getvalue()
