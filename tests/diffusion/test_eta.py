"""DDIM with added noise takes the steps of diffusers."""

import diffusers
import pytest
import torch

from eidophone.diffusion.sampler import make_scheduler

CONFIG = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False,
    "set_alpha_to_one": False, "steps_offset": 1,
}  # fmt: skip


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_ddim_adds_the_noise_of_diffusers(eta: float) -> None:
    ours, theirs = make_scheduler("ddim", CONFIG, 10), diffusers.DDIMScheduler(**CONFIG)
    theirs.set_timesteps(10)
    draw = torch.Generator().manual_seed(5)
    one = other = torch.randn((2, 4, 6, 8), generator=draw)
    seeds = torch.Generator().manual_seed(9), torch.Generator().manual_seed(9)
    for timestep in ours.timesteps:
        noise = torch.randn(one.shape, generator=draw)
        one = ours.step(noise, timestep, one, eta=eta, generator=seeds[0], return_dict=False)[0]
        other = theirs.step(noise, timestep, other, eta=eta, generator=seeds[1], return_dict=False)[0]
        assert torch.allclose(one, other, atol=1e-5)
