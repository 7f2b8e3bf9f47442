"""Drawn variants of concepts of which the packs have few drawings: castle, bell, helicopter, mountain, lily.

Each function draws one object with a seeded generator and returns (grey, alpha), both float (SIZE, SIZE) in
[0, 1].
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
Drawn = tuple[np.ndarray, np.ndarray]


class Pen:
    """A grey drawing with its alpha, four times as large as the result, so that edges become smooth."""

    SCALE = 4

    def __init__(self) -> None:
        self.grey = Image.new("L", (SIZE * self.SCALE,) * 2, 0)
        self.alpha = Image.new("L", (SIZE * self.SCALE,) * 2, 0)
        self._pens = ImageDraw.Draw(self.grey), ImageDraw.Draw(self.alpha)

    def polygon(self, points: list[tuple[float, float]], tone: float) -> None:
        """Fills a polygon; points are in [0, 1], tone in [0, 1]."""
        scaled = [(x * SIZE * self.SCALE, y * SIZE * self.SCALE) for x, y in points]
        self._pens[0].polygon(scaled, fill=round(255 * tone))
        self._pens[1].polygon(scaled, fill=255)

    def box(self, x0: float, y0: float, x1: float, y1: float, tone: float) -> None:
        """Fills a rectangle with the given left, top, right and bottom."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], tone)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, tone: float) -> None:
        """Fills the ellipse in a rectangle."""
        box = [v * SIZE * self.SCALE for v in (x0, y0, x1, y1)]
        self._pens[0].ellipse(box, fill=round(255 * tone))
        self._pens[1].ellipse(box, fill=255)

    def done(self) -> Drawn:
        """Grey and alpha at the final size."""
        small = (i.resize((SIZE, SIZE), Image.Resampling.BOX) for i in (self.grey, self.alpha))
        grey, alpha = (np.asarray(i, dtype=np.float32) / 255 for i in small)
        return np.where(alpha > 0, grey / np.maximum(alpha, 1e-3), 0).clip(0, 1), alpha


def tower(pen: Pen, x0: float, x1: float, top: float, tone: float, rng: np.random.Generator) -> None:
    """A castle tower from `top` to the ground: battlements or a pointed roof, shading, windows."""
    width, dark = x1 - x0, tone * 0.72
    pen.box(x0, top, x1, 0.98, tone)
    pen.box(x0 + 0.62 * width, top, x1, 0.98, dark)
    over = 0.12 * width
    if rng.random() < 0.5:
        peak = top - width * rng.uniform(1.0, 1.7)
        pen.polygon([(x0 - over, top), ((x0 + x1) / 2, peak), (x1 + over, top)], tone * 0.45)
    else:
        pen.box(x0 - over, top - 0.02, x1 + over, top + 0.05, tone)
        teeth = int(rng.integers(3, 5))
        step = (width + 2 * over) / (2 * teeth - 1)
        for i in range(teeth):
            left = x0 - over + 2 * i * step
            pen.box(left, top - 0.02 - 0.6 * step, left + step, top, tone)
    for level in np.arange(top + 0.12, 0.85, rng.uniform(0.18, 0.28)):
        pen.box(x0 + 0.36 * width, level, x0 + 0.58 * width, level + 0.07, 0.08)


def castle(rng: np.random.Generator) -> Drawn:
    """Two to four towers joined by a wall with a gate."""
    pen, tone = Pen(), rng.uniform(0.55, 0.95)
    wall = rng.uniform(0.55, 0.72)
    pen.box(0.08, wall, 0.92, 0.98, tone * 0.88)
    for left in np.arange(0.08, 0.9, 0.08):
        pen.box(left, wall - 0.035, left + 0.045, wall + 0.01, tone * 0.88)
    count = int(rng.integers(2, 5))
    for centre in np.linspace(0.17, 0.83, count):
        half = rng.uniform(0.07, 0.11)
        tower(pen, centre - half, centre + half, rng.uniform(0.28, wall - 0.08), tone, rng)
    gate = 0.5 if count % 2 == 0 else 0.335
    pen.ellipse(gate - 0.07, 0.74, gate + 0.07, 0.92, 0.05)
    pen.box(gate - 0.07, 0.83, gate + 0.07, 0.98, 0.05)
    return pen.done()


