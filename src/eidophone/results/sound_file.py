"""The sound of a result as a second file, for players and editors: another format, rate, depth, loudness,
with two channels, or with a higher band.

It decides nothing about the result, so no recipe names it: `sound.wav` stays what was made.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.audio import resample
from eidophone.media.bandwidth import extended
from eidophone.media.export import save_clip
from eidophone.media.files import check_readable
from eidophone.media.loudness import check_loudness_library, with_loudness
from eidophone.media.mel import MelSpec
from eidophone.media.picture import read_picture
from eidophone.media.stereo import panned

SoundFormat = Literal["wav", "flac", "mp3", "opus"]
SoundBits = Literal["16", "24", "float"]

#: Sample formats of each format, and the rates that it is limited to.
_BITS: dict[SoundFormat, tuple[SoundBits, ...]] = {"wav": ("16", "24", "float"), "flac": ("16", "24")}
_RATES: dict[SoundFormat, tuple[int, ...]] = {"mp3": (44_100, 48_000), "opus": (48_000,)}
FORMATS: tuple[SoundFormat, ...] = ("wav", "flac", "mp3", "opus")
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8_000, 192_000
#: What `stereo` says for the colours of the result's own picture.
OWN_COLOURS = "colour"
#: The quietest and the loudest target, in LUFS.
QUIETEST, LOUDEST = -70.0, 0.0


@dataclass(frozen=True)
class SoundFile:
    """What the second file is like.

    Attributes:
        format: Its format.
        rate_hz: Frames per second; None keeps the sound's own (for mp3 and opus, the nearest they have).
        bits: Sample format of wav and flac; None is 24 bits.
        loudness: Integrated loudness in LUFS; None leaves the level alone.
        stereo: Whose colours pan the sound: `OWN_COLOURS` for the result's picture, or a picture file; None: mono.
        extend_band: Make up sound above the limit of the mel picture.

    Raises:
        BadInput: a combination that does not exist.
    """

    format: SoundFormat = "wav"
    rate_hz: int | None = None
    bits: SoundBits | None = None
    loudness: float | None = None
    stereo: str | None = None
    extend_band: bool = False

    def __post_init__(self) -> None:
        self._check_format()
        self._check_rate()
        if self.stereo not in (None, OWN_COLOURS):
            check_readable(Path(self.stereo), "a picture")
        if self.loudness is not None:
            if not QUIETEST < self.loudness <= LOUDEST:
                raise BadInput(
                    f"--loudness {self.loudness}: use a level from {QUIETEST:g} to {LOUDEST:g} LUFS."
                )
            check_loudness_library()

    def _check_format(self) -> None:
        if self.format not in FORMATS:
            raise BadInput(f"--format {self.format}: use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
        allowed = _BITS.get(self.format, ())
        if self.bits is not None and self.bits not in allowed:
            hint = f"use {' or '.join(allowed)}" if allowed else "leave out --bits, or use --format flac"
            raise BadInput(f"--bits {self.bits}: {self.format} has no such sample format; {hint}.")

    def _check_rate(self) -> None:
        if self.rate_hz is None:
            return
        limited = _RATES.get(self.format)
        if limited and self.rate_hz not in limited:
            raise BadInput(
                f"--rate {self.rate_hz}: {self.format} is written at {' or '.join(map(str, limited))} Hz."
            )
        if not LOWEST_RATE_HZ <= self.rate_hz <= HIGHEST_RATE_HZ:
            raise BadInput(f"--rate {self.rate_hz}: use {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz.")

    @classmethod
    def asked(
        cls,
        sound_format: str | None = None,
        sound_rate: str | int | None = None,
        sound_bits: str | int | None = None,
        loudness: str | float | None = None,
        stereo: str | os.PathLike[str] | None = None,
        extend_band: bool | None = None,
    ) -> "SoundFile | None":
        """From what a user gives; None if nothing asks for a second file.

        Raises:
            BadInput: a value that is no number, or a combination that does not exist.
        """
        plain = sound_rate is sound_bits is loudness is stereo is None and not extend_band
        if sound_format in (None, "wav") and plain:
            return None
        rate = None if sound_rate is None else _number("--rate", sound_rate, int)
        level = None if loudness is None else _number("--loudness", loudness, float)
        bits: Any = None if sound_bits is None else str(sound_bits)
        chosen: Any = sound_format or "wav"
        return cls(chosen, rate, bits, level, None if stereo is None else str(stereo), bool(extend_band))

    @property
    def name(self) -> str:
        """Of the file; a WAV has another name than the archived one."""
        return "sound-export.wav" if self.format == "wav" else f"sound.{self.format}"

    def write(self, clip: Clip, folder: Path, spec: MelSpec) -> dict[str, float]:
        """Writes the file; returns its loudness, for the record, if it was set.

        Args:
            clip: The result's sound.
            folder: That of the result; its picture is there.
            spec: Of its mel picture.

        Raises:
            BadInput: there is no room for a higher band at this rate, or the picture cannot be read.
            CannotWrite: the disk is full, or the folder may not be written.
        """
        sound = self._shaped(clip, folder, spec)
        facts: dict[str, float] = {}
        if self.loudness is not None:
            sound, level = with_loudness(sound, self.loudness)
            found = {"loudness_lufs": level.integrated_lufs, "true_peak_db": level.true_peak_db}
            facts = {name: round(value, 2) for name, value in found.items() if math.isfinite(value)}
        lossless = self.format in _BITS
        save_clip(sound, folder / self.name, subtype=(self.bits or "24") if lossless else None)
        return facts

    def _shaped(self, clip: Clip, folder: Path, spec: MelSpec) -> Clip:
        """The sound at its rate, with its band and its channels."""
        rate_hz = self.rate_hz
        if rate_hz is None and self.extend_band:
            limits = _RATES.get(self.format, (2 * clip.rate_hz,))
            rate_hz = next((rate for rate in limits if rate % clip.rate_hz == 0), limits[-1])
        sound = clip if rate_hz is None else resample(clip, rate_hz)
        if self.extend_band:
            sound = extended(sound, spec.f_max)
        if self.stereo is not None:
            picture = read_picture(
                folder / "picture.png" if self.stereo == OWN_COLOURS else Path(self.stereo)
            )
            sound = panned(sound, picture, spec)
        return sound


def _number(flag: str, given: str | float, kind: type[int] | type[float]) -> Any:
    try:
        value = kind(given)
        if not math.isfinite(value):
            raise ValueError
    except (ValueError, OverflowError):
        wanted = "a whole number" if kind is int else "a number"
        raise BadInput(f"{flag} {given}: is not {wanted}.") from None
    return value
