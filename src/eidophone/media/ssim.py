"""Structural similarity of two grey pictures."""

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.values import Floats

#: Side of the windows, in pixels.
WINDOW = 7
_LIGHT, _CONTRAST = 0.01**2, 0.03**2


def ssim(a: Floats, b: Floats) -> float:
    """Mean structural similarity (Wang et al., 2004): 1 for equal pictures, about 0 for unrelated ones.

    Windows of 7 x 7 pixels (smaller in smaller pictures), all equal, inside the picture; unbiased variances.

    Args:
        a, b: In [0, 1], of equal shape (height, width), each side at least 2.
    """
    x, y = (torch.from_numpy(each.astype("float64"))[None, None] for each in (a, b))
    side = min(WINDOW, *a.shape)
    count = side**2
    unbiased = count / (count - 1)
    mean_x, mean_y = _mean(x, side), _mean(y, side)
    var_x = unbiased * (_mean(x * x, side) - mean_x**2)
    var_y = unbiased * (_mean(y * y, side) - mean_y**2)
    both = unbiased * (_mean(x * y, side) - mean_x * mean_y)
    light = (2 * mean_x * mean_y + _LIGHT) / (mean_x**2 + mean_y**2 + _LIGHT)
    return float((light * (2 * both + _CONTRAST) / (var_x + var_y + _CONTRAST)).mean())


def _mean(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(x, side, 1)
