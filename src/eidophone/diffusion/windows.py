"""Canvases of any width: overlapping windows of one canvas, and a denoiser that is asked in them.

The windows share one noisy canvas, so they agree where they overlap (MultiDiffusion; Bar-Tal et al., 2023,
arXiv:2302.08113). What a network says near a window's edge, where it sees no neighbours, does not count; further
inside, two windows fade into each other. So no column shows where a window begins. A longer fade, and windows that
lie elsewhere at each step, blur what they draw (docs/journal.md). One window is denoised at a time: memory does not
grow with the canvas.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser

#: Share of a window that it has at least in common with the next one.
OVERLAP = 0.34
#: What counts instead of nothing, so that a column at the edge of all its windows has a value.
_LEAST = 1e-6


def window_starts(columns: int, width: int, cyclic: bool = False, overlap: float = OVERLAP) -> list[int]:
    """Where the windows over a canvas begin, evenly spread; as few as overlap at least so much.

    Args:
        columns: Of the canvas.
        width: Of a window, at most `columns`.
        cyclic: The canvas's end meets its beginning, and windows lie across it. Otherwise the first window
            begins and the last one ends with the canvas.
        overlap: Share of a window, 0 to below 1.

    >>> window_starts(100, 40), window_starts(100, 40, cyclic=True), window_starts(40, 40)
    ([0, 20, 40, 60], [0, 25, 50, 75], [0])
    """
    stride = max(1, math.floor(width * (1 - overlap)))
    if cyclic:
        count = math.ceil(columns / stride)
        return [number * columns // count for number in range(count)]
    count = math.ceil((columns - width) / stride)
    return [number * (columns - width) // max(1, count) for number in range(count + 1)]


def window_weights(width: int, overlap: float, first: bool = False, last: bool = False) -> Tensor:
    """How much each column of a window counts, (width,): 1 inside, nearly 0 outside the middle of each overlap.

    Across the middle fifth of an overlap it falls linearly, so that two neighbours sum to about 1. A longer fade
    would blur what the two windows draw differently.

    Args:
        width: Of the window.
        overlap: Share of the window that it has in common with each neighbour.
        first, last: It has no neighbour on the left, on the right.

    >>> [round(weight, 2) for weight in window_weights(16, 0.5)[:8].tolist()]
    [0.0, 0.0, 0.0, 0.19, 0.81, 1.0, 1.0, 1.0]
    """
    common = max(1.0, width * overlap)
    inside = torch.arange(width) + 0.5
    rising = ((inside - 0.4 * common) / (0.2 * common)).clamp(_LEAST, 1)
    left = torch.ones(width) if first else rising
    return torch.minimum(left, torch.ones(width) if last else rising.flip(0))


def windows(columns: int, width: int, cyclic: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """The windows over a canvas: the columns of each, and how much each of them counts.

    Args:
        columns, cyclic: As in `window_starts`.
        width: Of a window; a canvas that is not wider is one window, unless it is cyclic.
    """
    width = min(width, columns)
    for start in window_starts(columns, width, cyclic):
        ends = (not cyclic and start == 0, not cyclic and start == columns - width)
        yield (torch.arange(width) + start) % columns, window_weights(width, OVERLAP, *ends)


def in_windows(
    ask: Callable[[Tensor, Tensor], Tensor],
    canvas: Tensor,
    width: int,
    cyclic: bool = False,
    factor: int = 1,
) -> Tensor:
    """What a function says of a canvas, asked window by window.

    Args:
        ask: (window of the canvas, its columns) -> an answer, `factor` times as wide.
        canvas: (*, columns).
        width: Of a window, in columns.
        cyclic: The canvas's end meets its beginning.
        factor: Columns of the answer for each column of the canvas.

    Returns:
        The answer for the whole canvas, (*, factor * columns).
    """
    columns = canvas.shape[-1]
    total: Tensor | None = None
    counted = torch.zeros(factor * columns)
    for places, weights in windows(columns, width, cyclic):
        answer = ask(canvas[..., places.to(canvas.device)], places)
        if len(places) == columns and not cyclic:
            return answer
        wide = (factor * places[:, None] + torch.arange(factor)).flatten()
        weights = weights.repeat_interleave(factor)
        if total is None:
            total = answer.new_zeros((*answer.shape[:-1], factor * columns))
        total.index_add_(-1, wide.to(total.device), answer * weights.to(answer))
        counted.index_add_(0, wide, weights)
    assert total is not None, "a canvas has at least one window"
    return total.div_(counted.to(total))  # in place: a long canvas is large


@dataclass(frozen=True)
class Stretch:
    """A denoiser and the columns of the canvas that it is asked for.

    Attributes:
        denoiser: With its prompts bound.
        share: How much it counts in each column, (columns,); None: fully in all.
    """

    denoiser: Denoiser
    share: Tensor | None = None


@dataclass(frozen=True)
class Windowed:
    """A denoiser of canvases of any width, made of denoisers of windows; it composes like any other.

    Attributes:
        stretches: One without a share, or several whose shares sum to 1 in every column.
        width: Of a window, in columns; a canvas that is not wider is seen as a whole.
        cyclic: The canvas's end meets its beginning.
    """

    stretches: Sequence[Stretch]
    width: int
    cyclic: bool = False

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""

        def _ask(window: Tensor, places: Tensor) -> Tensor:
            return self._answer(window, timestep, places)

        return in_windows(_ask, latents, self.width, self.cyclic)

    def _answer(self, window: Tensor, timestep: Tensor, places: Tensor) -> Tensor:
        """What the stretches that reach into a window say of it."""
        total: Tensor | None = None
        for stretch in self.stretches:
            if stretch.share is None:
                return stretch.denoiser(window, timestep)
            share = stretch.share[places]
            if share.any():
                part = stretch.denoiser(window, timestep) * share.to(window)
                total = part if total is None else total + part
        assert total is not None, "shares sum to 1 in every column"
        return total
