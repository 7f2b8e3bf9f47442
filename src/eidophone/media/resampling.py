"""Sound at another rate with gradients; `media.audio.resample` is the better one without."""

import torch
from torch import Tensor


def resampled(samples: Tensor, rate_hz: int, wanted_hz: int) -> Tensor:
    """Sound at another rate, by cutting or widening its spectrum; exact for periodic sounds, differentiable.

    Shape:
        - samples: (*, frames)
        - Output: (*, round(frames * wanted_hz / rate_hz)), at least one frame
    """
    if rate_hz == wanted_hz:
        return samples
    frames = samples.shape[-1]
    length = max(1, round(frames * wanted_hz / rate_hz))
    spectrum = torch.fft.rfft(samples)[..., : length // 2 + 1]
    sound: Tensor = torch.fft.irfft(spectrum, n=length)
    return sound * (length / frames)
