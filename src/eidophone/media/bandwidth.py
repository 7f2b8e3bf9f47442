"""Sound above the mel picture's limit, made up from what lies below: spectral replication.

A mel picture ends at `f_max`; above it a vocoder leaves nothing, and the sound is dull. As in the spectral band
replication of audio codecs (Dietz et al., 2002), the half octave or so below the limit is copied upwards, with its
own changes in time, and gets quieter at the rate at which the sound itself does below the limit. It carries no
information that the picture does not have.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip

#: Length of the FFT and its hop; a copy is moved by a multiple of `_STEP` bins, so that its phases fit together.
_SIZE, _HOP = 2048, 512
_STEP = _SIZE // _HOP
#: Hearing ends here.
HIGHEST_HZ = 18_000.0
#: The slope of what is added, in dB per octave: at most the second, at least the first.
SLOPES = (-30.0, -6.0)


def extended(clip: Clip, limit_hz: float) -> Clip:
    """The sound with a band above its limit; what lies below stays as it is.

    Args:
        clip: At a rate of more than twice the limit.
        limit_hz: Where its spectrum ends.

    Raises:
        BadInput: there is no room above the limit at this rate.
    """
    top = min(HIGHEST_HZ, 0.48 * clip.rate_hz)
    if top <= limit_hz:
        raise BadInput(
            f"--extend-band: at {clip.rate_hz} Hz there is no room above {limit_hz:g} Hz; use a higher --rate."
        )
    samples = torch.from_numpy(clip.samples)
    window = torch.hann_window(_SIZE)
    missing = max(0, _SIZE - samples.shape[1])
    padded = torch.nn.functional.pad(samples, (0, missing))
    spectrum = torch.stft(padded, _SIZE, _HOP, window=window, return_complex=True)
    above = torch.istft(_above(spectrum, clip.rate_hz, limit_hz, top), _SIZE, _HOP, window=window)
    above = torch.nn.functional.pad(above, (0, max(0, samples.shape[1] - above.shape[1])))
    found = samples + above[:, : samples.shape[1]]
    return Clip(np.ascontiguousarray(found.numpy(), np.float32), clip.rate_hz)


def _above(spectrum: Tensor, rate_hz: int, limit_hz: float, top_hz: float) -> Tensor:
    """The spectrum of what is added: copies of the band below the limit, each quieter than the last."""
    per_bin = rate_hz / _SIZE
    limit, top = math.ceil(limit_hz / per_bin) + 2, int(top_hz / per_bin)
    # The topmost bands of a mel picture fade out towards its limit, so the source ends a little below.
    last = int(0.94 * limit)
    span = max(_STEP, (last - last // 2) // _STEP * _STEP)
    slope = _slope(spectrum, per_bin, limit_hz)
    added = torch.zeros_like(spectrum)
    for first in range(limit, top, span):
        count = min(span, top - first)
        moved = (first - (last - span) + _STEP - 1) // _STEP * _STEP
        source = spectrum[:, first - moved : first - moved + count]
        octaves = torch.log2(
            torch.arange(first, first + count) / torch.arange(first - moved, first - moved + count)
        )
        added[:, first : first + count] = source * (10 ** (slope * octaves / 20))[:, None]
    return added


def _slope(spectrum: Tensor, per_bin: float, limit_hz: float) -> float:
    """How fast the sound gets quieter towards its limit, in dB per octave, within `SLOPES`."""
    power = spectrum.abs().square().mean((0, 2))
    edges = [int(share * limit_hz / per_bin) for share in (0.235, 0.47, 0.94)]
    lower, upper = (float(power[a:b].mean()) for a, b in pairwise(edges))
    if lower <= 0 or upper <= 0:
        return SLOPES[0]
    return min(SLOPES[1], max(SLOPES[0], 10 * math.log10(upper / lower)))
