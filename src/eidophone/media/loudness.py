"""Loudness after ITU-R BS.1770 and EBU R 128, and sound brought to a loudness without clipping."""

import importlib.util
import math
from dataclasses import dataclass

import numpy as np
import soxr

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip

#: EBU R 128 leaves this much room for lossy encoders.
HIGHEST_TRUE_PEAK_DB = -1.0
#: BS.1770-4, annex 2: a true peak is read at four times the rate.
_OVERSAMPLING = 4
#: Length of a gating block; a shorter sound is one block.
_BLOCK_S = 0.4
#: Loudness of the absolute gate; the loudness of anything quieter is not defined.
_SILENCE_LUFS = -70.0


@dataclass(frozen=True)
class Loudness:
    """How loud a sound is.

    Attributes:
        integrated_lufs: Integrated loudness in LUFS; minus infinity for silence.
        true_peak_db: Highest true peak of any channel, in dB relative to full scale.
    """

    integrated_lufs: float
    true_peak_db: float


def check_loudness_library() -> None:
    """Refuses early where pyloudnorm is not installed.

    Raises:
        BadInput: it is not.
    """
    if importlib.util.find_spec("pyloudnorm") is None:
        raise BadInput("--loudness needs pyloudnorm; run `pip install 'eidophone[loudness]'`.")


def measure(clip: Clip) -> Loudness:
    """Measures a clip of up to five channels.

    Raises:
        BadInput: pyloudnorm is not installed, or there are more than five channels.
    """
    check_loudness_library()
    if len(clip.samples) > 5:
        raise BadInput(f"Loudness is defined for at most 5 channels; this sound has {len(clip.samples)}.")
    return Loudness(_integrated(clip), _true_peak(clip))


def with_loudness(clip: Clip, target_lufs: float) -> tuple[Clip, Loudness]:
    """The sound at a loudness, or as near as its true peak allows: one gain for the whole sound, no limiter.

    Args:
        clip: The sound; silence is returned as it is.
        target_lufs: Integrated loudness to reach.

    Returns:
        The sound, and its loudness.
    """
    now = measure(clip)
    if not math.isfinite(now.integrated_lufs):
        return clip, now
    gain_db = min(target_lufs - now.integrated_lufs, HIGHEST_TRUE_PEAK_DB - now.true_peak_db)
    samples = (clip.samples * 10 ** (gain_db / 20)).astype(np.float32)
    after = Loudness(now.integrated_lufs + gain_db, now.true_peak_db + gain_db)
    return Clip(samples, clip.rate_hz), after


def _integrated(clip: Clip) -> float:
    import pyloudnorm

    samples = clip.samples.T.astype(np.float64)
    missing = math.ceil(_BLOCK_S * clip.rate_hz) + 1 - len(samples)
    if missing > 0:  # repeated, so that a short sound fills one block
        samples = np.resize(samples, (len(samples) + missing, samples.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(pyloudnorm.Meter(clip.rate_hz).integrated_loudness(samples))
    return found if found >= _SILENCE_LUFS else -math.inf


def _true_peak(clip: Clip) -> float:
    finer = soxr.resample(clip.samples.T, clip.rate_hz, _OVERSAMPLING * clip.rate_hz, quality="VHQ")
    loudest = max(float(np.abs(finer).max(initial=0)), float(np.abs(clip.samples).max()))
    return 20 * math.log10(loudest) if loudest > 0 else -math.inf
