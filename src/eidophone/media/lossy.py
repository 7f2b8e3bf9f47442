"""Sound through MP3, AAC and Opus, in memory: how it sounds after it was shared."""

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal

import av
import numpy as np

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Clip
from eidophone.media.audio import resample
from eidophone.media.decode_ffmpeg import decode_file

LossyCodec = Literal["mp3", "aac", "opus"]
#: FFmpeg's encoder and container.
_CODECS: dict[LossyCodec, tuple[str, str]] = {
    "mp3": ("libmp3lame", "mp3"),
    "aac": ("aac", "mp4"),
    "opus": ("libopus", "ogg"),
}
#: Frames given to an encoder at once.
BLOCK = 1024


def through_codec(clip: Clip, codec: LossyCodec, bit_rate: int) -> Clip:
    """The sound after it was encoded and decoded again, with the encoder's delay compensated.

    Everything happens in memory; no temporary file is written.

    Args:
        clip: The sound; clipped to full scale, mixed to one channel if it has more than two, and resampled to
            44.1 or 48 kHz, as for sharing.
        codec: The codec.
        bit_rate: In bits per second.

    Returns:
        A clip of the same length, at the encoder's rate.
    """
    blocks = list(decode_file(io.BytesIO(encoded(clip, codec, bit_rate)), f"the {codec} copy of a sound"))
    rate_hz = blocks[0][1]
    frames = round(clip.samples.shape[1] * rate_hz / clip.rate_hz)
    samples = np.concatenate([block for block, _ in blocks], axis=1)[:, :frames]
    return Clip(np.pad(samples, ((0, 0), (0, frames - samples.shape[1]))), rate_hz)


def encoded(clip: Clip, codec: LossyCodec, bit_rate: int) -> bytes:
    """The sound as the content of an MP3, M4A or Opus file; arguments as in `through_codec`.

    Raises:
        EidophoneError: FFmpeg lacks the encoder or the memory for it.
    """
    encoder, container_format = _CODECS[codec]
    sound = for_encoder(clip, (48_000,) if codec == "opus" else (44_100, 48_000))
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container_format, options={"fflags": "+bitexact"}) as container:
            stream = audio_stream(container, sound, encoder, bit_rate)
            for block in audio_frames(sound):
                container.mux(stream.encode(block))
            container.mux(stream.encode(None))
    except (av.FFmpegError, MemoryError) as error:
        raise cannot_encode(codec, error) from error
    return file.getvalue()


def cannot_encode(codec: str, error: Exception) -> EidophoneError:
    """The message for an encoder that failed for another reason than the disk."""
    if isinstance(error, MemoryError):
        return EidophoneError(f"Out of memory while encoding {codec}; close other programs and try again.")
    return EidophoneError(
        f"FFmpeg cannot encode {codec} here ({error}); close other programs and try again, "
        "or install PyAV's wheel from PyPI."
    )


def for_encoder(clip: Clip, rates: tuple[int, ...] = (44_100, 48_000)) -> Clip:
    """The sound in one or two channels, clipped to full scale, at a rate that every player supports.

    Args:
        clip: The sound.
        rates: Rates to choose from, in Hz: the first that is a whole multiple of the clip's, else the last.
    """
    channels = clip.samples if len(clip.samples) <= 2 else clip.mono()[None]
    rate_hz = next((rate for rate in rates if rate % clip.rate_hz == 0), rates[-1])
    sound = resample(Clip(channels, clip.rate_hz), rate_hz)
    return Clip(np.clip(sound.samples, -1, 1), rate_hz)


def audio_stream(
    container: av.container.OutputContainer, sound: Clip, encoder: str, bit_rate: int
) -> av.AudioStream:
    """A stream for `audio_frames` of a sound; the same sound makes the same bytes."""
    stream = container.add_stream(encoder, rate=sound.rate_hz, layout=_layout(len(sound.samples)))
    stream.bit_rate = bit_rate
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def audio_frames(sound: Clip) -> Iterator[av.AudioFrame]:
    """Blocks for an encoder, each with its time stamp, so that the encoder's delay is compensated."""
    for start in range(0, sound.samples.shape[1], BLOCK):
        block = np.ascontiguousarray(sound.samples[:, start : start + BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_layout(len(block)))
        frame.sample_rate = sound.rate_hz
        frame.pts, frame.time_base = start, Fraction(1, sound.rate_hz)
        yield frame


def _layout(channels: int) -> str:
    return ("mono", "stereo")[channels - 1]
