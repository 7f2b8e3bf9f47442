"""Every view moves values and loses none: undoing it gives back each number exactly, of latents and of pictures."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput
from eidophone.diffusion.chains import places, view_of
from eidophone.diffusion.views import VIEWS, View
from eidophone.diffusion.views.jigsaw import jigsaw

SEEDS = st.integers(0, 2**32)
#: Cells in each piece of a view.
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def canvas(view: View, seed: int, size: tuple[int, int], channels: int = 2) -> torch.Tensor:
    """A canvas that the view divides, square if it must be."""
    rows, columns = (cells * pieces for cells, pieces in zip(size, view.grid, strict=True))
    if view.square:
        rows = columns = size[0] * math.lcm(*view.grid)
    shape = (2, channels, rows, columns)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", VIEWS.names())
@given(seed=SEEDS, order=st.integers(0, 2**62), size=SIZES)
def test_undoing_a_view_is_exact(name: str, seed: int, order: int, size: tuple[int, int]) -> None:
    view = view_of([name], order)
    x = canvas(view, seed, size)
    view.check(*x.shape[-2:], 8)
    assert torch.equal(view.undo(view.apply(x)), x) and torch.equal(
        view.apply(view.undo(view.apply(x))), view.apply(x)
    )


@pytest.mark.parametrize("name", sorted({*VIEWS.names()} - {"identity"}))
def test_a_view_changes_the_canvas(name: str) -> None:
    x = canvas(VIEWS[name], 0, (16, 16))
    assert VIEWS[name].apply(x).shape != x.shape or not torch.equal(VIEWS[name].apply(x), x)


@given(names=st.lists(st.sampled_from(VIEWS.names()), max_size=4), seed=SEEDS, size=SIZES)
def test_views_one_after_another_are_undone_backwards(
    names: list[str], seed: int, size: tuple[int, int]
) -> None:
    view = view_of(names)
    assume(not (view.square and view.rows > 1))
    x = canvas(view, seed, size)
    expected = x
    for name in names:
        expected = VIEWS[name].apply(expected)
    assert torch.equal(view.apply(x), expected) and torch.equal(view.undo(expected), x)


@given(names=st.lists(st.sampled_from(VIEWS.names()), max_size=3), size=SIZES)
def test_places_say_where_each_pixel_comes_from(names: list[str], size: tuple[int, int]) -> None:
    view = view_of([name for name in names if name != "negate"])
    assume(not (view.square and view.rows > 1))
    x = canvas(view, 1, size, channels=1)[0, 0]
    assert torch.equal(x.flatten()[places(view, *x.shape)], view.apply(x[None])[0])


def test_a_picture_is_negated_as_a_photograph() -> None:
    x = torch.rand(3, 8, 8)
    assert torch.equal(view_of(["negate", "flip"]).seen(x), (1 - x).flip(-2))


def test_a_seed_gives_a_jigsaw_another_order() -> None:
    x = canvas(VIEWS["jigsaw"], 0, (2, 2))
    assert torch.equal(view_of(["jigsaw"], 0).apply(x), VIEWS["jigsaw"].apply(x))
    assert not torch.equal(view_of(["jigsaw"], 1).apply(x), VIEWS["jigsaw"].apply(x))
    assert torch.equal(view_of(["flip"], 1).apply(x), VIEWS["flip"].apply(x))


def test_quarter_turns_need_a_square_and_say_so() -> None:
    x = torch.tensor([[1, 2], [3, 4]])
    assert VIEWS["rotate90"].apply(x).tolist() == [[2, 4], [1, 3]]
    assert VIEWS["rotate270"].apply(x).tolist() == [[3, 1], [4, 2]]
    with pytest.raises(BadInput, match=r"^--view rotate90 needs a square canvas; use --width 128\.$"):
        VIEWS["rotate90"].check(16, 56, 8)


def test_a_skew_pushes_each_column_further() -> None:
    x = torch.zeros(8, 6)
    x[4] = 1
    # 1.5 (i - 3) rows, rounded to even: -4, -3, -2, 0, 2, 3
    assert VIEWS["skew"].apply(x).argmax(0).tolist() == [0, 1, 2, 4, 6, 7]


def test_a_turned_disc_leaves_the_corners() -> None:
    x = torch.arange(64.0).view(8, 8)
    seen = VIEWS["circle"].apply(x)
    assert torch.equal(seen[0], x[0]) and torch.equal(seen[3:5, 3:5], x[3:5, 3:5].flip(-2, -1))


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
