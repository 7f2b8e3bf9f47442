"""Loudness: against FFmpeg's ebur128, and the laws of a gain."""

import math
import re

import av
import numpy as np
import pytest

from eidophone.core.values import Clip
from eidophone.media.loudness import measure, with_loudness

pytest.importorskip("pyloudnorm")


def sounds() -> dict[str, Clip]:
    random = np.random.default_rng(0)
    rate = 48_000
    time = np.arange(4 * rate) / rate
    tone = 0.25 * np.sin(2 * np.pi * 997 * time)
    bell = np.exp(-3 * (time % 1)) * np.sin(2 * np.pi * 1234 * time)
    noise = 0.1 * random.standard_normal((2, 4 * rate))
    gaps = np.where(time % 2 < 0.7, 0.3, 0.0005) * random.standard_normal(4 * rate)
    found = {"tone": tone[None], "bell": bell[None], "stereo noise": noise, "gaps": gaps[None]}
    return {name: Clip(each.astype(np.float32), rate) for name, each in found.items()}


def ffmpeg(clip: Clip) -> tuple[float, float]:
    """Integrated loudness in LUFS and true peak in dB, by FFmpeg's filter."""
    layout = ("mono", "stereo")[len(clip.samples) - 1]
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=clip.rate_hz, format="fltp", layout=layout, time_base=f"1/{clip.rate_hz}"
    )
    meter = graph.add("ebur128", "metadata=1:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(clip.samples), format="fltp", layout=layout)
    frame.sample_rate, frame.pts = clip.rate_hz, 0
    graph.push(frame)
    graph.push(None)
    found, peaks = -math.inf, []
    while True:
        try:
            out = graph.pull()
        except (av.BlockingIOError, av.EOFError):
            break
        facts = dict(out.metadata)
        found = float(facts["lavfi.r128.I"])
        peaks += [float(value) for name, value in facts.items() if re.search(r"true_peaks?_ch\d", name)]
    return found, 20 * math.log10(max(peaks))


@pytest.mark.parametrize("name", sounds())
def test_ffmpeg_measures_the_same(name: str) -> None:
    clip = sounds()[name]
    loudness, peak = ffmpeg(clip)
    ours = measure(clip)
    assert ours.integrated_lufs == pytest.approx(loudness, abs=0.5)
    assert ours.true_peak_db == pytest.approx(peak, abs=0.2)


@pytest.mark.parametrize("name", sounds())
@pytest.mark.parametrize("target", [-30.0, -14.0, -3.0])
def test_the_target_is_reached_or_the_peak_is(name: str, target: float) -> None:
    changed, said = with_loudness(sounds()[name], target)
    now = measure(changed)
    assert now.integrated_lufs == pytest.approx(said.integrated_lufs, abs=0.1)
    assert now.true_peak_db <= -1 + 0.01
    reached = now.integrated_lufs == pytest.approx(target, abs=0.1)
    assert reached or now.true_peak_db == pytest.approx(-1, abs=0.01)


@pytest.mark.parametrize("frames", [1, 100, 16_000])
def test_silence_stays_silence(frames: int) -> None:
    clip = Clip(np.zeros((1, frames), np.float32), 16_000)
    changed, said = with_loudness(clip, -14)
    assert not changed.samples.any() and said.integrated_lufs == -math.inf


def test_a_sound_shorter_than_a_gating_block_has_a_loudness() -> None:
    tone = sounds()["tone"]
    short = Clip(tone.samples[:, :4800].copy(), tone.rate_hz)
    assert measure(short).integrated_lufs == pytest.approx(measure(tone).integrated_lufs, abs=0.5)


def test_a_peak_between_two_samples_is_seen() -> None:
    time = np.arange(4800)
    tone = np.sin(2 * np.pi * time / 4 + np.pi / 4).astype(np.float32)  # samples at 0.707 of the peak
    assert np.abs(tone).max() < 0.71
    assert measure(Clip(tone[None], 48_000)).true_peak_db == pytest.approx(0, abs=0.5)
