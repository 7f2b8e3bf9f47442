"""Round trips through the codecs by which sounds are shared."""

import errno
import os
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Clip
from eidophone.media import lossy
from eidophone.media.audio import resample
from eidophone.media.lossy import encoded, through_codec


@pytest.mark.parametrize("codec", ["mp3", "aac"])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 48_000])
def test_a_round_trip_keeps_length_and_place(codec: str, rate_hz: int) -> None:
    time = np.arange(2 * rate_hz) / rate_hz
    burst = np.sin(2 * np.pi * 440 * time) * (np.abs(time - 1.1) < 0.2)
    clip = Clip((0.5 * burst).astype(np.float32)[None], rate_hz)
    heard = through_codec(clip, codec, 128_000)
    expected = resample(clip, heard.rate_hz).samples[0]
    assert heard.samples.shape == (1, len(expected))
    error = np.sqrt(np.mean((heard.samples[0] - expected) ** 2) / np.mean(expected**2))
    assert error < 0.1  # a shift of one frame in 44,100 would give more than 0.06, of five 0.3


@pytest.mark.parametrize("codec", ["mp3", "aac"])
def test_two_channels_stay_apart_and_bytes_repeat(codec: str) -> None:
    rng = np.random.default_rng(0)
    samples = np.stack([0.1 * rng.standard_normal(30_000), np.zeros(30_000)]).astype(np.float32)
    clip = Clip(samples, 44_100)
    heard = through_codec(clip, codec, 128_000)
    assert heard.samples[0].std() > 20 * heard.samples[1].std()
    assert encoded(clip, codec, 128_000) == encoded(clip, codec, 128_000)


@pytest.mark.parametrize("codec", ["mp3", "aac", "opus"])
def test_a_round_trip_needs_no_temporary_file(
    codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R50: TMPDIR may be full
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    clip = Clip(np.full((1, 16_000), 0.1, np.float32), 16_000)
    assert through_codec(clip, codec, 128_000).duration_s == pytest.approx(1)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (MemoryError(), "Out of memory while encoding mp3"),
        (av.ExternalError(1, "x"), "FFmpeg cannot encode mp3"),
    ],
)
def test_an_encoder_that_fails_is_a_sentence(
    problem: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R61
    def fails(*_args: object) -> None:
        raise problem

    monkeypatch.setattr(lossy, "audio_frames", fails)
    with pytest.raises(EidophoneError, match=words):
        encoded(Clip(np.zeros((1, 16_000), np.float32), 16_000), "mp3", 128_000)
