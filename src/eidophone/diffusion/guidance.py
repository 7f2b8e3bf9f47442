"""Denoisers made of denoisers: guidance, a window of time, a change of view, a blend.

The loop in `sampling_steps` knows none of them. All of them speak of noise as the training schedule scales it
(epsilon); a network that predicts something else is translated in its adapter (`models.latent`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from eidophone.diffusion.views import View


class Denoiser(Protocol):
    """Predicts the noise in noisy latents. Whatever it is conditioned on was bound when it was made."""

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """(batch, *), () -> predicted noise, (batch, *)."""
        ...


@dataclass(frozen=True)
class Window:
    """The timesteps at which something is on, both ends included. Sampling walks from high to low.

    >>> Window(highest=800).covers(801), Window(highest=800).covers(800)
    (False, True)
    """

    highest: float = math.inf
    lowest: float = -math.inf

    def covers(self, timestep: Tensor | float) -> bool:
        """Whether something with this window is on at this timestep."""
        return self.lowest <= float(timestep) <= self.highest


ALWAYS = Window()

#: Up to so many latent cells in a batch, a CPU answers two prompts in one call; a GPU always does.
SMALL_CELLS = 2048


@dataclass(frozen=True)
class Guided:
    """Classifier-free guidance (Ho and Salimans, 2022): unwanted + scale (wanted - unwanted).

    Scale 1 is plain conditioning and costs one evaluation; 0 ignores the prompt. Outside `window`
    only `wanted` is asked.

    Attributes:
        both: Answers for `unwanted` and `wanted` in one call, if the two share a network. It saves time
            where a call costs more than its sums: on a GPU, and for small latents on a CPU.
    """

    wanted: Denoiser
    unwanted: Denoiser
    scale: float
    window: Window = ALWAYS
    both: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        if self.scale == 1 or not self.window.covers(timestep):
            return self.wanted(latents, timestep)
        unwanted, wanted = self.answers(latents, timestep)
        return unwanted + self.scale * (wanted - unwanted)

    def answers(self, latents: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """What `unwanted` and `wanted` say, each for itself."""
        small = latents.shape[0] * latents[0, 0].numel() <= SMALL_CELLS
        if self.both and (small or latents.device.type != "cpu"):
            return self.both(latents, timestep)
        return self.unwanted(latents, timestep), self.wanted(latents, timestep)


@dataclass(frozen=True)
class Seen:
    """A denoiser that looks at the latents through a view."""

    inner: Denoiser
    view: View

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        return self.view.undo(self.inner(self.view.apply(latents), timestep))


@dataclass(frozen=True)
class Part:
    """One voice of a blend: a denoiser, its share, and when it is on."""

    denoiser: Denoiser
    share: float
    window: Window = field(default=ALWAYS)


@dataclass(frozen=True)
class SideBySide:
    """Canvases side by side, each with a denoiser of its own.

    Attributes:
        denoisers: One for each canvas, from left to right.
        columns: How wide each canvas is, in latent cells.
    """

    denoisers: tuple[Denoiser, ...]
    columns: tuple[int, ...]

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`; the latents must be as wide as all canvases together."""
        canvases = torch.split(latents, list(self.columns), -1)
        return torch.cat([d(c, timestep) for d, c in zip(self.denoisers, canvases, strict=True)], -1)


@dataclass(frozen=True)
class Blend:
    """Several denoisers on one canvas (Images that Sound, equation 3).

    The shares of the parts that are on are scaled to sum to 1; a part that is on alone counts fully,
    whatever its share. Shares must not be negative.
    """

    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if any(part.share < 0 for part in self.parts):
            raise ValueError(f"shares must not be negative; got {[part.share for part in self.parts]}")

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`.

        Raises:
            ValueError: no part is on at this timestep.
        """
        on = [part for part in self.parts if part.window.covers(timestep)]
        if len(on) > 1:
            on = [part for part in on if part.share > 0]
        if not on:
            raise ValueError(f"no model is on at timestep {float(timestep):g}")
        if len(on) == 1:
            return on[0].denoiser(latents, timestep)
        whole = sum(part.share for part in on)
        first, *rest = [(part.share / whole) * part.denoiser(latents, timestep) for part in on]
        return sum(rest, start=first)
