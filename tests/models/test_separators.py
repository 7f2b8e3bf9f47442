"""Sources taken apart by what the tagger hears and when."""

import numpy as np
import pytest
import torch

from eidophone.models.captioners.sentence import Heard
from eidophone.models.captioners.tagged import sources
from eidophone.models.load import Loader
from eidophone.models.separators.contract import Separator
from eidophone.models.separators.masks import load_masks, masks_of

RATE = 16_000


def sdr_db(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019)."""
    scaled = (estimate @ truth) / (truth @ truth) * truth
    return float(10 * np.log10((scaled @ scaled) / ((estimate - scaled) @ (estimate - scaled))))


@pytest.fixture(scope="module")
def separator() -> Separator:
    return load_masks()


def tones() -> tuple[np.ndarray, np.ndarray]:
    """A low tone in the first two of three seconds, a high one in the last two."""
    time = np.arange(3 * RATE) / RATE
    low = 0.3 * np.sin(2 * np.pi * 440 * time) * (time < 2)
    high = 0.3 * np.sin(2 * np.pi * 3000 * time) * (time >= 1)
    return low.astype(np.float32), high.astype(np.float32)


LOW, HIGH = Heard("a low hum", 0.9, 0.0, 2.0), Heard("a high whistle", 0.9, 1.0, 3.0)


def test_two_tones_that_overlap_are_told_apart(separator: Separator) -> None:
    low, high = tones()
    stems = separator.separate(low + high, [LOW, HIGH])
    for stem, truth in zip(stems, (low, high), strict=True):
        assert sdr_db(stem, truth) > sdr_db(low + high, truth) + 10


def test_the_stems_add_up_to_the_sound_and_come_in_order(separator: Separator) -> None:
    low, high = tones()
    stems = separator.separate(low + high, [HIGH, LOW])
    assert stems.shape == (2, 3 * RATE) and stems.dtype == np.float32
    assert np.abs(stems.sum(0) - low - high).max() < 1e-4
    assert sdr_db(stems[0], high) > sdr_db(stems[1], high)


@pytest.mark.parametrize("frames", [1, 300, 20_000])
def test_a_sound_of_any_length_keeps_it(separator: Separator, frames: int) -> None:
    stems = separator.separate(np.full(frames, 0.1, np.float32), [LOW, HIGH])
    assert stems.shape == (2, frames) and np.isfinite(stems).all()


def test_the_shares_of_a_cell_add_up_to_one() -> None:
    magnitudes = torch.rand(9, 20, generator=torch.Generator().manual_seed(1))
    masks = masks_of(magnitudes, torch.rand(3, 20) + 0.01)
    assert masks.shape == (3, 9, 20) and float(masks.min()) >= 0
    assert torch.allclose(masks.sum(0), torch.ones(9, 20), atol=1e-5)


def test_what_never_sounds_gets_nothing() -> None:
    courses = torch.stack([torch.ones(20), torch.zeros(20)])
    assert float(masks_of(torch.rand(9, 20), courses)[1].max()) < 1e-6


def test_a_phrase_of_the_table_is_heard_by_its_class(separator: Separator) -> None:
    """Its own times do not matter then: the tagger says when."""
    noise = 0.2 * np.random.default_rng(2).standard_normal(3 * RATE).astype(np.float32)
    noise[: 2 * RATE] = 0
    phrase = next(source.phrase for source in sources() if source.name == "rain")
    early, late = (Heard(phrase, 0.9, start, start + 1) for start in (0.0, 2.0))
    courses = separator.courses(noise, [early, late], 300)  # type: ignore[attr-defined]
    assert np.array_equal(courses[0], courses[1]) and courses.max() == 1


def test_the_loader_finds_it_by_its_card() -> None:
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    assert loader.separator("tiny").rate_hz == RATE
