"""A disc in the middle turned upside down, the rest as it is (Visual Anagrams, section 4: inner circle)."""

import torch
from torch import Tensor

from eidophone.diffusion.views import View

#: Radius of the disc as a share of the shorter side.
RADIUS = 3 / 8


def disc_turned(x: Tensor) -> Tensor:
    """Half a turn of the disc, (*, height, width); its own inverse, because the disc covers itself."""
    height, width = x.shape[-2:]
    down = torch.arange(height, device=x.device) - (height - 1) / 2
    across = torch.arange(width, device=x.device) - (width - 1) / 2
    inside = down[:, None] ** 2 + across**2 < (RADIUS * min(height, width)) ** 2
    return torch.where(inside, x.flip(-2, -1), x)


VIEW = View("circle", disc_turned, disc_turned, collage=False)
