"""A held canvas: kept above a noise level and outside a mask, free elsewhere, with every sampler."""

import pytest
import torch
from torch import Tensor

from eidophone.diffusion.held import Held
from eidophone.diffusion.sampler import cumulative_alphas, make_scheduler, sampling_steps
from eidophone.options.samplers import SAMPLERS

CONFIG = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}
ALPHAS = cumulative_alphas(CONFIG)
SHAPE = (2, 4, 6, 10)
GIVEN = torch.randn((1, *SHAPE[1:]), generator=torch.Generator().manual_seed(1))
NOISE = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))


class Zero:
    """Knows that the clean canvas is 0 everywhere; counts how often it is asked."""

    asked = 0

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        self.asked += 1
        return latents / (1 - ALPHAS[int(timestep)]).sqrt()


def walked(sampler: str, held: Held) -> Tensor:
    # for a sampler that adds noise of its own, the same noise in every call
    how = {"generator": torch.Generator().manual_seed(3)} if sampler == "lcm" else {}
    *_, last = sampling_steps(held, NOISE, make_scheduler(sampler, CONFIG, 20), **how)
    return last.latents


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_without_strength_the_given_canvas_comes_out_and_nobody_is_asked(sampler: str) -> None:
    inner = Zero()
    found = walked(sampler, Held(inner, GIVEN, ALPHAS, 0.0))
    assert torch.allclose(found, GIVEN.expand(SHAPE), atol=0.15)
    assert inner.asked == 0


@pytest.mark.parametrize("sampler", SAMPLERS.names())
def test_with_full_strength_only_the_denoiser_counts(sampler: str) -> None:
    alone = walked(sampler, Zero())  # type: ignore[arg-type]
    assert torch.equal(walked(sampler, Held(Zero(), GIVEN, ALPHAS, 1.0)), alone)


def test_half_the_strength_asks_in_half_of_the_steps() -> None:
    inner = Zero()
    walked("ddim", Held(inner, GIVEN, ALPHAS, 0.5))
    assert inner.asked == 10


def test_it_starts_from_the_given_canvas_with_noise() -> None:
    """Above the level, DDIM walks exactly along sqrt(a) given + sqrt(1 - a) noise."""
    states = sampling_steps(Held(Zero(), GIVEN, ALPHAS, 0.5), NOISE, make_scheduler("ddim", CONFIG, 20))
    first = next(states)
    for state in states:
        if float(state.timestep) < 500:
            break
        alpha = state.alpha
        own = (state.before - alpha.sqrt() * GIVEN) / (1 - alpha).sqrt()
        noise = (first.before - first.alpha.sqrt() * GIVEN) / (1 - first.alpha).sqrt()
        assert torch.allclose(own, noise, atol=1e-3)


def test_a_mask_keeps_and_frees_places() -> None:
    free = torch.zeros(1, 1, *SHAPE[2:])
    free[..., 5:] = 1
    found = walked("ddim", Held(Zero(), GIVEN, ALPHAS, 1.0, free))
    assert torch.allclose(found[..., :5], GIVEN.expand(SHAPE)[..., :5], atol=0.15)
    assert found[..., 5:].abs().max() < 0.15


def test_places_beside_the_given_canvas_are_never_held() -> None:
    beside = torch.zeros(1, 1, *SHAPE[2:])
    beside[..., 5:] = 1
    found = walked("ddim", Held(Zero(), GIVEN, ALPHAS, 0.0, beside=beside))
    assert torch.allclose(found[..., :5], GIVEN.expand(SHAPE)[..., :5], atol=0.15)
    assert found[..., 5:].abs().max() < 0.15
