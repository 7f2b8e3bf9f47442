"""Slaney's mel filters with area norm, as in librosa (Auditory Toolbox, 1998)."""

import math

import numpy as np

#: Below BREAK_HZ the mel scale is linear, above it is logarithmic.
BREAK_HZ, BREAK_MEL = 1000.0, 15.0
_STEP = math.log(6.4) / 27


def mel_of(hertz: float) -> float:
    """A frequency on Slaney's mel scale.

    >>> mel_of(500.0), mel_of(1000.0)
    (7.5, 15.0)
    """
    return (
        3 * hertz / 200 if hertz < BREAK_HZ else BREAK_MEL + math.log(hertz / BREAK_HZ) * (27 / math.log(6.4))
    )


def slaney_filters(bins: int, bands: int, low_hz: float, high_hz: float, rate_hz: int) -> np.ndarray:
    """Triangles over the bins of a spectrum, equally far apart on the mel scale, each with area 1.

    Args:
        bins: From 0 Hz to half the rate, both included.
        bands: Number of filters.
        low_hz, high_hz: Where the first begins and the last ends.
        rate_hz: Samples per second.

    Returns:
        (bins, bands), float64.
    """
    mels = np.linspace(mel_of(low_hz), mel_of(high_hz), bands + 2)
    edges = np.where(mels >= BREAK_MEL, BREAK_HZ * np.exp(_STEP * (mels - BREAK_MEL)), 200 * mels / 3)
    widths = np.diff(edges)
    slopes = edges[None, :] - np.linspace(0, rate_hz // 2, bins)[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))
