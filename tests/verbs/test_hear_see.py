"""A tone stays a tone, from sound to picture and back."""

from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.core.errors import BadInput
from eidophone.media.audio import write_wav
from eidophone.media.picture import write_png
from eidophone.media.spectrogram import gray_from_clip

RATE = 22_050


def peak_hz(samples: np.ndarray, rate_hz: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate_hz / len(samples))


def tone(hz: float, seconds: float = 2.0, rate_hz: int = RATE) -> eidophone.Clip:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return eidophone.Clip((0.4 * np.sin(2 * np.pi * hz * t))[None].astype(np.float32), rate_hz)


@pytest.mark.parametrize("hz", [220.0, 1000.0, 3000.0])
def test_a_tone_stays_a_tone(hz: float, pair: tuple[Path, Path], tmp_path: Path) -> None:
    write_wav(tmp_path / "tone.wav", tone(hz))
    seen = eidophone.see(tmp_path / "tone.wav", audio_model=str(pair[1]), out=tmp_path / "see")
    how = {"vocoder": "griffin-lim", "audio_model": str(pair[1])}
    heard = eidophone.hear(seen.folder / "spectrogram.png", out=tmp_path / "hear", **how)
    assert heard.clip.duration_s == pytest.approx(2.0, abs=0.02)
    band_hz = 130  # 32 bands over 4 kHz
    assert peak_hz(heard.clip.samples[0], heard.clip.rate_hz) == pytest.approx(hz, abs=band_hz)


def test_hear_gives_the_sound_of_the_result_that_it_reads(settings: dict, tmp_path: Path) -> None:
    (made,) = eidophone.compose("a", "b", count=1, steps=2, out=tmp_path / "o", **settings)
    heard = eidophone.hear(made.folder / "spectrogram.png", audio_model=settings["audio_model"])
    assert heard.clip.samples.shape == made.clip.samples.shape
    spec = eidophone.MelSpec.from_dict(made.recipe.mel_spec)
    heard_again, made_again = (gray_from_clip(clip, spec) for clip in (heard.clip, made.clip))
    assert np.abs(heard_again - made_again).mean() < 0.02


def test_any_picture_is_heard(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A white line from the bottom left to the top right rises in pitch."""
    pixels = np.zeros((100, 400, 3), np.float32)
    for x in range(400):
        pixels[max(0, 98 - x // 4) : 100 - x // 4, x] = 1
    write_png(tmp_path / "line.png", eidophone.Picture(pixels))
    heard = eidophone.hear(tmp_path / "line.png", audio_model=str(pair[1])).clip
    thirds = np.array_split(heard.samples[0], 3)
    pitches = [peak_hz(part, heard.rate_hz) for part in thirds]
    assert pitches == sorted(pitches) and pitches[2] > 2 * pitches[0]


def test_inverted_white_is_silence(pair: tuple[Path, Path], tmp_path: Path) -> None:
    write_png(tmp_path / "white.png", eidophone.Picture(np.ones((32, 64, 3), np.float32)))
    heard = eidophone.hear(tmp_path / "white.png", audio_model=str(pair[1]), invert=True)
    assert np.abs(heard.clip.samples).max() < 1e-3


def test_too_long_a_sound_is_refused_before_it_is_read(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    long = eidophone.Clip(np.zeros((1, 8000 * 600), np.float32), 8000)
    write_wav(tmp_path / "long.wav", long)
    with pytest.raises(BadInput, match="--duration-s"):
        eidophone.see(tmp_path / "long.wav", audio_model=str(pair[1]))
    part = eidophone.see(tmp_path / "long.wav", audio_model=str(pair[1]), start_s=500.0, duration_s=3.0)
    assert part.clip.duration_s == pytest.approx(3.0, abs=0.01)


def test_a_sound_that_is_drawn_keeps_its_length_rate_and_channels(tmp_path) -> None:
    stereo = np.stack([tone(500, 1.5, 48_000).samples[0], 0.5 * tone(900, 1.5, 48_000).samples[0]])
    eidophone.Clip(stereo, 48_000).save(tmp_path / "own.wav", subtype="24")
    seen = eidophone.see(tmp_path / "own.wav", normalize=False)
    assert seen.clip.rate_hz == 48_000 and seen.clip.samples.shape == stereo.shape
    assert np.abs(seen.clip.samples - stereo).max() < 1e-6


def test_a_picture_whose_edges_meet_is_played_as_a_loop(tmp_path) -> None:
    gray = np.zeros((128, 200), np.float32)
    gray[110:113] = 0.9
    eidophone.Picture.from_gray(gray).save(tmp_path / "line.png")

    def jump(clip: eidophone.Clip) -> float:
        sound = clip.samples[0].astype(float)
        bends = np.abs(np.diff(np.concatenate([sound, sound]), 2))
        return float(bends[len(sound) - 2 : len(sound)].max() / bends[: len(sound) - 2].max())

    plain, loop = (eidophone.hear(tmp_path / "line.png", loop=each).clip for each in (False, True))
    assert jump(loop) < 1 < jump(plain)
