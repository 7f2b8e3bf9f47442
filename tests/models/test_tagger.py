"""The tagger: its view of a sound, and what it hears."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from eidophone.core.errors import WeightsAbsent
from eidophone.models import tagger
from eidophone.models.tagger import RATE_HZ, SPAN, STEP, Tagger, load_tagger


@pytest.fixture(scope="module")
def ear() -> Tagger:
    return load_tagger()


def tone(hz: float, frames: int = RATE_HZ) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hz * torch.arange(frames) / RATE_HZ)


def test_a_higher_tone_lights_a_higher_band() -> None:
    bands = [tagger.log_mel_patches(tone(hz)[None])[0, 0, 40].argmax() for hz in (200, 400, 1600, 6400)]
    assert all(low < high for low, high in pairwise(bands))


def test_triangles_add_up_to_one_between_the_outer_peaks() -> None:
    hz = torch.linspace(0, RATE_HZ / 2, tagger.FFT // 2 + 1)
    inner = (hz > 250) & (hz < 7000)
    assert torch.allclose(tagger.mel_bank()[inner].sum(1), torch.ones(()), atol=1e-4)


def test_same_padding_keeps_the_ceiling_of_the_quotient() -> None:
    for length in (5, 6, 7):
        assert tagger.SameConv(1, 1, 3, 2)(torch.zeros(1, 1, length, 96)).shape[-2:] == (-(-length // 2), 48)


def test_a_window_hears_its_own_span_only(ear: Tagger) -> None:
    sound = 0.1 * torch.randn(3 * RATE_HZ, generator=torch.Generator().manual_seed(0))
    whole = ear.scores(sound)
    part = ear.scores(sound[2 * STEP : 2 * STEP + SPAN])
    assert part.shape == (1, 521)
    assert torch.allclose(whole[2], part[0], atol=1e-5)


def test_rows_do_not_depend_on_their_batch(ear: Tagger) -> None:
    sounds = torch.stack([tone(440), torch.zeros(RATE_HZ)])
    both = ear.scores(sounds)
    assert torch.allclose(both[0], ear.scores(sounds[0]), atol=1e-5)


def test_it_knows_silence_from_a_tone(ear: Tagger) -> None:
    (silence,) = ear.top(ear.scores(torch.zeros(RATE_HZ)).mean(0, keepdim=True), 1)
    (sine,) = ear.top(ear.scores(0.5 * tone(1000)).mean(0, keepdim=True), 5)
    assert silence == ["Silence"]
    assert {"Sine wave", "Beep, bleep"} & set(sine)


def test_absent_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsAbsent, match=str(tmp_path)):
        load_tagger(tmp_path)


def test_the_mel_bank_equals_transformers() -> None:
    from transformers.audio_utils import mel_filter_bank

    expected = mel_filter_bank(
        num_frequency_bins=tagger.FFT // 2 + 1,
        num_mel_filters=tagger.BANDS,
        min_frequency=tagger.LOW_HZ,
        max_frequency=tagger.HIGH_HZ,
        sampling_rate=tagger.RATE_HZ,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    assert np.abs(tagger.mel_bank().numpy() - expected).max() < 1e-4
