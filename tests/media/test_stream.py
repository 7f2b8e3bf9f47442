"""Sound in blocks: the same sound as at once, in little memory."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eidophone.core.errors import BadInput
from eidophone.media.audio import read_sound, resample
from eidophone.media.decode_sndfile import BLOCK_FRAMES
from eidophone.media.stream import mono_blocks, read_blocks


def noise(seconds: float, rate_hz: int, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal((round(seconds * rate_hz), channels))).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_blocks_join_to_the_whole(name: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / name, noise(14, 44_100), 44_100)
    blocks = list(read_blocks(tmp_path / name))
    whole = read_sound(tmp_path / name)
    assert len(blocks) > 1 and {b.rate_hz for b in blocks} == {44_100}
    assert max(b.samples.shape[1] for b in blocks) <= BLOCK_FRAMES
    assert np.array_equal(np.concatenate([b.samples for b in blocks], axis=1), whole.samples)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_mono_blocks_equal_resampling_at_once(rate_hz: int, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(14, 44_100), 44_100)
    joined = np.concatenate(list(mono_blocks(tmp_path / "a.wav", rate_hz)))
    whole = resample(read_sound(tmp_path / "a.wav"), rate_hz).mono()
    assert abs(len(joined) - len(whole)) <= 1
    frames = min(len(joined), len(whole))
    assert np.abs(joined[:frames] - whole[:frames]).max() < 1e-5


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        soundfile.write(tmp_path / "a.flac", np.zeros(seconds * 44_100, np.float32), 44_100)
        tracemalloc.start()
        frames = sum(len(block) for block in mono_blocks(tmp_path / "a.flac", 16_000))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert frames == pytest.approx(16_000 * seconds, abs=1)
        return found

    peaks = [peak(seconds) for seconds in (60, 600)]
    assert all(longer < 1.1 * shorter for shorter, longer in pairwise(peaks))


def test_a_cut_file_is_refused_by_blocks_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", noise(14, 44_100), 44_100)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=r"b\.flac"):
        list(mono_blocks(tmp_path / "b.flac", 16_000))