def bell(rng: np.random.Generator) -> Drawn:
    """A bell that hangs straight: ring, flared body with a band, clapper."""
    pen, tone = Pen(), rng.uniform(0.6, 0.95)
    shoulder, rim, flare = rng.uniform(0.16, 0.22), rng.uniform(0.34, 0.42), rng.uniform(1.6, 3.0)
    pen.ellipse(0.44, 0.05, 0.56, 0.19, tone * 0.8)
    pen.ellipse(0.42, 0.76, 0.58, 0.95, tone * 0.5)
    heights = np.linspace(0, 1, 24)
    half = shoulder * np.sqrt(np.minimum(heights * 6, 1)) + (rim - shoulder) * heights**flare
    side = [(0.5 + h, 0.14 + 0.70 * y) for h, y in zip(half, heights, strict=True)]
    pen.polygon([*side, *[(1 - x, y) for x, y in reversed(side)]], tone)
    pen.polygon([*side, *[(0.5 + 0.45 * (x - 0.5), y) for x, y in reversed(side)]], tone * 0.75)
    pen.box(0.5 - rim - 0.02, 0.80, 0.5 + rim + 0.02, 0.86, tone * 0.6)
    return pen.done()


def helicopter(rng: np.random.Generator) -> Drawn:
    """A helicopter seen from the side."""
    pen, tone = Pen(), rng.uniform(0.6, 0.95)
    nose, tail = rng.uniform(0.08, 0.14), rng.uniform(0.9, 0.96)
    pen.polygon([(0.45, 0.42), (tail, 0.42), (tail, 0.47), (0.45, 0.60)], tone * 0.8)
    pen.polygon([(tail - 0.06, 0.28), (tail + 0.02, 0.28), (tail, 0.47), (tail - 0.08, 0.47)], tone * 0.7)
    pen.ellipse(nose, 0.34, 0.62, 0.72, tone)
    pen.polygon([(nose + 0.03, 0.52), (nose + 0.12, 0.39), (0.34, 0.38), (0.34, 0.53)], 0.25)
    pen.box(0.36, 0.22, 0.39, 0.36, tone * 0.6)
    pen.box(rng.uniform(0.01, 0.05), 0.19, rng.uniform(0.72, 0.8), 0.225, tone * 0.8)
    for x in (0.26, 0.48):
        pen.box(x, 0.70, x + 0.025, 0.82, tone * 0.6)
    pen.box(0.14, 0.81, 0.60, 0.845, tone * 0.7)
    return pen.done()


def mountain(rng: np.random.Generator) -> Drawn:
    """One to three snow-capped peaks with a shaded side."""
    pen, tone = Pen(), rng.uniform(0.4, 0.7)
    for _ in range(int(rng.integers(1, 4))):
        peak, top, half = rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.45), rng.uniform(0.3, 0.5)
        left, right = (max(peak - half, 0.0), 0.98), (min(peak + half, 1.0), 0.98)
        pen.polygon([left, (peak, top), right], tone)
        pen.polygon([(peak, top), right, (peak + 0.06, 0.98), (peak - 0.05, 0.6)], tone * 0.6)
        snow = top + 0.22
        cut = [
            (peak + half * 0.3 * k, snow - 0.06 * (i % 2))
            for i, k in enumerate((0.85, 0.4, 0.0, -0.4, -0.85))
        ]
        pen.polygon([(peak, top), *cut], 0.97)
    return pen.done()


def lily(rng: np.random.Generator) -> Drawn:
    """A water lily on its round leaf, seen a little from above."""
    pen = Pen()
    leaf = rng.uniform(0.3, 0.5)
    pen.ellipse(0.03, 0.52, 0.97, 0.94, leaf)
    pen.polygon([(0.5, 0.74), (rng.uniform(0.6, 0.8), 0.96), (0.95, 0.9)], leaf * 0.5)
    for tier, tone in ((1.0, 0.75), (0.75, 0.88), (0.45, 1.0)):
        count = int(rng.integers(5, 8))
        for angle in np.linspace(np.pi * 0.94, np.pi * 0.06, count):
            reach = 0.40 * tier * (0.8 + 0.2 * np.sin(angle))
            tip = (0.5 + reach * np.cos(angle), 0.70 - (0.18 + reach * 0.9 * np.sin(angle)))
            across = (0.07 * np.sin(angle), 0.07 * np.cos(angle))
            middle = ((tip[0] + 0.5) / 2, (tip[1] + 0.70) / 2)
            pen.polygon(
                [
                    (0.5, 0.72),
                    (middle[0] + across[0], middle[1] + across[1]),
                    tip,
                    (middle[0] - across[0], middle[1] - across[1]),
                ],
                tone * rng.uniform(0.85, 1.0),
            )
    return pen.done()


SHAPES: dict[str, Callable[[np.random.Generator], Drawn]] = {
    "castle": castle,
    "bell": bell,
    "helicopter": helicopter,
    "mountain": mountain,
    "lily": lily,
}
