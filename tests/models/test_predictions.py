"""Every kind of prediction becomes noise exactly; with the exact answer for Gaussian data, sampling arrives at it."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.diffusion.sampler import cumulative_alphas, make_scheduler, sampling_steps
from eidophone.models.cards import ModelDefaults
from eidophone.models.components import SD_SCHEDULE
from eidophone.models.files import DiffusionFiles
from eidophone.models.predictions import PREDICTIONS, flow_time
from eidophone.models.predictor import NoisePredictor

ALPHAS = cumulative_alphas(SD_SCHEDULE)
CONDITION = torch.zeros(1, 1, 1)
SOURCE = DiffusionFiles("formula", "image", Path(), None, None, "local", "", ModelDefaults())


class Gaussian:
    """The ideal network for data from N(mean, std^2), trained with one kind of prediction.

    It knows nothing of the translations: each answer is the posterior mean of its own target.
    """

    device, dtype, config = torch.device("cpu"), torch.float32, SimpleNamespace()

    def __init__(self, kind: str, mean: float, std: float) -> None:
        self.kind, self.mean, self.std = kind, mean, std

    def __call__(self, x: Tensor, at: Tensor, *_: object, **__: object) -> tuple[Tensor]:
        if self.kind == "flow_prediction":
            t = at / 1000
            signal, noise = 1 - t, t
        else:
            signal, noise = ALPHAS[int(at)].sqrt(), (1 - ALPHAS[int(at)]).sqrt()
        spread = signal**2 * self.std**2 + noise**2
        off = x - signal * self.mean
        clean = self.mean + signal * self.std**2 / spread * off  # E[x0 | x]
        eps = noise / spread * off  # E[n | x]
        targets = {
            "epsilon": eps, "sample": clean, "v_prediction": signal * eps - noise * clean,
            "flow_prediction": eps - clean,
        }  # fmt: skip
        return (targets[self.kind],)


def predictor(kind: str, mean: float = 1.5, std: float = 0.4) -> NoisePredictor:
    return NoisePredictor(SOURCE, Gaussian(kind, mean, std), {**SD_SCHEDULE, "prediction_type": kind})


@pytest.mark.parametrize("kind", PREDICTIONS)
@pytest.mark.parametrize("timestep", [0, 1, 300, 700, 999])
def test_every_prediction_gives_the_same_noise(kind: str, timestep: int) -> None:
    at, a = torch.tensor(timestep), ALPHAS[timestep].double()
    g = torch.Generator().manual_seed(timestep)
    x = torch.randn((3, 1, 4, 4), generator=g)
    mean, std = 1.5, 0.4
    expected = (1 - a).sqrt() / (a * std**2 + 1 - a) * (x.double() - a.sqrt() * mean)
    found = predictor(kind, mean, std)(x, at, CONDITION)
    # where there is hardly any noise, a clean estimate says little about it
    torch.testing.assert_close(found.double(), expected, atol=2e-3 if timestep < 2 else 1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", PREDICTIONS)
@pytest.mark.parametrize("sampler", ["ddim", "plms"])
def test_sampling_arrives_at_the_data(kind: str, sampler: str) -> None:
    """From the exact marginal at the first timestep, which has some signal left, to N(mean, std^2)."""
    mean, std = 1.5, 0.4
    scheduler = make_scheduler(sampler, SD_SCHEDULE, 100)
    a = ALPHAS[int(scheduler.timesteps[0])]
    unit = torch.randn((1, 1, 200, 200), generator=torch.Generator().manual_seed(0))
    noise = a.sqrt() * mean + (a * std**2 + 1 - a).sqrt() * unit
    model = predictor(kind, mean, std)
    *_, last = sampling_steps(lambda x, t: model(x, t, CONDITION), noise, scheduler)
    assert last.latents.mean() == pytest.approx(mean, abs=0.03)
    assert last.latents.std() == pytest.approx(std, rel=0.05)


@pytest.mark.parametrize("kind", PREDICTIONS)
def test_the_clean_estimate_is_the_posterior_mean(kind: str) -> None:
    model = predictor(kind, -0.5, 0.7)
    noise = torch.randn((1, 1, 8, 8), generator=torch.Generator().manual_seed(3))
    for state in sampling_steps(
        lambda x, t: model(x, t, CONDITION), noise, make_scheduler("ddim", SD_SCHEDULE, 7)
    ):
        a = state.alpha
        expected = -0.5 + a.sqrt() * 0.49 / (a * 0.49 + 1 - a) * (state.before + 0.5 * a.sqrt())
        torch.testing.assert_close(state.clean, expected, atol=2e-4, rtol=1e-3)


def test_flow_time_has_the_noise_level_of_the_schedule() -> None:
    t = flow_time(ALPHAS.double())
    torch.testing.assert_close(t / (1 - t), ((1 - ALPHAS.double()) / ALPHAS.double()).sqrt())
    assert (t.diff() > 0).all() and 0 < t[0] < 0.05 and 0.9 < t[-1] < 1


def test_a_flow_network_sees_what_it_was_trained_on() -> None:
    """x_t = (1 - t) x0 + t n from the schedule's x, for known x0 and n."""
    g = torch.Generator().manual_seed(1)
    clean, noise = torch.randn(5, generator=g), torch.randn(5, generator=g)
    a = ALPHAS[420]
    given, at = PREDICTIONS["flow_prediction"].given(
        a.sqrt() * clean + (1 - a).sqrt() * noise, torch.tensor(420), a
    )
    t = float(at) / 1000
    assert t == pytest.approx(math.sqrt(1 - a) / (math.sqrt(a) + math.sqrt(1 - a)))
    torch.testing.assert_close(given, (1 - t) * clean + t * noise)


def test_unknown_predictions_are_refused() -> None:
    with pytest.raises(BadInput, match=r"'score'.*epsilon, v_prediction, sample, flow_prediction"):
        NoisePredictor(SOURCE, Gaussian("epsilon", 0, 1), {**SD_SCHEDULE, "prediction_type": "score"})
