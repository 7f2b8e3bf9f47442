"""Clips to sound files for people: WAV, FLAC, MP3, Opus and Ogg Vorbis, chosen by the suffix."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Clip
from eidophone.media.audio import RIFF_LIMIT_BYTES, write_wav
from eidophone.media.decode_sndfile import BLOCK_FRAMES
from eidophone.media.files import write_atomically
from eidophone.media.lossy import LossyCodec, encoded, for_encoder

Subtype = Literal["16", "24", "float"]

#: libsndfile's names of the sample formats, by container.
_LOSSLESS: dict[str, dict[Subtype, str]] = {
    ".wav": {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"},
    ".flac": {"16": "PCM_16", "24": "PCM_24"},
}
_LOSSY: dict[str, LossyCodec] = {".mp3": "mp3", ".opus": "opus", ".m4a": "aac"}
_VORBIS = ".ogg"
SUFFIXES = (*_LOSSLESS, *_LOSSY, _VORBIS)
_BYTES: dict[Subtype, int] = {"16": 2, "24": 3, "float": 4}
_FLAC_CHANNELS, _FLAC_RATE_HZ, _LOSSY_CHANNELS = 8, 655_350, 2
_HEADER_BYTES = 4096


def save_clip(
    clip: Clip, path: str | os.PathLike[str], *, subtype: Subtype | None = None, bit_rate: int = 192_000
) -> None:
    """Writes a clip to a sound file; the suffix decides the format.

    The file is written under a temporary name and then renamed, and an existing file is replaced. Samples
    beyond full scale are clipped, except in WAV with 32-bit floats. MP3, M4A, Opus and Ogg Vorbis are
    resampled to 44.1 or 48 kHz.

    Args:
        clip: The sound.
        path: Ends in .wav, .flac, .mp3, .m4a, .opus or .ogg; missing folders are made.
        subtype: For WAV and FLAC: "16" or "24" bits, or for WAV "float" (32 bits); None is 16 bits.
        bit_rate: For MP3, M4A and Opus, in bits per second, 32,000 to 320,000.

    Raises:
        BadInput: A suffix, subtype, bit rate, or number of channels that the format does not have.
        CannotWrite: No space, no permission, or longer than the format allows.
        EidophoneError: The encoder failed.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{target}: sounds are not saved as {suffix or 'a file without suffix'!r}; {_use()}.")
    if subtype is not None and suffix not in _LOSSLESS:
        raise BadInput(f"{target}: {suffix} has no choice of {subtype!r}; save as .wav for that.")
    if not 32_000 <= bit_rate <= 320_000:
        raise BadInput(f"bit_rate must be 32,000 to 320,000 bits per second; got {bit_rate}.")
    if suffix in _LOSSLESS:
        _save_lossless(clip, target, suffix, subtype or "16")
        return
    if len(clip.samples) > _LOSSY_CHANNELS:
        raise BadInput(
            f"{target}: {suffix} is written with 1 or 2 channels, the clip has {len(clip.samples)}; "
            "use .wav or .flac."
        )
    if suffix == _VORBIS:
        _save_by_libsndfile(target, for_encoder(clip), "OGG", "VORBIS")
        return
    content = encoded(clip, _LOSSY[suffix], bit_rate)
    write_atomically(target, _writer(content))


def _use() -> str:
    return f"use {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _writer(content: bytes) -> Callable[[Path], None]:
    def _write(draft: Path) -> None:
        draft.write_bytes(content)

    return _write


def _save_lossless(clip: Clip, path: Path, suffix: str, subtype: Subtype) -> None:
    channels, frames = clip.samples.shape
    if subtype not in _LOSSLESS[suffix]:
        kinds = " or ".join(map(repr, _LOSSLESS[suffix]))
        raise BadInput(f"{path}: {suffix} has no subtype {subtype!r}; use {kinds}.")
    if suffix == ".flac" and (channels > _FLAC_CHANNELS or clip.rate_hz > _FLAC_RATE_HZ):
        raise BadInput(
            f"{path}: FLAC holds at most {_FLAC_CHANNELS} channels at {_FLAC_RATE_HZ} Hz, the clip has "
            f"{channels} at {clip.rate_hz} Hz; use .wav."
        )
    if suffix == ".wav" and subtype == "16":
        write_wav(path, clip)
        return
    if suffix == ".wav" and _BYTES[subtype] * channels * frames + _HEADER_BYTES > RIFF_LIMIT_BYTES:
        raise CannotWrite(f"Cannot write {path}: it exceeds the 4 GB of a WAV file; write a shorter part.")
    _save_by_libsndfile(path, clip, suffix[1:].upper(), _LOSSLESS[suffix][subtype])


def _save_by_libsndfile(path: Path, clip: Clip, container: str, subtype: str) -> None:
    # In memory first: libsndfile cannot report why a disk refused.
    content = io.BytesIO()
    try:
        with soundfile.SoundFile(
            content, "w", clip.rate_hz, len(clip.samples), subtype, format=container
        ) as file:
            # In blocks: libsndfile's Vorbis encoder overflows its stack when it gets minutes at once.
            for start in range(0, clip.samples.shape[1], BLOCK_FRAMES):
                block = clip.samples[:, start : start + BLOCK_FRAMES].T
                file.write(block if subtype == "FLOAT" else np.clip(block, -1, 1))
    except soundfile.LibsndfileError as error:
        raise BadInput(
            f"{path}: {container} cannot hold this sound ({error}); use another format."
        ) from error
    write_atomically(path, _writer(content.getvalue()))
