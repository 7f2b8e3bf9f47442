"""Denoisers made of denoisers, tried with denoisers that are formulas."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from eidophone.diffusion.canvas import batch_noise, start_noise
from eidophone.diffusion.guidance import Blend, Guided, Part, Seen, SideBySide, Window
from eidophone.diffusion.views import VIEWS

T = torch.tensor(500)
X = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0))


class Constant:
    """Predicts one number everywhere and counts how often it was asked."""

    def __init__(self, value: float) -> None:
        self.value, self.asked = value, 0

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        self.asked += 1
        return torch.full_like(latents, self.value)


@given(st.floats(0, 20), st.floats(-3, 3), st.floats(-3, 3))
def test_guidance_is_a_line_through_both(scale: float, wanted: float, unwanted: float) -> None:
    guided = Guided(Constant(wanted), Constant(unwanted), scale)
    expected = unwanted + scale * (wanted - unwanted)
    assert torch.allclose(guided(X, T), torch.tensor(expected), atol=1e-4)


def test_scale_one_costs_one_evaluation() -> None:
    unwanted = Constant(9.0)
    assert Guided(Constant(2.0), unwanted, 1.0)(X, T).unique().tolist() == [2.0]
    assert unwanted.asked == 0


def test_guidance_outside_its_window_is_plain() -> None:
    guided = Guided(Constant(2.0), Constant(1.0), 5.0, Window(highest=400))
    assert guided(X, T).unique().tolist() == [2.0]
    assert guided(X, torch.tensor(400)).unique().tolist() == [6.0]


def test_blend_weighs_those_that_are_on() -> None:
    blend = Blend((Part(Constant(1.0), 0.7, Window(highest=600)), Part(Constant(2.0), 0.3)))
    assert torch.allclose(blend(X, T), torch.tensor(1.3))
    assert blend(X, torch.tensor(601)).unique().tolist() == [2.0]


def test_a_part_without_a_share_is_not_asked_unless_alone() -> None:
    silent = Constant(5.0)
    blend = Blend((Part(Constant(1.0), 1.0, Window(highest=600)), Part(silent, 0.0)))
    blend(X, T)
    assert silent.asked == 0
    assert blend(X, torch.tensor(601)).unique().tolist() == [5.0]


def test_canvases_that_are_apart_are_each_their_own_denoisers() -> None:
    said = SideBySide((Constant(1.0), Constant(2.0)), (3, 5))(X, T)
    assert said.shape == X.shape
    assert said[..., :3].unique().tolist() == [1.0]
    assert said[..., 3:].unique().tolist() == [2.0]
    with pytest.raises(RuntimeError):
        SideBySide((Constant(1.0), Constant(2.0)), (3, 4))(X, T)


def test_blend_refuses_an_empty_step_and_negative_shares() -> None:
    with pytest.raises(ValueError, match="no model is on at timestep 500"):
        Blend((Part(Constant(1.0), 1.0, Window(highest=499)),))(X, T)
    with pytest.raises(ValueError, match="negative"):
        Blend((Part(Constant(1.0), -0.1),))


@pytest.mark.parametrize("view", [VIEWS[n] for n in VIEWS.names()], ids=VIEWS.names())
def test_a_view_inverts_exactly(view) -> None:
    columns = 16 if view.square else 48
    canvas = torch.randn(2, 4, 16, columns, generator=torch.Generator().manual_seed(0))
    view.check(16, columns, 8)
    seen = view.apply(canvas)
    assert torch.equal(view.undo(seen), canvas)
    assert seen.shape[-2] * view.rows == 16
    assert torch.equal(seen.abs().flatten().sort().values, canvas.abs().flatten().sort().values)


def test_rows_puts_the_lower_half_to_the_right() -> None:
    square = torch.arange(16).reshape(4, 4)
    assert VIEWS["rows"].apply(square).tolist() == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]]


def test_a_view_commutes_with_what_has_no_place() -> None:
    """A denoiser that treats all pixels alike does not notice a view."""
    seen = Seen(lambda x, t: x.tanh(), VIEWS["rows"])
    assert torch.equal(seen(X, T), X.tanh())


@given(st.integers(0, 2**40), st.integers(0, 6), st.integers(1, 5))
def test_noise_depends_on_its_seed_alone(seed: int, before: int, after: int) -> None:
    alone = start_noise((4, 2, 3), seed)
    row = batch_noise((4, 2, 3), [*range(before), seed, *range(after)])[before]
    assert torch.equal(alone, row)


def test_noise_is_what_a_fresh_manual_seed_gives() -> None:
    torch.manual_seed(7)
    assert torch.equal(torch.randn(1, 4, 8, 8), start_noise((1, 4, 8, 8), 7))


@pytest.mark.parametrize(
    ("place", "side", "calls"),
    [("cpu", 8, "both"), ("cpu", 64, "each"), ("meta", 8, "both"), ("meta", 64, "both")],
)
def test_a_gpu_answers_both_prompts_in_one_call_at_any_size(place: str, side: int, calls: str) -> None:
    """`meta` stands for any device that is not a processor."""
    asked = []

    def each(latents: Tensor, _: Tensor) -> Tensor:
        asked.append("each")
        return latents

    def both(latents: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        asked.append("both")
        return latents, latents

    Guided(each, each, 3.0, both=both)(torch.zeros(1, 4, side, side, device=place), torch.tensor(5))
    assert {*asked} == {calls}
