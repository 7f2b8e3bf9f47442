"""Band extension: there is sound above the limit, what lies below is the same, and silence stays silent."""

import numpy as np
import pytest

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.bandwidth import extended

RATE, LIMIT = 44_100, 8000.0


def limited(slope_db: float, seed: int = 0) -> Clip:
    """Three seconds of noise up to the limit that pulses and gets quieter by so much an octave."""
    random = np.random.default_rng(seed)
    count = 3 * RATE
    spectrum = np.fft.rfft(random.standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum *= np.where(hertz < LIMIT, 10 ** (slope_db * np.log2(np.maximum(hertz, 100) / 100) / 20), 0)
    wave = np.fft.irfft(spectrum, count)
    return Clip((0.3 * wave / np.abs(wave).max())[None].astype(np.float32), RATE)


def power_db(samples: np.ndarray, low: float, high: float) -> float:
    """Mean power of the bins from low to high, in dB."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(10 * np.log10(spectrum[(hertz >= low) & (hertz < high)].mean() + 1e-30))


@pytest.mark.parametrize("slope_db", [-9.0, -18.0])
def test_the_band_above_goes_on_as_the_band_below_falls(slope_db: float) -> None:
    before = limited(slope_db)
    after = extended(before, LIMIT).samples[0]
    assert power_db(before.samples[0], 8500, 16_000) < power_db(before.samples[0], 4000, 7500) - 60
    for hertz in (9000, 12_000, 15_000):
        expected = power_db(before.samples[0], 5500, 6000) + slope_db * np.log2(hertz / 5750)
        assert power_db(after, hertz - 250, hertz + 250) == pytest.approx(expected, abs=4)


def test_what_lies_below_the_limit_is_the_same() -> None:
    before = limited(-9)
    change = extended(before, LIMIT).samples[0] - before.samples[0]
    assert power_db(change, 0, 7900) < power_db(before.samples[0], 4000, 7900) - 60


def test_what_is_added_pulses_with_the_sound() -> None:
    before = limited(-6)
    gate = ((np.arange(3 * RATE) // (RATE // 2)) % 2).astype(np.float32)
    change = extended(Clip(before.samples * gate, RATE), LIMIT).samples[0] - before.samples[0] * gate
    middle = change.reshape(6, -1)[:, RATE // 8 : -RATE // 8].std(1)
    assert middle[1::2].min() > 100 * middle[::2].max()


def test_silence_stays_silent_and_short_sounds_work() -> None:
    silent = Clip(np.zeros((2, 5000), np.float32), RATE)
    assert not extended(silent, LIMIT).samples.any()
    short = Clip(limited(-6).samples[:, :300], RATE)
    assert extended(short, LIMIT).samples.shape == (1, 300)


def test_a_rate_without_room_is_refused() -> None:
    with pytest.raises(BadInput, match="use a higher --rate"):
        extended(Clip(np.zeros((1, 5000), np.float32), 16_000), LIMIT)
