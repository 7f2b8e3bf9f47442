"""Paintings that play like their recording, and how much of the user's own sound is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip
from eidophone.media.audio import write_wav
from eidophone.media.mel import MelSpec
from eidophone.verbs.paint.plays import ENOUGH, STRENGTHS, WIDEST, Plays, set_into

RATE = 22_050
QUICK = {
    "steps": 2,
    "optimise": 2,
    "offline": True,
    "threads": 1,
    "caption": "a dog barking",
    "colors": False,
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three bursts of noise in a second."""
    time = np.arange(RATE) / RATE
    noise = np.random.default_rng(3).standard_normal(RATE) * np.exp(-8 * (time % 0.33)) * (time % 0.33 > 0.05)
    path = tmp_path_factory.mktemp("plays") / "bursts.wav"
    write_wav(path, Clip((0.2 * noise[None]).astype(np.float32), RATE))
    return path


@pytest.fixture(scope="module")
def played(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> eidophone.Result:
    colored = QUICK | {"colors": True}
    (made,) = eidophone.paint(recording, plays=True, out=tmp_path_factory.mktemp("made"), **colored)
    return made


def test_the_picture_is_what_plays(played: eidophone.Result, recording: Path) -> None:
    seen = eidophone.see(recording)
    shown = np.rint(255 * played.picture.gray())  # colours are whole levels of an 8-bit file
    assert np.array_equal(shown, np.floor(255 * played.spectrogram.astype(np.float64) + 0.5))
    assert played.spectrogram.shape == seen.spectrogram.shape
    assert played.clip.duration_s == pytest.approx(seen.clip.duration_s, abs=0.02)
    assert (played.folder / "painting.png").is_file()
    assert (played.folder / "recording-spectrogram.png").is_file()


def test_the_record_says_how_much_it_is_like_the_recording(played: eidophone.Result) -> None:
    facts = played.facts
    assert facts["strength"] in STRENGTHS
    assert -1 <= facts["sound_similarity"] <= 1
    assert len(facts["heard"]) == 2 and "Silence" not in facts["heard"]
    assert facts["same_class"] == (facts["heard"][0] == facts["heard"][1])
    assert len(facts["similarity_to_recording"]) == 2


def test_it_can_be_made_again(played: eidophone.Result, recording: Path, tmp_path: Path) -> None:
    again = eidophone.remake(played.folder, sound=recording, out=tmp_path)
    for name in ("picture.png", "sound.wav", "painting.png"):
        assert (again.folder / name).read_bytes() == (played.folder / name).read_bytes()


def test_more_strength_shows_more_of_the_painting(recording: Path) -> None:
    def off(strength: float) -> float:
        (made,) = eidophone.paint(
            recording, plays=True, strength=strength, **{**QUICK, "optimise": 0, "steps": 1}
        )
        return float(np.abs(made.spectrogram - eidophone.see(recording).spectrogram).mean())

    assert off(0.1) < off(0.5) < off(0.9)


def test_strength_needs_plays(recording: Path) -> None:
    with pytest.raises(BadInput, match="needs --plays"):
        eidophone.paint(recording, strength=0.3, **QUICK)


class Ear:
    """Hears the mean of a sound's bands, so that more painting is less like the recording."""

    def sound(self, samples: Tensor, _: int) -> Tensor:
        return torch.nn.functional.normalize(samples, dim=-1)


class Bands:
    """A vocoder that leaves the columns of a mel picture as they are, one band after another."""

    name = "bands"

    def __call__(self, logs: Tensor) -> Tensor:
        return logs.exp().flatten(1)


SPEC = MelSpec(rate_hz=8000, n_fft=256, win_length=256, hop_length=64, n_mels=8, f_max=4000.0)


def own(strength: float) -> Plays:
    gray = np.zeros((8, 24), np.float32)
    gray[:, 4:8] = 0.9
    return set_into(gray, Ear(), Bands(), SPEC, strength, 8)  # type: ignore[arg-type]


def test_the_gradient_reaches_the_painting() -> None:
    painting = torch.full((1, 3, 8, 24), 0.6, requires_grad=True)
    plays = own(0.5)
    plays.similarity(plays.canvas(painting * torch.linspace(0.5, 1, 24))).backward()
    assert painting.grad is not None and painting.grad.abs().sum() > 0


def test_the_strongest_painting_that_the_sound_bears_is_taken() -> None:
    plays = own(0.5)
    dark, light = torch.zeros(1, 3, 8, 24), torch.rand(1, 3, 8, 24)
    assert plays.strongest(dark) == STRENGTHS[0]
    found = plays.strongest(light)
    for strength in STRENGTHS:
        enough = float(plays.similarity(plays.canvas(light, strength))) >= ENOUGH
        if strength > found:
            assert not enough
        elif strength == found:
            assert enough or found == STRENGTHS[-1]


def test_a_recording_is_padded_to_whole_blocks_and_not_too_long() -> None:
    assert own(0.5).sound.shape == (1, 1, 8, 24)
    padded = dataclasses.replace(own(0.5))
    assert padded.heard.norm() == pytest.approx(1, abs=1e-5)
    with pytest.raises(BadInput, match="--duration-s"):
        set_into(np.zeros((8, WIDEST + 1), np.float32), Ear(), Bands(), SPEC, 0.5, 8)  # type: ignore[arg-type]


def test_your_own_sound_is_compared_with_what_became_of_it(recording: Path) -> None:
    (kept,) = eidophone.compose(
        "a castle", sound=recording, strength=0.0, steps=1, count=1, offline=True, threads=1
    )
    assert kept.facts["sound_similarity"] > 0.9 and len(kept.facts["heard"]) == 2
    assert kept.facts["unet_evaluations"] == 2  # the drawing's; the sound's model is not asked


def test_the_command(recording: Path, tmp_path: Path) -> None:
    flags = ["--steps", "1", "--optimise", "0", "--caption", "a dog", "--offline", "--threads", "1"]
    assert main(["paint", "--plays", str(recording), *flags, "--out", str(tmp_path / "out")]) == 0
    assert len(list(tmp_path.glob("out/**/painting.png"))) == 1
