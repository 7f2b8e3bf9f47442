"""The two views of a picture, and sampling that does not leave a grey one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from eidophone.diffusion.factorized import Factorized, FixedGray, color_part, gray_part
from eidophone.diffusion.sampler import cumulative_alphas, make_scheduler, sampling_steps

CONFIG = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
close = torch.testing.assert_close


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape or (2, 3, 4, 5), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_parts_sum_to_the_whole_and_leave_nothing_of_each_other(seed: int) -> None:
    """Against projection matrices over the three channels."""
    pixels = drawn(seed)
    gray = torch.full((3, 3), 1 / 3)
    close(gray_part(pixels), torch.einsum("cd,bdhw->bchw", gray, pixels))
    close(color_part(pixels), torch.einsum("cd,bdhw->bchw", torch.eye(3) - gray, pixels))
    close(gray_part(pixels) + color_part(pixels), pixels)
    close(gray_part(gray_part(pixels)), gray_part(pixels))
    close(color_part(color_part(pixels)), color_part(pixels))
    close(gray_part(color_part(pixels)), torch.zeros_like(pixels), atol=1e-6, rtol=0)


def test_each_part_of_an_estimate_comes_from_its_own_denoiser() -> None:
    a, b = drawn(1), drawn(2)
    mixed = Factorized(lambda x, t: a, lambda x, t: b)(drawn(3), torch.tensor(5))
    mean = (a.mean(1, keepdim=True) + b - b.mean(1, keepdim=True)) / 2
    close(mixed, 2 * mean)


def test_equal_estimates_are_asked_for_once_and_come_out_whole() -> None:
    asked = []

    def _one(latents: Tensor, timestep: Tensor) -> Tensor:
        asked.append(timestep)
        return latents * 2

    x = drawn(4)
    close(Factorized(_one, _one)(x, torch.tensor(5)), 2 * x)
    assert len(asked) == 1


def colorful(latents: Tensor, timestep: Tensor) -> Tensor:
    """The noise of a denoiser that takes every picture to be one red."""
    a = cumulative_alphas(CONFIG)[int(timestep)]
    red = torch.tensor([0.9, -0.6, -0.6])[:, None, None]
    return (latents - a.sqrt() * red) / (1 - a).sqrt()


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm++2m"])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("fresh", [False, True])
def test_sampling_keeps_the_gray_and_takes_the_colour(sampler: str, known: bool, fresh: bool) -> None:
    gray = drawn(6, 1, 1, 4, 5).clamp(-1, 1).expand(-1, 3, -1, -1)
    noises: list[Tensor] = []
    alphas = cumulative_alphas(CONFIG)

    def _noise() -> Tensor:
        noises.append(drawn(100 + len(noises) if fresh else 7, 1, 3, 4, 5))
        return noises[-1]

    fixed = FixedGray(gray, alphas, _noise)
    scheduler = make_scheduler(sampler, CONFIG, 20)
    first = 4
    denoiser = Factorized(fixed.known if known else colorful, colorful)
    pixels = fixed.at(scheduler.timesteps[first])
    generator = torch.Generator().manual_seed(0)
    for state in sampling_steps(denoiser, pixels, scheduler, first, fixed, generator=generator):
        a = alphas[state.timestep]
        close(gray_part(state.before), gray_part(a.sqrt() * gray + (1 - a).sqrt() * noises[-1]))
    assert state.step == 20 and len(noises) == 1 + 16
    close(color_part(state.latents)[0, :, 0, 0], torch.tensor([1.0, -0.5, -0.5]), atol=0.05, rtol=0)
    if known and not fresh and sampler != "ddpm":
        close(gray_part(state.latents), gray, atol=0.05, rtol=0)


def test_a_doubled_step_has_twice_the_gray_and_no_colour() -> None:
    gray, noise = drawn(6, 1, 1, 4, 5).expand(-1, 3, -1, -1), drawn(7, 1, 3, 4, 5)
    fixed = FixedGray(gray, cumulative_alphas(CONFIG), lambda: noise, doubled=500)
    a = cumulative_alphas(CONFIG)[500]
    mean = a.sqrt() * gray[:, :1] + (1 - a).sqrt() * noise.mean(1, keepdim=True)
    close(fixed(drawn(8, 1, 3, 4, 5), torch.tensor(500)), 2 * mean.expand(-1, 3, -1, -1))
    pixels = drawn(8, 1, 3, 4, 5)
    close(color_part(fixed(pixels, torch.tensor(499))), color_part(pixels))


def test_a_learned_variance_passes_unchanged() -> None:
    a, b, variance = drawn(1), drawn(2), drawn(3)
    mixed = Factorized(lambda x, t: a, lambda x, t: torch.cat([b, variance], 1))(drawn(4), torch.tensor(5))
    close(mixed, torch.cat([gray_part(a) + color_part(b), variance], 1))


def test_noise_of_a_walk_comes_from_its_generator_alone() -> None:
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(runs))
        generator = torch.Generator().manual_seed(seed)
        *_, last = sampling_steps(colorful, drawn(8), make_scheduler("ddpm", CONFIG, 5), generator=generator)
        runs.append(last.before)
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])
