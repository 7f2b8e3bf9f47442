"""Sound to mel picture and back, differentiable, on any device.

`log_mel` loses the phase; a vocoder (see `vocoder`) estimates it. The other functions have an exact inverse
as long as values stay between the spec's black and white.
"""

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats
from eidophone.media.filters import slaney_filters
from eidophone.media.mel import MelSpec

#: Most values of a linear spectrogram: 65,536 columns with n_fft 4096. Griffin-Lim holds about
#: seven arrays of that size, 7 GB.
MOST_BINS = 65_536 * 2049


@functools.lru_cache(maxsize=16)
def _filters(spec: MelSpec) -> Tensor:
    bank = slaney_filters(spec.n_fft // 2 + 1, spec.n_mels, spec.f_min, spec.f_max, spec.rate_hz)
    with torch.inference_mode(False):  # the cached tensor may be used later where gradients flow
        return torch.from_numpy(bank.T.copy()).float()


def mel_filters(spec: MelSpec) -> Tensor:
    """Slaney's mel filters with area norm, shape (n_mels, n_fft / 2 + 1)."""
    return _filters(spec).clone()


def magnitudes(samples: Tensor, spec: MelSpec) -> Tensor:
    """Short-time magnitude spectrum, sqrt(|X|^2 + 1e-9), so that the gradient stays finite in silence.

    Shape:
        - Input: (*, T), T at least `spec.minimum_frames`
        - Output: (*, n_fft / 2 + 1, T // hop)
    """
    *batch, frames = samples.shape
    if frames < spec.minimum_frames:
        raise ValueError(f"{frames} samples are too few to analyse; {spec.minimum_frames} or more are needed")
    flat = samples.reshape(1, -1, frames)
    padded = F.pad(flat, (spec.padding, spec.padding), mode="reflect")[0]
    window = torch.hann_window(spec.win_length, device=samples.device, dtype=samples.dtype)
    spectrum = torch.stft(
        padded, spec.n_fft, spec.hop_length, spec.win_length, window, center=False, return_complex=True
    )
    power = torch.view_as_real(spectrum).pow(2).sum(-1)
    return (power + 1e-9).sqrt().reshape(*batch, *spectrum.shape[-2:])


def log_mel(samples: Tensor, spec: MelSpec) -> Tensor:
    """Natural logarithm of the mel magnitudes, which are raised to at least `spec.log_floor`.

    Shape:
        - Input: (*, T), full scale -1 to 1
        - Output: (*, n_mels, T // hop_length), lowest band first

    >>> log_mel(torch.zeros(2, 16_000), MelSpec()).shape
    torch.Size([2, 256, 100])
    """
    bank = _filters(spec).to(samples)
    return (bank @ magnitudes(samples, spec)).clamp(min=spec.log_floor).log()


def picture_from_log_mel(logs: Tensor, spec: MelSpec) -> Tensor:
    """Draws a log-mel spectrogram, low pitch at the bottom; the inverse of `log_mel_from_picture`.

    0 is `spec.floor`, 1 is `spec.ceiling`. Values outside are not clipped, so that gradients pass.

    Shape:
        - Input: (*, n_mels, columns), lowest band first
        - Output: (*, n_mels, columns), highest band first
    """
    black, white = spec.log_range
    return (logs.flip(-2) - black) / (white - black)


def log_mel_from_picture(picture: Tensor, spec: MelSpec) -> Tensor:
    """Reads a log-mel spectrogram from its picture; the inverse of `picture_from_log_mel`.

    Shape:
        - Input: (*, n_mels, columns), 0 to 1, highest band first
        - Output: (*, n_mels, columns), lowest band first
    """
    black, white = spec.log_range
    return picture.flip(-2) * (white - black) + black


def check_spectrum_size(columns: int, spec: MelSpec) -> None:
    """Refuses a linear spectrogram that would need gigabytes, before anything is allocated.

    The settings may come from a stranger's file.

    Raises:
        BadInput: It would have more than `MOST_BINS` values.
    """
    bins = spec.n_fft // 2 + 1
    if columns * bins > MOST_BINS:
        raise BadInput(
            f"A spectrogram of {columns} columns with n_fft {spec.n_fft} does not fit in memory; use at most "
            f"{MOST_BINS // bins} columns, or a smaller n_fft."
        )


def gray_from_clip(clip: Clip, spec: MelSpec) -> Floats:
    """The mel picture of a sound, clipped to [0, 1]; normalise the loudness before.

    A sound that is too short for the analysis is padded with silence.

    Args:
        clip: At `spec.rate_hz`; its channels are averaged (see `audio.cancelled_channels`).
        spec: The mel settings.

    Returns:
        float32, shape (n_mels, samples // hop_length), at least one column.

    Raises:
        BadInput: The spectrum would need too much memory.
    """
    if clip.rate_hz != spec.rate_hz:
        raise ValueError(
            f"the clip's rate is {clip.rate_hz} Hz, the mel picture needs {spec.rate_hz}; resample first"
        )
    check_spectrum_size(clip.samples.shape[1] // spec.hop_length, spec)
    mono = torch.from_numpy(clip.mono())
    missing = max(spec.minimum_frames, spec.hop_length) - len(mono)
    drawn = picture_from_log_mel(log_mel(F.pad(mono, (0, max(0, missing))), spec), spec)
    columns = max(1, math.ceil(clip.samples.shape[1] / spec.hop_length)) if missing > 0 else drawn.shape[-1]
    gray: Floats = drawn[:, :columns].clamp(0, 1).numpy()
    return gray


def resampled(samples: Tensor, rate_hz: int, wanted_hz: int) -> Tensor:
    """Sound at another rate, by truncating or zero-padding its spectrum; exact for periodic sounds.

    Differentiable.

    Shape:
        - samples: (*, T)
        - Output: (*, round(T * wanted_hz / rate_hz)), at least one sample
    """
    if rate_hz == wanted_hz:
        return samples
    frames = samples.shape[-1]
    length = max(1, round(frames * wanted_hz / rate_hz))
    spectrum = torch.fft.rfft(samples)[..., : length // 2 + 1]
    sound: Tensor = torch.fft.irfft(spectrum, n=length)
    return sound * (length / frames)
