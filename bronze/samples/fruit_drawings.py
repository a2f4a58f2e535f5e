"""Drawings of fruit, for the generated samples: shapes lit from a side, on tables of several kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Plane = NDArray[np.floating[Any]]  # float32[height, width]
Pixels = NDArray[np.floating[Any]]  # float32[height, width, 3], 0 to 255
RGB = tuple[int, int, int]


def photo(fruit: str, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """One to three fruits of a kind (of `FRUITS`) on a table, upright; `size` is (width, height).

    Drawn small, then scaled.
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


def _noise(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> Plane:
    """Smooth noise in [0, 1] with about rows x columns blobs."""
    grid = Image.fromarray(rng.random((rows + 2, columns + 2), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def _mixed(low: RGB, high: RGB, share: Plane) -> Pixels:
    """Colours from `low` (share 0) to `high` (share 1)."""
    start, end = np.array((low, high), dtype=np.float32)
    mixed: Pixels = start + np.clip(share, 0, 1)[..., None] * (end - start)
    return mixed


def _wood(rng: np.random.Generator, height: int, width: int) -> Pixels:
    grain = 0.6 * _noise(rng, height, width, 60, 3) + 0.4 * _noise(rng, height, width, 9, 2)
    scene = _mixed((112, 74, 44), (196, 150, 102), grain)
    scene[:: height // 4] *= 0.6
    return scene


def _cloth(rng: np.random.Generator, height: int, width: int) -> Pixels:
    colour = rng.uniform(90, 170) + rng.uniform(-35, 35, 3)
    weave = (np.arange(height)[:, None] + np.arange(width)) % 4 < 2
    shade = _noise(rng, height, width, 3, 4) * 0.4 + 0.8 - 0.05 * weave.astype(np.float32)
    cloth: Pixels = shade[..., None] * colour.astype(np.float32)
    return cloth


def _marble(rng: np.random.Generator, height: int, width: int) -> Pixels:
    veins, speckle = _noise(rng, height, width, 5, 6), _noise(rng, height, width, 40, 50)
    return _mixed((128, 130, 134), (226, 224, 220), 2.4 * np.abs(veins - 0.5) + 0.7 * speckle)


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


# Fruits: each is drawn in a frame of its own, about 1 in radius, with v pointing down


@dataclass
class Surface:
    """`inside` is the distance to the edge, positive within; `x` and `y` are its normal's parts."""

    inside: Plane
    x: Plane
    y: Plane
    colour: Pixels
    gloss: float = 0.5

    def cover(self, inside: Plane, colour: RGB) -> Surface:
        """Lay a flat part (a stem, a leaf) over it."""
        over = inside > 0
        self.inside = np.maximum(self.inside, inside)
        self.x, self.y = np.where(over, 0, self.x), np.where(over, 0, self.y)
        self.colour[over] = colour
        return self


Fruit = Callable[[Plane, Plane, np.random.Generator], Surface]


def _solid(radii: tuple[float, ...], u: Plane, v: Plane) -> tuple[Surface, Plane]:
    """A rounded body, and how far out each pixel lies (1 at the edge).

    `radii` go from the top over the side to the bottom, in equal angles.
    """
    angle = np.linspace(0, 1, 65)
    outline = np.interp(angle, np.linspace(0, 1, len(radii)), radii)
    smooth = np.convolve(np.pad(outline, 6, mode="reflect"), np.hanning(13) / 6, "valid")
    radius = np.interp(np.abs(np.arctan2(u, -v)) / np.pi, angle, smooth).astype(np.float32)
    out: Plane = np.hypot(u, v) / radius
    blank = np.zeros((*u.shape, 3), dtype=np.float32)
    return Surface((1 - out) * radius, u / radius, v / radius, blank), out


def _stem(u: Plane, v: Plane, top: float, bend: float, thickness: float = 0.045) -> Plane:
    along = np.clip((v - top) / 0.36 + 1, 0, 1)
    stem: Plane = thickness - np.hypot(u - bend * (1 - along) ** 2, v - top + 0.36 * (1 - along))
    return stem


def _dots(u: Plane, v: Plane, pitch: float, size: float) -> Plane:
    """Staggered dots, 1 at their centres and below 0 between them."""
    row = np.floor(v / pitch)
    x = u / pitch + 0.5 * (row % 2)
    dots: Plane = 1 - np.hypot(x - np.floor(x) - 0.5, v / pitch - row - 0.5) / size
    return dots


def _grain(u: Plane, rng: np.random.Generator, blobs: int) -> Plane:
    return _noise(rng, u.shape[0], u.shape[1], blobs, blobs)


APPLE = (0.74, 0.93, 1.03, 1.04, 1.0, 0.95, 0.9, 0.87, 0.8)


def _apple(u: Plane, v: Plane, rng: np.random.Generator, colours: tuple[RGB, RGB]) -> Surface:
    surface, _ = _solid(APPLE, u, v)
    angle = np.arctan2(u, v + 1.4)
    streaks = np.interp(angle, np.linspace(-1, 1, 90), rng.random(90)).astype(np.float32)
    blush = 0.5 + 0.45 * u + 0.6 * (_grain(u, rng, 3) - 0.5) + 0.25 * (streaks - 0.5)
    surface.colour = _mixed(*colours, blush)
    surface.colour[_dots(u + 0.03 * v, v, 0.13, 0.11) > 0] += 22
    hollow = np.exp(-((u / 0.3) ** 2) - ((v + 0.72) / 0.13) ** 2)
    surface.colour *= (1 - 0.6 * hollow)[..., None]
    return surface.cover(_stem(u, v, -0.62, rng.uniform(-0.2, 0.2)), (84, 56, 30))


def _green_apple(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    return _apple(u, v, rng, ((112, 168, 40), (176, 208, 84)))


def _red_apple(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    return _apple(u, v, rng, ((206, 120, 60), (150, 14, 26)))


def _banana(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    out, angle = np.hypot(u, v + 0.85), np.arctan2(u, v + 0.85)
    ends = np.clip(1 - (angle / 1.12) ** 4, 0, 1) ** 0.6
    width = 0.05 + 0.26 * ends
    across = (out - 1.12) / width
    inside = np.minimum((1 - np.abs(across)) * width, (1.17 - np.abs(angle)) * 0.9)
    colour = _mixed((240, 202, 52), (196, 186, 60), (np.abs(angle) - 0.75) * 3)
    for ridge in (-0.35, 0.3):
        colour *= (1 - 0.16 * np.exp(-(((across - ridge) / 0.07) ** 2)))[..., None]
    colour[(_grain(u, rng, 34) > 0.83) & (ends > 0.5)] *= 0.66
    colour[np.abs(angle) > 1.08] = (72, 54, 34)
    return Surface(inside, across * u / out, across * (v + 0.85) / out, colour, 0.25)


def _grapes(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    light = bool(rng.integers(2))
    low, high = ((120, 150, 40), (190, 208, 96)) if light else ((48, 20, 58), (104, 54, 110))
    inside, x, y, shade = (np.full_like(u, blank) for blank in (-9, 0, 0, 0))
    for row, berries in enumerate((3, 4, 3, 4, 3, 2, 1)):
        for berry in range(berries):
            across = u - 0.4 * (berry - (berries - 1) / 2) - rng.normal(0, 0.035)
            down = v + 0.72 - 0.26 * row - rng.normal(0, 0.035)
            radius = 0.25 + rng.normal(0, 0.012)
            depth = radius - np.hypot(across, down)
            over = depth > 0
            inside = np.maximum(inside, depth)
            x[over], y[over] = across[over] / radius, down[over] / radius
            shade[over] = rng.uniform(0.1, 0.8) + 0.9 * depth[over]
    stem = _stem(u, v, -0.75, 0.1)
    stem[inside > 0] = -1
    return Surface(inside, x, y, _mixed(low, high, shade), 0.9).cover(stem, (110, 92, 50))


def _kiwi(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    """A half: hairy rim, green flesh with rays, black seeds around a pale core."""
    surface, out = _solid((0.92, 0.94, 1.0, 0.94, 0.92), u, v)
    angle = np.arctan2(u, v)
    rays = 0.5 + 0.5 * np.cos(angle * 26 + rng.uniform(0, 6))
    surface.colour = _mixed((148, 190, 52), (92, 146, 28), out * 0.9 + 0.25 * rays - 0.2)
    surface.colour[out < 0.27 + 0.03 * rays] = (228, 230, 172)
    ring = np.abs(out - 0.42 - 0.05 * np.cos(angle * 13)) / 0.085
    surface.colour[np.hypot(ring, np.sin(angle * 14) / 0.55) < 1] = (26, 22, 16)
    surface.colour[out > 0.93] = (116, 88, 50)
    surface.x, surface.y = surface.x * 0.12, surface.y * 0.12
    return surface


def _lemon(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.3, 1.1, 0.92, 0.82, 0.78, 0.82, 0.92, 1.08, 1.22), u, v)
    surface.colour = _mixed((226, 196, 28), (250, 228, 74), _grain(u, rng, 5))
    surface.colour[np.abs(v) > 1.12] *= 0.84
    return _dimpled(surface, rng, 0.2)


def _orange(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((0.96, 1.0, 1.01, 1.0, 0.97), u, v)
    surface.colour = _mixed((226, 112, 12), (250, 152, 34), _grain(u, rng, 4))
    surface = _dimpled(surface, rng, 0.3)
    return surface.cover(0.07 - np.hypot(u - 0.15, v + 0.5), (96, 112, 40))


def _dimpled(surface: Surface, rng: np.random.Generator, depth: float) -> Surface:
    surface.x = surface.x + depth * (_grain(surface.x, rng, 84) - 0.5)
    surface.y = surface.y + depth * (_grain(surface.x, rng, 84) - 0.5)
    return surface


def _pear(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.16, 1.02, 0.74, 0.66, 0.74, 0.86, 0.95, 0.98, 0.94), u, v)
    blush = 0.4 + 0.5 * u + 0.6 * (_grain(u, rng, 3) - 0.5)
    surface.colour = _mixed((172, 182, 62), (206, 164, 74), blush)
    surface.colour[_grain(u, rng, 70) > 0.82] *= 0.74
    return surface.cover(_stem(u, v, -1.05, rng.uniform(-0.2, 0.2), 0.055), (92, 62, 34))


def _plum(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.06, 1.04, 0.97, 0.92, 0.9, 0.93, 0.99, 1.05, 1.1), u, v)
    bloom = _grain(u, rng, 6) * 0.9 + 0.3 * u - 0.2
    surface.colour = _mixed((64, 22, 58), (126, 112, 158), bloom)
    crease = np.exp(-(((u - 0.3 * (1 - v * v)) / 0.04) ** 2))
    surface.colour *= (1 - 0.55 * crease)[..., None]
    surface.gloss = 0.3
    return surface.cover(_stem(u, v, -0.98, 0.1, 0.035), (92, 76, 40))


def _strawberry(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((0.72, 0.86, 0.98, 0.98, 0.9, 0.86, 0.88, 1.0, 1.16), u, v)
    surface.colour = _mixed((222, 34, 38), (172, 10, 24), _grain(u, rng, 4) + 0.3 * u)
    seeds = _dots(u * (1 + 0.15 * v), v, 0.2, 0.36)
    surface.colour *= (1 - 0.35 * np.clip(seeds * 2, 0, 1))[..., None]
    surface.colour[_dots(u * (1 + 0.15 * v), v, 0.2, 0.17) > 0] = (236, 196, 92)
    angle, out = np.arctan2(u, v + 0.66), np.hypot(u, (v + 0.66) * 1.5)
    leaves = 0.28 + 0.4 * np.abs(np.cos(angle * 3.5 + rng.uniform(0, 3))) - out
    surface.cover(_stem(u, v, -0.66, 0.15), (96, 128, 50))
    return surface.cover(leaves, (66, 128, 44))


def _watermelon(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    """A slice: red flesh with seeds, a pale line, green rind."""
    out, angle = np.hypot(u, v + 0.55) / 1.25, np.arctan2(u, v + 0.55)
    flesh = _mixed((236, 64, 72), (206, 34, 54), _grain(u, rng, 8) * 0.6 + out * 0.4)
    for ring, seeds in ((0.42, 4), (0.64, 6)):
        beside = np.sin(angle * seeds + rng.uniform(0, 6)) / (0.035 * seeds / ring)
        flesh[np.hypot(beside, (out - ring) / 0.06) < 1] = (34, 22, 20)
    flesh[out > 0.86] = (224, 232, 190)
    stripes = 0.5 + 0.5 * np.sin(angle * 22 + 3 * _grain(u, rng, 5))
    rind = out > 0.91
    flesh[rind] = _mixed((40, 92, 42), (92, 146, 70), stripes)[rind]
    return Surface(np.minimum((1 - out) * 1.25, v + 0.55), u * 0.08, v * 0.08, flesh, 0.3)


FRUITS: dict[str, Fruit] = {
    "apple-green": _green_apple,
    "banana": _banana,
    "orange": _orange,
    "kiwi": _kiwi,
    "strawberry": _strawberry,
    "lemon": _lemon,
    "apple-red": _red_apple,
    "watermelon": _watermelon,
    "plum": _plum,
    "pear": _pear,
    "grapes": _grapes,
}


def _place(
    scene: Pixels,
    fruit: str,
    centre: tuple[float, float],
    radius: float,
    light: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Draw a fruit and its shadow into the scene; centre and radius in pixels."""
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
    """How much light falls on each pixel, and how much of it is mirrored to the camera."""
    x, y = surface.x * cosine - surface.y * sine, surface.x * sine + surface.y * cosine
    z = np.sqrt(np.clip(1 - x * x - y * y, 0.01, 1))
    above = math.sqrt(1 - light[0] ** 2 - light[1] ** 2)
    lit: Plane = np.clip(x * light[0] + y * light[1] + z * above, 0, 1)
    shine = np.clip(2 * lit * z - above, 0, 1)
    for _ in range(4):
        shine *= shine
    return lit, surface.gloss * shine


def _shadow(alpha: Plane, light: tuple[float, float], radius: float) -> Plane:
    """A blurred copy of the fruit's outline, away from the light."""
    shift = (round(-light[1] * radius * 0.4), round(-light[0] * radius * 0.4))
    moved = np.roll(alpha, shift, axis=(0, 1))
    small = Image.fromarray((moved * 255).astype(np.uint8)).reduce(4)
    blurred = small.filter(ImageFilter.GaussianBlur(radius / 40))
    return np.asarray(blurred.resize(alpha.shape[::-1]), dtype=np.float32) / 255
