"""A canvas: the noise it starts from, and the windows that are cut from it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


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


def random_crops(picture: Tensor, count: int, canvas: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Windows with a canvas's proportions, as large as fit, resized to it (bilinear); with gradients.

    Shape:
        - picture: (1, channels, height, width)
        - Output: (count, channels, *canvas)
    """
    height, width = picture.shape[-2:]
    tall, wide = window_within(height, width, canvas)
    tops = torch.randint(height - tall + 1, (count,), generator=generator).tolist()
    lefts = torch.randint(width - wide + 1, (count,), generator=generator).tolist()
    cut = [picture[..., top : top + tall, left : left + wide] for top, left in zip(tops, lefts, strict=True)]
    return F.interpolate(torch.cat(cut), canvas, mode="bilinear", align_corners=False)
