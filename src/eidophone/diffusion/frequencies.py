"""Coarse and fine structure of a canvas: two parts that sum to the whole (Factorized Diffusion; hybrid images).

These are spatial frequencies, not the pitches of a sound. The low-pass part is what is seen from far away, the
high-pass part what is seen from near by.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.options.kinds import Band

BANDS: tuple[Band, ...] = ("low-pass", "high-pass")
#: Standard deviation of the low-pass filter, as a share of the height (Visual Anagrams: 2 of 64 pixels).
SPREAD = 1 / 32


def band_of(x: Tensor, band: Band) -> Tensor:
    """A part of a canvas, (*, height, width); "all" is the canvas itself.

    >>> x = torch.rand(1, 8, 12)
    >>> torch.allclose(band_of(x, "low-pass") + band_of(x, "high-pass"), x)
    True
    """
    if band == "all":
        return x
    smooth = low_pass(x)
    return smooth if band == "low-pass" else x - smooth


def low_pass(x: Tensor) -> Tensor:
    """Blurred by a Gaussian as wide as SPREAD of the height, (*, height, width); edges are repeated."""
    sigma = SPREAD * x.shape[-2]
    reach = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype) / sigma) ** 2)
    weights = weights / weights.sum()
    planes = x.reshape(-1, 1, *x.shape[-2:])
    down = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), weights.view(1, 1, -1, 1))
    across = F.conv2d(F.pad(down, (reach, reach, 0, 0), mode="replicate"), weights.view(1, 1, 1, -1))
    return across.reshape(x.shape)
