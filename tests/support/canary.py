"""A subject whose photos carry a marker wherever a phone or a person may put one, and the search for it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.support.hidden_text import FORMS

MARKER = "Quince7319Marker"
SUBJECT = f"{MARKER}-subject"
OTHER = "somebody-else"


def jpeg(seed, *, marker=MARKER):
    """A photo of noise on a slope, with the marker in its EXIF."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(0, 200, 96, dtype=np.uint8)[None, :, None]
    pixels = rng.integers(0, 56, (96, 96, 3), np.uint8) + slope
    exif = Image.Exif()
    exif[0x010E] = f"{marker} description"
    exif[0x013B] = f"{marker} artist"
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "JPEG", quality=90, exif=exif)
    return made.getvalue()


def send(landing, photos, *, subject=SUBJECT):
    """Photos by name into a subject's folder, or into a folder without one."""
    folder = Path(landing) / (f"subject={subject}/2026/11" if subject else "kiwi")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in photos.items():
        (folder / name).write_bytes(content)


def written(text):
    """The text in every form that it may take in bytes, and in upper and lower case."""
    forms = {form(text) for form in FORMS.values()}
    return [*sorted(forms - {text.encode()}), text.upper().encode(), text.lower().encode()]


def slices(content):
    """Stretches of a photo's bytes that no other photo has: noise, behind its tables."""
    return [content[len(content) // 2 :][:48], content[-120:-60]]


def places(needles, *roots):
    """Files under the roots in whose name, raw bytes or decoded values one of the needles stands."""
    found = []
    for root in roots:
        for folder, folders, names in os.walk(root):
            for name in [*folders, *names]:
                path = Path(folder, name)
                searched = [os.fsencode(path.relative_to(root))]
                if path.is_file():
                    raw = path.read_bytes()
                    searched += [raw, *(decoded(path) if raw[:4] == b"PAR1" else [])]
                found += [
                    (str(path.relative_to(root)), needle)
                    for needle in needles
                    if any(needle in each for each in searched)
                ]
    return found


def decoded(path):
    """Every value of a Parquet file as bytes, a column at a time."""
    table = pq.read_table(path, partitioning=None)
    for column in table.columns:
        if pa.types.is_binary(column.type):
            yield b"\0".join(value for value in column.to_pylist() if value)
        else:
            yield repr(column.to_pylist()).encode()
