"""Colours for a grey picture whose grey values must stay exactly the same."""

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Floats, Picture

_FULL = 255


def with_gray(colored: Picture, gray: Floats) -> Picture:
    """Colours a grey picture: every pixel's channels have exactly the grey value as their mean.

    Each pixel keeps its hue; a colour outside [0, 1] at this brightness is made less saturated. Values are
    multiples of 1/255, and a pixel's channels add up to three times the rounded grey value. So the 8-bit
    files of the coloured and of the grey picture have the same mean in every pixel.

    Args:
        colored: The colours, shape (height, width, 3).
        gray: The grey values, shape (height, width), in [0, 1].
    """
    level = np.floor(gray.astype(np.float64) * _FULL + 0.5)
    hue = colored.pixels - colored.pixels.mean(2, dtype=np.float64, keepdims=True)
    wanted = level[:, :, None] + _paleness(hue * _FULL, level) * hue * _FULL
    return Picture((_rounded(wanted, level) / np.float32(_FULL)).astype(np.float32))


def _paleness(hue: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each pixel's colour fits, 0 to 1, shape (height, width, 1)."""
    room = np.where(hue > 0, _FULL - level[:, :, None], level[:, :, None])
    share = room / np.maximum(np.abs(hue), 1e-9)
    smallest: NDArray[np.float64] = np.minimum(share.min(2, keepdims=True), 1)
    return smallest


def _rounded(wanted: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integers near `wanted` whose sum over the channels is three times `level`.

    The largest-remainder method: what rounding down leaves over goes to the channels that lost most.
    """
    low = np.clip(np.floor(wanted + 1e-6), 0, _FULL)
    missing = np.rint(3 * level - low.sum(2))
    lost = wanted - low
    rank = np.argsort(np.argsort(-lost, axis=2, kind="stable"), axis=2, kind="stable")
    whole: NDArray[np.float64] = low + (rank < missing[:, :, None])
    return whole
