"""Drawings of single fruits for the generated samples: the shape and the colours of each kind.

A fruit is drawn in a frame of its own. `u` points right, `v` points down, and the fruit is about 1 in
radius. `lake.samples.scene` turns it, lights it and places it on a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.floating[Any]]  # float32[height, width]
Pixels = NDArray[np.floating[Any]]  # float32[height, width, 3], 0 to 255
RGB = tuple[int, int, int]


def noise(rng: np.random.Generator, height: int, width: int, rows: int, columns: int) -> Plane:
    """Return smooth noise in about [0, 1], with about rows x columns blobs."""
    grid = Image.fromarray(rng.random((rows + 2, columns + 2), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def blended(low: RGB, high: RGB, share: Plane) -> Pixels:
    """Return the colour between `low` (share 0) and `high` (share 1) for each pixel."""
    start, end = np.array((low, high), dtype=np.float32)
    colours: Pixels = start + np.clip(share, 0, 1)[..., None] * (end - start)
    return colours


@dataclass
class Surface:
    """The visible surface of a fruit, pixel by pixel.

    `inside` is the distance to the edge, positive within the fruit. `x` and `y` are two parts of the
    surface's normal: to the right and down. `gloss` is the share of light that it mirrors.
    """

    inside: Plane
    x: Plane
    y: Plane
    colour: Pixels
    gloss: float = 0.5

    def cover(self, inside: Plane, colour: RGB) -> Surface:
        """Lay a flat part, such as a stem or a leaf, over the surface, and return the surface.

        The part is where its own `inside` is above 0.
        """
        over = inside > 0
        self.inside = np.maximum(self.inside, inside)
        self.x, self.y = np.where(over, 0, self.x), np.where(over, 0, self.y)
        self.colour[over] = colour
        return self


Fruit = Callable[[Plane, Plane, np.random.Generator], Surface]
"""A function that draws a fruit of one kind: from `u`, `v` and random numbers to its surface."""


def _solid(radii: tuple[float, ...], u: Plane, v: Plane) -> tuple[Surface, Plane]:
    """Return a rounded body without colour, and how far out each pixel lies (1 at the edge).

    `radii` are the body's radii from its top over its side to its bottom, at equal angles.
    """
    angle = np.linspace(0, 1, 65)
    outline = np.interp(angle, np.linspace(0, 1, len(radii)), radii)
    smooth = np.convolve(np.pad(outline, 6, mode="reflect"), np.hanning(13) / 6, "valid")
    radius = np.interp(np.abs(np.arctan2(u, -v)) / np.pi, angle, smooth).astype(np.float32)
    out: Plane = np.hypot(u, v) / radius
    blank = np.zeros((*u.shape, 3), dtype=np.float32)
    return Surface((1 - out) * radius, u / radius, v / radius, blank), out


def _stem(u: Plane, v: Plane, top: float, bend: float, thickness: float = 0.045) -> Plane:
    """Return the distance to the edge of a bent stem that ends at v = `top`, positive within it."""
    along = np.clip((v - top) / 0.36 + 1, 0, 1)
    stem: Plane = thickness - np.hypot(u - bend * (1 - along) ** 2, v - top + 0.36 * (1 - along))
    return stem


def _dots(u: Plane, v: Plane, pitch: float, size: float) -> Plane:
    """Return staggered dots: 1 at their centres, below 0 between them."""
    row = np.floor(v / pitch)
    x = u / pitch + 0.5 * (row % 2)
    dots: Plane = 1 - np.hypot(x - np.floor(x) - 0.5, v / pitch - row - 0.5) / size
    return dots


def _grain(u: Plane, rng: np.random.Generator, blobs: int) -> Plane:
    """Return smooth noise of the shape of `u`, with about `blobs` blobs in each direction."""
    return noise(rng, u.shape[0], u.shape[1], blobs, blobs)


APPLE = (0.74, 0.93, 1.03, 1.04, 1.0, 0.95, 0.9, 0.87, 0.8)


def _apple(u: Plane, v: Plane, rng: np.random.Generator, colours: tuple[RGB, RGB]) -> Surface:
    surface, _ = _solid(APPLE, u, v)
    angle = np.arctan2(u, v + 1.4)
    streaks = np.interp(angle, np.linspace(-1, 1, 90), rng.random(90)).astype(np.float32)
    blush = 0.5 + 0.45 * u + 0.6 * (_grain(u, rng, 3) - 0.5) + 0.25 * (streaks - 0.5)
    surface.colour = blended(*colours, blush)
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
    colour = blended((240, 202, 52), (196, 186, 60), (np.abs(angle) - 0.75) * 3)
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
    return Surface(inside, x, y, blended(low, high, shade), 0.9).cover(stem, (110, 92, 50))


def _kiwi(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    """Draw half a kiwi: a hairy rim, green flesh with rays, and black seeds around a pale core."""
    surface, out = _solid((0.92, 0.94, 1.0, 0.94, 0.92), u, v)
    angle = np.arctan2(u, v)
    rays = 0.5 + 0.5 * np.cos(angle * 26 + rng.uniform(0, 6))
    surface.colour = blended((148, 190, 52), (92, 146, 28), out * 0.9 + 0.25 * rays - 0.2)
    surface.colour[out < 0.27 + 0.03 * rays] = (228, 230, 172)
    ring = np.abs(out - 0.42 - 0.05 * np.cos(angle * 13)) / 0.085
    surface.colour[np.hypot(ring, np.sin(angle * 14) / 0.55) < 1] = (26, 22, 16)
    surface.colour[out > 0.93] = (116, 88, 50)
    surface.x, surface.y = surface.x * 0.12, surface.y * 0.12
    return surface


def _lemon(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.3, 1.1, 0.92, 0.82, 0.78, 0.82, 0.92, 1.08, 1.22), u, v)
    surface.colour = blended((226, 196, 28), (250, 228, 74), _grain(u, rng, 5))
    surface.colour[np.abs(v) > 1.12] *= 0.84
    return _dimpled(surface, rng, 0.2)


def _orange(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((0.96, 1.0, 1.01, 1.0, 0.97), u, v)
    surface.colour = blended((226, 112, 12), (250, 152, 34), _grain(u, rng, 4))
    surface = _dimpled(surface, rng, 0.3)
    return surface.cover(0.07 - np.hypot(u - 0.15, v + 0.5), (96, 112, 40))


def _dimpled(surface: Surface, rng: np.random.Generator, depth: float) -> Surface:
    """Tilt the surface's normals at random, by `depth` at most, as on a citrus peel."""
    surface.x = surface.x + depth * (_grain(surface.x, rng, 84) - 0.5)
    surface.y = surface.y + depth * (_grain(surface.x, rng, 84) - 0.5)
    return surface


