"""Sound through FFmpeg (PyAV): MP3, AAC, M4A, WebM and all that libsndfile does not know or is unsure of."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.media.decode_sndfile import frames_of
from eidophone.media.truncation import GET_IT_AGAIN, SPLICED

PREROLL_S = 1.0  # decoders need some sound before the wanted part; MP3 and AAC need much less
KNOWN_FORMATS = "try a WAV, FLAC, OGG, Opus, MP3 or M4A file"

#: FFmpeg's readers that open nothing but the file itself. It also opens playlists and scripts, which name
#: other files.
CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,oma,qoa,rm,shn,tak,truehd,tta,voc,w64,wav,wv,xwma"
)
#: Files of bare frames, in which tags and padding stand between the frames.
_BARE = {"mp3", "aac", "ac3", "eac3", "dts"}
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")


class _Named(io.BufferedReader):
    """An open file whose name tells FFmpeg the suffix only: it opens nothing by name."""

    suffix = ""

    @property
    def name(self) -> str:
        """For example "sound.mp3"."""
        return f"sound{self.suffix}"

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """-1 for a place that is not in the file, which FFmpeg understands; PyAV would print an exception."""
        try:
            return super().seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def decode(path: Path, start_s: float, duration_s: float | None) -> Iterator[tuple[Floats, int]]:
    """Yields (samples of shape (channels, frames), rate) block by block.

    Raises:
        BadInput: Not a sound, cut short or damaged.
    """
    with path.open("rb", buffering=0) as raw:
        file = _Named(raw)
        file.suffix = path.suffix if path.suffix.isascii() and path.suffix.isprintable() else ""
        yield from decode_file(file, str(path), start_s, duration_s)


def decode_file(
    file: BinaryIO, name: str, start_s: float = 0.0, duration_s: float | None = None
) -> Iterator[tuple[Floats, int]]:
    """As `decode`, from an open file; `name` stands in messages."""
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(file, options=options, metadata_errors="replace") as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise BadInput(f"{name} holds no sound that can be decoded; {KNOWN_FORMATS}.")
            yield from _decode_stream(name, container, start_s, duration_s)
    except av.error.MemoryError as error:  # most often a damaged header that asks for gigabytes
        raise BadInput(f"{name} is damaged, or needs more memory than there is; {GET_IT_AGAIN}.") from error
    except (av.FFmpegError, EOFError, UnicodeError) as error:
        raise BadInput(f"{name} is not a sound, or is damaged; {KNOWN_FORMATS}.") from error


def _decode_stream(
    name: str, container: av.container.InputContainer, start_s: float, duration_s: float | None
) -> Iterator[tuple[Floats, int]]:
    kind: tuple[int, int] | None = None  # channels and rate
    decoded = 0
    for position, block, rate_hz in _blocks(container, start_s):
        if kind not in (None, (len(block), rate_hz)):
            raise BadInput(f"{name} {SPLICED}")
        kind = len(block), rate_hz
        first = round(start_s * rate_hz)
        end = first + frames_of(duration_s, rate_hz)
        yield np.ascontiguousarray(block[:, max(0, first - position) : max(0, end - position)]), rate_hz
        decoded = position + block.shape[1]
        if decoded >= end:
            break
    else:
        _check_matroska_is_whole(name, container, decoded / kind[1] if kind else 0.0)


def _blocks(container: av.container.InputContainer, start_s: float) -> Iterator[tuple[int, Floats, int]]:
    """Yields (position of the first frame, samples, rate); packets well before `start_s` are skipped.

    Seeking would be faster, but in MP3 it lands only near the wanted place.
    """
    stream = container.streams.audio[0]
    stream.codec_context.thread_count = 1
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
        for decoded in _frames(packet, container.format.name):
            if position is None:
                position = round((decoded.pts - origin) * decoded.time_base * decoded.sample_rate)
            for frame in to_float.resample(decoded):
                # Interleaved: PyAV 18 fails on planes when there are eight of them.
                block = frame.to_ndarray().reshape(frame.samples, -1).T
                yield position, block, frame.sample_rate
                position += block.shape[1]


def _frames(packet: av.Packet, container: str) -> list[av.AudioFrame]:
    """What a packet decodes to; nothing, if it is a tag or padding between joined files."""
    try:
        decoded: list[av.AudioFrame] = packet.decode()
    except av.InvalidDataError:
        content = bytes(packet).lstrip(b"\0")
        if container in _BARE and (not content or content.startswith(_TAGS)):
            return []
        raise
    return decoded


def _check_matroska_is_whole(name: str, container: av.container.InputContainer, decoded_s: float) -> None:
    """Matroska's header states the duration; for other containers FFmpeg estimates it."""
    if "matroska" not in container.format.name or len(container.streams) > 1 or not container.duration:
        return
    promised_s = container.duration / av.time_base
    if decoded_s < promised_s - 0.1:
        raise BadInput(
            f"{name} is cut short: it holds {decoded_s:.1f} of {promised_s:.1f} s; {GET_IT_AGAIN}."
        )
