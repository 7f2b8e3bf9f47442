"""The sampling_steps arrives at the data: for a Gaussian the perfect noise predictor is a formula."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.diffusion.sampler import (
    State,
    cumulative_alphas,
    make_scheduler,
    noise_from_velocity,
    sampling_steps,
    step_count,
    window_from_steps,
)
from eidophone.options.samplers import SAMPLERS

CONFIG = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
    "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False,
}  # fmt: skip
MEAN, STD = 3.0, 0.5
NAMES = SAMPLERS.names()
#: Adds noise of its own, and is for networks that jump to clean data: a perfect noise predictor is none.
JUMPING = "lcm"


def last(states: Iterator[State]) -> Tensor:
    """The latents where sampling ends."""
    *_, state = states
    return state.latents


def gaussian(latents: Tensor, timestep: Tensor) -> Tensor:
    """The exact noise for data drawn from N(MEAN, STD^2)."""
    a = cumulative_alphas(CONFIG)[timestep]
    variance = a * STD**2 + 1 - a
    return (1 - a).sqrt() * (latents - a.sqrt() * MEAN) / variance


def own_noise(count: int) -> list[torch.Generator]:
    """A generator for each sample, for samplers that add noise."""
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@pytest.mark.parametrize("sampler", [name for name in NAMES if name != JUMPING])
def test_every_sampler_recovers_a_known_distribution(sampler: str) -> None:
    scheduler = make_scheduler(sampler, CONFIG, 100)
    # This schedule never quite reaches pure noise (Lin et al., 2024), so sampling starts where the data is.
    a = cumulative_alphas(CONFIG)[scheduler.timesteps[0]]
    unit = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    found = last(sampling_steps(gaussian, a.sqrt() * MEAN + (a * STD**2 + 1 - a).sqrt() * unit, scheduler))
    assert found.mean() == pytest.approx(MEAN, abs=0.05)
    assert found.std() == pytest.approx(STD, rel=0.06)


def test_the_walk_equals_diffusers_own_loop() -> None:
    from diffusers import DDIMScheduler

    theirs = DDIMScheduler(**CONFIG)
    theirs.set_timesteps(13)
    noise = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    x = noise
    for t in theirs.timesteps:
        x = theirs.step(gaussian(x, t), t, x).prev_sample
    assert torch.equal(last(sampling_steps(gaussian, noise, make_scheduler("ddim", CONFIG, 13))), x)


@pytest.mark.parametrize("sampler", NAMES)
def test_steps_are_counted_once(sampler: str) -> None:
    """PLMS asks twice in one step."""
    scheduler = make_scheduler(sampler, CONFIG, 9)
    counted = [state.step for state in sampling_steps(gaussian, torch.randn(1, 3), scheduler)]
    assert counted == sorted(counted) and counted[-1] == 9 and len(counted) <= 10


@pytest.mark.parametrize("steps", [16, 17, 18, 25, 30, 40, 50])
def test_plms_has_the_published_timesteps(steps: int) -> None:
    """range(0, 1000, 1000 // S) + 1, downwards; the second is asked for twice."""
    times = [t + 1 for t in range(0, 1000, 1000 // steps)][::-1]
    scheduler = make_scheduler("plms", CONFIG, steps)
    assert scheduler.timesteps.tolist() == [times[0], times[1], *times[1:]]
    assert step_count(scheduler) == len(times) == -(-1000 // (1000 // steps))


def published_plms(noise: Tensor, steps: int) -> Tensor:
    """PLMS from its formulas (Liu et al., 2022, equation 12), in float64, without diffusers."""
    a = cumulative_alphas(CONFIG).double()
    ratio = 1000 // steps
    times = [t + 1 for t in range(0, 1000, ratio)][::-1]
    before = [*times[1:], 0]  # behind the last timestep, 1, the schedule's first alpha

    def _moved(x: Tensor, e: Tensor, t: int, to: int) -> Tensor:
        clean = (x - (1 - a[t]).sqrt() * e) / a[t].sqrt()
        return a[to].sqrt() * clean + (1 - a[to]).sqrt() * e

    def _noise(x: Tensor, t: int) -> Tensor:
        variance = a[t] * STD**2 + 1 - a[t]
        return (1 - a[t]).sqrt() * (x - a[t].sqrt() * MEAN) / variance

    x, old = noise.double(), []
    for t, to in zip(times, before, strict=True):
        e = _noise(x, t)
        if not old:
            mixed = (e + _noise(_moved(x, e, t, to), to)) / 2
        elif len(old) == 1:
            mixed = (3 * e - old[-1]) / 2
        elif len(old) == 2:
            mixed = (23 * e - 16 * old[-1] + 5 * old[-2]) / 12
        else:
            mixed = (55 * e - 59 * old[-1] + 37 * old[-2] - 9 * old[-3]) / 24
        x, old = _moved(x, mixed, t, to), [*old, e][-3:]
    return x


@pytest.mark.parametrize("steps", [16, 17, 18, 30, 40])
def test_plms_equals_its_formulas(steps: int) -> None:
    noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(steps))
    found, expected = (
        last(sampling_steps(gaussian, noise, make_scheduler("plms", CONFIG, steps))),
        published_plms(noise, steps),
    )
    assert (found - expected).abs().max() < 1e-4 * expected.std()


def test_plms_leaves_out_a_timestep_that_the_schedule_does_not_have() -> None:
    """At 9 steps the published range would begin at timestep 1000 of 0 ... 999."""
    assert make_scheduler("plms", CONFIG, 9).timesteps[0] == 889


@pytest.mark.parametrize("sampler", NAMES)
def test_rows_of_a_batch_do_not_touch_each_other(sampler: str) -> None:
    noise = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))
    how = {"generator": own_noise(5)} if sampler == JUMPING else {}
    together = last(sampling_steps(gaussian, noise, make_scheduler(sampler, CONFIG, 12), **how))
    for i in range(5):
        how = {"generator": own_noise(5)[i : i + 1]} if sampler == JUMPING else {}
        alone = last(sampling_steps(gaussian, noise[i : i + 1], make_scheduler(sampler, CONFIG, 12), **how))
        assert torch.allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("sampler", NAMES)
def test_windows_of_steps_cover_all_steps_once(sampler: str) -> None:
    scheduler = make_scheduler(sampler, CONFIG, 20)
    before, after = window_from_steps(scheduler, 0, 7), window_from_steps(scheduler, 7)
    on = [(before.covers(t), after.covers(t)) for t in scheduler.timesteps.unique_consecutive()]
    assert on == [(True, False)] * 7 + [(False, True)] * 13


def test_a_window_from_the_last_step_on_is_empty() -> None:
    scheduler = make_scheduler("ddim", CONFIG, 20)
    assert not any(window_from_steps(scheduler, 20).covers(t) for t in scheduler.timesteps)


def test_the_walk_lets_gradients_pass() -> None:
    weight = torch.tensor(1.0, requires_grad=True)
    noise = torch.randn(2, 3, generator=torch.Generator().manual_seed(3))
    found = last(
        sampling_steps(lambda x, t: weight * gaussian(x, t), noise, make_scheduler("ddim", CONFIG, 5))
    )
    found.sum().backward()
    assert weight.grad is not None and weight.grad.abs() > 0


def test_velocity_says_the_same_as_noise() -> None:
    clean, noise = torch.randn(2, 10, generator=torch.Generator().manual_seed(4))
    for a in torch.tensor([0.999, 0.5, 0.01]):
        latents = a.sqrt() * clean + (1 - a).sqrt() * noise
        velocity = a.sqrt() * noise - (1 - a).sqrt() * clean
        assert torch.allclose(noise_from_velocity(velocity, latents, a), noise, atol=1e-5)


@pytest.mark.parametrize("sampler", NAMES)
def test_more_steps_than_the_schedule_has_are_refused(sampler: str) -> None:
    most = 50 if sampler == JUMPING else 500  # 50: the timesteps that those networks were distilled on
    with pytest.raises(BadInput, match=rf"--steps 1000: too many.*at most {most}\."):
        make_scheduler(sampler, CONFIG, 1000)
    make_scheduler(sampler, CONFIG, most)
