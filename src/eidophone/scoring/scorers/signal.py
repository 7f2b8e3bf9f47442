"""Signal quality: clipping, DC offset, silence. Needs no model and no prompt."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eidophone.core.values import Floats
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.scorers import ScorerSpec

#: A sample at this level was probably clipped; 16 bits reach 1 - 1 / 32768.
FULL_SCALE = 0.9999
SILENT_DBFS = -60.0
BLOCK_S = 0.02


@dataclass(frozen=True)
class SignalQuality:
    """Shares in [0, 1] and an offset; lower is better.

    - clipped: Share of samples at full scale that have such a neighbour (a single peak is not clipping).
    - dc: Distance of the mean from 0; full scale is 1.
    - silent: Share of blocks of 20 ms below -60 dBFS.
    """

    name: ClassVar[str] = "signal"

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


SCORER = ScorerSpec(
    SignalQuality,
    "clipping, DC offset and silence",
    {
        "clipped": Measure("share of clipped samples", "lower", range="0 to 1"),
        "dc": Measure("DC offset", "lower", "of full scale", "0 to 1"),
        "silent": Measure("share of 20 ms blocks below -60 dBFS", "lower", range="0 to 1"),
    },
)
