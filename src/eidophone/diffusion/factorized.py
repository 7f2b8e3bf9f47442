"""Factorized diffusion (Geng, Park and Owens, ECCV 2024): noise estimates for the parts of a picture.

A picture is the sum of its grey part (the mean of its channels, in every channel) and its colour part (the
rest). Both parts are linear projections, and the projection of one part onto the other is zero.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import noised


def gray_part(pixels: Tensor) -> Tensor:
    """The mean of the channels, in every channel; (batch, channels, height, width) in and out."""
    return pixels.mean(1, keepdim=True).expand_as(pixels)


def color_part(pixels: Tensor) -> Tensor:
    """The picture without its grey part; its channels sum to zero."""
    return pixels - gray_part(pixels)


@dataclass(frozen=True)
class Factorized:
    """A denoiser that takes the grey part of its estimate from one denoiser and the colour part from another.

    This is the mean of the two views' estimates times the factor 2 that makes their sum whole (section 3.2).
    A variance behind the noise (see `models.pixel.WithVariance`) passes unchanged.
    """

    gray: Denoiser
    color: Denoiser

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        colored = self.color(latents, timestep)
        if self.gray is self.color:
            return colored
        channels = latents.shape[1]
        noise = gray_part(self.gray(latents, timestep)[:, :channels]) + color_part(colored[:, :channels])
        return torch.cat([noise, colored[:, channels:]], 1)


class FixedGray:
    """A grey part that stays fixed during sampling (section 3.5); `__call__` is a `Constraint`.

    Args:
        gray: Pixels in [-1, 1] with equal channels, (batch, channels, height, width).
        alphas_cumprod: Cumulative products of alphas, by timestep.
        noise: Returns unit normal noise of `gray`'s shape for each step; the channels' mean is what counts.
        doubled: A timestep at which the picture is set to twice the grey part of the noised grey picture,
            without any colour: what the published code does at its start step. None: at none.
    """

    def __init__(
        self, gray: Tensor, alphas_cumprod: Tensor, noise: Callable[[], Tensor], doubled: int | None = None
    ) -> None:
        self.gray, self.alphas_cumprod, self.doubled = gray, alphas_cumprod, doubled
        self._noise = noise
        self._last = torch.zeros_like(gray)

    def at(self, timestep: Tensor) -> Tensor:
        """The grey picture, with noise for a timestep."""
        self._last = self._noise().to(self.gray)
        return noised(self.gray, self._last, self.alphas_cumprod[int(timestep)].to(self.gray))

    def __call__(self, pixels: Tensor, timestep: Tensor) -> Tensor:
        """Replaces the grey part of the pixels by that of the noised grey picture."""
        gray = gray_part(self.at(timestep))
        return 2 * gray if int(timestep) == self.doubled else gray + color_part(pixels)

    def known(self, latents: Tensor, timestep: Tensor) -> Tensor:  # noqa: ARG002
        """A denoiser whose grey part is exact: it returns the noise that was added to the grey picture."""
        return self._last