def _pear(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.16, 1.02, 0.74, 0.66, 0.74, 0.86, 0.95, 0.98, 0.94), u, v)
    blush = 0.4 + 0.5 * u + 0.6 * (_grain(u, rng, 3) - 0.5)
    surface.colour = blended((172, 182, 62), (206, 164, 74), blush)
    surface.colour[_grain(u, rng, 70) > 0.82] *= 0.74
    return surface.cover(_stem(u, v, -1.05, rng.uniform(-0.2, 0.2), 0.055), (92, 62, 34))


def _plum(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((1.06, 1.04, 0.97, 0.92, 0.9, 0.93, 0.99, 1.05, 1.1), u, v)
    bloom = _grain(u, rng, 6) * 0.9 + 0.3 * u - 0.2
    surface.colour = blended((64, 22, 58), (126, 112, 158), bloom)
    crease = np.exp(-(((u - 0.3 * (1 - v * v)) / 0.04) ** 2))
    surface.colour *= (1 - 0.55 * crease)[..., None]
    surface.gloss = 0.3
    return surface.cover(_stem(u, v, -0.98, 0.1, 0.035), (92, 76, 40))


def _strawberry(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    surface, _ = _solid((0.72, 0.86, 0.98, 0.98, 0.9, 0.86, 0.88, 1.0, 1.16), u, v)
    surface.colour = blended((222, 34, 38), (172, 10, 24), _grain(u, rng, 4) + 0.3 * u)
    seeds = _dots(u * (1 + 0.15 * v), v, 0.2, 0.36)
    surface.colour *= (1 - 0.35 * np.clip(seeds * 2, 0, 1))[..., None]
    surface.colour[_dots(u * (1 + 0.15 * v), v, 0.2, 0.17) > 0] = (236, 196, 92)
    angle, out = np.arctan2(u, v + 0.66), np.hypot(u, (v + 0.66) * 1.5)
    leaves = 0.28 + 0.4 * np.abs(np.cos(angle * 3.5 + rng.uniform(0, 3))) - out
    surface.cover(_stem(u, v, -0.66, 0.15), (96, 128, 50))
    return surface.cover(leaves, (66, 128, 44))


def _watermelon(u: Plane, v: Plane, rng: np.random.Generator) -> Surface:
    """Draw a slice of a watermelon: red flesh with seeds, a pale line and a green rind."""
    out, angle = np.hypot(u, v + 0.55) / 1.25, np.arctan2(u, v + 0.55)
    flesh = blended((236, 64, 72), (206, 34, 54), _grain(u, rng, 8) * 0.6 + out * 0.4)
    for ring, seeds in ((0.42, 4), (0.64, 6)):
        beside = np.sin(angle * seeds + rng.uniform(0, 6)) / (0.035 * seeds / ring)
        flesh[np.hypot(beside, (out - ring) / 0.06) < 1] = (34, 22, 20)
    flesh[out > 0.86] = (224, 232, 190)
    stripes = 0.5 + 0.5 * np.sin(angle * 22 + 3 * _grain(u, rng, 5))
    rind = out > 0.91
    flesh[rind] = blended((40, 92, 42), (92, 146, 70), stripes)[rind]
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
