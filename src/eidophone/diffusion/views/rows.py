"""The upper and the lower half side by side (Images that Sound: a square picture that plays row by row)."""

import torch
from torch import Tensor

from eidophone.diffusion.views import View


def side_by_side(x: Tensor) -> Tensor:
    """The upper half, then the lower half to its right: (*, 2h, w) -> (*, h, 2w)."""
    return torch.cat(x.chunk(2, dim=-2), dim=-1)


def one_above_the_other(x: Tensor) -> Tensor:
    """The left half, then the right half below it: the inverse of `side_by_side`."""
    return torch.cat(x.chunk(2, dim=-1), dim=-2)


VIEW = View("rows", side_by_side, one_above_the_other, rows=2, grid=(2, 1))
