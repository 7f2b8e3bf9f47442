"""Colours: the colour part of a picture, its name, and how to lay it over a grey picture.

The grey part of a picture is the mean of its channels. The colour part is the rest, and its channels sum to
zero. A tint is the colour part divided by the grey part, so that it does not change with brightness.
"""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Directions in RGB of hue 0 (red) and of 90 degrees, one a row; both are orthogonal to grey.
AXES = np.array([[2, -1, -1], [0, 3**0.5, -(3**0.5)]], np.float32) / 6**0.5
DARK = 0.02  # keeps the tint of nearly black pixels finite
#: How many degrees of hue an error of 1 in saturation, or in lightness, counts for.
SATURATION_COST, LIGHTNESS_COST = 40.0, 100.0
CLEAR_SHARE, CLEAR_SATURATION = 0.6, 0.2  # when one colour names a picture


@dataclass(frozen=True)
class Colour:
    """A colour that captions name; colours.toml explains the fields."""

    name: str
    hue: float
    saturation: tuple[float, float]
    words: tuple[str, ...]
    lightest: float = 1.0

    def distance(self, hue: np.ndarray, saturation: np.ndarray, light: np.ndarray) -> np.ndarray:
        """Distance of pixels from this colour, in degrees of hue."""
        away = np.abs((hue - self.hue + 180) % 360 - 180)
        low, high = self.saturation
        wrong = np.maximum(low - saturation, saturation - high).clip(0)
        return away + SATURATION_COST * wrong + LIGHTNESS_COST * (light - self.lightest).clip(0)


@functools.cache
def palette() -> dict[str, Colour]:
    """The colours of colours.toml, by name."""
    rows = tomllib.loads(Path(__file__).with_name("colours.toml").read_text())["colour"]
    return {
        name: Colour(
            name, row["hue"], tuple(row["saturation"]), tuple(row["words"]), row.get("lightest", 1.0)
        )
        for name, row in rows.items()
    }


def tint_of(picture: np.ndarray) -> np.ndarray:
    """The tint of a picture in [0, 1], both (rows, columns, 3)."""
    grey = picture.mean(-1, keepdims=True)
    return (picture - grey) / (grey + DARK)


def saturation_of(tint: np.ndarray) -> np.ndarray:
    """Saturation of a tint, 0 (grey) to 1 (its weakest channel is black)."""
    return (-tint.min(-1)).clip(0, 1)


def hue_of(tint: np.ndarray) -> np.ndarray:
    """The angle of a tint in degrees, 0 to 360."""
    along, across = np.moveaxis(tint @ AXES.T, -1, 0)
    return np.degrees(np.arctan2(across, along)) % 360


def pure(hue: np.ndarray | float) -> np.ndarray:
    """The tint with saturation 1 of hues in degrees; adds an axis of length 3."""
    angle = np.radians(np.asarray(hue, np.float32))
    way = np.stack([np.cos(angle), np.sin(angle)], -1) @ AXES
    return way / -way.min(-1, keepdims=True)


def turned(tint: np.ndarray, degrees: float) -> np.ndarray:
    """A tint with rotated hues and the same saturation."""
    return pure(hue_of(tint) + degrees) * saturation_of(tint)[..., None]


def painted(grey: np.ndarray, tint: np.ndarray) -> np.ndarray:
    """The picture in [0, 1] with a given grey part (rows, columns) and tint.

    Its colour is paler where it would leave [0, 1]. The channel mean is always `grey`.
    """
    light = grey[..., None]
    room = (1 - light) / np.maximum(light * tint.max(-1, keepdims=True), 1e-6)
    return (light * (1 + np.minimum(room, 1) * tint)).clip(0, 1)


def dominant(picture: np.ndarray, weight: np.ndarray) -> tuple[Colour, float] | None:
    """The dominant colour of a picture and its mean hue in degrees; None if no colour is clear.

    Args:
        picture: (rows, columns, 3) in [0, 1].
        weight: Weight of each pixel, (rows, columns).
    """
    tint, light = tint_of(picture), picture.mean(-1)
    hue, saturation = hue_of(tint), saturation_of(tint)
    seen = weight * light
    much = seen * saturation
    if much.sum() < CLEAR_SATURATION * max(float(seen.sum()), 1e-6):
        return None
    colours = list(palette().values())
    nearest = np.argmin([colour.distance(hue, saturation, light) for colour in colours], axis=0)
    shares = np.bincount(nearest.ravel(), much.ravel(), len(colours)) / much.sum()
    best = int(shares.argmax())
    if shares[best] < CLEAR_SHARE:
        return None
    return colours[best], mean_hue(picture, weight * (nearest == best))


def mean_hue(picture: np.ndarray, weight: np.ndarray) -> float:
    """The mean hue of a picture in degrees; bright and saturated pixels count most."""
    tint = tint_of(picture)
    much = weight * picture.mean(-1) * saturation_of(tint)
    return float(hue_of((much[..., None] * pure(hue_of(tint))).sum((0, 1))))
