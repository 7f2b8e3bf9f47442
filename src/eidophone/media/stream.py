"""Sound files in blocks, so that a recording of any length fits into memory: libsndfile or FFmpeg.

A broken file is refused, never repaired silently; `truncation` lists what cannot be detected in a cut file.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Clip, Floats
from eidophone.media import decode_ffmpeg, decode_sndfile
from eidophone.media.decode_sndfile import NotForLibsndfile
from eidophone.media.files import cannot_read, check_readable
from eidophone.media.truncation import GET_IT_AGAIN, has_lost_length, missing_bytes, starts_like_mpeg

LONGEST_S = 1e9
HIGHEST_RATE_HZ = 1_000_000
#: Of float samples: 32-bit integers that were stored as they are. Squares of larger ones overflow.
LOUDEST = 2.0**31
SLACK_BYTES = 128  # some writers count their own header, or end with a tag


def read_blocks(path: Path, *, start_s: float = 0.0, duration_s: float | None = None) -> Iterator[Clip]:
    """Reads a sound file, or a part of it, in blocks of at most a few seconds; see `audio.read_sound`.

    All blocks have the same rate and channels. Some damage shows only at the end of the file.

    Raises:
        BadInput: As `audio.read_sound`.
    """
    _check_span(start_s, duration_s)
    check_readable(path, "a sound")
    try:
        yield from _checked_blocks(path, start_s, duration_s)
    except MemoryError as error:
        raise EidophoneError(f"Out of memory while reading {path}; read a shorter part of it.") from error
    except OSError as error:
        raise cannot_read(path, error) from error


def mono_blocks(path: Path, rate_hz: int) -> Iterator[Floats]:
    """The mean of a file's channels at another rate, in blocks of shape (frames,); soxr, very high quality.

    Joined, the blocks equal `resample(read_sound(path), rate_hz).mono()` except for rounding and the last
    frame.

    Raises:
        BadInput: As `audio.read_sound`.
    """
    change = None
    for block in read_blocks(path):
        if change is None:
            change = soxr.ResampleStream(block.rate_hz, rate_hz, 1, dtype="float32", quality="VHQ")
        yield change.resample_chunk(block.mono())
    if change is not None:
        yield change.resample_chunk(np.zeros(0, np.float32), last=True)


def _checked_blocks(path: Path, start_s: float, duration_s: float | None) -> Iterator[Clip]:
    if (missing := missing_bytes(path)) > SLACK_BYTES:
        raise BadInput(f"{path} is cut short: the last {missing} bytes are missing; {GET_IT_AGAIN}.")
    empty = True
    for samples, rate_hz in _decode(path, start_s, duration_s):
        if not samples.shape[1]:
            continue
        if not np.isfinite(samples).all():
            raise BadInput(f"{path} holds samples that are not numbers (NaN or infinity); export it again.")
        if np.abs(samples).max() > LOUDEST:
            raise BadInput(
                f"{path} holds samples far beyond full scale (above {LOUDEST:.0e}); export it again."
            )
        if rate_hz > HIGHEST_RATE_HZ:
            raise BadInput(
                f"{path} claims {rate_hz:,} samples per second, more than any sound has; {GET_IT_AGAIN}."
            )
        empty = False
        yield Clip(samples, rate_hz)
    if empty:
        raise _nothing(path, start_s)


def _check_span(start_s: float, duration_s: float | None) -> None:
    if not 0 <= start_s < LONGEST_S:
        raise BadInput(
            f"A sound cannot be read from {start_s} s on; give a start of 0 or more seconds (below 1e9)."
        )
    if duration_s is not None and not 0 < duration_s < LONGEST_S:
        raise BadInput(f"A sound cannot last {duration_s} s; give more than 0 seconds (below 1e9).")


def _nothing(path: Path, start_s: float) -> BadInput:
    if start_s == 0:
        return BadInput(f"{path} holds no sound, not a single sample; choose another file.")
    return BadInput(f"{path} holds no sound after {start_s:g} s; begin earlier.")


def _decode(path: Path, start_s: float, duration_s: float | None) -> Iterator[tuple[Floats, int]]:
    # libsndfile's MP3 decoder prints warnings to stderr and cannot be silenced; FFmpeg's can.
    # A WAV file whose length was never filled in is empty for libsndfile; FFmpeg reads it to the end.
    if not (starts_like_mpeg(path) or has_lost_length(path)):
        try:
            yield from decode_sndfile.decode(path, start_s, duration_s)
            return
        except NotForLibsndfile:
            pass
    yield from decode_ffmpeg.decode(path, start_s, duration_s)
