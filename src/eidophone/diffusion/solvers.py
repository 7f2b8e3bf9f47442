"""The samplers that most runs use, written out, so that a run need not import diffusers.

They take the steps of DDIMScheduler, DPMSolverMultistepScheduler and UniPCMultistepScheduler in diffusers, bit by
bit (`diffusion.lcm` those of LCMScheduler), and have those of their attributes that the sampling loop reads
(tests/diffusion/test_solvers.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

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
class Solver:
    """What all have in common: the noise schedule.

    Attributes:
        given: Of the schedule; DEFAULTS for what is missing.
        config: The same, completed.
        alphas_cumprod: (timesteps,).
        timesteps: Of the steps, from high to low.

    Class attributes:
        DEFAULTS: What the schedule says where it says nothing, over those of all samplers.
        ADDS_NOISE: A step adds noise of its own, from `generator`.
    """

    DEFAULTS: ClassVar[Mapping[str, Any]] = {}
    ADDS_NOISE: ClassVar[bool] = False
    given: dict[str, Any]
    config: Settings = field(init=False)
    alphas_cumprod: Tensor = field(init=False)
    timesteps: Tensor = field(init=False)
    init_noise_sigma: float = 1.0

    def __post_init__(self) -> None:
        self.config = Settings(DEFAULTS | dict(self.DEFAULTS) | self.given)
        self.alphas_cumprod = cumulative_alphas_of(self.config)

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps."""
        raise NotImplementedError

    @property
    def most_steps(self) -> int:
        """As many steps as a schedule bears."""
        return int(self.config.num_train_timesteps) // 2

    def scale_model_input(self, latents: Tensor, _: Tensor | None = None) -> Tensor:
        """Networks see the latents as they are."""
        return latents


class Ddim(Solver):
    """DDIM (Song, Meng and Ermon, 2021, arXiv:2010.02502)."""

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps."""
        self.steps = steps
        self.timesteps = spaced(self.config, steps, self.config.timestep_spacing or "leading", ends=False)

    def step(
        self,
        noise: Tensor,
        timestep: Tensor,
        latents: Tensor,
        eta: float = 0.0,
        generator: torch.Generator | None = None,
        **_: Any,
    ) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple (equation 12); `eta` adds noise, 1 as much as DDPM."""
        config, kept = self.config, self.alphas_cumprod
        before = timestep - config.num_train_timesteps // self.steps
        last = torch.tensor(1.0) if config.set_alpha_to_one else kept[0]
        alpha, target = kept[timestep], kept[before] if before >= 0 else last
        clean = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        if config.clip_sample:
            clean = clean.clamp(-config.clip_sample_range, config.clip_sample_range)
        spread = eta * ((1 - target) / (1 - alpha) * (1 - alpha / target)) ** 0.5
        found = target**0.5 * clean + (1 - target - spread**2) ** 0.5 * noise
        if eta > 0:
            fresh = torch.randn(latents.shape, generator=generator, dtype=latents.dtype)
            found = found + spread * fresh.to(latents.device)
        return (found,)


class _Multistep(Solver):
    """A solver that remembers earlier estimates of the clean latents, over levels of noise that end in none."""

    def set_timesteps(self, steps: int) -> None:
        """Chooses the timesteps."""
        times = spaced(self.config, steps, self.config.timestep_spacing or "linspace", ends=True)
        sigmas = np.array(((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5)
        levels = np.interp(times.numpy(), np.arange(0, len(sigmas)), sigmas)
        self.timesteps, self.previous = times, None
        self.sigmas = torch.from_numpy(np.concatenate([levels, [0]]).astype(np.float32))

    previous: Tensor | None = None

    def _at(self, timestep: Tensor) -> int:
        """The number of a timestep."""
        return int((self.timesteps == timestep).nonzero()[0])

    def _level(self, at: int) -> tuple[Tensor, Tensor, Tensor]:
        """alpha, sigma and half the log signal-to-noise ratio after that many steps."""
        ratio = self.sigmas[at]
        alpha = 1 / ((ratio**2 + 1) ** 0.5)
        sigma = ratio * alpha
        return alpha, sigma, torch.log(alpha) - torch.log(sigma)


class DpmSolver(_Multistep):
    """DPM-Solver++ of order 2, multistep, midpoint (Lu et al., 2022, arXiv:2211.01095)."""

    def step(self, noise: Tensor, timestep: Tensor, latents: Tensor, **_: Any) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple; the first and the last step are of order 1."""
        at = self._at(timestep)
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


class UniPc(_Multistep):
    """UniPC of order 2, with B(h) = e^h - 1 (Zhao et al., 2023, arXiv:2302.04867): a predictor and a corrector."""

    order = 0  # of the last step; 0: there was none
    earlier: Tensor | None = None
    left: Tensor | None = None

    def step(self, noise: Tensor, timestep: Tensor, latents: Tensor, **_: Any) -> tuple[Tensor]:
        """The latents one step on, alone in a tuple; the first and the last step are of order 1."""
        at = self._at(timestep)
        alpha, sigma, _lam = self._level(at)
        clean = (latents - sigma * noise) / alpha
        if self.order and self.left is not None:
            latents = self._moved(self.left, at - 1, self.order, clean)
        self.earlier, self.previous = self.previous, clean
        self.order = min(2, len(self.timesteps) - at, self.order + 1)
        self.left = latents
        return (self._moved(latents, at, self.order),)

    def _moved(self, latents: Tensor, at: int, order: int, found: Tensor | None = None) -> Tensor:
        """Latents at a level moved to the next one.

        Args:
            latents: At that level.
            at: Its number.
            order: 1 or 2; 2 uses the estimate before the last.
            found: The estimate at the next level, which corrects; None predicts.
        """
        last, before = self.previous, self.earlier
        assert last is not None
        (_, sigma, lam), (to_alpha, to_sigma, to_lam) = self._level(at), self._level(at + 1)
        back = lam - to_lam
        grown = torch.expm1(back)
        weights, ratios = self._weights(at, order, back, correct=found is not None)
        change: Tensor | float = 0
        if order == 2 and before is not None:
            slope = torch.stack([(before - last) / ratios[0]], 1)
            change = torch.einsum("k,bkc...->bc...", weights[:1].to(slope), slope)
        if found is not None:
            change = change + weights[-1] * (found - last)
        start = to_sigma / sigma * latents - to_alpha * grown * last
        return (start - to_alpha * grown * change).to(latents.dtype)

    def _weights(self, at: int, order: int, back: Tensor, *, correct: bool) -> tuple[Tensor, Tensor]:
        """How the slopes count (equation 9), and the levels that they come from, as shares of the step."""
        ratios = [torch.ones(())]
        if order == 2:
            ratios.insert(0, (self._level(at - 1)[2] - self._level(at)[2]) / -back)
        shares = torch.stack(ratios)
        if order == 1 or not correct:
            return torch.ones(1) * 0.5, shares
        grown = torch.expm1(back)
        first = grown / back - 1
        second = first / back - 1 / 2
        sides = torch.stack([first * 1 / grown, second * 2 / grown])
        powers = torch.stack([torch.pow(shares, 0), torch.pow(shares, 1)])
        return torch.linalg.solve(powers, sides), shares
