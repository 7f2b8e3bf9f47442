"""Stereo from colour: laws of panning, and what a picture of two colours does to two tones."""

import numpy as np
import pytest

from eidophone.core.values import Clip, Picture
from eidophone.media.mel import MelSpec
from eidophone.media.stereo import pan_of, panned

SPEC = MelSpec(rate_hz=16_000, n_fft=512, win_length=512, hop_length=128, n_mels=64, f_max=8000, floor=1e-3)
RED, BLUE, GREEN, WHITE = (0.8, 0, 0), (0, 0, 0.8), (0, 0.8, 0), (0.8, 0.8, 0.8)


def picture(*rows: list[tuple[float, float, float]]) -> Picture:
    """Fields of colour, row by row from the top, 32 x 32 pixels each."""
    fields = np.array(rows, np.float32)
    return Picture(fields.repeat(32, 0).repeat(32, 1))


@pytest.fixture(scope="module")
def tones() -> Clip:
    time = np.arange(32_000) / 16_000
    wave = 0.2 * np.sin(2 * np.pi * 300 * time) + 0.2 * np.sin(2 * np.pi * 5000 * time)
    return Clip(wave[None].astype(np.float32), 16_000)


def level(samples: np.ndarray, hertz: float) -> float:
    """Amplitude of a tone."""
    time = np.arange(len(samples)) / 16_000
    return float(2 * abs(np.mean(samples * np.exp(-2j * np.pi * hertz * time))))


def test_pan_is_left_for_red_right_for_blue_and_the_middle_for_grey() -> None:
    pan = pan_of(picture([RED, BLUE, GREEN, WHITE, (0, 0, 0)]))[0, ::32]
    assert np.allclose(pan, [-1, 1, 0, 0, 0], atol=1e-6)
    assert np.allclose(pan_of(picture([(0.4, 0, 0), (0.1, 0, 0)])), -1)


@pytest.mark.parametrize("colour", [WHITE, GREEN, (0, 0, 0)])
def test_without_red_and_blue_both_channels_are_the_sound(colour: tuple, tones: Clip) -> None:
    stereo = panned(tones, picture([colour]), SPEC)
    assert stereo.samples.shape == (2, 32_000)
    assert np.abs(stereo.samples - tones.samples).max() < 1e-5


def test_rows_pan_bands(tones: Clip) -> None:
    """Red above, blue below: the high tone is on the left, the low one on the right."""
    left, right = panned(tones, picture([RED], [BLUE]), SPEC).samples
    assert level(left, 5000) > 30 * level(right, 5000)
    assert level(right, 300) > 30 * level(left, 300)


def test_columns_pan_moments(tones: Clip) -> None:
    left, right = panned(tones, picture([RED, BLUE]), SPEC).samples
    early, late = slice(2000, 14_000), slice(18_000, 30_000)
    assert left[early].std() > 30 * right[early].std()
    assert right[late].std() > 30 * left[late].std()


@pytest.mark.parametrize("colour", [RED, BLUE, (0.8, 0.1, 0.5), WHITE])
def test_panning_keeps_the_power(colour: tuple, tones: Clip) -> None:
    stereo = panned(tones, picture([colour]), SPEC).samples
    assert (stereo**2).mean(1).sum() == pytest.approx(2 * (tones.samples**2).mean(), rel=0.01)
    assert np.abs(stereo).max() <= 1
