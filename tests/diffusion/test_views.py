"""Every view moves values and loses none: undoing it gives back each number exactly, of latents and of pictures."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput
from eidophone.diffusion.views import VIEWS
from eidophone.diffusion.views.jigsaw import jigsaw

SEEDS = st.integers(0, 2**32)


@pytest.mark.parametrize("name", VIEWS.names())
@given(seed=SEEDS, latent=st.booleans())
def test_undoing_a_view_is_exact(name: str, seed: int, latent: bool) -> None:
    random = torch.Generator().manual_seed(seed)
    shape = (2, 4, 16, 24) if latent else (2, 3, 128, 192)
    x = torch.randn(shape, generator=random) if latent else torch.rand(shape, generator=random)
    view = VIEWS[name]
    assert torch.equal(view.undo(view.apply(x)), x) and torch.equal(view.apply(view.undo(x)), x)
    if name != "identity":
        assert view.apply(x).shape != x.shape or not torch.equal(view.apply(x), x)


@given(seed=SEEDS)
def test_a_jigsaw_keeps_every_piece_whole(seed: int) -> None:
    view = jigsaw(seed, 2, 3)
    pieces = torch.arange(6.0).view(2, 3)
    canvas = pieces.repeat_interleave(4, 0).repeat_interleave(5, 1)
    moved = view.apply(canvas)
    assert torch.equal(moved, view.apply(pieces).repeat_interleave(4, 0).repeat_interleave(5, 1))
    assert sorted(view.apply(pieces).flatten().tolist()) == list(range(6))


def test_reflections_are_what_they_say() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    expected = {"flip": [[3, 4], [1, 2]], "mirror": [[2, 1], [4, 3]], "rotate": [[4, 3], [2, 1]]}
    for name, rows in expected.items():
        assert VIEWS[name].apply(x).tolist() == rows
    assert VIEWS["negate"].apply(x).tolist() == (-x).tolist()


def test_a_canvas_that_does_not_divide_is_refused_with_the_nearest_sizes() -> None:
    VIEWS["jigsaw"].check(16, 56, 8)
    with pytest.raises(
        BadInput, match=r"--width 456: --view jigsaw .* 32 pixels; the nearest are 448 and 480"
    ):
        VIEWS["jigsaw"].check(16, 57, 8)
