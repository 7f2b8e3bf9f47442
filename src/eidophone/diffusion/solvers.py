"""The two samplers that most runs use, written out, so that a run need not import diffusers.

They take the steps of DDIMScheduler and DPMSolverMultistepScheduler in diffusers, bit by bit, and have those of
their attributes that the sampling loop reads (tests/diffusion/test_solvers.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eidophone.core.settings import Settings

#: What a schedule says where it says nothing, as in diffusers.
DEFAULTS: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear",
    "trained_betas": None, "steps_offset": 0, "set_alpha_to_one": True, "timestep_spacing": None,
    "clip_sample": True, "clip_sample_range": 1.0, "thresholding": False,
}  # fmt: skip
_MOST_BETA = 0.999


def betas_of(facts: Settings) -> Tensor:
    """The noise that each training timestep adds, (timesteps,), float32."""
    count = facts.num_train_timesteps
    if facts.trained_betas is not None:
        return torch.tensor(facts.trained_betas, dtype=torch.float32)
    if facts.beta_schedule == "squaredcos_cap_v2":

        def left(at: float) -> float:
            return math.cos((at + 0.008) / 1.008 * math.pi / 2) ** 2

        falls = [min(1 - left((n + 1) / count) / left(n / count), _MOST_BETA) for n in range(count)]
        return torch.tensor(falls, dtype=torch.float32)
    power = 0.5 if facts.beta_schedule == "scaled_linear" else 1.0
    ends = facts.beta_start**power, facts.beta_end**power
    grid = torch.linspace(*ends, count, dtype=torch.float32)
    return grid**2 if power != 1 else grid


def cumulative_alphas_of(given: Mapping[str, Any]) -> Tensor:
    """The cumulative product of alphas of a schedule, (timesteps,), falling; DEFAULTS for what is missing."""
    return torch.cumprod(1.0 - betas_of(Settings(DEFAULTS | dict(given))), dim=0)


def spaced(facts: Settings, steps: int, spacing: str, *, ends: bool) -> Tensor:
    """The timesteps of a sampler, from high to low.

    Args:
        facts: The schedule.
        steps: How many.
        spacing: "leading", "linspace" or "trailing"; Lin et al. (2023, arXiv:2305.08891), table 2.
        ends: The grid has one more timestep below the last, at which no network is asked.
    """
    trained, more = facts.num_train_timesteps, int(ends)
    if spacing == "linspace":
        grid = np.linspace(0, trained - 1, steps + more).round()[::-1]
        times = (grid[:-1] if ends else grid).copy().astype(np.int64)
    elif spacing == "leading":
        grid = (np.arange(0, steps + more) * (trained // (steps + more))).round()[::-1]
        times = (grid[:-1] if ends else grid).copy().astype(np.int64) + facts.steps_offset
    else:
        times = np.arange(trained, 0, -trained / steps).round().copy().astype(np.int64) - 1
    return torch.from_numpy(times)


@dataclass
class _Solver:
    """What both have in common: the noise schedule.

    Attributes:
        given: Of the schedule; DEFAULTS for what is missing.
        config: The same, completed.
        alphas_cumprod: (timesteps,).
        timesteps: Of the steps, from high to low.
    """

    given: dict[str, Any]
    config: Settings = field(init=False)
    alphas_cumprod: Tensor = field(init=False)
    timesteps: Tensor = field(init=False)
    init_noise_sigma: float = 1.0

    def __post_init__(self) -> None:
        self.config = Settings(DEFAULTS | self.given)
        self.alphas_cumprod = cumulative_alphas_of(self.given)

    def scale_model_input(self, latents: Tensor, _: Tensor | None = None) -> Tensor:
        """Networks see the latents as they are."""
        return latents


class Ddim(_Solver):
    """DDIM without added noise (Song, Meng and Ermon, 2021, arXiv:2010.02502)."""

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps."""
        self.steps = steps
        self.timesteps = spaced(self.config, steps, self.config.timestep_spacing or "leading", ends=False)

    def step(self, noise: Tensor, timestep: Tensor, latents: Tensor, **_: Any) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple (equation 12)."""
        config, kept = self.config, self.alphas_cumprod
        before = timestep - config.num_train_timesteps // self.steps
        last = torch.tensor(1.0) if config.set_alpha_to_one else kept[0]
        alpha, target = kept[timestep], kept[before] if before >= 0 else last
        clean = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        if config.clip_sample:
            clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range)
        return (target**0.5 * clean + (1 - target) ** 0.5 * noise,)


class DpmSolver(_Solver):
    """DPM-Solver++ of order 2, multistep, midpoint (Lu et al., 2022, arXiv:2211.01095)."""

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps."""
        times = spaced(self.config, steps, self.config.timestep_spacing or "linspace", ends=True)
        sigmas = np.array(((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5)
        levels = np.interp(times.numpy(), np.arange(0, len(sigmas)), sigmas)
        self.timesteps, self.previous = times, None
        self.sigmas = torch.from_numpy(np.concatenate([levels, [0]]).astype(np.float32))

    previous: Tensor | None = None

    def step(self, noise: Tensor, timestep: Tensor, latents: Tensor, **_: Any) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple; the first and the last step are of order 1."""
        at = int((self.timesteps == timestep).nonzero()[0])
        (alpha, sigma, lam), (to_alpha, to_sigma, to_lam) = self._level(at), self._level(at + 1)
        clean = (latents - sigma * noise) / alpha
        latents, ahead = latents.to(torch.float32), to_lam - lam
        found = (to_sigma / sigma) * latents - (to_alpha * (torch.exp(-ahead) - 1.0)) * clean
        if self.previous is not None and at < len(self.timesteps) - 1:
            ratio = (lam - self._level(at - 1)[2]) / ahead
            slope = (1.0 / ratio) * (clean - self.previous)
            found = found - 0.5 * (to_alpha * (torch.exp(-ahead) - 1.0)) * slope
        self.previous = clean
        return (found.to(clean.dtype),)

    def _level(self, at: int) -> tuple[Tensor, Tensor, Tensor]:
        """alpha, sigma and half the log signal-to-noise ratio after that many steps."""
        ratio = self.sigmas[at]
        alpha = 1 / ((ratio**2 + 1) ** 0.5)
        sigma = ratio * alpha
        return alpha, sigma, torch.log(alpha) - torch.log(sigma)


#: By the names of diffusers' schedulers.
SOLVERS: dict[str, type[Ddim] | type[DpmSolver]] = {
    "DDIMScheduler": Ddim,
    "DPMSolverMultistepScheduler": DpmSolver,
}
