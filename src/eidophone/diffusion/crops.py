"""Windows of a picture at random places, in the size that a small model sees."""

import torch
from torch import Tensor
from torch.nn import functional as F


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
