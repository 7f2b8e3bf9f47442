"""Colouring: the sound stays, whatever the size; remade byte for byte; with random small stages."""

from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.cli.main import main
from eidophone.errors import BadInput, WeightsAbsent
from eidophone.media.picture import read_picture, write_png


@pytest.fixture(scope="module")
def composed(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result's folder."""
    out = tmp_path_factory.mktemp("composed")
    how = {"image_model": str(pair[0]), "audio_model": str(pair[1]), "device": "cpu", "offline": True}
    (made,) = eidophone.compose("dogs", "barking", count=1, steps=2, out=out, **how)
    return made.folder


@pytest.fixture
def stages(cascade: tuple[Path, Path]) -> dict[str, object]:
    first, second = map(str, cascade)
    return {
        "image_model": first, "upscaler": second, "steps": 3, "upscale_steps": 2, "start_step": 1,
        "offline": True, "device": "cpu",
    }  # fmt: skip


def test_the_sound_and_the_gray_part_stay(composed: Path, stages: dict, tmp_path: Path) -> None:
    made = eidophone.colorize(composed, "a photo of dogs", count=2, out=tmp_path, **stages)
    before = read_picture(composed / "spectrogram.png").gray()
    heard_before = eidophone.hear(composed / "spectrogram.png").clip.samples
    for result in made:
        colored = read_picture(result.folder / "picture.png")
        assert np.abs(colored.gray() - before).mean() < 1e-6
        assert colored.pixels.std(2).max() > 0.01
        heard = eidophone.hear(result.folder / "picture.png").clip.samples
        assert np.abs(heard - heard_before).max() < 1e-4
        sounds = [eidophone.load(folder).clip.samples for folder in (composed, result.folder)]
        np.testing.assert_array_equal(*sounds)
        # both stages, guided, from the first step on
        assert result.facts["unet_evaluations"] == 2 * (2 + 1) and (result.folder / "video.mp4").is_file()
    assert (tmp_path / "contact-sheet.png").is_file()
    assert not np.array_equal(made[0].picture.pixels, made[1].picture.pixels)
    again = eidophone.remake(made[1].folder, out=tmp_path / "again")
    for name in ("picture.png", "spectrogram.png", "sound.wav"):
        assert (again.folder / name).read_bytes() == (made[1].folder / name).read_bytes()


@pytest.mark.parametrize("preset", ["paper", "draft"])
def test_any_picture_of_any_size_is_colored(
    preset: str, stages: dict, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    gray = np.random.default_rng(0).random((50, 31)).astype(np.float32)
    write_png(tmp_path / "mine.png", eidophone.Picture.from_gray(gray))
    few = {"steps": 3, "upscale_steps": 2, "start_step": 1}
    (made,) = eidophone.colorize(
        tmp_path / "mine.png", "a dog", audio_model=pair[1], preset=preset, **{**stages, **few}
    )
    played = eidophone.hear(tmp_path / "mine.png", audio_model=pair[1])
    assert made.picture.pixels.shape == (32, 20, 3)
    np.testing.assert_array_equal(made.clip.samples, played.clip.samples)


def test_it_is_refused_in_one_sentence(
    composed: Path, stages: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BadInput, match=r"no finished sample.*record\.json"):
        eidophone.colorize(tmp_path, "a dog")
    with pytest.raises(BadInput, match="--start-step 7: there are only 2 steps"):
        eidophone.colorize(composed, "a dog", **(stages | {"start_step": 7}))
    with pytest.raises(WeightsAbsent, match="accept its licence there"):
        eidophone.colorize(composed, "a dog", image_model="if-m", offline=True)


def test_the_command(composed: Path, stages: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    flags = [
        part
        for name, value in stages.items()
        for part in (f"--{name.replace('_', '-')}", *(() if value is True else (str(value),)))
    ]
    out = tmp_path / "out"
    assert main(["colorize", str(composed / "picture.png"), "a red dog", "--out", str(out), *flags]) == 0
    assert "picture" in capsys.readouterr().out
    assert eidophone.load(out / "0000").captions == ("a red dog", "barking")
