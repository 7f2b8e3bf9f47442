"""Colouring: the sound stays, whatever the size; remade byte for byte; with random small stages."""

from pathlib import Path

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli.main import main
from eidophone.core.errors import BadInput, WeightsAbsent
from eidophone.media.picture import read_picture, write_png
from eidophone.models.load import Loader
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.colorize.stages import ColorizeStages, Frame
from tests.cascade import SCHEDULE


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
        # guided: two steps of stage I, which starts at its second step, and both steps of stage II
        assert result.facts["unet_evaluations"] == 2 * (2 + 2) and (result.folder / "video.mp4").is_file()
    assert (tmp_path / "contact-sheet.png").is_file()
    assert not np.array_equal(made[0].picture.pixels, made[1].picture.pixels)
    again = eidophone.remake(made[1].folder, out=tmp_path / "again")
    for name in ("picture.png", "spectrogram.png", "sound.wav"):
        assert (again.folder / name).read_bytes() == (made[1].folder / name).read_bytes()


def test_paper_is_the_published_loop(cascade: tuple[Path, Path]) -> None:
    """Stage I, written out with networks and scheduler of diffusers, both views estimated and averaged."""
    from diffusers import DDPMScheduler, UNet2DConditionModel

    gray = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    options = ColorizeOptions.make(
        picture="x", image_prompt="a dog", preset="paper", steps=4, upscale_steps=4, start_step=1
    )
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    model, told = loader.pixel(str(cascade[0]), {"prompt": "a dog", "negative prompt": ""})
    stages = Stages(options, gray, Frame.of(16, 16, 16, 8), told, lambda: None)
    ours = stages.small(model, 3).pixels

    unet = UNet2DConditionModel.from_pretrained(cascade[0] / "unet")
    plain = {k: v for k, v in SCHEDULE.items() if k != "_class_name"} | {"variance_type": "fixed_small"}
    scheduler = DDPMScheduler(**plain)
    scheduler.set_timesteps(4)
    generator = torch.Generator().manual_seed(1234 + 3)
    noise = torch.randn((1, 3, 16, 16), generator=generator)
    fixed = torch.from_numpy(gray).expand(1, 3, 16, 16) * 2 - 1
    x = scheduler.add_noise(fixed, noise, scheduler.timesteps[1:2])
    for t in scheduler.timesteps[1:]:
        x = x - x.mean(1, True) + scheduler.add_noise(fixed, noise, t[None]).mean(1, True)
        with torch.no_grad():
            told_no, told_yes = (unet(x, t, told[c]).sample[:, :3] for c in ("negative prompt", "prompt"))
        estimate = told_no + 10 * (told_yes - told_no)
        views = torch.stack([estimate.mean(1, True).expand(1, 3, 16, 16), estimate - estimate.mean(1, True)])
        x = scheduler.step(2 * views.mean(0), t, x, generator=generator).prev_sample
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=1e-4)


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
    with pytest.raises(BadInput, match="--start-step 7: the first stage has only 3 steps"):
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


@pytest.mark.slow
def test_the_embedded_pair_follows_the_colour_word(tmp_path: Path) -> None:
    """Two grey discs, in red and in blue, from the same noise."""
    y, x = np.mgrid[:128, :288]
    discs = np.maximum(0, 1 - ((y - 64) ** 2 + (x % 144 - 72) ** 2) / 50**2)
    write_png(tmp_path / "discs.png", eidophone.Picture.from_gray((0.7 * discs).astype(np.float32)))
    means = {}
    for colour in ("red", "blue"):
        prompt = f"a colorful photo of {colour} flowers"
        (made,) = eidophone.colorize(tmp_path / "discs.png", prompt, preset="draft", device="cpu")
        means[colour] = made.picture.pixels.mean((0, 1))
    assert means["red"][0] > 1.2 * means["red"][2] and means["blue"][2] > 1.2 * means["blue"][0], means
