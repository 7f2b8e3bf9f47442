"""Sound files in blocks, so that a recording of any length fits into memory: libsndfile, else FFmpeg.

A broken file is refused, never repaired silently; what cannot be found out about a cut file is listed in
`truncation`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Floats
from eidophone.media.files import check_readable
from eidophone.media.truncation import missing_bytes, starts_like_mpeg

BLOCK_FRAMES = 1 << 18
LONGEST_S = 1e9
PREROLL_S = 1.0  # decoders need some sound before the wanted part to be in step; MP3 and AAC much less
OGG_PREROLL_S = 10.0  # libsndfile seeks wrongly within the last Ogg page; no page is that long
SLACK_BYTES = 128  # some writers count their own header in, or end with a tag
GET_IT_AGAIN = "copy or download it again"
KNOWN_FORMATS = "try a WAV, FLAC, OGG, Opus, MP3 or M4A file"

# FFmpeg also opens playlists and scripts that name other files, and these are not sounds.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,matroska,mp3,"
    "mov,mpc,mpc8,mpeg,mpegts,ogg,oma,tta,voc,w64,wav,wv"
)


def read_blocks(path: Path, *, start_s: float = 0.0, duration_s: float | None = None) -> Iterator[Clip]:
    """Reads a sound file, or a part of it, in blocks of at most some seconds; see `audio.read_sound`.

    All blocks have the same rate and channels. What is wrong with a file may show only at its end.

    Raises:
        BadInput: As `audio.read_sound`.
    """
    _check_span(start_s, duration_s)
    check_readable(path, "a sound")
    if (missing := missing_bytes(path)) > SLACK_BYTES:
        raise BadInput(f"{path} is cut short: its end is missing, {missing} bytes of it; {GET_IT_AGAIN}.")
    empty = True
    for samples, rate_hz in _decode(path, start_s, duration_s):
        if not samples.shape[1]:
            continue
        if not np.isfinite(samples).all():
            raise BadInput(f"{path} holds samples that are not numbers (NaN or infinity); export it again.")
        empty = False
        yield Clip(samples, rate_hz)
    if empty:
        raise _nothing(path, start_s)


def mono_blocks(path: Path, rate_hz: int) -> Iterator[Floats]:
    """The mean of a file's channels at another rate, in blocks of shape (frames,); soxr, very high quality.

    The blocks together are `resample(read_sound(path), rate_hz).mono()` but for rounding and the last frame.

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


def _decode(path: Path, start_s: float, duration_s: float | None) -> Iterator[tuple[Floats, int]]:
    # libsndfile's MP3 decoder writes its worries to stderr, whatever it is told; FFmpeg's keeps quiet.
    if starts_like_mpeg(path):
        yield from _decode_by_ffmpeg(path, start_s, duration_s)
        return
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a name that ends in .raw
        yield from _decode_by_ffmpeg(path, start_s, duration_s)
        return
    with file:
        yield from _decode_by_libsndfile(path, file, start_s, duration_s)


def _decode_by_libsndfile(
    path: Path, file: soundfile.SoundFile, start_s: float, duration_s: float | None
) -> Iterator[tuple[Floats, int]]:
    first = min(round(start_s * file.samplerate), file.frames)
    wanted = min(file.frames - first, _frames(duration_s, file.samplerate))
    ahead = min(first, round(OGG_PREROLL_S * file.samplerate)) if file.format == "OGG" else 0
    left = ahead + wanted
    try:
        file.seek(first - ahead)
        # In blocks: a damaged header may promise more frames than there is memory.
        while left > 0 and len(block := file.read(min(left, BLOCK_FRAMES), "float32", always_2d=True)):
            left -= len(block)
            yield np.ascontiguousarray(block[ahead:].T), file.samplerate
            ahead = max(0, ahead - len(block))
    except soundfile.LibsndfileError as error:
        raise BadInput(f"{path} is cut short or damaged; {GET_IT_AGAIN}.") from error
    if left > 0:
        raise BadInput(f"{path} is cut short: {left} frames are missing; {GET_IT_AGAIN}.")


def _decode_by_ffmpeg(path: Path, start_s: float, duration_s: float | None) -> Iterator[tuple[Floats, int]]:
    try:
        options = {"format_whitelist": CONTAINERS}
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise BadInput(f"{path} holds no sound that can be decoded; {KNOWN_FORMATS}.")
            yield from _decode_stream(path, container, start_s, duration_s)
    except (av.FFmpegError, EOFError, UnicodeError) as error:
        raise BadInput(f"{path} is not a sound, or is damaged; {KNOWN_FORMATS}.") from error


def _decode_stream(
    path: Path, container: av.container.InputContainer, start_s: float, duration_s: float | None
) -> Iterator[tuple[Floats, int]]:
    kind: tuple[int, int] | None = None  # channels and rate
    decoded = 0
    for position, block, rate_hz in _blocks(container, start_s):
        if kind not in (None, (len(block), rate_hz)):
            raise BadInput(f"{path} changes its rate or its channels on the way; convert it to WAV first.")
        kind = len(block), rate_hz
        first = round(start_s * rate_hz)
        end = first + _frames(duration_s, rate_hz)
        yield np.ascontiguousarray(block[:, max(0, first - position) : max(0, end - position)]), rate_hz
        decoded = position + block.shape[1]
        if decoded >= end:
            break
    else:
        _check_matroska_is_whole(path, container, decoded / kind[1] if kind else 0.0)


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
