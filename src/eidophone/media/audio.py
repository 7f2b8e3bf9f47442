"""Sound files to `Clip` and back.

Reads what libsndfile or FFmpeg can decode, and only the part that is asked for. Writes one thing: 16-bit
WAV, with the recipe of the sound inside. A broken file is refused, never repaired silently; what cannot
be found out about a cut file is listed in `truncation`. Sounds are neither mixed down nor made louder here
unless asked.
"""

import struct
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from eidophone.errors import BadInput, CannotWrite
from eidophone.media.files import check_readable, write_atomically
from eidophone.media.truncation import missing_bytes, starts_like_mpeg
from eidophone.values import Clip, Floats

BLOCK_FRAMES = 1 << 18
LONGEST_S = 1e9
PREROLL_S = 1.0  # decoders need some sound before the wanted part to be in step; MP3 and AAC much less
OGG_PREROLL_S = 10.0  # libsndfile seeks wrongly within the last Ogg page; no page is that long
SLACK_BYTES = 128  # some writers count their own header in, or end with a tag
WAV_HEADER_BYTES = 44
RIFF_LIMIT_BYTES = 2**32 - 1
MOST_CHANNELS = 2**15 - 1
GET_IT_AGAIN = "copy or download it again"
KNOWN_FORMATS = "try a WAV, FLAC, OGG, Opus, MP3 or M4A file"

# FFmpeg also opens playlists and scripts that name other files, and these are not sounds.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,matroska,mp3,"
    "mov,mpc,mpc8,mpeg,mpegts,ogg,oma,tta,voc,w64,wav,wv"
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
        raise _nothing(path, start_s)
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
    """Scales all channels by one factor so that the largest sample is `peak`; silence stays silence."""
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

    def _write(draft: Path) -> None:
        with draft.open("wb") as file:
            file.write(header)
            _write_samples(file, clip.samples)
            file.write(notes)

    write_atomically(path, _write)


def read_recipe_from_wav(path: Path) -> str | None:
    """The recipe that `write_wav` stored, or None if the file carries none.

    Raises:
        BadInput: Not there, or not a WAV file.
    """
    check_readable(path, "a sound")
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            raise BadInput(f"{path} is not a WAV file; name a WAV or PNG file that was made here.")
        for kind, length in _chunks(file):
            if kind == b"LIST" and (comment := _comment(file.read(length))) is not None:
                return comment
    return None


def _check_span(start_s: float, duration_s: float | None) -> None:
    if not 0 <= start_s < LONGEST_S:
        raise BadInput(
            f"A sound cannot be read from {start_s} s on; give a start of 0 or more seconds (below 1e9)."
        )
    if duration_s is not None and not 0 < duration_s < LONGEST_S:
        raise BadInput(f"A sound cannot be {duration_s} s long; give more than 0 seconds (below 1e9).")


def _nothing(path: Path, start_s: float) -> BadInput:
    if start_s == 0:
        return BadInput(f"{path} holds no sound, not a single sample; choose another file.")
    return BadInput(f"{path} holds no sound after {start_s:g} s; begin earlier.")


def _decode(path: Path, start_s: float, duration_s: float | None) -> tuple[Floats, int]:
    # libsndfile's MP3 decoder writes its worries to stderr, whatever it is told; FFmpeg's keeps quiet.
    if starts_like_mpeg(path):
        return _decode_by_ffmpeg(path, start_s, duration_s)
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        return _decode_by_ffmpeg(path, start_s, duration_s)
    with file:
        return _decode_by_libsndfile(path, file, start_s, duration_s), file.samplerate


def _decode_by_libsndfile(
    path: Path, file: soundfile.SoundFile, start_s: float, duration_s: float | None
) -> Floats:
    first = min(round(start_s * file.samplerate), file.frames)
    wanted = min(file.frames - first, _frames(duration_s, file.samplerate))
    ahead = min(first, round(OGG_PREROLL_S * file.samplerate)) if file.format == "OGG" else 0
    blocks = [np.zeros((0, file.channels), np.float32)]
    left = ahead + wanted
    try:
        file.seek(first - ahead)
        # In blocks: a damaged header may promise more frames than there is memory.
        while left > 0 and len(block := file.read(min(left, BLOCK_FRAMES), "float32", always_2d=True)):
            blocks.append(block)
            left -= len(block)
    except soundfile.LibsndfileError as error:
        raise BadInput(f"{path} is cut short or damaged; {GET_IT_AGAIN}.") from error
    if left > 0:
        raise BadInput(f"{path} is cut short: {left} frames are missing; {GET_IT_AGAIN}.")
    return np.ascontiguousarray(np.concatenate(blocks)[ahead:].T)


