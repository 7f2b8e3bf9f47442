"""Sound files and other values to `Clip`, and `Clip` to 16-bit WAV with its recipe.

A broken file is refused, never repaired silently; `truncation` lists what cannot be detected in a cut file.
Nothing here mixes channels or changes the loudness unless asked. `export` writes other formats.
"""

import os
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from eidophone.core.errors import BadInput, CannotWrite, EidophoneError
from eidophone.core.values import Clip, Floats
from eidophone.media.decode_sndfile import BLOCK_FRAMES
from eidophone.media.files import cannot_read, check_readable, write_atomically
from eidophone.media.stream import HIGHEST_RATE_HZ, LOUDEST, read_blocks

WAV_HEADER_BYTES = 44
RIFF_LIMIT_BYTES = 2**32 - 1
MOST_CHANNELS = 2**15 - 1
CANCELLED = 0.01  # 40 dB below the louder channel: what is left of the sound is nearly inaudible
MOST_RECIPE_BYTES = 1 << 26  # a recipe has some kilobytes; a stranger's file may claim gigabytes


def read_sound(path: Path, *, start_s: float = 0.0, duration_s: float | None = None) -> Clip:
    """Reads a sound file, or a part of it, at its own rate, with all channels in the file's order.

    libsndfile reads WAV, FLAC, Ogg, Opus, AIFF and related formats; FFmpeg reads MP3, M4A, AAC, WebM and the
    rest. Only the requested part is decoded (with FFmpeg, also the second before it). If the sound ends
    before `start_s + duration_s`, the clip is shorter. Integer samples are scaled so that full scale is 1;
    floating-point samples stay as they are, so they may exceed -1 to 1. Raw AAC (.aac) begins with the
    encoder's delay, about 20 ms of silence, because the format does not say how much to skip.

    Args:
        path: The file.
        start_s: Where to begin, in seconds from the start of the sound; 0 or more.
        duration_s: How much to read, in seconds; None reads to the end.

    Raises:
        BadInput: Missing, a folder, empty, not a sound, cut short, damaged, without a single sample, holding
            NaN or infinity, or over before `start_s`. Damage behind the requested part may go unnoticed.
        EidophoneError: Too long for the memory.
    """
    blocks = list(read_blocks(path, start_s=start_s, duration_s=duration_s))
    try:
        return Clip(np.concatenate([block.samples for block in blocks], axis=1), blocks[0].rate_hz)
    except MemoryError as error:
        raise EidophoneError(f"Out of memory while reading {path}; read a shorter part of it.") from error


def cancelled_channels(clip: Clip, name: str) -> str | None:
    """A warning if the channels cancel each other when they are mixed to one; None if they do not.

    That happens when one channel of a stereo recording has reversed polarity. The mel picture of such a
    sound is black.

    Args:
        clip: The sound, before it is mixed.
        name: What the message calls it.

    >>> cancelled_channels(Clip(np.array([[0.5, 0.1], [-0.5, -0.1]], np.float32), 8000), "a.wav")
    'The channels of a.wav have opposite phase and cancel out; invert or remove one of them.'
    """
    loudest = np.sqrt(np.square(clip.samples, dtype=np.float64).mean(1)).max()
    mixed = np.sqrt(np.square(clip.mono(), dtype=np.float64).mean())
    if len(clip.samples) < 2 or mixed > CANCELLED * loudest or loudest == 0:
        return None
    return f"The channels of {name} have opposite phase and cancel out; invert or remove one of them."


def resample(clip: Clip, rate_hz: int) -> Clip:
    """The same sound at another rate, by soxr at very high quality; linear phase, so nothing moves in time.

    The new number of frames is the old one times the ratio of the rates, rounded, and at least 1.
    """
    if rate_hz <= 0:
        raise ValueError(f"rate_hz must be positive; got {rate_hz}")
    if rate_hz == clip.rate_hz:
        return clip
    frames = max(1, round(clip.samples.shape[1] * rate_hz / clip.rate_hz))
    columns = np.ascontiguousarray(clip.samples.T)  # soxr may refuse a single frame in another order
    changed = soxr.resample(columns, clip.rate_hz, rate_hz, quality="VHQ").T[:, :frames]
    padded = np.pad(changed, ((0, 0), (0, frames - changed.shape[1])))
    return Clip(np.ascontiguousarray(padded, np.float32), rate_hz)


