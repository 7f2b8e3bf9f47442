"""Sound through libsndfile: exact seeking and exact lengths, for the formats that it knows well."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats
from eidophone.media.ogg import Span, links
from eidophone.media.truncation import CUT_SHORT, SPLICED

BLOCK_FRAMES = 1 << 18
OGG_PREROLL_S = 10.0  # libsndfile seeks wrongly within the last Ogg page; no page is longer than this
_COUNT_UNKNOWN = 1 << 60  # libsndfile's count for a stream whose header does not state its length

#: Where a stream starts in its file and where it ends (None: with the file), in bytes.
_Part = tuple[int, int | None]


class NotForLibsndfile(Exception):
    """FFmpeg should read this file instead."""


def decode(path: Path, start_s: float, duration_s: float | None) -> Iterator[tuple[Floats, int]]:
    """Yields (samples of shape (channels, frames), rate) block by block.

    Raises:
        NotForLibsndfile: Before anything was yielded: another format, or one that FFmpeg reads better.
        BadInput: Cut short or damaged.
    """
    parts: list[_Part] = [*links(path)] or [(0, None)]
    kinds = [_measured(path, part) for part in parts]
    rate_hz = kinds[0][1]
    if any(kind[1:] != kinds[0][1:] for kind in kinds):
        raise BadInput(f"{path} {SPLICED}")
    first, wanted = round(start_s * rate_hz), frames_of(duration_s, rate_hz)
    for part, (frames, _, _) in zip(parts, kinds, strict=True):
        if first < frames and wanted > 0:
            count = min(wanted, frames - first)
            for samples in _read(path, part, first, count):
                yield samples, rate_hz
            wanted -= count
        first = max(0, first - frames)


def frames_of(duration_s: float | None, rate_hz: int) -> int:
    """How many frames a duration is, at least 1; None is without end."""
    return sys.maxsize if duration_s is None else max(1, round(duration_s * rate_hz))


@contextmanager
def _opened(path: Path, part: _Part) -> Iterator[soundfile.SoundFile]:
    with path.open("rb") as file:
        try:
            sound = soundfile.SoundFile(Span(file, *part))
        except soundfile.LibsndfileError as error:
            raise NotForLibsndfile from error
        with sound:
            yield sound


def _measured(path: Path, part: _Part) -> tuple[int, int, int]:
    """Frames, rate and channels."""
    with _opened(path, part) as file:
        # libsndfile counts the frames of MP3 inside WAV wrongly.
        if file.frames >= _COUNT_UNKNOWN or file.subtype.startswith("MPEG"):
            raise NotForLibsndfile
        return file.frames, file.samplerate, file.channels


def _read(path: Path, part: _Part, first: int, count: int) -> Iterator[Floats]:
    with _opened(path, part) as file:
        ahead = first  # some codecs (GSM, G.72x) cannot seek: what comes before is decoded and dropped
        if file.seekable():
            ahead = min(first, round(OGG_PREROLL_S * file.samplerate)) if file.format == "OGG" else 0
        left = ahead + count
        try:
            if file.seekable():
                file.seek(first - ahead)
            # In blocks: a damaged header may promise more frames than there is memory.
            while left > 0 and len(block := file.read(min(left, BLOCK_FRAMES), "float32", always_2d=True)):
                left -= len(block)
                yield np.ascontiguousarray(block[ahead:].T)
                ahead = max(0, ahead - len(block))
        except soundfile.LibsndfileError as error:
            raise BadInput(f"{path} {CUT_SHORT}") from error
        if left > 0:
            raise BadInput(f"{path} is cut short: {left} frames are missing; copy or download it again.")
