"""Survives re-hearing: the saved sound, analysed again, against the picture that it was played from."""

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

CODECS: tuple[LossyCodec, ...] = ("mp3", "aac")
BIT_RATE = 128_000
# Wang, Bovik, Sheikh and Simoncelli, 2004
SIGMA, RADIUS, K1, K2 = 1.5, 5, 0.01, 0.03


@dataclass(frozen=True)
class Roundtrip:
    """Structural similarity in [-1, 1] and peak signal-to-noise ratio in dB, more is better.

    - ssim, psnr_db: of the sound as it is stored.
    - ssim_mp3, psnr_db_mp3, ssim_aac, psnr_db_aac: after a round trip at 128 kbit/s.
    """

    name: ClassVar[str] = "rehearing"

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`; says nothing of a subject whose spectrogram is not known."""
        if subject.spectrogram is None or subject.mel_spec is None:
            return {}
        heard = {"": subject.clip} | {f"_{c}": through_codec(subject.clip, c, BIT_RATE) for c in CODECS}
        said: dict[str, float] = {}
        for suffix, clip in heard.items():
            again = _seen_again(clip, subject)
            drawn = subject.spectrogram[:, : again.shape[1]]
            again = again[:, : drawn.shape[1]]
            said[f"ssim{suffix}"] = ssim(again, drawn)
            said[f"psnr_db{suffix}"] = psnr_db(again, drawn)
        return said


def _seen_again(clip: Clip, subject: Subject) -> Floats:
    assert subject.mel_spec is not None
    return gray_from_clip(resample(clip, subject.mel_spec.rate_hz), subject.mel_spec)


def psnr_db(a: Floats, b: Floats) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in dB; at most 100, so that equal ones have one.

    >>> psnr_db(np.zeros((2, 2), np.float32), np.full((2, 2), 0.1, np.float32))
    20.0
    """
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return round(-10 * math.log10(max(error, 1e-10)), 6)


def ssim(a: Floats, b: Floats) -> float:
    """Structural similarity of grey pictures in [0, 1], (height, width), with the publication's constants.

    Gaussian windows of 11 x 11 (sigma 1.5), only those that lie inside; smaller pictures get smaller ones.
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
