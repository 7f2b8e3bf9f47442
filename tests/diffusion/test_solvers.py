"""The samplers that are written out take diffusers' steps, bit by bit."""

import diffusers
import pytest
import torch

from eidophone.diffusion.solvers import SOLVERS

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
    unread = {"clip_sample", "set_alpha_to_one"} if name != "DDIMScheduler" else set()
    facts = {key: value for key, value in schedule.items() if key not in unread}
    theirs = getattr(diffusers, name)(**facts, prediction_type="epsilon")
    theirs.set_timesteps(steps)
    ours = SOLVERS[name](facts)
    ours.set_timesteps(steps)
    assert torch.equal(ours.timesteps, theirs.timesteps)
    draws = torch.Generator().manual_seed(0)
    x = y = torch.randn(2, 4, 8, 8, generator=draws)
    for timestep in theirs.timesteps:
        noise = torch.tanh(x) + 0.1 * torch.randn(x.shape, generator=draws)
        x = theirs.step(noise, timestep, x, return_dict=False)[0]
        y = ours.step(noise, timestep, y)[0]
        assert torch.equal(x, y)
