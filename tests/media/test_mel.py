"""The mel picture: laws of sound, and librosa as an independent implementation."""

from dataclasses import replace

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import (
    gray_from_clip,
    log_mel,
    log_mel_from_picture,
    magnitudes,
    mel_filters,
    picture_from_log_mel,
)

TINY = MelSpec(
    rate_hz=22_050, n_fft=1024, win_length=1024, hop_length=256, n_mels=128, floor=1e-3, ceiling=20.0
)
SPECS = [MelSpec(), TINY]


def sine(hz: float, spec: MelSpec, seconds: float = 1.0, amplitude: float = 0.5) -> torch.Tensor:
    t = torch.arange(round(seconds * spec.rate_hz)) / spec.rate_hz
    return amplitude * torch.sin(2 * torch.pi * hz * t)


@pytest.mark.parametrize("spec", SPECS)
def test_filters_are_librosas(spec: MelSpec) -> None:
    theirs = librosa.filters.mel(
        sr=spec.rate_hz, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.f_min, fmax=spec.f_max
    )
    assert np.abs(mel_filters(spec).numpy() - theirs).max() < 1e-6


@pytest.mark.parametrize("spec", SPECS)
def test_magnitudes_are_librosas(spec: MelSpec) -> None:
    wave = torch.randn(spec.rate_hz // 4, generator=torch.Generator().manual_seed(0))
    padded = np.pad(wave.numpy(), spec.padding, mode="reflect")
    theirs = librosa.stft(
        padded, n_fft=spec.n_fft, hop_length=spec.hop_length, win_length=spec.win_length, center=False
    )
    ours = magnitudes(wave, spec).numpy()
    assert np.abs(ours - np.sqrt(np.abs(theirs) ** 2 + 1e-9)).max() < 1e-3 * ours.std()


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("hz", [300.0, 1000.0, 3500.0])
def test_a_tone_lights_its_band(hz: float, spec: MelSpec) -> None:
    column = log_mel(sine(hz, spec), spec)[:, 20]
    centres = librosa.mel_frequencies(n_mels=spec.n_mels + 2, fmin=spec.f_min, fmax=spec.f_max)[1:-1]
    width = np.diff(centres)[column.argmax() - 1]
    assert centres[column.argmax()] == pytest.approx(hz, abs=1.5 * max(width, spec.rate_hz / spec.n_fft))


def test_twice_as_loud_is_a_step_of_log_two() -> None:
    quiet, loud = (log_mel(sine(1000, TINY, amplitude=a), TINY).amax() for a in (0.2, 0.4))
    assert float(loud - quiet) == pytest.approx(np.log(2), abs=1e-3)


@pytest.mark.parametrize("spec", SPECS)
def test_columns_are_hops(spec: MelSpec) -> None:
    for columns in (10, 97):
        assert log_mel(torch.zeros(spec.frames(columns)), spec).shape == (spec.n_mels, columns)


def test_a_click_stands_in_its_column() -> None:
    wave = torch.zeros(TINY.frames(50))
    wave[30 * TINY.hop_length + TINY.hop_length // 2] = 1.0
    assert log_mel(wave, TINY).mean(0).argmax() == 30


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**31))
def test_drawing_inverts(bands: int, columns: int, seed: int) -> None:
    logs = torch.randn(2, bands, columns, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(log_mel_from_picture(picture_from_log_mel(logs, TINY), TINY), logs, atol=1e-5)


def test_low_pitch_is_at_the_bottom_and_silence_is_black() -> None:
    clip = Clip(sine(200, TINY).numpy()[None], TINY.rate_hz)
    gray = gray_from_clip(clip, TINY)
    assert gray[:, 20].argmax() > 0.9 * TINY.n_mels
    assert gray_from_clip(Clip(np.zeros((2, 9000), np.float32), TINY.rate_hz), TINY).max() == 0


@pytest.mark.parametrize("frames", [1, 100, 383, 384, 385, 1000])
def test_short_sounds_are_filled_up(frames: int) -> None:
    gray = gray_from_clip(Clip(np.ones((1, frames), np.float32), TINY.rate_hz), TINY)
    assert gray.shape[0] == TINY.n_mels and 1 <= gray.shape[1] <= max(1, -(-frames // TINY.hop_length))


def test_gradients_flow_after_the_same_bands_served_without_them() -> None:
    spec = replace(TINY, n_mels=TINY.n_mels - 1)
    with torch.inference_mode():
        log_mel(torch.zeros(4000), spec)
    wave = torch.zeros(4000, requires_grad=True)
    log_mel(wave, spec).sum().backward()
    assert wave.grad is not None


def test_the_analysis_has_a_finite_gradient_in_silence() -> None:
    wave = torch.zeros(4000, requires_grad=True)
    log_mel(wave, TINY).sum().backward()
    assert wave.grad is not None and torch.isfinite(wave.grad).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"hop_length": 0}, {"win_length": 4096}, {"hop_length": 161}, {"f_max": 9000.0}, {"floor": 300.0},
        {"f_min": -1.0},
        {"n_mels": 2.0}, {"n_mels": True}, {"n_mels": "2"}, {"hop_length": None}, {"floor": "x"},
        {"f_min": False},
        {"ceiling": float("inf")}, {"f_min": float("nan")}, {"n_fft": 65_538}, {"n_mels": 4097},
        {"rate_hz": 1_000_001}, {"rate_hz": 10**400},
    ],
)  # fmt: skip
def test_an_impossible_picture_is_refused_where_it_is_made(wrong: dict) -> None:
    with pytest.raises(ValueError, match="mel settings are impossible"):
        MelSpec(**wrong)


def test_reading_a_spec_names_the_file_and_the_unknown_setting() -> None:
    assert MelSpec.from_dict(TINY.to_dict()) == TINY
    with pytest.raises(BadInput, match=r"m\.json: unknown mel setting 'hopp'"):
        MelSpec.from_dict({"hopp": 1}, "m.json")
    with pytest.raises(BadInput, match=r"m\.json: .*n_fft - hop_length must be even and not negative"):
        MelSpec.from_dict({"hop_length": 4096}, "m.json")
    for nothing in ([], 5, None, "x", [["hop_length", 4]]):
        with pytest.raises(BadInput, match=r"m\.json: mel settings must map names to values"):
            MelSpec.from_dict(nothing, "m.json")
    with pytest.raises(BadInput, match=r"m\.json: .*hop_length must be a whole number; got 1\.5"):
        MelSpec.from_dict({"hop_length": 1.5}, "m.json")
