"""The settings of a mel picture: how its pixels map to time, pitch and loudness.

The only home of STFT numbers. It holds no computation (see `spectrogram`) and imports no torch, so
that a card, a record or a PNG can carry one.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from eidophone.errors import BadInput


@dataclass(frozen=True, kw_only=True)
class MelSpec:
    """How a picture's pixels map to time, pitch and loudness.

    The defaults are Auffusion's (Images that Sound, section 3.1): 100 columns a second, 256 rows.

    Attributes:
        rate_hz: Frames of sound per second.
        n_fft: Length of the transform in frames, even.
        window: Length of the Hann window in frames, at most `n_fft`.
        hop: Frames from one column to the next, at most `n_fft`, of the same parity.
        bands: Height of the picture in pixels; Slaney's mel scale and area norm.
        low_hz: Lower edge of the lowest band.
        high_hz: Upper edge of the highest band, at most `rate_hz / 2`.
        floor: Mel magnitude drawn black; smaller ones are raised to `log_floor` first.
        ceiling: Mel magnitude drawn white.
        log_floor: Smallest mel magnitude kept by the analysis, at most `floor`.

    >>> MelSpec().seconds(1024)
    10.24
    """

    rate_hz: int = 16_000
    n_fft: int = 2048
    window: int = 1024
    hop: int = 160
    bands: int = 256
    low_hz: float = 0.0
    high_hz: float = 8000.0
    floor: float = 1e-5
    ceiling: float = 200.0
    log_floor: float = 1e-5

    def __post_init__(self) -> None:
        for ok, rule in (
            (self.rate_hz > 0 and self.bands > 0 and self.hop > 0, "rate_hz, bands and hop must be positive"),
            (0 < self.window <= self.n_fft, "window must lie in (0, n_fft]"),
            (
                self.hop <= self.n_fft and (self.n_fft - self.hop) % 2 == 0,
                "n_fft - hop must be even, not negative",
            ),
            (0 <= self.low_hz < self.high_hz <= self.rate_hz / 2, "0 <= low_hz < high_hz <= rate_hz / 2"),
            (0 < self.log_floor <= self.floor < self.ceiling, "0 < log_floor <= floor < ceiling"),
        ):
            if not ok:
                raise ValueError(f"no such mel picture: {rule}; got {self}")

    @property
    def padding(self) -> int:
        """Frames reflected at both ends, so that the number of columns is the number of hops."""
        return (self.n_fft - self.hop) // 2

    @property
    def log_range(self) -> tuple[float, float]:
        """Natural logarithms of `floor` and `ceiling`: the values of black and white."""
        return math.log(self.floor), math.log(self.ceiling)

    @property
    def minimum_frames(self) -> int:
        """The shortest sound that can be analysed (reflection needs more than `padding`)."""
        return self.padding + 1

    def frames(self, columns: int) -> int:
        """Frames of sound that so many columns last."""
        return columns * self.hop

    def seconds(self, columns: int) -> float:
        """Seconds that so many columns last."""
        return self.frames(columns) / self.rate_hz

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for a record or a file; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any], where: str = "mel_spec") -> "MelSpec":
        """The inverse of `to_dict`.

        Raises:
            BadInput: an unknown name or an impossible combination; `where` says which file.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise BadInput(
                f"{where}: unknown mel setting {unknown[0]!r}; known are {', '.join(sorted(known))}."
            )
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise BadInput(f"{where}: {error}.") from error
