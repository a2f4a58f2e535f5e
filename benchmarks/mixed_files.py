"""The files that `mixed_photos.py` mixes in, as phones, cameras, file servers and editors leave them."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from conf.settings import Settings
from tests.support.colour_profiles import in_space, rgb_space
from tests.support.landing_folders import ODD_NAMES
from tests.support.photo_files import chunk, encoded, png

NO_ROW, DUPLICATE, KIWI = "no row", "duplicate", "photo: Kiwi"
"""What a lake holds of a file, in the words of `File.row`."""

OVER_LIMIT = "over photos.max_bytes, which is raised then"
"""The kind of file that a run rejects, and a replay takes."""

LIMIT = Settings.load("local", environment={}).photos.max_bytes

RUBBISH = (
    *("Kiwi/.DS_Store", ".thumbnails/1.jpg", ".ipynb_checkpoints/1.jpg", "Kiwi/._1.jpg"),
    *("Kiwi/@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_XL.jpg", "@Recycle/1.jpg", "@Recently-Snapshot/1.jpg"),
    *("#recycle/Kiwi/1.jpg", "#snapshot/1.jpg", "$RECYCLE.BIN/S-1-5/1.jpg", "RECYCLER/1.jpg"),
    *("System Volume Information/1.jpg", "lost+found/1.jpg", "__MACOSX/Kiwi/1.jpg"),
    *("Kiwi/Thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "Kiwi/desktop.ini", "Kiwi/Icon\r"),
    *("thumbnails.db", "Kiwi/1.jpg.crdownload", "Kiwi/1.jpg.part", "Kiwi/1.jpg.partial"),
    *("Kiwi/~$1.jpg", "Kiwi/@__thumb/1.jpg", "Temporary Items/1.jpg", "Kiwi/MVI_1.THM"),
    *("Network Trash Folder/1.jpg", "Kiwi/Thumbs.db:encryptable", "Kiwi/1.AAE", "Kiwi/1.xmp"),
    "Kiwi_$folder$",
)
"""Paths that the settings pass over, one or more for each glob of theirs."""

ODD_PATHS = (
    *(f"Kiwi/{name}" for name in ODD_NAMES if name[0] != "."),
    *("Kiwi/ /blank.jpg", " Kiwi /spaces.jpg", "Ki%77i/1.jpg"),
    *("Kiwi/100%25.jpg", "Kiwi/a\\b.jpg", "Kiwi/-rf *.jpg"),
)
"""Paths that a file system allows and that tools trip over. Each is of the kind Kiwi."""

DATES = ("2026/11/25/1.jpg", "2026-11-25/1.jpg", "20261125/1.jpg", "25 Nov 2026/1.jpg")
"""Paths whose folders are dates, which are no labels."""


@dataclass(frozen=True)
class File:
    """One file: its path below the landing folder, its bytes, and what the lake must hold of it.

    `row` is `photo: LABEL` (`photo: –` without a label), `rejected: REASON`, `duplicate` or `no row`. A file
    with `link_to` is a link to that path, which lies outside the landing folder; one with `moved_to` is moved
    to that path between two runs.
    """

    path: str
    content: bytes
    row: str
    link_to: Path | None = None
    moved_to: str = ""


class Shots:
    """Pictures that differ from one another, made from one photo, so that no file is another's duplicate."""

    def __init__(self, photo: Image.Image) -> None:
        self._photo = photo.convert("RGB").resize((480, 360))
        self._taken = 0

    def next(self) -> Image.Image:
        """Return the next one: the photo with one more column cut off."""
        self._taken += 1
        return self._photo.crop((self._taken, 0, 480, 360))

    def jpeg(self, **options: object) -> bytes:
        """Return the next one as a JPEG."""
        return encoded(self.next(), "JPEG", quality=90, **options)


def files(shots: Shots) -> Mapping[str, list[File]]:
    """Return the files of each kind, by what the kind is called."""
    in_p3 = in_space(shots.next(), "Display P3")
    twice = shots.jpeg()
    umlauts = [(form, unicodedata.normalize(form, "Äpfel")) for form in ("NFC", "NFD")]
    large_profile = rgb_space("sRGB") + np.random.default_rng(1).bytes(1 << 20)
    profile = chunk(b"iCCP", b"large\0\0" + zlib.compress(large_profile))
    text = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2 << 20)))
    of_year_2563 = Image.Exif()
    of_year_2563[0x0132] = "2563:01:01 10:00:00"
    kiwis = {
        "HEIC": ("IMG_0001.HEIC", encoded(shots.next(), "HEIC", quality=90)),
        "AVIF": ("phone.avif", encoded(shots.next(), "AVIF")),
        "108 megapixels": ("large.jpg", _gradient(12_000, 9_000)),
        "Display P3": ("p3.jpg", encoded(in_p3, "JPEG", icc_profile=in_p3.info["icc_profile"])),
        "zero bytes behind APP0": ("stray.jpg", _behind_app0(shots.jpeg(), bytes(3))),
        "a profile of over 1 MB": ("profile.png", png(profile, image=shots.next())),
        "a text of 2 MB": ("text.png", png(text, image=shots.next())),
        "a photo of the year 2563": ("2563.jpg", shots.jpeg(exif=of_year_2563)),
        "a PNG called .jpg": ("png.jpg", encoded(shots.next(), "PNG")),
        OVER_LIMIT: ("over.jpg", shots.jpeg() + bytes(LIMIT)),
    }
    return {
        **{kind: [File(f"Kiwi/{name}", each, KIWI)] for kind, (name, each) in kiwis.items()},
        "thumbnails and rubbish": [File(path, shots.jpeg(), NO_ROW) for path in RUBBISH],
        "odd paths": [File(path, shots.jpeg(), KIWI) for path in ODD_PATHS],
        "folders of dates": [File(path, shots.jpeg(), "photo: –") for path in DATES],
        "a name in two forms of Unicode": [
            File(f"{name}/{form}.jpg", shots.jpeg(), f"photo: {umlauts[0][1]}")
            for form, name in umlauts
        ],
        "the same bytes under two labels": [
            File("Kiwi/same.jpg", twice, KIWI),
            File("Lime/same.jpg", twice, DUPLICATE),
        ],
        "a file moved to another label": [
            File("Kiwi/moved.jpg", shots.jpeg(), "photo: Lime", moved_to="Lime/moved.jpg")
        ],
        "a text called .jpg": [File("Kiwi/text.jpg", b"no photo", "rejected: not_a_photo")],
        "an empty file": [File("Kiwi/empty.jpg", b"", "rejected: empty")],
    }


def links(outside: Path) -> list[File]:
    """Return a link to a folder outside the landing folder, and one to the photo `1.jpg` in it."""
    return [
        File("linked", b"", NO_ROW, link_to=outside),
        File("Kiwi/linked.jpg", b"", NO_ROW, link_to=outside / "1.jpg"),
    ]


def _behind_app0(content: bytes, stray: bytes) -> bytes:
    """Return a JPEG with stray bytes behind its first segment."""
    end = 4 + int.from_bytes(content[4:6], "big")
    return content[:end] + stray + content[end:]


def _gradient(width: int, height: int) -> bytes:
    """Return a JPEG of so many pixels that holds a linear gradient, which takes 2 MB."""
    row = np.linspace(0, 255, width, dtype=np.uint8)
    return encoded(Image.fromarray(np.broadcast_to(row, (height, width))), "JPEG", quality=80)
