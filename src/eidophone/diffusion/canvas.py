"""A canvas: the noise it starts from, the views models have of it, the windows cut from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.diffusion.draws import Draws


def start_noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Unit normal noise that depends on shape and seed and on nothing else.

    Drawn on the CPU in float32 and moved by the caller, so that one seed starts the same sample on
    every device. Equal to a fresh `torch.manual_seed(seed)` followed by `torch.randn(shape)`.
    """
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def batch_noise(shape: tuple[int, ...], seeds: Sequence[int]) -> Tensor:
    """One sample's noise a seed, stacked: (len(seeds), *shape). Row i does not depend on the other seeds."""
    return torch.cat([start_noise((1, *shape), seed) for seed in seeds])


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


def window_within(height: int, width: int, canvas: tuple[int, int]) -> tuple[int, int]:
    """The largest (height, width) inside a picture that has a canvas's proportions.

    >>> window_within(256, 1024, (64, 64)), window_within(128, 288, (32, 72))
    ((256, 256), (128, 288))
    """
    tall, wide = canvas
    return min(height, round(width * tall / wide)), min(width, round(height * wide / tall))


def random_crops(
    picture: Tensor, count: int, window: tuple[int, int], size: tuple[int, int], draws: Draws
) -> Tensor:
    """Random windows of a picture, resized (bilinear, without antialiasing); with gradients.

    The edges are whole pixels, uniform over all places that leave the window inside the picture, and every
    window has its own (Images that Sound, section 4.1: 256 x 256 windows of 256 x 1024 pixels, resized to
    64 x 64).

    Args:
        picture: (1, channels, height, width).
        count: Number of windows.
        window: Their (height, width) in the picture's pixels, at most the picture's.
        size: (height, width) of the result.
        draws: Gives "crop top" and "crop left".

    Returns:
        (count, channels, *size)
    """
    (height, width), (tall, wide) = picture.shape[-2:], window
    tops = draws.integers("crop top", 0, height - tall, (count,)).tolist()
    lefts = draws.integers("crop left", 0, width - wide, (count,)).tolist()
    cut = [picture[..., top : top + tall, left : left + wide] for top, left in zip(tops, lefts, strict=True)]
    return F.interpolate(torch.cat(cut), size, mode="bilinear", align_corners=False)
