"""Views by name, with another random order, and one after another."""

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from eidophone.diffusion.views import VIEWS, View


def view_of(names: Sequence[str], seed: int = 0) -> View:
    """The view that applies the named views one after another.

    Args:
        names: Of views; none at all is the canvas as it is.
        seed: Of the order of views that have a random one, such as `jigsaw`.

    Raises:
        ValueError: an unknown name.

    >>> view = view_of(["flip", "mirror"])
    >>> view.name, view.apply(torch.tensor([[1, 2], [3, 4]])).tolist()
    ('flip+mirror', [[4, 3], [2, 1]])
    """
    views = [seeded(VIEWS[name], seed) for name in names] or [VIEWS["identity"]]
    return views[0] if len(views) == 1 else chained(views)


def seeded(view: View, seed: int) -> View:
    """The view in the random order of a seed; itself, where it has none."""
    return view.with_seed(seed) if view.with_seed else view


def chained(views: Sequence[View]) -> View:
    """One view after another; it is undone in the opposite order."""
    rows, down, across = 1, 1, 1
    for view in views:
        down, across = math.lcm(down, rows * view.grid[0]), math.lcm(across, view.grid[1])
        rows *= view.rows
    return View(
        "+".join(view.name for view in views),
        _one_after_another([view.apply for view in views]),
        _one_after_another([view.undo for view in reversed(views)]),
        rows=rows,
        grid=(down, across),
        collage=all(view.collage for view in views),
        square=any(view.square for view in views),
        moves=any(view.moves for view in views),
        on_pictures=_one_after_another([view.seen for view in views]),
        steps=tuple(views),
    )


def places(view: View, height: int, width: int) -> Tensor:
    """Where each pixel of the view comes from, as row * width + column of the canvas; (height', width')."""
    grid = torch.arange(height * width).view(1, height, width)
    for step in view.steps or (view,):
        grid = step.apply(grid) if step.moves else grid
    return grid[0]


def _one_after_another(changes: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    def _all(x: Tensor) -> Tensor:
        return reduce(lambda changed, change: change(changed), changes, x)

    return _all
