"""Colours for a grey picture that has to stay what it is, to the last bit."""

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Floats, Picture

_FULL = 255


def with_gray(colored: Picture, gray: Floats) -> Picture:
    """The picture whose channels have exactly this mean, with as much of the given colour as fits in [0, 1].

    Each pixel keeps its hue; where its colour would leave the gamut at this brightness, it pales. Values are
    whole 255ths and the sum of a pixel's channels is three times the rounded grey value, so that an 8-bit
    file of the picture and one of the grey picture have the same mean in every pixel.

    Args:
        colored: Shape (height, width, 3).
        gray: Shape (height, width), in [0, 1].
    """
    level = np.floor(gray.astype(np.float64) * _FULL + 0.5)
    hue = colored.pixels - colored.pixels.mean(2, dtype=np.float64, keepdims=True)
    wanted = level[:, :, None] + _paleness(hue * _FULL, level) * hue * _FULL
    return Picture((_rounded(wanted, level) / np.float32(_FULL)).astype(np.float32))


def _paleness(hue: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each pixel's colour that fits, shape (height, width, 1)."""
    room = np.where(hue > 0, _FULL - level[:, :, None], level[:, :, None])
    share = room / np.maximum(np.abs(hue), 1e-9)
    smallest: NDArray[np.float64] = np.minimum(share.min(2, keepdims=True), 1)
    return smallest


def _rounded(wanted: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers near the wanted ones whose sum over the channels is three times `level`.

    The method of largest remainders: what rounding down leaves over goes to the channels that lost most.
    """
    low = np.clip(np.floor(wanted + 1e-6), 0, _FULL)
    missing = np.rint(3 * level - low.sum(2))
    lost = wanted - low
    rank = np.argsort(np.argsort(-lost, axis=2, kind="stable"), axis=2, kind="stable")
    whole: NDArray[np.float64] = low + (rank < missing[:, :, None])
    return whole
