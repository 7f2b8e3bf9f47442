"""Columns pushed down, each further than the one before it, and in again from above (Visual Anagrams, section 4)."""

import torch
from torch import Tensor

from eidophone.diffusion.views import View

#: Rows by which a column is pushed further down than its left neighbour.
SLOPE = 1.5


def skewed(x: Tensor) -> Tensor:
    """Column i rolled down by SLOPE (i - width / 2) rows, rounded, (*, height, width)."""
    return _rolled(x, 1)


def straightened(x: Tensor) -> Tensor:
    """The inverse of `skewed`."""
    return _rolled(x, -1)


def _rolled(x: Tensor, way: int) -> Tensor:
    height, width = x.shape[-2:]
    shifts = (SLOPE * (torch.arange(width, device=x.device) - width / 2)).round().long()
    rows = (torch.arange(height, device=x.device)[:, None] - way * shifts) % height
    return x.gather(-2, rows.expand(x.shape))


VIEW = View("skew", skewed, straightened, collage=False)
