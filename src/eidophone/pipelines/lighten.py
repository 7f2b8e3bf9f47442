"""Two canvases as one: a drawing and the picture of a sound, of which the lighter shows at each place.

Loudness is drawn in decibels, so of two sounds laid over each other about the louder one is heard at each
place: in pictures of sounds the lighter one.
"""

import torch
from torch import Tensor


def lighter(drawing: Tensor, sound: Tensor, share: float, stride: int = 1) -> Tensor:
    """The lighter of two pictures in [0, 1], where the sound begins at the moment at which least is covered.

    Args:
        drawing: (batch, channels, bands, columns).
        sound: Likewise, with as many channels or one.
        share: Of the sound, 0 to 1. The one with the smaller share is dimmed; at a half none is.
        stride: Columns between the moments that are tried.
    """
    drawing, sound = min(1.0, 2 - 2 * share) * drawing, min(1.0, 2 * share) * sound
    return torch.maximum(drawing, turned(drawing, sound, stride))


def turned(drawing: Tensor, sound: Tensor, stride: int = 1) -> Tensor:
    """Each sound turned around in time, its end before its beginning, to where the drawing leaves most room.

    What both pictures have in common is as little as it can be. Of equally good moments the earliest is
    taken, so that nothing moves without need.

    Args:
        drawing, sound: As in `lighter`.
        stride: Columns between the moments that are tried.
    """
    shifts = range(0, sound.shape[-1], stride)
    covered = [torch.minimum(drawing, sound.roll(shift, -1)).sum((1, 2, 3)) for shift in shifts]
    best = torch.stack(covered).argmin(0).tolist()
    return torch.stack([one.roll(shifts[n], -1) for one, n in zip(sound, best, strict=True)])
