"""Stereo from a mono sound and a picture: colour says where each band stands at each moment."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.values import Clip, Floats, Picture
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import mel_filters

#: Below this brightness a pixel has no colour; between it and twice as much the colour grows in.
_DARK = 0.02


def pan_of(picture: Picture) -> Floats:
    """Where each pixel stands, (height, width): -1 is left (red), 0 the middle (grey, green), 1 right (blue).

    The difference of blue and red is compared with the brightest channel, so that a dark red stands as far left
    as a light one.
    """
    red, blue = picture.pixels[:, :, 0], picture.pixels[:, :, 2]
    brightest = picture.pixels.max(2)
    grown = np.clip(brightest / _DARK - 1, 0, 1)
    found: Floats = (grown * (blue - red) / np.maximum(brightest, _DARK)).astype(np.float32)
    return found


def panned(clip: Clip, picture: Picture, spec: MelSpec) -> Clip:
    """A mono sound as stereo, panned band by band with constant power.

    The picture is laid over the whole sound: its columns are moments, its rows the bands of the mel picture. A
    grey picture gives two equal channels, each of them the sound itself.

    Args:
        clip: The sound; channels are averaged before.
        picture: Its colour pans; any size.
        spec: Of the mel picture whose rows are meant.

    Returns:
        Two channels, at the clip's rate; scaled down as a whole if they would exceed full scale.
    """
    mono = torch.from_numpy(clip.mono())
    size, hop, window = _frames(clip, spec)
    spectrum = torch.stft(mono, size, hop, window=window, return_complex=True)
    pan = torch.from_numpy(pan_of(picture))[None, None]
    bands = F.interpolate(pan, (spec.n_mels, spectrum.shape[-1]), mode="bilinear", antialias=True)[0, 0]
    angle = (_by_bin(bands.flip(0), spec, clip.rate_hz, size) + 1) * math.pi / 4
    channels = [
        torch.istft(spectrum * (math.sqrt(2) * side), size, hop, window=window, length=len(mono))
        for side in (angle.cos(), angle.sin())
    ]
    stereo = torch.stack(channels)
    samples: Floats = (stereo / stereo.abs().max().clamp(min=1)).numpy()
    return Clip(np.ascontiguousarray(samples, np.float32), clip.rate_hz)


def _frames(clip: Clip, spec: MelSpec) -> tuple[int, int, Tensor]:
    """Length of the FFT, its hop and its window, at the clip's rate; about as long as those of the mel picture."""
    size = 2 ** max(6, round(math.log2(spec.win_length * clip.rate_hz / spec.rate_hz)))
    return size, size // 4, torch.hann_window(size)


def _by_bin(bands: Tensor, spec: MelSpec, rate_hz: int, size: int) -> Tensor:
    """Values of mel bands, lowest first, at the bins of an FFT: (bands, columns) -> (size / 2 + 1, columns).

    Outside the bands the nearest one counts.
    """
    centres = _centres(spec)
    hertz = torch.arange(size // 2 + 1) * (rate_hz / size)
    above = torch.searchsorted(centres, hertz).clamp(1, len(centres) - 1)
    low, high = centres[above - 1], centres[above]
    weight = ((hertz - low) / (high - low)).clamp(0, 1)[:, None]
    return (1 - weight) * bands[above - 1] + weight * bands[above]


def _centres(spec: MelSpec) -> Tensor:
    """Centre of each mel band in Hz, rising."""
    bank = mel_filters(spec)
    hertz = torch.arange(bank.shape[1]) * (spec.rate_hz / spec.n_fft)
    weighed = (bank @ hertz) / bank.sum(1).clamp(min=1e-8)
    return torch.cummax(weighed + 1e-3 * torch.arange(spec.n_mels), 0).values
