"""Sound files to `Clip` and back.

Reads what libsndfile or FFmpeg can decode, and only the part that is asked for. Writes one thing: 16-bit
WAV, with the recipe of the sound inside. A broken file is refused, never repaired silently; what cannot
be found out about a cut file is listed in `truncation`. Sounds are neither mixed down nor made louder here
unless asked.
"""

import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from eidophone.errors import BadInput, CannotWrite
from eidophone.media.files import check_readable, write_atomically
from eidophone.media.truncation import missing_bytes, starts_like_mp3
from eidophone.values import Clip, Floats

BLOCK_FRAMES = 1 << 18
PREROLL_S = 1.0  # decoders need some sound before the wanted part to be in step; MP3 and AAC much less
SLACK_BYTES = 128  # some writers count their own header in, or end with a tag
RIFF_LIMIT_BYTES = 2**32 - 1
GET_IT_AGAIN = "copy or download it again"
KNOWN_FORMATS = "try a WAV, FLAC, OGG, Opus, MP3 or M4A file"

# FFmpeg also opens playlists and scripts that name other files, and these are not sounds.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,matroska,mp3,mov,mpc,mpc8,mpeg,mpegts,ogg,oma,tta,voc,w64,wav,wv"
)


def read_sound(path: Path, *, start_s: float = 0.0, duration_s: float | None = None) -> Clip:
    """Reads a sound file, or a part of it, with its own rate and all its channels in the file's order.

    WAV, FLAC, Ogg, Opus, AIFF and their kin are read by libsndfile; MP3, M4A, AAC, WebM and the rest by
    FFmpeg. Only the asked part is decoded (and, with FFmpeg, what is a second before it). If the sound ends
    before `start_s + duration_s`, the clip is shorter. Integer samples are scaled so that full scale is 1;
    floating-point samples stay as they are, so they may lie beyond -1 to 1. Raw AAC (.aac) begins with the
    encoder's delay, about 20 ms of silence, because the format does not say how much to leave out.

    Args:
        path: The file.
        start_s: Where to begin, in seconds from the start of the sound; 0 or more.
        duration_s: How much to read, in seconds; None reads to the end.

    Raises:
        BadInput: Missing, a folder, empty, not a sound, cut short, damaged, without a single sample, holding
            NaN or infinity, or over before `start_s`. Damage behind the asked part may pass unseen.
    """
    _check_span(start_s, duration_s)
    check_readable(path, "a sound")
    if (missing := missing_bytes(path)) > SLACK_BYTES:
        raise BadInput(f"{path} is cut short: its end is missing, {missing} bytes of it; {GET_IT_AGAIN}.")
    samples, rate_hz = _decode(path, start_s, duration_s)
    if not samples.shape[1]:
        raise BadInput(f"{path} holds no sound after {start_s:g} s; begin earlier or choose another file.")
    if not np.isfinite(samples).all():
        raise BadInput(f"{path} holds samples that are not numbers (NaN or infinity); export it again.")
    return Clip(samples, rate_hz)


def resample(clip: Clip, rate_hz: int) -> Clip:
    """The same sound at another rate, by soxr at very high quality; linear phase, so nothing moves in time.

    The new number of frames is the old one times the ratio of the rates, rounded, and at least 1.
    """
    if rate_hz <= 0:
        raise ValueError(f"rate_hz must be positive; got {rate_hz}")
    if rate_hz == clip.rate_hz:
        return clip
    frames = max(1, round(clip.samples.shape[1] * rate_hz / clip.rate_hz))
    changed = soxr.resample(clip.samples.T, clip.rate_hz, rate_hz, quality="VHQ").T[:, :frames]
    padded = np.pad(changed, ((0, 0), (0, frames - changed.shape[1])))
    return Clip(np.ascontiguousarray(padded, np.float32), rate_hz)


def peak_normalize(clip: Clip, peak: float = 0.95) -> Clip:
    """Scales all channels by one factor so that the loudest sample is `peak` in size; silence stays silence."""
    if not 0 < peak <= 1:
        raise ValueError(f"peak must lie in (0, 1]; got {peak}")
    loudest = np.abs(clip.samples).max()
    if loudest == 0:
        return clip
    # Divided first: with a very small loudest sample, peak / loudest would overflow.
    return Clip((clip.samples / loudest * np.float32(peak)).astype(np.float32), clip.rate_hz)


def write_wav(path: Path, clip: Clip, *, recipe: str | None = None) -> None:
    """Writes 16-bit PCM WAV; samples beyond full scale are clipped. The same clip makes the same bytes.

    A sample is stored as the nearest multiple of 1 / 32768, so what was read from a 16-bit file is written
    back unchanged. The recipe goes, in UTF-8, into the comment field of an INFO list behind the sound: other
    programs show or ignore it. (libsndfile could write that too, but cannot read it beyond some 2000 bytes.)

    Args:
        path: Where to; its folder is made.
        clip: What to write.
        recipe: Text of any length that fits, without NUL characters.

    Raises:
        CannotWrite: No place, no permission, or too long for a WAV file (4 GB).
    """
    notes = b"" if recipe is None else _comment_chunk(recipe)
    header = _wav_header(path, clip, len(notes))

    def write(draft: Path) -> None:
        with draft.open("wb") as file:
            file.write(header)
            _write_samples(file, clip.samples)
            file.write(notes)

    write_atomically(path, write)


def read_recipe_from_wav(path: Path) -> str | None:
    """The recipe that `write_wav` stored, or None if the file carries none.

    Raises:
        BadInput: Not there, or not a WAV file.
    """
    check_readable(path, "a sound")
    with path.open("rb") as file:
        if file.read(12)[::8] != b"RW":
            raise BadInput(f"{path} is not a WAV file; only WAV and PNG files carry their recipe.")
        file.seek(0)
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            raise BadInput(f"{path} is not a WAV file; only WAV and PNG files carry their recipe.")
        for kind, length in _chunks(file, os.fstat(file.fileno()).st_size):
            if kind == b"LIST" and file.read(4) == b"INFO":
                comment = _comment(file, file.tell() - 4 + length)
                if comment is not None:
                    return comment
    return None
