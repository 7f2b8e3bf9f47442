"""Factorized diffusion (Geng, Park and Owens, ECCV 2024): pictures in parts, each with its own estimate.

A picture is the sum of its grey part, the mean of its channels in every channel, and its colour part, the
rest. Both are linear, each leaves nothing of the other, and together they are the whole.
"""

from dataclasses import dataclass

from torch import Tensor

from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.sampler import Constraint, noised


def gray_part(pixels: Tensor) -> Tensor:
    """The mean of the channels, in every channel: (batch, channels, height, width), likewise."""
    return pixels.mean(1, keepdim=True).expand_as(pixels)


def color_part(pixels: Tensor) -> Tensor:
    """What is left without the grey part; its channels sum to zero."""
    return pixels - gray_part(pixels)


@dataclass(frozen=True)
class Factorized:
    """A denoiser whose estimate has its grey part from one denoiser and its colour part from another.

    The mean of the estimates of both views, times the 2 that makes their sum whole (section 3.2).
    """

    gray: Denoiser
    color: Denoiser

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        colored = self.color(latents, timestep)
        grayed = colored if self.gray is self.color else self.gray(latents, timestep)
        return gray_part(grayed) + color_part(colored)


@dataclass(frozen=True)
class FixedGray:
    """A grey part that sampling keeps fixed (section 3.5): the constraint of every step, and the start.

    Attributes:
        gray: Pixels in [-1, 1] with equal channels, shape (batch, channels, height, width).
        noise: Unit normal, of the same shape.
        signal: Cumulative product of alphas by timestep.
    """

    gray: Tensor
    noise: Tensor
    signal: Tensor

    def at(self, timestep: Tensor) -> Tensor:
        """The grey picture, noised up to a timestep."""
        return noised(self.gray, self.noise, self.signal[int(timestep)].to(self.gray))

    @property
    def held(self) -> Constraint:
        """Puts the grey part of the noised grey picture in the place of that of the pixels."""
        return lambda pixels, timestep: gray_part(self.at(timestep)) + color_part(pixels)

    @property
    def known(self) -> Denoiser:
        """A denoiser that is never wrong about the grey part: it tells the noise that was put there."""
        return lambda latents, timestep: self.noise  # noqa: ARG005
