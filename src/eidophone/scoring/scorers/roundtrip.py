"""Round trip: the saved sound is turned into a spectrogram again and compared with the one it was made from."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.values import Clip, Floats
from eidophone.media.audio import resample
from eidophone.media.lossy import LossyCodec, through_codec
from eidophone.media.spectrogram import gray_from_clip
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import ScorerSpec

CODECS: tuple[LossyCodec, ...] = ("mp3", "aac")
BIT_RATE = 128_000
# Wang, Bovik, Sheikh and Simoncelli, 2004
SIGMA, RADIUS, K1, K2 = 1.5, 5, 0.01, 0.03


@dataclass(frozen=True)
class Roundtrip:
    """Structural similarity in [-1, 1] and peak signal-to-noise ratio in dB; higher is better.

    - ssim, psnr_db: Of the sound as it is stored.
    - ssim_mp3, psnr_db_mp3, ssim_aac, psnr_db_aac: After encoding at 128 kbit/s and decoding.
    """

    name: ClassVar[str] = "roundtrip"

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`; empty for a subject whose spectrogram is not known."""
        if subject.spectrogram is None or subject.mel_spec is None:
            return {}
        clips = {"": subject.clip} | {f"_{c}": through_codec(subject.clip, c, BIT_RATE) for c in CODECS}
        found: dict[str, float] = {}
        for suffix, clip in clips.items():
            again = _spectrogram_of(clip, subject)
            original = subject.spectrogram[:, : again.shape[1]]
            again = again[:, : original.shape[1]]
            found[f"ssim{suffix}"] = ssim(again, original)
            found[f"psnr_db{suffix}"] = psnr_db(again, original)
        return found


def _spectrogram_of(clip: Clip, subject: Subject) -> Floats:
    assert subject.mel_spec is not None
    return gray_from_clip(resample(clip, subject.mel_spec.rate_hz), subject.mel_spec)


def psnr_db(a: Floats, b: Floats) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in dB; 100 at most, also for equal pictures.

    >>> psnr_db(np.zeros((2, 2), np.float32), np.full((2, 2), 0.1, np.float32))
    20.0
    """
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return round(-10 * math.log10(max(error, 1e-10)), 6)


def ssim(a: Floats, b: Floats) -> float:
    """Structural similarity of grey pictures in [0, 1], each (height, width), with the published constants.

    Windows are Gaussian, 11 x 11 (sigma 1.5), and lie inside the picture; small pictures get smaller windows.
    """
    first, second = (torch.from_numpy(np.ascontiguousarray(x)).double()[None, None] for x in (a, b))
    radius = min(RADIUS, (min(a.shape) - 1) // 2)
    moments = _blurred(torch.cat([first, second, first**2, second**2, first * second]), radius)[:, 0]
    mean_a, mean_b, square_a, square_b, product = moments
    variance_a, variance_b = square_a - mean_a**2, square_b - mean_b**2
    covariance = product - mean_a * mean_b
    light = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variance_a + variance_b + K2**2)
    return float((light * structure).mean())


def _blurred(pictures: Tensor, radius: int) -> Tensor:
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=pictures.dtype) / SIGMA) ** 2)
    weights /= weights.sum()
    return F.conv2d(F.conv2d(pictures, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))


def _measures() -> dict[str, Measure]:
    found = {}
    for suffix, after in {
        "": "",
        "_mp3": " after MP3 at 128 kbit/s",
        "_aac": " after AAC at 128 kbit/s",
    }.items():
        found[f"ssim{suffix}"] = Measure(
            f"structural similarity of the spectrogram and that of the sound{after}", range="-1 to 1"
        )
        found[f"psnr_db{suffix}"] = Measure(
            f"peak signal-to-noise ratio of the same{after}", unit="dB", range="0 to 100"
        )
    return found


SCORER = ScorerSpec(
    Roundtrip, "whether the picture survives in the sound, also through MP3 and AAC", _measures()
)
