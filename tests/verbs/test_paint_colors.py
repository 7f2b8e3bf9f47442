"""Paintings in colour: the grey values stay, and the published preset and old records are as before."""

from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.core.values import Clip, Picture
from eidophone.media.audio import write_wav
from eidophone.verbs.paint.colors import is_gray
from eidophone.verbs.paint.options import PaintOptions

RATE = 22_050
QUICK = {"preset": "draft", "steps": 2, "offline": True, "threads": 1, "caption": "a rooster crowing"}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("colors") / "noise.wav"
    noise = 0.1 * np.random.default_rng(5).standard_normal((1, RATE))
    write_wav(path, Clip(noise.astype(np.float32), RATE))
    return path


@pytest.fixture(scope="module")
def colored(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> eidophone.Result:
    (made,) = eidophone.paint(recording, out=tmp_path_factory.mktemp("made"), **QUICK)
    return made


def test_the_colours_change_no_grey_value(colored: eidophone.Result, recording: Path) -> None:
    (gray,) = eidophone.paint(recording, colors=False, **QUICK)
    assert is_gray(gray.picture) and not is_gray(colored.picture)
    assert np.ptp(colored.picture.pixels, axis=2).mean() > 0.01
    assert np.abs(colored.picture.gray() - gray.picture.gray()).max() <= 0.5 / 255 + 1e-6
    assert {"pixel", "upscaler"} <= set(colored.recipe.models) - set(gray.recipe.models)
    assert colored.facts["unet_evaluations"] == gray.facts["unet_evaluations"]


def test_a_coloured_painting_can_be_made_again(
    colored: eidophone.Result, recording: Path, tmp_path: Path
) -> None:
    again = eidophone.remake(colored.folder / "picture.png", sound=recording, out=tmp_path)
    assert (again.folder / "picture.png").read_bytes() == (colored.folder / "picture.png").read_bytes()


def test_the_published_preset_and_old_records_stay_grey() -> None:
    assert not PaintOptions.make(sound="a.wav", preset="paper").colors
    assert PaintOptions.make(sound="a.wav").colors
    old = PaintOptions.from_recorded({"sound": "a.wav", "seed": 3}, {})
    assert not old.colors and not old.sources and old.seed == 3
    new = PaintOptions.from_recorded(PaintOptions.make(sound="a.wav").plain(), {})
    assert new.colors and new.sources


def test_colours_that_are_there_stay(recording: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.float32)
    assert is_gray(Picture(pixels))
    pixels[1, 2] = (0.2, 0.4, 0.2)
    assert not is_gray(Picture(pixels))


def test_missing_colour_models_are_named_before_anything_is_painted(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(eidophone.EidophoneError, match="if-xl"):
        eidophone.paint(recording, color_model="if-xl", out=tmp_path / "o", **QUICK)
    assert not list((tmp_path / "o").glob("*")) if (tmp_path / "o").exists() else True
