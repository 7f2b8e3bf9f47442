"""The settings of a mel picture: how its pixels map to time, pitch and loudness.

All STFT settings are defined here. The computation is in `spectrogram`; this module imports no torch, so
reading a card, a record or a PNG stays cheap.
"""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from eidophone.core.errors import BadInput

_INTEGERS = ("rate_hz", "n_fft", "win_length", "hop_length", "n_mels")
_NUMBERS = ("f_min", "f_max", "floor", "ceiling", "log_floor")
#: Names in files that versions before 0.2 wrote.
FORMER_NAMES = {
    "window": "win_length",
    "hop": "hop_length",
    "bands": "n_mels",
    "low_hz": "f_min",
    "high_hz": "f_max",
}
# Far above any model's settings; larger numbers in a file only use up memory.
_HIGHEST_RATE, _LONGEST_FFT, _MOST_BANDS, _LARGEST = 1_000_000, 65_536, 4096, 1e9


@dataclass(frozen=True, kw_only=True)
class MelSpec:
    """How a picture's pixels map to time, pitch and loudness.

    The defaults are Auffusion's (Images that Sound, section 3.1): 100 columns a second, 256 rows.

    Attributes:
        rate_hz: Sampling rate, samples per second, at most 1,000,000.
        n_fft: Length of the FFT in samples, at most 65,536.
        win_length: Length of the Hann window in samples, at most `n_fft`.
        hop_length: Samples from one column to the next, at most `n_fft`; `n_fft - hop_length` is even.
        n_mels: Mel bands (Slaney's scale, area norm): the picture's height in pixels, at most 4096.
        f_min: Lower edge of the lowest band, in Hz.
        f_max: Upper edge of the highest band, in Hz, at most `rate_hz / 2`.
        floor: Mel magnitude that is drawn black.
        ceiling: Mel magnitude that is drawn white.
        log_floor: Smaller mel magnitudes are raised to this value by the analysis; at most `floor`.

    >>> MelSpec().seconds(1024)
    10.24
    """

    rate_hz: int = 16_000
    n_fft: int = 2048
    win_length: int = 1024
    hop_length: int = 160
    n_mels: int = 256
    f_min: float = 0.0
    f_max: float = 8000.0
    floor: float = 1e-5
    ceiling: float = 200.0
    log_floor: float = 1e-5

    def __post_init__(self) -> None:
        self._check_kinds()
        for ok, rule in (
            (
                self.rate_hz > 0 and self.n_mels > 0 and self.hop_length > 0,
                "rate_hz, n_mels and hop_length must be positive",
            ),
            (self.rate_hz <= _HIGHEST_RATE, f"rate_hz must be at most {_HIGHEST_RATE}"),
            (self.n_fft <= _LONGEST_FFT, f"n_fft must be at most {_LONGEST_FFT}"),
            (self.n_mels <= _MOST_BANDS, f"n_mels must be at most {_MOST_BANDS}"),
            (0 < self.win_length <= self.n_fft, "win_length must lie in (0, n_fft]"),
            (
                self.hop_length <= self.n_fft and (self.n_fft - self.hop_length) % 2 == 0,
                "n_fft - hop_length must be even and not negative",
            ),
            (0 <= self.f_min < self.f_max <= self.rate_hz / 2, "0 <= f_min < f_max <= rate_hz / 2"),
            (0 < self.log_floor <= self.floor < self.ceiling, "0 < log_floor <= floor < ceiling"),
        ):
            if not ok:
                raise ValueError(f"these mel settings are impossible: {rule}; got {self}")

    def _check_kinds(self) -> None:
        """Checks types at run time, because the numbers may come from a file."""
        for name in (*_INTEGERS, *_NUMBERS):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int if name in _INTEGERS else (int, float)):
                kind = "a whole number" if name in _INTEGERS else "a number"
                raise ValueError(f"these mel settings are impossible: {name} must be {kind}; got {value!r}")
            if not abs(value) <= _LARGEST:  # neither is NaN
                raise ValueError(
                    f"these mel settings are impossible: {name} must be finite and at most {_LARGEST:g}"
                )

    @property
    def padding(self) -> int:
        """Samples reflected at each end, so that a sound of n hops has n columns."""
        return (self.n_fft - self.hop_length) // 2

    @property
    def log_range(self) -> tuple[float, float]:
        """Natural logarithms of `floor` and `ceiling`: the values of black and white."""
        return math.log(self.floor), math.log(self.ceiling)

    @property
    def minimum_frames(self) -> int:
        """Samples of the shortest sound that can be analysed (reflection needs more than `padding`)."""
        return self.padding + 1

    def frames(self, columns: int) -> int:
        """Samples that this number of columns lasts."""
        return columns * self.hop_length

    def seconds(self, columns: int) -> float:
        """Seconds that this number of columns lasts."""
        return self.frames(columns) / self.rate_hz

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers by name, for a record or a file; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: object, where: str = "mel_spec") -> "MelSpec":
        """The inverse of `to_dict`.

        Args:
            given: Settings by name; missing ones have the defaults.
            where: The file they come from, for messages.

        Raises:
            BadInput: Not a mapping, an unknown name, or an impossible value or combination.
        """
        if not isinstance(given, dict):
            raise BadInput(f"{where}: mel settings must map names to values; got {str(given)[:60]!r}.")
        given = {FORMER_NAMES.get(str(name), str(name)): value for name, value in given.items()}
        known = {f.name for f in fields(cls)}
        if unknown := sorted(map(str, set(given) - known)):
            raise BadInput(f"{where}: unknown mel setting {unknown[0]!r}; use {', '.join(sorted(known))}.")
        try:
            return cls(**given)
        except (TypeError, ValueError) as error:
            raise BadInput(f"{where}: {error}.") from error
