"""Weights over tokens: the mean stays, equal weights change nothing."""

import torch

from eidophone.verbs.paint.optimise import weighted


def test_the_mean_stays_and_equal_weights_change_nothing() -> None:
    drawn = torch.Generator().manual_seed(0)
    condition = 1 + torch.randn(1, 77, 8, generator=drawn)
    weights = 0.5 + torch.rand(77, generator=drawn)
    found = weighted(condition, weights)
    assert torch.allclose(found.mean(), condition.mean(), rtol=1e-5)
    assert torch.allclose(weighted(condition, torch.full((77,), 3.0)), condition, rtol=1e-5)
    # tokens keep their direction; their lengths stand to each other as their weights
    ratio = found / condition
    assert torch.allclose(ratio[0, :, 0] / ratio[0, 0, 0], weights / weights[0], rtol=1e-4)


def test_a_condition_without_a_mean_keeps_its_size() -> None:
    condition = torch.nn.functional.layer_norm(torch.randn(1, 77, 8), (8,))
    weights = 0.5 + torch.rand(77)
    found = weighted(condition, weights)
    assert torch.allclose(found.square().mean(), condition.square().mean(), rtol=1e-5)
    assert torch.allclose(weighted(condition, torch.ones(77)), condition, rtol=1e-5)
