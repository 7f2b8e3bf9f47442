"""A canvas: the noise it starts from, and the windows that are cut from it."""

from collections.abc import Sequence

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
