"""Drawn photos of fruits: some of a visit, and the frames of a film of one that turns."""

from pathlib import Path

import numpy as np
from PIL import Image

from lake.samples.scene import photo

SIZE = (480, 480)


def drawn(fruit: str, seed: int) -> Image.Image:
    """A photo of its own table, light and fruits."""
    return photo(fruit, SIZE, np.random.default_rng(seed))


def frames(fruit: str, seed: int, count: int = 60) -> list[Image.Image]:
    """The frames of a film in which one fruit turns once around."""
    whole = drawn(fruit, seed)
    inner = (70, 70, 410, 410)  # what turns never shows the corners
    turned = (whole.rotate(360 * n / count, Image.Resampling.BICUBIC) for n in range(count))
    return [each.crop(inner) for each in turned]


def save(image: Image.Image, path: Path) -> Path:
    """Writes a photo to a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=88)
    return path
