"""Canvases that are both, and what is learned from them."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from recipes.joint import FORMS, Material, drawn_into, lifted, loss_of

RNG = np.random.default_rng(0)


def test_nothing_changes_outside_a_drawing() -> None:
    """Inside, the sound is never lower than what the form lets it keep, nor the light below the drawing's."""
    sound = RNG.random((16, 40), np.float32)
    grey, alpha = np.zeros_like(sound), np.zeros_like(sound)
    grey[4:12, 10:20], alpha[4:12, 10:20] = 0.8, 1.0
    for light, keeps in FORMS:
        canvas = drawn_into(sound, grey, alpha, (light, keeps))
        assert np.array_equal(canvas[alpha == 0], sound[alpha == 0])
        inside = canvas[4:12, 10:20]
        assert (inside >= keeps * 0.85 * sound[4:12, 10:20] - 1e-6).all()
        assert (inside >= 0.75 * light - 1e-6).all()
        assert canvas.max() <= 1


def test_a_lifted_sound_keeps_silence_and_order() -> None:
    """Black stays black, and what was louder stays louder."""
    sound = np.linspace(0, 0.7, 200, dtype=np.float32).reshape(10, 20)
    louder = lifted(sound)
    assert louder[0, 0] == 0
    assert (np.diff(louder.ravel()) >= 0).all()
    assert 0.8 < louder.max() <= 1


class _Net(nn.Module):
    """Says one number about the first canvas and its own about all others."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, mixed: Tensor, steps: Tensor, told: Tensor) -> SimpleNamespace:
        """Whatever the net is asked."""
        assert len(mixed) == len(steps) == len(told)
        answer = torch.full_like(mixed, self.number)
        answer[0] = 0.3
        return SimpleNamespace(sample=answer)


def _material() -> Material:
    latents = torch.randn(6, 4, 2, 8, generator=torch.Generator().manual_seed(0)).half()
    return Material(latents, torch.zeros(6, 3, 5).half())


def test_own_material_is_learned_as_the_elder_sees_it() -> None:
    """Who says of own material what the elder says has only the other canvases to learn."""
    elder = _Net(0.3)
    alphas, settings = torch.linspace(0.99, 0.01, 50), {"batch": 1, "kept": 4}
    loss = loss_of(_material(), _material(), elder, torch.zeros(3, 5), alphas, settings)

    def _of(number: float) -> float:
        return float(loss(_Net(number), np.random.default_rng(1), torch.Generator().manual_seed(1)))

    assert _of(0.3) < _of(0.35) < _of(0.5)
    # the same distance on either side costs the same: the goal is the elder's answer
    assert abs(_of(0.5) - _of(0.1)) < 1e-6


def test_canvases_are_turned_around_in_time() -> None:
    """Rows and conditions stay together, and turning loses nothing."""
    clean, told = _material().some(np.random.default_rng(2), 4)
    known = _material().latents.float().sort(-1).values
    assert told.shape == (4, 3, 5)
    for one in clean:
        assert any(torch.equal(one.sort(-1).values, row) for row in known)
