"""The samplers that are written out take diffusers' steps, bit by bit."""

import diffusers
import pytest
import torch

from eidophone.core.errors import BadInput
from eidophone.diffusion.sampler import SOLVERS, make_scheduler

SD = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
    "set_alpha_to_one": False, "clip_sample": False,
}  # fmt: skip
SCHEDULES = [
    SD, {}, {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 500}, {"timestep_spacing": "trailing"},
    {"timestep_spacing": "leading", "steps_offset": 1, "clip_sample": False}, {"timestep_spacing": "linspace"},
    {"trained_betas": [0.01 + 0.0001 * n for n in range(100)], "num_train_timesteps": 100},
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 2, 7, 25])
def test_the_same_latents_after_every_step(name: str, schedule: dict, steps: int) -> None:
    unread = set() if name in ("DDIMScheduler", "LCMScheduler") else {"clip_sample", "set_alpha_to_one"}
    facts = {key: value for key, value in schedule.items() if key not in unread}
    theirs = getattr(diffusers, name)(**facts, prediction_type="epsilon")
    theirs.set_timesteps(steps)
    ours = SOLVERS[name](facts)
    ours.set_timesteps(steps)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    draws = torch.Generator().manual_seed(0)
    added, same = (torch.Generator().manual_seed(1) for _ in range(2))
    more = {"generator": added} if ours.ADDS_NOISE else {}
    x = y = torch.randn(2, 4, 8, 8, generator=draws)
    for timestep in theirs.timesteps:
        noise = torch.tanh(x) + 0.1 * torch.randn(x.shape, generator=draws)
        x = theirs.step(noise, timestep, x, return_dict=False, **more)[0]
        y = ours.step(noise, timestep, y, generator=same)[0]
        assert torch.equal(x, y)


@pytest.mark.parametrize(
    "facts", [{"original_inference_steps": 40, "timestep_scaling": 8.0}, {"clip_sample": True}]
)
def test_a_consistency_model_brings_its_own_schedule(facts: dict) -> None:
    theirs = diffusers.LCMScheduler(**SD | facts)
    theirs.set_timesteps(6)
    ours = make_scheduler("lcm", SD | facts, 6)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    x = y = 3 * torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for timestep in theirs.timesteps:
        x = theirs.step(x / 2, timestep, x, torch.Generator().manual_seed(1), return_dict=False)[0]
        y = ours.step(y / 2, timestep, y, torch.Generator().manual_seed(1))[0]
        assert torch.equal(x, y)


def test_each_sample_of_a_batch_has_its_own_noise() -> None:
    def _last(seeds: list[int]) -> torch.Tensor:
        solver = make_scheduler("lcm", SD, 4)
        latents = torch.ones(len(seeds), 2, 4, 4)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for timestep in solver.timesteps:
            (latents,) = solver.step(torch.tanh(latents), timestep, latents, generators)
        return latents

    together = _last([3, 4])
    assert torch.equal(together[:1], _last([3])) and torch.equal(together[1:], _last([4]))
    assert not torch.equal(together[0], together[1])


def test_more_steps_than_were_distilled_are_refused() -> None:
    assert len(make_scheduler("lcm", SD, 50).timesteps) == 50
    with pytest.raises(BadInput, match="at most 50"):
        make_scheduler("lcm", SD, 51)
