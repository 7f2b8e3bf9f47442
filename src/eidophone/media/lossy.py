"""Sound as MP3 and AAC: what it is when it has been sent to someone."""

import io
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np

from eidophone.core.values import Clip
from eidophone.media.audio import read_sound, resample

LossyCodec = Literal["mp3", "aac"]
#: FFmpeg's encoder and container, and the suffix by which the file is known.
_CODECS: dict[LossyCodec, tuple[str, str, str]] = {
    "mp3": ("libmp3lame", "mp3", ".mp3"),
    "aac": ("aac", "mp4", ".m4a"),
}
#: Frames that are handed to an encoder at once.
BLOCK = 1024


def through_codec(clip: Clip, codec: LossyCodec, bit_rate: int) -> Clip:
    """The sound after it was encoded and decoded again; the encoder's delay is made good.

    Args:
        clip: Of one or two channels; clipped to full scale and resampled to 44.1 or 48 kHz, as for sharing.
        bit_rate: Bits a second.

    Returns:
        As long as the clip, at the encoder's rate.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"sound{_CODECS[codec][2]}")
        path.write_bytes(encoded(clip, codec, bit_rate))
        heard = read_sound(path)
    frames = round(clip.samples.shape[1] * heard.rate_hz / clip.rate_hz)
    samples = heard.samples[:, :frames]
    return Clip(np.pad(samples, ((0, 0), (0, frames - samples.shape[1]))), heard.rate_hz)


def encoded(clip: Clip, codec: LossyCodec, bit_rate: int) -> bytes:
    """The sound as the content of an MP3 or M4A file; args as `through_codec`."""
    encoder, form, _ = _CODECS[codec]
    sound = for_encoder(clip)
    file = io.BytesIO()
    with av.open(file, "w", format=form, options={"fflags": "+bitexact"}) as container:
        stream = audio_stream(container, sound, encoder, bit_rate)
        for block in audio_frames(sound):
            container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return file.getvalue()


def for_encoder(clip: Clip) -> Clip:
    """The sound in one or two channels, at most full scale, at a rate that every player knows."""
    channels = clip.samples if len(clip.samples) <= 2 else clip.mono()[None]
    rate_hz = 44_100 if 44_100 % clip.rate_hz == 0 else 48_000
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
    """Blocks as an encoder wants them, each with its time, or the encoder's delay is not made good."""
    for start in range(0, sound.samples.shape[1], BLOCK):
        block = np.ascontiguousarray(sound.samples[:, start : start + BLOCK])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=_layout(len(block)))
        frame.sample_rate = sound.rate_hz
        frame.pts, frame.time_base = start, Fraction(1, sound.rate_hz)
        yield frame


def _layout(channels: int) -> str:
    return ("mono", "stereo")[channels - 1]
