"""A picture of any proportions on a canvas, in the tones that a spectrogram needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Floats, Picture
from eidophone.media.picture import resize
from eidophone.options.own import Fit

#: Shares of a picture that become silent and as loud as can be, where its levels are stretched.
DARKEST, LIGHTEST = 0.02, 0.98


@dataclass(frozen=True)
class Fitted:
    """A picture on a canvas.

    Attributes:
        picture: As large as the canvas; black where the picture does not reach.
        inside: Where the picture is, bool, (height, width).
        lost: Share of the picture that was cropped.
    """

    picture: Picture
    inside: NDArray[np.bool_]
    lost: float = 0.0


def fitted(picture: Picture, height: int, width: int, fit: Fit) -> Fitted:
    """Puts a picture onto a canvas.

    Args:
        picture: Of any size.
        height, width: Of the canvas, in pixels.
        fit: "contain" shows all of it, in the middle; "cover" fills the canvas and crops what does not fit;
            "stretch" changes its proportions.
    """
    everywhere = np.ones((height, width), bool)
    if fit == "cover":
        middle, lost = _middle(picture, height, width)
        return Fitted(resize(middle, height, width), everywhere, lost)
    tall, wide = picture.pixels.shape[:2]
    scale = min(height / tall, width / wide)
    size = (max(1, round(tall * scale)), max(1, round(wide * scale)))
    if fit == "stretch" or size == (height, width):
        return Fitted(resize(picture, height, width), everywhere)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    place = slice(top, top + size[0]), slice(left, left + size[1])
    pixels, inside = np.zeros((height, width, 3), np.float32), ~everywhere
    pixels[place], inside[place] = resize(picture, *size).pixels, True
    return Fitted(Picture(pixels), inside)


def _middle(picture: Picture, height: int, width: int) -> tuple[Picture, float]:
    """The largest middle part of a canvas's proportions, and the share that is cropped."""
    tall, wide = picture.pixels.shape[:2]
    inner_tall = min(tall, max(1, round(wide * height / width)))
    inner_wide = min(wide, max(1, round(tall * width / height)))
    top, left = (tall - inner_tall) // 2, (wide - inner_wide) // 2
    middle = picture.pixels[top : top + inner_tall, left : left + inner_wide]
    return Picture(middle.copy()), 1 - inner_tall * inner_wide / (tall * wide)


def toned(
    gray: Floats,
    inside: NDArray[np.bool_],
    *,
    levels: bool = True,
    brightness: float = 0.0,
    contrast: float = 1.0,
    gamma: float = 1.0,
) -> Floats:
    """The tones of a grey picture as loudness: black is silent, white is as loud as can be.

    Photographs have a veil of light even in their shadows, which would play as noise. Stretched levels take it
    away.

    Args:
        gray: (height, width) in [0, 1].
        inside: Where the picture is; black elsewhere.
        levels: Stretch the tones so that the darkest fiftieth is black and the lightest fiftieth white.
        brightness: Added, -1 to 1.
        contrast: Multiplies the distance to middle grey; 1 changes nothing.
        gamma: Exponent: above 1 shadows become darker, below 1 lighter.
    """
    found = gray.astype(np.float32)
    if levels and inside.any():
        low, high = np.quantile(found[inside], [DARKEST, LIGHTEST])
        if high - low > 1e-3:
            found = (found - low) / (high - low)
    found = np.clip((found - 0.5) * contrast + 0.5 + brightness, 0, 1) ** gamma
    toned_: Floats = np.where(inside, found, 0).astype(np.float32)
    return toned_
