"""Sounds clean: clipping, direct current, silence. Needs no model and no prompt."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eidophone.core.values import Floats
from eidophone.scoring.contract import Subject

#: A frame at this level was probably cut off; 16 bits reach 1 - 1 / 32768.
FULL_SCALE = 0.9999
SILENT_DBFS = -60.0
BLOCK_S = 0.02


@dataclass(frozen=True)
class SignalQuality:
    """Shares in [0, 1] and an offset; less is better.

    - clipped: share of frames at full scale that have such a neighbour (a peak of one frame is no clipping).
    - dc: distance of the mean from 0, in full scales.
    - silent: share of blocks of 20 ms below -60 dBFS.
    """

    name: ClassVar[str] = "clean"

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        mono = subject.clip.mono()
        return {
            "clipped": float(np.mean([_clipped(channel) for channel in subject.clip.samples])),
            "dc": abs(float(mono.mean(dtype=np.float64))),
            "silent": _silent(mono, max(1, round(BLOCK_S * subject.clip.rate_hz))),
        }


def _clipped(samples: Floats) -> float:
    full = np.abs(samples) >= FULL_SCALE
    beside = np.zeros_like(full)
    beside[1:] |= full[:-1]
    beside[:-1] |= full[1:]
    return float((full & beside).mean())


def _silent(mono: Floats, block: int) -> float:
    whole = np.pad(mono.astype(np.float64), (0, -len(mono) % block))
    frames = np.minimum(block, len(mono) - np.arange(0, len(mono), block))
    power = (whole.reshape(-1, block) ** 2).sum(1) / frames
    return float((power < 10 ** (SILENT_DBFS / 10)).mean())
