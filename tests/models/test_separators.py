"""Sources taken apart by what the tagger hears and when."""

from pathlib import Path

import numpy as np
import pytest
import torch

from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.models.captioners.sentence import Heard
from eidophone.models.captioners.tagged import sources
from eidophone.models.load import Loader
from eidophone.models.separators.contract import Separator
from eidophone.models.separators.conv_tasnet import ConvTasNet, TasNetConfig, load_conv_tasnet
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


#: A small network, as Asteroid writes its `model_args`.
ARGS = {
    "n_src": 2, "out_chan": None, "n_blocks": 2, "n_repeats": 2, "bn_chan": 8, "hid_chan": 12, "skip_chan": 8,
    "conv_kernel_size": 3, "norm_type": "gLN", "mask_act": "relu", "in_chan": 10, "causal": False,
    "fb_name": "free", "kernel_size": 16, "n_filters": 10, "stride": 8, "encoder_activation": None,
    "sample_rate": 16_000,
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Asteroid's layout, with weights that a formula gives."""
    weights = ConvTasNet(TasNetConfig(**ARGS)).state_dict()
    for number, (_, weight) in enumerate(sorted(weights.items())):
        course = torch.sin(torch.arange(weight.numel(), dtype=torch.float64) * 0.37 + number)
        weight.copy_(0.3 * course.reshape(weight.shape))
    path = tmp_path_factory.mktemp("tasnet") / "pytorch_model.bin"
    torch.save({"model_name": "ConvTasNet", "state_dict": weights, "model_args": ARGS}, path)
    return path


def test_conv_tasnet_gives_the_numbers_of_asteroid(checkpoint: Path) -> None:
    """Asteroid 0.7.0 gave these for the same weights and the same sound."""
    sound = torch.sin(torch.arange(200, dtype=torch.float64) * 0.05).float()[None, None] * 0.5
    with torch.no_grad():
        found = load_conv_tasnet("t", checkpoint, torch.device("cpu")).network(sound)
    assert found.shape == (1, 2, 200)
    expected = [[0.04623, 0.11747, 0.01556, 0.14665], [0.04288, 0.07355, -0.02527, 0.07092]]
    assert found[0][:, [20, 50, 90, 150]].numpy() == pytest.approx(np.array(expected), abs=2e-5)


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_every_source_gets_a_part_of_the_network(checkpoint: Path, sources: int) -> None:
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    separator = loader.separator(str(checkpoint))
    low, high = tones()
    stems = separator.separate(low + high, [LOW, HIGH, Heard("rain falling", 0.5, 0.0, 3.0)][:sources])
    assert separator.rate_hz == RATE and stems.shape == (sources, 3 * RATE) and np.isfinite(stems).all()
    assert all(np.abs(stem).max() > 0 for stem in stems)


def test_another_network_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    given = torch.load(checkpoint, weights_only=True)
    for change in (
        {"model_name": "DPRNNTasNet"},
        {"model_args": {**ARGS, "norm_type": "cLN"}},
        {"model_args": {**ARGS, "n_filters": 11}},
        {"state_dict": {}},
    ):
        torch.save(given | change, tmp_path / "other.bin")
        with pytest.raises(BadInput, match=r"other\.bin"):
            load_conv_tasnet("t", tmp_path / "other.bin", torch.device("cpu"))


def test_an_absent_checkpoint_is_said_to_be_absent() -> None:
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    with pytest.raises(WeightsAbsent, match="conv-tasnet"):
        loader.separator("conv-tasnet")
