"""A walk that stops, loses samples, joins others and goes on ends where one ends that never stopped."""

import pytest
import torch
from torch import Tensor

from eidophone.diffusion.noise import batch_noise
from eidophone.diffusion.pause import Paused, joined
from eidophone.diffusion.walk import make_scheduler, walk

SCHEDULE = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000,
    "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False,
}  # fmt: skip
SOLVERS = ("ddim", "plms", "dpm++2m", "unipc")
ALPHAS = make_scheduler("ddim", SCHEDULE, 10).alphas_cumprod


def gaussian(latents: Tensor, timestep: Tensor) -> Tensor:
    """The exact noise in latents whose clean values are N(0.7, 0.25)."""
    signal = ALPHAS[int(timestep)]
    spread = 1 - signal + signal * 0.25
    return (1 - signal).sqrt() * (latents - signal.sqrt() * 0.7) / spread


def ignored(_: int) -> None:
    return


def started(seeds: list[int], solver: str, steps: int = 9) -> Paused:
    return Paused(batch_noise((4, 3, 5), seeds), make_scheduler(solver, SCHEDULE, steps))


@pytest.mark.parametrize("solver", SOLVERS)
def test_stops_and_changed_company_do_not_matter(solver: str) -> None:
    whole, _ = started([0, 1, 2, 3, 4, 5], solver).walk_on(gaussian, 9, ignored)
    first, _ = started([0, 1, 2], solver).walk_on(gaussian, 4, ignored)
    second, _ = started([3, 4, 5], solver).walk_on(gaussian, 4, ignored)
    mixed = joined([second.take([2, 0]), first.take([1])])
    halfway, _ = mixed.walk_on(gaussian, 6, ignored)
    end, state = joined([halfway.take([2]), halfway.take([0, 0])]).walk_on(gaussian, 9, ignored)
    assert state.step == 9 and end.step == 9
    assert torch.allclose(end.latents, whole.latents[[1, 5, 5]], atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_is_taken_walks_apart_from_what_stays(solver: str) -> None:
    at, _ = started([0, 1], solver).walk_on(gaussian, 3, ignored)
    one, other = at.take([0]), at.take([1])
    end_of_one, _ = one.walk_on(gaussian, 9, ignored)
    end_of_other, _ = other.walk_on(gaussian, 9, ignored)
    whole, _ = started([0, 1], solver).walk_on(gaussian, 9, ignored)
    assert torch.allclose(torch.cat([end_of_one.latents, end_of_other.latents]), whole.latents, atol=1e-6)


def test_the_clean_latents_of_a_perfect_denoiser_are_the_posterior_mean() -> None:
    noise = batch_noise((4, 3, 5), [1, 2])
    before = noise
    for state in walk(gaussian, noise, make_scheduler("dpm++2m", SCHEDULE, 9)):
        signal = ALPHAS[int(state.timestep)]
        gain = 0.25 * signal.sqrt() / (signal * 0.25 + 1 - signal)
        assert torch.allclose(state.clean, 0.7 + gain * (before - signal.sqrt() * 0.7), atol=1e-5)
        before = state.latents


def test_every_step_is_told_once() -> None:
    told: list[int] = []
    at, _ = started([0], "ddim").walk_on(gaussian, 4, told.append)
    at.walk_on(gaussian, 9, told.append)
    assert told == list(range(1, 10))