def peak_normalize(clip: Clip, peak: float = 0.95) -> Clip:
    """Scales all channels by one factor so that the largest sample is `peak`; silence stays silence."""
    if not 0 < peak <= 1:
        raise ValueError(f"peak must lie in (0, 1]; got {peak}")
    loudest = np.abs(clip.samples).max()
    if loudest == 0:
        return clip
    # Divided first: with a very small loudest sample, peak / loudest would overflow.
    return Clip((clip.samples / loudest * np.float32(peak)).astype(np.float32), clip.rate_hz)


def clip_from(value: Any, rate_hz: int | None = None) -> Clip:
    """A clip from what people have at hand.

    Args:
        value: A `Clip`, the path of a file, a numpy array with `rate_hz`, or a tuple of array and rate in
            either order, as soundfile, librosa and scipy return it. Arrays have one axis (samples) or two, of
            which the shorter is the channels. Floats have full scale -1 to 1; int16, int32 and uint8 are
            scaled to that.
        rate_hz: Samples per second of a numpy array; nothing else needs it.

    Raises:
        BadInput: Anything else, or a file that cannot be read.
    """
    if isinstance(value, np.ndarray):
        if rate_hz is None:
            raise BadInput("A numpy array of samples needs its rate; give rate_hz, in samples per second.")
        return _clip_from_array(value, rate_hz)
    if rate_hz is not None:
        raise BadInput(f"rate_hz is only for numpy arrays; {type(value).__name__} has its own rate.")
    if isinstance(value, Clip):
        return value
    if isinstance(value, str | os.PathLike):
        return read_sound(Path(value))
    if isinstance(value, tuple) and len(value) == 2:
        samples, rate = value if isinstance(value[0], np.ndarray) else value[::-1]
        if isinstance(samples, np.ndarray):
            return _clip_from_array(samples, rate)
    raise BadInput(
        f"A sound cannot be made from {type(value).__name__}; give a path, a Clip, or samples as a numpy "
        "array with their rate."
    )


def _clip_from_array(samples: NDArray[Any], rate_hz: object) -> Clip:
    if isinstance(rate_hz, float | np.number) and float(rate_hz).is_integer():
        rate_hz = int(rate_hz)
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int) or not 0 < rate_hz <= HIGHEST_RATE_HZ:
        raise BadInput(
            f"A sound cannot have the rate {rate_hz!r}; give a whole number of samples per second, "
            f"1 to {HIGHEST_RATE_HZ:,}."
        )
    if samples.ndim not in (1, 2) or 0 in samples.shape:
        raise BadInput(
            f"A numpy array of shape {samples.shape} is not a sound; give (samples,) or (channels, samples)."
        )
    by_channel = samples[None] if samples.ndim == 1 else samples
    if by_channel.shape[0] > by_channel.shape[1]:
        by_channel = by_channel.T
    floats = _full_scale(by_channel)
    if not np.isfinite(floats).all():
        raise BadInput("The samples are not all finite numbers (NaN or infinity); remove these first.")
    if np.abs(floats).max() > LOUDEST:
        raise BadInput(f"The samples are far beyond full scale (above {LOUDEST:.0e}); scale them to -1 to 1.")
    return Clip(np.ascontiguousarray(floats), rate_hz)


def _full_scale(samples: NDArray[Any]) -> Floats:
    """Samples as float32 with full scale -1 to 1."""
    if np.issubdtype(samples.dtype, np.floating):
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    if samples.dtype == np.uint8:  # as in WAV files: 128 is silence
        return (samples.astype(np.float32) - 128) / np.float32(128)
    if samples.dtype in (np.int16, np.int32):
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    raise BadInput(f"Samples of type {samples.dtype} have no known full scale; convert them to float32.")


