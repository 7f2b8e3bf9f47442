"""The negative: dark and light exchanged (Visual Anagrams, section 3.3).

A model sees -z, and its noise estimate is negated back. A finished picture is negated as 1 - x. A decoder does not turn
-z into that (docs/views.md), so what a model draws in negated latents is not the photographic negative.
"""

from torch import Tensor

from eidophone.diffusion.views import View


def negative(x: Tensor) -> Tensor:
    """Every value with the opposite sign; its own inverse."""
    return -x


def photographic(picture: Tensor) -> Tensor:
    """The negative of a picture in [0, 1]."""
    return 1 - picture


VIEW = View("negate", negative, negative, collage=False, moves=False, on_pictures=photographic)
