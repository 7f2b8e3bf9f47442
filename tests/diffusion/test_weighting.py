"""Weights over tokens: the mean stays, equal weights change nothing."""

import pytest
import torch

from eidophone.verbs.paint.optimise import change_of, weighted


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


def test_one_weight_per_channel_is_the_same_law_channel_by_channel() -> None:
    drawn = torch.Generator().manual_seed(0)
    condition = 1 + torch.randn(1, 5, 8, generator=drawn)
    per_token = 0.5 + torch.rand(5, generator=drawn)
    same = per_token[:, None].repeat(1, 8)
    assert torch.equal(weighted(condition, same), weighted(condition, per_token))
    weights = 0.5 + torch.rand(5, 8, generator=drawn)
    plain = condition * weights
    assert torch.allclose(weighted(condition, weights), plain * condition.mean() / plain.mean(), rtol=1e-5)


def test_the_change_is_measured_after_the_mean_was_restored() -> None:
    condition, weights = torch.tensor([[[1.0, 3.0], [2.0, 2.0]]]), torch.tensor([2.0, 1.0])
    # weighted 2, 6, 2, 2 with mean 3; restored to mean 2: 4/3, 4, 4/3, 4/3
    expected = (1 / 3) ** 2 + 1 + 2 * (2 / 3) ** 2
    assert change_of(condition, weights).item() == pytest.approx(expected, rel=1e-6)
    assert change_of(condition, torch.full((2,), 3.0)).item() == pytest.approx(0, abs=1e-6)
