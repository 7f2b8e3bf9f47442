"""The sampler of latent consistency models (Luo et al., 2023, arXiv:2310.04378), for their few-step adapters.

Such a network jumps from any noisy latents to clean ones. Between two jumps, fresh noise takes the latents back to the
next timestep. The steps are those of LCMScheduler in diffusers, bit by bit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from eidophone.diffusion.solvers import Solver

#: The standard deviation of clean latents that the boundary scalings assume, as those models were trained.
_SIGMA_DATA = 0.5


class Lcm(Solver):
    """Multistep consistency sampling (algorithm 1).

    Attributes:
        trained: Steps of the schedule that the adapter was distilled on; sampling takes some of them.
        scaling: By what timesteps are multiplied in the boundary scalings.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "clip_sample": False, "original_inference_steps": 50, "timestep_scaling": 10.0,
        "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    }  # fmt: skip
    ADDS_NOISE: ClassVar[bool] = True

    @property
    def trained(self) -> int:
        """See the class."""
        return int(self.config.original_inference_steps)

    @property
    def most_steps(self) -> int:
        """As many steps as there are different timesteps."""
        return self.trained

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps: evenly among those of the distillation."""
        apart = self.config.num_train_timesteps // self.trained
        grid = (np.arange(1, self.trained + 1) * apart - 1)[::-1]
        places = np.floor(np.linspace(0, self.trained, steps, endpoint=False)).astype(np.int64)
        self.timesteps = torch.from_numpy(grid[places].copy().astype(np.int64))

    def scalings(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """How the noisy latents and the estimate of the clean ones count; at timestep 0, the noisy ones alone."""
        scaled = timestep * self.config.timestep_scaling
        total = scaled**2 + _SIGMA_DATA**2
        return _SIGMA_DATA**2 / total, scaled / total**0.5

    def step(
        self,
        noise: Tensor,
        timestep: Tensor,
        latents: Tensor,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        **_: Any,
    ) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple.

        Args:
            noise: Predicted.
            timestep: Of this step.
            latents: (batch, *).
            generator: Of the fresh noise; several give each sample its own.
        """
        at, alpha = int((self.timesteps == timestep).nonzero()[0]), self.alphas_cumprod[timestep]
        own, out = self.scalings(timestep)
        clean = (latents - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        if self.config.clip_sample:
            clean = clean.clamp(-self.config.clip_sample_range, self.config.clip_sample_range)
        found = out * clean + own * latents
        if at + 1 < len(self.timesteps):
            target = self.alphas_cumprod[self.timesteps[at + 1]]
            found = target.sqrt() * found + (1 - target).sqrt() * _fresh(latents, generator)
        return (found,)


def _fresh(latents: Tensor, generator: torch.Generator | Sequence[torch.Generator] | None) -> Tensor:
    """Unit normal noise of the latents' shape; drawn on the CPU, so that a seed gives the same everywhere."""
    if isinstance(generator, Sequence):
        shape = (1, *latents.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=one, dtype=latents.dtype) for one in generator])
    else:
        noise = torch.randn(latents.shape, generator=generator, dtype=latents.dtype)
    return noise.to(latents.device)
