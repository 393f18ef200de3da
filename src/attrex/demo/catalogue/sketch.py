"""A small drawing board: shapes in a 100 x 100 square become anti-aliased shapes with shade and shadow in a photo."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

RGB = tuple[int, int, int]
Point = tuple[float, float]

_OVERSAMPLING = 2
_BACKGROUNDS: tuple[RGB, ...] = ((202, 210, 218), (212, 206, 197), (200, 212, 203), (214, 204, 210), (206, 206, 210))


def blend(color: RGB, towards: RGB, share: float) -> RGB:
    """``share`` of the way (0..1) from one colour to another."""
    r, g, b = (round(c + (t - c) * share) for c, t in zip(color, towards, strict=True))
    return r, g, b


def darker(color: RGB, share: float) -> RGB:
    return blend(color, (0, 0, 0), share)


def mirrored(right_half: Sequence[Point]) -> list[Point]:
    """A closed outline from its right half (top to bottom), mirrored at x = 50."""
    return [*right_half, *((100 - x, y) for x, y in reversed(right_half))]


def ellipse(x: float, y: float, rx: float, ry: float, arc: Point = (0, 360)) -> list[Point]:
    """Points of an elliptic arc; ``arc`` in degrees, clockwise from the right."""
    start, end = arc
    steps = max(6, round((end - start) / 15))
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def curve(a: Point, control: Point, b: Point) -> list[Point]:
    """Points of a quadratic Bezier curve from ``a`` to ``b``."""
    points = []
    for i in range(9):
        t = i / 8
        p, q, r = (1 - t) ** 2, 2 * t * (1 - t), t * t
        points.append((p * a[0] + q * control[0] + r * b[0], p * a[1] + q * control[1] + r * b[1]))
    return points


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


class Sketch:
    """One photo in the making: a layer for the product, its silhouette, and the view (scale, turn, offset)."""

    def __init__(self, size: int, color: RGB, pattern: str, rng: Random) -> None:
        self.size, self.rng = size, rng
        self.color = _jitter(color, rng, 6)
        self.edge = blend(self.color, (60, 60, 66), 0.6) if sum(color) < 150 else darker(self.color, 0.42)
        self.inside = blend(self.color, (0, 0, 0), 0.55) if sum(color) > 150 else (58, 58, 64)
        self._full = size * _OVERSAMPLING
        scale, turn = rng.uniform(0.86, 1.0) * self._full / 100, math.radians(rng.uniform(-5, 5))
        self._cos, self._sin = scale * math.cos(turn), scale * math.sin(turn)
        self._shift = tuple(self._full * (0.5 + rng.uniform(-0.04, 0.04)) for _ in "xy")
        self._unit = scale
        self._layer = Image.new("RGB", (self._full, self._full), self.color)
        self._silhouette = Image.new("L", (self._full, self._full))
        self._on_layer, self._on_silhouette = ImageDraw.Draw(self._layer), ImageDraw.Draw(self._silhouette)
        self._cloth = self._weave(pattern)

    def fill(self, points: Iterable[Point], color: RGB) -> None:
        """A plain filled polygon."""
        placed = self._place(points)
        self._on_layer.polygon(placed, color)
        self._on_silhouette.polygon(placed, 255)

    def line(self, points: Iterable[Point], color: RGB, width: float) -> None:
        """An open line; ``width`` in hundredths of the picture."""
        placed, pixels = self._place(points), max(1, round(width * self._unit))
        joint = "curve" if width > 2 and len(placed) > 2 else None  # joints of thin lines cannot be seen
        self._on_layer.line(placed, color, pixels, joint)
        self._on_silhouette.line(placed, 255, pixels, joint)

    def part(self, points: Sequence[Point]) -> None:
        """A piece of the product: filled with its cloth, and outlined."""
        placed = self._place(points)
        left, top = (max(0, int(min(p[axis] for p in placed))) for axis in (0, 1))
        right, bottom = (min(self._full, int(max(p[axis] for p in placed)) + 1) for axis in (0, 1))
        stencil = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in placed], 255)
        self._layer.paste(self._cloth.crop((left, top, right, bottom)), (left, top), stencil)
        self._on_silhouette.polygon(placed, 255)
        self.line([*points, points[0]], self.edge, 0.9)

    def dot(self, x: float, y: float, radius: float, color: RGB, edge: RGB | None = None) -> None:
        """A disc such as a button, with a ring around it where ``edge`` is given."""
        if edge is not None:
            self.fill(ellipse(x, y, radius + 0.7, radius + 0.7), edge)
        self.fill(ellipse(x, y, radius, radius), color)

    def photo(self) -> bytes:
        """The finished picture as JPEG bytes: background, shadow, product, sometimes light noise."""
        rng, size = self.rng, self.size
        background = _jitter(rng.choice(_BACKGROUNDS), rng, 4)
        image = Image.new("RGB", (size, size), background)
        silhouette = self._silhouette.reduce(_OVERSAMPLING)
        if rng.random() < 0.7:
            shadow = silhouette.filter(ImageFilter.BoxBlur(size / 40))
            shadow = ImageChops.offset(shadow, round(size * 0.02), round(size * 0.03))
            image.paste(darker(background, 0.09), mask=shadow)
        product = ImageChops.multiply(self._layer.reduce(_OVERSAMPLING), _light(size))
        image.paste(product, mask=silhouette)
        if rng.random() < 0.4:
            x, y = rng.randrange(size), rng.randrange(size)
            noisy = np.asarray(image).astype(np.int16) + _noise_sheet(size)[y : y + size, x : x + size]
            image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=92, subsampling=0)  # colours keep their full resolution
        return stream.getvalue()

    def _place(self, points: Iterable[Point]) -> list[Point]:
        cos, sin, (dx, dy) = self._cos, self._sin, self._shift
        return [((x - 50) * cos - (y - 50) * sin + dx, (x - 50) * sin + (y - 50) * cos + dy) for x, y in points]

    def _weave(self, pattern: str) -> Image.Image:
        """Cloth the size of the picture; its pattern is a shade of the product's own colour."""
        cloth = self._layer.copy()
        draw = ImageDraw.Draw(cloth)
        ink = _ink(self.color)
        pitch = self._unit * self.rng.uniform(8, 10)
        rows = [i * pitch for i in range(int(self._full / pitch) + 2)]
        match pattern:
            case "striped":
                width, upright = round(pitch * 0.36), self.rng.random() < 0.3
                for at in rows:
                    draw.line((at, 0, at, self._full) if upright else (0, at, self._full, at), ink, width)
            case "checked":
                soft = blend(self.color, ink, 0.55)
                width = round(pitch * 0.27)
                for at in rows:
                    draw.line((at, 0, at, self._full), soft, width)
                for at in rows:
                    draw.line((0, at, self._full, at), soft, width)
                for x in rows:
                    for y in rows:
                        draw.rectangle((x - width / 2, y - width / 2, x + width / 2, y + width / 2), ink)
            case "dotted":
                for i, y in enumerate(rows):
                    for x in rows:
                        _disc(draw, x + pitch / 2 * (i % 2), y, pitch * 0.22, ink)
            case "floral":
                petal, heart = pitch * 0.17, blend(ink, (250, 240, 190), 0.6)
                for i, y in enumerate(rows):
                    for x in rows[::2]:
                        _flower(draw, (x + pitch * (i % 2), y), petal, ink, heart)
        return cloth


