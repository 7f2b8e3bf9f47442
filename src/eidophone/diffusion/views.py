"""Exact rearrangements between what the image model sees and what the audio model sees."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class View:
    """A change of coordinates and its exact inverse, for latents and pictures alike.

    Attributes:
        name: As the options call it.
        apply: From the canvas to what the viewer sees, (*, height, width) -> (*, height', width').
        undo: The inverse of `apply`.
        rows: By how much the viewer's canvas is lower and wider; the height must divide by it.
    """

    name: str
    apply: Callable[[Tensor], Tensor]
    undo: Callable[[Tensor], Tensor]
    rows: int = 1


def _itself(x: Tensor) -> Tensor:
    return x


def side_by_side(x: Tensor) -> Tensor:
    """The upper half, then the lower half to its right: (*, 2h, w) -> (*, h, 2w)."""
    return torch.cat(x.chunk(2, dim=-2), dim=-1)


def one_above_the_other(x: Tensor) -> Tensor:
    """The left half, then the right half below it: the inverse of `side_by_side`."""
    return torch.cat(x.chunk(2, dim=-1), dim=-2)


IDENTITY = View("identity", _itself, _itself)
ROWS = View("rows", side_by_side, one_above_the_other, rows=2)
VIEWS = {view.name: view for view in (IDENTITY, ROWS)}
