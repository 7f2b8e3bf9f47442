"""A quarter turn to the left, for square canvases (Visual Anagrams, section 4)."""

import torch
from torch import Tensor

from eidophone.diffusion.views import View


def turned_left(x: Tensor) -> Tensor:
    """Counterclockwise: the right column becomes the upper row, (*, side, side)."""
    return torch.rot90(x, 1, (-2, -1))


def turned_right(x: Tensor) -> Tensor:
    """Clockwise: the inverse of `turned_left`."""
    return torch.rot90(x, -1, (-2, -1))


VIEW = View("rotate90", turned_left, turned_right, collage=False, square=True)
