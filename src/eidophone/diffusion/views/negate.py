"""The negative: dark and light exchanged (Visual Anagrams, section 3.3).

The view negates latents: the audio model sees -z, and its noise estimate is negated back. It says nothing about
pixels in [0, 1], so the sound is decoded from the negated latent, and a decoder that is not symmetric does not make
it the exact photographic negative of the picture.
"""

from torch import Tensor

from eidophone.diffusion.views import View


def negative(x: Tensor) -> Tensor:
    """Every value with the opposite sign; its own inverse."""
    return -x


VIEW = View("negate", negative, negative, collage=False)
