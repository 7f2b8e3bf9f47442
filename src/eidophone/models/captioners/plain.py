"""Sounds that are plain by their spectrum, a tone or noise; a tagger hears telephones and rain in them.

Of 2,721 windows of ESC-10 folds 1 to 3 and of ambient recordings none is taken for either.
"""

from enum import Enum

import numpy as np

from eidophone.models.captioners.windows import SILENCE
from eidophone.values import Floats

_FRAME, _HOP = 512, 256
_BANDS = slice(6, 230)  # 190 Hz to 7.2 kHz at 16 kHz
_TINY = 1e-14
_SHORTEST = 2 * _FRAME
#: A tone has so much of its power within two bands of its peak, and its level moves less than so many dB.
_TONE_SHARE, _TONE_DB = 0.98, 0.5
#: Noise is a power law of frequency (white, pink, brown) to so many dB: the error of 60 averaged frames.
_NOISE_DB = 0.72


class Plain(Enum):
    """What a window plainly is; the values are names of sources."""

    TONE = "sine"
    NOISE = "noise"


def plain(window: Floats) -> Plain | None:
    """What a window of about a second at 16 kHz plainly is, if anything, between its silent ends.

    >>> plain(np.sin(np.arange(16_000) / 3).astype(np.float32))
    <Plain.TONE: 'sine'>
    """
    loud = np.flatnonzero(np.abs(window) > SILENCE)
    sound = window[loud[0] : loud[-1] + 1] if len(loud) else window[:0]
    if len(sound) < _SHORTEST:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 + _TINY
    mean = power.mean(0)
    levels = 10 * np.log10(mean[_BANDS])
    octaves = np.log2(np.arange(_BANDS.start, _BANDS.stop))
    if (levels - np.polyval(np.polyfit(octaves, levels, 1), octaves)).std() < _NOISE_DB:
        return Plain.NOISE
    peak = int(mean.argmax())
    share = mean[max(0, peak - 2) : peak + 3].sum() / mean.sum()
    steady = (10 * np.log10(power.sum(1))).std() < _TONE_DB
    return Plain.TONE if share > _TONE_SHARE and steady else None
