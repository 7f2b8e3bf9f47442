"""Features that U-Nets reuse between steps: never where a denoiser is asked about something else."""

import torch

from eidophone.models.networks.reuse import Reuse
from eidophone.models.networks.unet import UNet

SMALL = {
    "block_out_channels": (16, 32), "layers_per_block": 2, "cross_attention_dim": 24, "attention_head_dim": 4,
    "norm_num_groups": 8, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}  # fmt: skip


def unet() -> UNet:
    torch.manual_seed(0)
    return UNet.from_config(SMALL).eval().requires_grad_(False)


def test_every_so_many_steps_are_whole() -> None:
    memory, here = Reuse(3), torch.zeros(1)
    taken = []
    for timestep in torch.arange(90, 0, -10):
        taken.append(memory.take(timestep) is not None)
        if not taken[-1]:
            memory.keep(here)
    assert taken == [False, True, True] * 3


def test_a_denoiser_asked_twice_a_step_reuses_nothing() -> None:
    memory = Reuse(2)
    for timestep in torch.tensor([90, 90, 80, 80, 70, 70]):
        assert memory.take(timestep) is None
        memory.keep(torch.zeros(1))


def test_the_same_question_has_the_same_answer_with_reused_features() -> None:
    """All that the inner layers depend on is equal, so taking their features over changes nothing."""
    network, memory = unet(), Reuse(2)
    noisy, condition = torch.randn(2, 4, 8, 12), torch.randn(2, 5, 24)
    first = network(noisy, torch.tensor(500), condition, memory)[0]
    inner = memory.features
    assert inner is not None and inner.shape[-2:] == noisy.shape[-2:]
    assert torch.equal(first, network(noisy, torch.tensor(500), condition)[0])
    assert torch.equal(network(noisy, torch.tensor(500), condition, Reuse.of(inner))[0], first)


def test_reused_features_are_near_and_follow_the_noise() -> None:
    network, memory = unet(), Reuse(2)
    noisy, condition = torch.randn(1, 4, 8, 12), torch.randn(1, 5, 24)
    network(noisy, torch.tensor(500), condition, memory)
    moved = noisy + 0.05 * torch.randn_like(noisy)
    reused = network(moved, torch.tensor(480), condition, memory)[0]
    whole = network(moved, torch.tensor(480), condition)[0]
    assert 0 < (reused - whole).abs().mean() < 0.2 * whole.abs().mean()