def _ink(color: RGB) -> RGB:
    """A shade of the colour for patterns on it, near enough that it is not taken for another colour."""
    if sum(color) < 150:
        return blend(color, (255, 255, 255), 0.32)
    return darker(color, 0.24 if sum(color) > 460 else 0.36)


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: RGB) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), color)


def _flower(draw: ImageDraw.ImageDraw, at: Point, petal: float, color: RGB, heart: RGB) -> None:
    x, y = at
    for i in range(5):
        angle = 2 * math.pi * i / 5
        _disc(draw, x + 1.5 * petal * math.cos(angle), y + 1.5 * petal * math.sin(angle), petal, color)
    _disc(draw, x, y, petal, heart)


def _jitter(color: RGB, rng: Random, by: int) -> RGB:
    """The same colour in a slightly different light."""
    r, g, b = (min(255, max(0, c + rng.randint(-by, by))) for c in color)
    return r, g, b


@lru_cache(maxsize=8)
def _light(size: int) -> Image.Image:
    """Light from the upper left, to multiply with: full there, 6 % less at the lower right."""
    ramp = np.linspace(0, 1, size) ** 2
    light = 255 * (1 - 0.03 * (ramp[:, None] + ramp[None, :]))
    return Image.fromarray(light.astype(np.uint8)).convert("RGB")


@lru_cache(maxsize=8)
def _noise_sheet(size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (2 * size, 2 * size, 3)).round().astype(np.int16)
