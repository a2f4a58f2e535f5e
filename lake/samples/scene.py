"""Drawn photos of fruit: one to three fruits on a table, lit from a side, with their shadows."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from lake.samples.fruit_drawings import FRUITS, Pixels, Plane, Surface, blended, noise


def photo(fruit: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Draw one to three fruits of a kind (a key of `FRUITS`) on a table, as an upright photo.

    `size` is (width, height) in pixels. The scene is drawn with sides of 640 and 480 pixels and then
    scaled.
    """
    width, height = (640, 480) if size[0] > size[1] else (480, 640)
    light = (rng.uniform(-0.55, 0.55), rng.uniform(-0.6, -0.1))
    scene = BACKGROUNDS[rng.integers(len(BACKGROUNDS))](rng, height, width)
    count = int(rng.choice([1, 1, 1, 2, 3]))
    for place in rng.permutation(3)[:count] if count > 1 else [1]:
        radius = rng.uniform(0.27, 0.38) * 480 / (1 + 0.25 * (count - 1))
        along, across = (place - 1) * 0.3 + rng.normal(0, 0.03), rng.normal(0, 0.05)
        x, y = (along, across) if width > height else (across, along)
        _place(scene, fruit, (width * (0.5 + x), height * (0.5 + y)), radius, light, rng)
    glow = 1 + rng.uniform(-0.15, 0.15) * np.linspace(-1, 1, width)[:, None]
    balance = rng.uniform(0.72, 1.12) * rng.uniform(0.94, 1.06, 3)
    scene *= (glow * balance).astype(np.float32)
    scene += rng.standard_normal((height, width, 1), dtype=np.float32) * rng.uniform(1, 5)
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _wood(rng: np.random.Generator, height: int, width: int) -> Pixels:
    grain = 0.6 * noise(rng, height, width, 60, 3) + 0.4 * noise(rng, height, width, 9, 2)
    scene = blended((112, 74, 44), (196, 150, 102), grain)
    scene[:: height // 4] *= 0.6
    return scene


def _cloth(rng: np.random.Generator, height: int, width: int) -> Pixels:
    colour = rng.uniform(90, 170) + rng.uniform(-35, 35, 3)
    weave = (np.arange(height)[:, None] + np.arange(width)) % 4 < 2
    shade = noise(rng, height, width, 3, 4) * 0.4 + 0.8 - 0.05 * weave.astype(np.float32)
    cloth: Pixels = shade[..., None] * colour.astype(np.float32)
    return cloth


def _marble(rng: np.random.Generator, height: int, width: int) -> Pixels:
    veins, speckle = noise(rng, height, width, 5, 6), noise(rng, height, width, 40, 50)
    return blended((128, 130, 134), (226, 224, 220), 2.4 * np.abs(veins - 0.5) + 0.7 * speckle)


def _plate(rng: np.random.Generator, height: int, width: int) -> Pixels:
    scene = _cloth(rng, height, width)
    y, x = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    distance = np.hypot(x - width / 2, y[:, None] - height / 2) / (0.47 * min(height, width))
    scene *= (1 - 0.35 * np.exp(-(((distance - 1.03) / 0.06) ** 2)))[..., None]
    rim = 1 - 0.12 * np.exp(-(((distance - 0.72) / 0.03) ** 2))
    plate = np.array((236, 234, 228), dtype=np.float32) * rim[..., None]
    inside = np.clip((1 - distance) * 200, 0, 1)[..., None]
    laid: Pixels = scene + inside * (plate - scene)
    return laid


BACKGROUNDS = (_wood, _cloth, _marble, _plate)
"""The tables: each function draws one from random numbers, a height and a width in pixels."""


def _place(
    scene: Pixels,
    fruit: str,
    centre: tuple[float, float],
    radius: float,
    light: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Draw a fruit and its shadow into the scene; `centre` and `radius` are in pixels."""
    height, width = scene.shape[:2]
    reach = 1.5 * radius
    left, right = max(0, int(centre[0] - reach)), min(width, int(centre[0] + reach))
    top, bottom = max(0, int(centre[1] - reach)), min(height, int(centre[1] + reach))
    x = (np.arange(left, right, dtype=np.float32) - centre[0]) / radius
    y = (np.arange(top, bottom, dtype=np.float32)[:, None] - centre[1]) / radius
    turn = rng.uniform(-0.6, 0.6)
    cosine, sine = math.cos(turn), math.sin(turn)
    surface = FRUITS[fruit](x * cosine + y * sine, y * cosine - x * sine, rng)
    lit, shine = _light(surface, light, cosine, sine)
    colour = surface.colour * (0.38 + 0.75 * lit)[..., None] + (150 * shine)[..., None]
    alpha = np.clip(surface.inside * radius + 0.5, 0, 1)
    window = scene[top:bottom, left:right]
    window *= 1 - 0.55 * _shadow(alpha, light, radius)[..., None]
    window += alpha[..., None] * (colour - window)


def _light(
    surface: Surface, light: tuple[float, float], cosine: float, sine: float
) -> tuple[Plane, Plane]:
    """Return how much light falls on each pixel, and how much of it is mirrored to the camera.

    `light` is the direction that the light comes from: the parts to the right and down of a unit vector.
    `cosine` and `sine` are those of the angle by which the fruit is turned.
    """
    x, y = surface.x * cosine - surface.y * sine, surface.x * sine + surface.y * cosine
    z = np.sqrt(np.clip(1 - x * x - y * y, 0.01, 1))
    above = math.sqrt(1 - light[0] ** 2 - light[1] ** 2)
    lit: Plane = np.clip(x * light[0] + y * light[1] + z * above, 0, 1)
    shine = np.clip(2 * lit * z - above, 0, 1)
    for _ in range(4):
        shine *= shine
    return lit, surface.gloss * shine


def _shadow(alpha: Plane, light: tuple[float, float], radius: float) -> Plane:
    """Return a blurred copy of the fruit's outline, moved away from the light, in [0, 1]."""
    shift = (round(-light[1] * radius * 0.4), round(-light[0] * radius * 0.4))
    moved = np.roll(alpha, shift, axis=(0, 1))
    small = Image.fromarray((moved * 255).astype(np.uint8)).reduce(4)
    blurred = small.filter(ImageFilter.GaussianBlur(radius / 40))
    return np.asarray(blurred.resize(alpha.shape[::-1]), dtype=np.float32) / 255
