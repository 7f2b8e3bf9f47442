"""Windows: where they lie, what counts, and that a local function asked in windows is the function itself."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.diffusion.windows import Stretch, Windowed, in_windows, window_starts, windows

T = torch.tensor(500)


@pytest.mark.parametrize("cyclic", [False, True])
@pytest.mark.parametrize(("columns", "width"), [(57, 56), (100, 40), (161, 56), (646, 56), (40, 56)])
def test_every_column_is_in_the_middle_of_some_window(columns: int, width: int, cyclic: bool) -> None:
    best = torch.zeros(columns)
    for places, weights in windows(columns, width, cyclic):
        assert len(places) == len(weights) == min(width, columns)
        best[places] = torch.maximum(best[places], weights)
    assert best.min() >= 0.45


@pytest.mark.parametrize("cyclic", [False, True])
def test_the_windows_are_as_few_as_overlap_by_so_much(cyclic: bool) -> None:
    starts = window_starts(1000, 100, cyclic, 0.25)
    assert len(starts) == -(-(1000 if cyclic else 900) // 75) + (not cyclic)
    gaps = [b - a for a, b in zip(starts, starts[1:] + [1000] * cyclic, strict=False)]
    assert max(gaps) <= 75 and (cyclic or starts[-1] == 900)


def blurred(x: Tensor, cyclic: bool = False) -> Tensor:
    """A function of three neighbours on either side."""
    mode = "circular" if cyclic else "constant"
    kernel = torch.linspace(1, 2, 7)[None, None, None].expand(x.shape[1], 1, 1, 7)
    return F.conv2d(F.pad(x, (3, 3, 0, 0), mode=mode), kernel, groups=x.shape[1])


@pytest.mark.parametrize("cyclic", [False, True])
def test_a_local_function_in_windows_is_the_function_itself(cyclic: bool) -> None:
    canvas = torch.randn(2, 3, 4, 150, generator=torch.Generator().manual_seed(0))
    whole = blurred(canvas, cyclic)
    parts = in_windows(lambda window, _: blurred(window), canvas, 50, cyclic)
    assert torch.allclose(parts, whole, atol=1e-4)


def test_an_answer_may_be_wider_than_the_canvas() -> None:
    canvas = torch.randn(1, 1, 2, 90, generator=torch.Generator().manual_seed(0))
    parts = in_windows(lambda window, _: blurred(window).repeat_interleave(8, -1), canvas, 40, factor=8)
    assert torch.allclose(parts, blurred(canvas).repeat_interleave(8, -1), atol=1e-4)


def test_a_turned_loop_is_denoised_to_the_turned_loop() -> None:
    """So no place of a loop is its end."""
    canvas = torch.randn(1, 2, 4, 120, generator=torch.Generator().manual_seed(0))
    loop = Windowed((Stretch(lambda x, _: blurred(x)),), 40, cyclic=True)
    assert torch.allclose(loop(canvas.roll(31, -1), T), loop(canvas, T).roll(31, -1), atol=1e-4)


def test_a_canvas_of_one_window_is_asked_once_and_as_it_is() -> None:
    asked: list[Tensor] = []

    def ask(x: Tensor, _: Tensor) -> Tensor:
        asked.append(x)
        return x * 2

    canvas = torch.randn(1, 2, 4, 56)
    assert torch.equal(Windowed((Stretch(ask),), 56)(canvas, T), canvas * 2)
    assert len(asked) == 1 and torch.equal(asked[0], canvas)


def test_stretches_share_each_column_and_are_asked_only_where_they_count() -> None:
    share = torch.linspace(2, -1, 120).clamp(0, 1)
    asked = {"a": 0, "b": 0}

    def voice(name: str, value: float):
        def ask(x: Tensor, _: Tensor) -> Tensor:
            asked[name] += 1
            return torch.full_like(x, value)

        return ask

    both = Windowed((Stretch(voice("a", 1.0), share), Stretch(voice("b", 3.0), 1 - share)), 40)
    answer = both(torch.zeros(1, 1, 2, 120), T)
    assert torch.allclose(answer[0, 0, 0], share + 3 * (1 - share), atol=1e-5)
    count = len(window_starts(120, 40))
    assert asked["a"] < count and asked["b"] < count


def test_the_answer_has_the_channels_of_the_denoiser() -> None:
    """A learned variance behind the noise is averaged, too."""
    canvas = torch.randn(1, 3, 4, 100)
    both = Windowed((Stretch(lambda x, _: torch.cat([x, x + 1], 1)),), 40)(canvas, T)
    assert torch.allclose(both, torch.cat([canvas, canvas + 1], 1), atol=1e-5)