def write_wav(path: Path, clip: Clip, *, recipe: str | None = None) -> None:
    """Writes 16-bit PCM WAV; samples beyond full scale are clipped. The same clip makes the same bytes.

    A sample is stored as the nearest multiple of 1 / 32768, so samples from a 16-bit file are written back
    unchanged. The recipe goes, in UTF-8, into the comment field of an INFO list behind the sound; other
    programs show or ignore it. (libsndfile can write that field, but reads back only some 2000 bytes of it.)

    Args:
        path: The file; missing folders are made.
        clip: The sound.
        recipe: Text without NUL characters.

    Raises:
        CannotWrite: No space, no permission, or too long for a WAV file (4 GB).
    """
    notes = b"" if recipe is None else _comment_chunk(recipe)
    header = _wav_header(path, clip, len(notes))

    def _write(draft: Path) -> None:
        with draft.open("wb") as file:
            file.write(header)
            _write_samples(file, clip.samples)
            file.write(notes)

    write_atomically(path, _write)


def read_recipe_from_wav(path: Path) -> str | None:
    """The recipe that `write_wav` stored, or None if the file carries none.

    Raises:
        BadInput: The file is missing, unreadable or not a WAV file.
    """
    check_readable(path, "a sound")
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:] != b"WAVE":
                raise BadInput(f"{path} is not a WAV file; name a WAV or PNG file that Eidophone made.")
            return _recipe(file)
    except OSError as error:
        raise cannot_read(path, error) from error


def _recipe(file: BinaryIO) -> str | None:
    for kind, length in _chunks(file):
        if kind == b"LIST" and length <= MOST_RECIPE_BYTES:
            comment = _comment(file.read(length))
            if comment is not None:
                return comment
    return None


def _wav_header(path: Path, clip: Clip, notes_bytes: int) -> bytes:
    channels, frames = clip.samples.shape
    data_bytes = 2 * channels * frames
    riff_bytes = WAV_HEADER_BYTES - 8 + data_bytes + notes_bytes
    if riff_bytes + 8 > RIFF_LIMIT_BYTES or channels > MOST_CHANNELS:
        raise CannotWrite(
            f"Cannot write {path}: {channels} channels of {clip.duration_s:.0f} s exceed the 4 GB of a "
            "WAV file; write a shorter part."
        )
    format_ = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, clip.rate_hz, 2 * channels * clip.rate_hz, 2 * channels, 16
    )
    return (
        struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE")
        + format_
        + struct.pack("<4sI", b"data", data_bytes)
    )


def _write_samples(file: BinaryIO, samples: Floats) -> None:
    for start in range(0, samples.shape[1], BLOCK_FRAMES):
        block = samples[:, start : start + BLOCK_FRAMES].T
        whole = np.clip(np.rint(np.clip(block, -1, 1) * 32768), -32768, 32767)
        file.write(whole.astype("<i2").tobytes())


def _comment_chunk(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a recipe must not contain NUL characters")
    comment = text.encode() + b"\0"
    padded = comment + b"\0" * (len(comment) % 2)
    return struct.pack("<4sI4s4sI", b"LIST", 12 + len(padded), b"INFO", b"ICMT", len(comment)) + padded


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yields kind and length of each RIFF chunk from here on, with the file at the chunk's content."""
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        content = file.tell()
        yield kind, length
        file.seek(content + length + length % 2)


def _comment(chunk: bytes) -> str | None:
    """The ICMT text in the content of a LIST chunk."""
    if chunk[:4] != b"INFO":
        return None
    fields = BytesIO(chunk[4:])
    for kind, length in _chunks(fields):
        if kind == b"ICMT":
            return fields.read(length).partition(b"\0")[0].decode("utf-8", "replace")
    return None
