"""Pieces in another order: the picture plays once it is put together differently.

>>> import torch
>>> view = jigsaw(seed=3, rows=1, columns=4)
>>> canvas = torch.arange(4.0)[None]
>>> torch.equal(view.undo(view.apply(canvas)), canvas)
True
"""

import torch
from torch import Tensor

from eidophone.diffusion.views import View


def jigsaw(seed: int, rows: int, columns: int, name: str = "jigsaw") -> View:
    """A view that cuts the canvas into a grid of equal pieces and exchanges them.

    Args:
        seed: Decides the order; one seed gives the same order everywhere.
        rows, columns: Of the grid. A canvas must divide into it, in latent cells too.
        name: As the options call it.
    """
    order = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))
    back = order.argsort()

    def _apply(x: Tensor) -> Tensor:
        return _rearranged(x, order, rows, columns)

    def _undo(x: Tensor) -> Tensor:
        return _rearranged(x, back, rows, columns)

    def _reseeded(other: int) -> View:
        return jigsaw(other, rows, columns, name)

    return View(name, _apply, _undo, grid=(rows, columns), collage=False, with_seed=_reseeded)


def _rearranged(x: Tensor, order: Tensor, rows: int, columns: int) -> Tensor:
    """Place i of the result, row by row, holds piece order[i]; (*, height, width)."""
    height, width = x.shape[-2] // rows, x.shape[-1] // columns
    pieces = x.unflatten(-2, (rows, height)).unflatten(-1, (columns, width)).transpose(-3, -2)
    chosen = pieces.flatten(-4, -3)[..., order.to(x.device), :, :]
    put: Tensor = chosen.unflatten(-3, (rows, columns)).transpose(-3, -2).flatten(-4, -3).flatten(-2)
    return put


VIEW = jigsaw(seed=0, rows=2, columns=4)