def _decode_by_ffmpeg(path: Path, start_s: float, duration_s: float | None) -> tuple[Floats, int]:
    try:
        options = {"format_whitelist": CONTAINERS}
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise BadInput(f"{path} holds no sound that can be decoded; {KNOWN_FORMATS}.")
            return _decode_stream(path, container, start_s, duration_s)
    except (av.FFmpegError, EOFError, UnicodeError) as error:
        raise BadInput(f"{path} is not a sound, or is damaged; {KNOWN_FORMATS}.") from error


def _decode_stream(
    path: Path, container: av.container.InputContainer, start_s: float, duration_s: float | None
) -> tuple[Floats, int]:
    blocks: list[Floats] = []
    rate_hz, decoded = 0, 0
    for position, block, rate in _blocks(container, start_s):
        if rate_hz and (rate != rate_hz or len(block) != len(blocks[0])):
            raise BadInput(f"{path} changes its rate or its channels on the way; convert it to WAV first.")
        rate_hz = rate
        first = round(start_s * rate_hz)
        end = first + _frames(duration_s, rate_hz)
        blocks.append(block[:, max(0, first - position) : max(0, end - position)])
        decoded = position + block.shape[1]
        if decoded >= end:
            break
    else:
        _check_matroska_is_whole(path, container, decoded / rate_hz if rate_hz else 0.0)
    if not blocks:
        raise _nothing(path, start_s)
    return np.ascontiguousarray(np.concatenate(blocks, axis=1)), rate_hz


def _blocks(container: av.container.InputContainer, start_s: float) -> Iterator[tuple[int, Floats, int]]:
    """Yields (position of the first frame, samples, rate); packets well before `start_s` are skipped.

    Seeking would be faster still, but in MP3 it lands only roughly where it was told to.
    """
    stream = container.streams.audio[0]
    origin = stream.start_time or 0
    # Matroska rounds its times to milliseconds, too coarse to skip by.
    fine = stream.time_base is not None and stream.time_base * stream.codec_context.sample_rate <= 1
    needed = origin + int((start_s - PREROLL_S) / stream.time_base) if fine else origin
    to_float = av.AudioResampler(format="flt")
    position: int | None = 0
    for packet in container.demux(stream):
        if packet.pts is not None and packet.pts < needed and needed > origin:
            position = None
            continue
        for decoded in packet.decode():
            if position is None:
                position = round((decoded.pts - origin) * decoded.time_base * decoded.sample_rate)
            for frame in to_float.resample(decoded):
                # Interleaved: PyAV 18 stumbles over planes when there are eight of them.
                block = frame.to_ndarray().reshape(frame.samples, -1).T
                yield position, block, frame.sample_rate
                position += block.shape[1]


def _check_matroska_is_whole(path: Path, container: av.container.InputContainer, decoded_s: float) -> None:
    """Matroska's header states the duration, which FFmpeg guesses for other containers."""
    if "matroska" not in container.format.name or len(container.streams) > 1 or not container.duration:
        return
    promised_s = container.duration / av.time_base
    if decoded_s < promised_s - 0.1:
        raise BadInput(
            f"{path} is cut short: {decoded_s:.1f} of {promised_s:.1f} s are there; {GET_IT_AGAIN}."
        )


def _frames(duration_s: float | None, rate_hz: int) -> int:
    return sys.maxsize if duration_s is None else max(1, round(duration_s * rate_hz))


def _wav_header(path: Path, clip: Clip, notes_bytes: int) -> bytes:
    channels, frames = clip.samples.shape
    data_bytes = 2 * channels * frames
    riff_bytes = WAV_HEADER_BYTES - 8 + data_bytes + notes_bytes
    if riff_bytes + 8 > RIFF_LIMIT_BYTES or channels > MOST_CHANNELS:
        raise CannotWrite(
            f"Cannot write {path}: {channels} channels of {clip.duration_s:.0f} s do not fit into a WAV file "
            "(4 GB at most); write a shorter part."
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
    """Kind and length of each RIFF chunk from here on; the file stands at the chunk's content."""
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
