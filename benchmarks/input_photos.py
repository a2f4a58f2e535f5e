"""The photos that are measured: real ones where they are there, and further ones made from them."""

from __future__ import annotations

import hashlib
import os
import random
import statistics
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from conf.errors import BadInput
from conf.settings import Settings
from lake.enums import PixelWay
from lake.samples.sample_photos import write_samples
from silver import pixels

SHARED = Path(__file__).resolve().parents[2] / "shared"
PHOTOS = SHARED / "photos"
MOBILENET = SHARED / "weights" / "mobilenet_v2_imagenet.weights.h5"
SAMPLES = 180
QUALITY = 90

MOSAIC = (12, 9)
"""Photos beside and above one another in a large one."""

TILE = 340
"""Pixels of a photo in it, so that it has 12.5 million."""


def originals_of(folder: Path | None, *, work: Path) -> Path:
    """The folder that is named, else the shared photos, else samples, written into `work`.

    Raises BadInput where there is no such folder.
    """
    if folder and not folder.is_dir():
        raise BadInput(f"--photos {folder}: there is no such folder.")
    if folder or PHOTOS.is_dir():
        return folder or PHOTOS
    write_samples(work / "samples", SAMPLES)
    return work / "samples"


def write_photos(source: Path, count: int, *, into: Path, pool: Any) -> list[Path]:
    """So many photos, no two alike, in the order in which they are taken.

    Those of the source that decode, each once, in an order drawn once; further ones are mirrored, cropped by
    a few pixels and encoded again. Raises BadInput where the source has no photo that decodes.
    """
    found = sorted(path for path in source.rglob("*") if path.is_file())
    random.Random(0).shuffle(found)
    # Some more than wanted, for those that don't decode.
    candidates = found[: count * 11 // 10 + 10]
    by_hash = dict(zip(pool.map(_hash_if_photo, candidates, chunksize=32), candidates, strict=True))
    by_hash.pop(None, None)
    originals = list(by_hash.values())
    if not originals:
        raise BadInput(f"{source} holds no photo that decodes; name another folder with --photos.")
    each = len(originals)
    jobs = [
        (originals[i % each], i // each, into / _label(originals[i % each], source), i)
        for i in range(count)
    ]
    return list(pool.map(_write_variant, jobs, chunksize=32))


def linked(photos: Sequence[Path], folder: Path) -> Path:
    """A folder with these photos, under their labels' names."""
    for path in photos:
        link = folder / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link)
    return folder


def write_empty(count: int, folder: Path) -> Path:
    """A folder with so many empty files, a thousand in each folder below it."""
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def mean_bytes(folder: Path) -> float:
    """The mean size of the files below a folder."""
    return statistics.fmean(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_mosaics(photos: Sequence[Path], count: int, *, into: Path, pool: Any) -> list[Path]:
    """So many JPEGs of 12.5 megapixels, each of as many of the photos as fit."""
    jobs = [(photos, number, into) for number in range(count)]
    return list(pool.map(_write_mosaic, jobs))


def _write_mosaic(job: tuple[Sequence[Path], int, Path]) -> Path:
    photos, number, folder = job
    across, down = MOSAIC
    whole = Image.new("RGB", (across * TILE, down * TILE))
    for place in range(across * down):
        with Image.open(photos[(number * 7 + place) % len(photos)]) as photo:
            tile = photo.convert("RGB").resize((TILE, TILE))
        whole.paste(tile, (place % across * TILE, place // across * TILE))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{number:04d}.jpg"
    whole.save(target, "JPEG", quality=QUALITY)
    return target


def _label(photo: Path, source: Path) -> str:
    """The name of the folder, or what stands behind its `label=`."""
    return "photos" if photo.parent == source else photo.parent.name.rpartition("=")[2]


def _hash_if_photo(path: Path) -> str | None:
    """Repeated photos have one hash; None for what silver would refuse to decode."""
    content = path.read_bytes()
    limits = pixels.Limits(**Settings.load("local", environment={}).photos.model_dump())
    try:
        pixels.decode(content, size=224, limits=limits, way=PixelWay.HAMMING)
    except pixels.RefusedPhoto:
        return None
    return hashlib.sha256(content).hexdigest()


def _write_variant(job: tuple[Path, int, Path, int]) -> Path:
    """Variant 0 is the original; the others are cropped at the left by their number, at the top by half."""
    original, number, folder, place = job
    content = original.read_bytes()
    target = folder / f"{place:06d}{original.suffix if number == 0 else '.jpg'}"
    folder.mkdir(parents=True, exist_ok=True)
    if number:
        image = Image.open(BytesIO(content)).convert("RGB")
        left, top = number % (image.width // 2), number // 2 % (image.height // 2)
        image = image.crop((left, top, image.width, image.height))
        if number % 2:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        made = BytesIO()
        image.save(made, "JPEG", quality=QUALITY)
        content = made.getvalue()
    target.write_bytes(content)
    return target
