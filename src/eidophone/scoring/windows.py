"""Cuts wide pictures and long sounds into windows of the size that embedders were trained on.

Every pixel and every sample lies in a window. Nothing is random.
"""

import numpy as np
import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats

#: CLAP and AudioCLIP take ten seconds.
WINDOW_S = 10.0
STEP_S = 5.0
STEPS_PER_WINDOW = 8
#: The most elongated picture that is judged; the widest canvas has 65536 x 8 pixels.
LONGEST_RATIO = 8192


def starts(length: int, window: int, step: int) -> list[int]:
    """Where windows begin: every `step`, and one more at the end if those do not reach it.

    >>> starts(992, 256, 32)[-1], starts(100, 64, 48), starts(50, 64, 48)
    (736, [0, 36], [0])
    """
    last = max(0, length - window)
    found = list(range(0, last + 1, step))
    return found if found[-1] == last else [*found, last]


def squares(pixels: Floats) -> Tensor:
    """Square windows as high as the picture, an eighth of that apart (Images that Sound, section 4.1).

    A picture that is taller than wide is cut along its height.

    Args:
        pixels: Shape (height, width, 3).

    Returns:
        Shape (windows, 3, side, side), from left to right.

    Raises:
        BadInput: one side is more than 8192 times the other.
    """
    _check_shape(pixels)
    wide = pixels if pixels.shape[1] >= pixels.shape[0] else pixels.transpose(1, 0, 2)
    side = wide.shape[0]
    begins = starts(wide.shape[1], side, max(1, side // STEPS_PER_WINDOW))
    cut = np.stack([wide[:, left : left + side] for left in begins])
    upright = cut if wide is pixels else cut.transpose(0, 2, 1, 3)
    return torch.from_numpy(np.ascontiguousarray(upright.transpose(0, 3, 1, 2)))


def whole(pixels: Floats) -> Tensor:
    """A picture (height, width, 3) as one window, (1, 3, height, width).

    Raises:
        BadInput: as `squares`.
    """
    _check_shape(pixels)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def stretches(clip: Clip) -> Tensor:
    """Ten seconds of mono sound every five, (windows, samples); a shorter sound is one window as it is."""
    mono = clip.mono()
    window = min(len(mono), round(WINDOW_S * clip.rate_hz))
    begins = starts(len(mono), window, round(STEP_S * clip.rate_hz))
    return torch.from_numpy(np.stack([mono[first : first + window] for first in begins]))


def _check_shape(pixels: Floats) -> None:
    height, width = pixels.shape[:2]
    if max(height, width) > LONGEST_RATIO * min(height, width):
        raise BadInput(f"a picture of {width} x {height} pixels is too elongated to judge; crop it.")
