"""Colouring: the sound stays, whatever the size; remade byte for byte; with random small stages."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli.program import main
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
def stages(cascade: tuple[Path, Path], pair: tuple[Path, Path]) -> dict[str, object]:
    first, second = map(str, cascade)
    return {
        "image_model": first, "upscaler": second, "audio_model": str(pair[1]), "steps": 3, "upscale_steps": 2,
        "start_step": 1,
        "offline": True, "device": "cpu",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sound.wav", "spectrogram.png"])
def test_no_link_in_a_result_is_followed(name: str, composed: Path, stages: dict, tmp_path: Path) -> None:
    theirs = shutil.copytree(composed, tmp_path / "theirs")
    (theirs / name).rename(tmp_path / "private")
    (theirs / name).symlink_to(tmp_path / "private")
    for given in (theirs, theirs / "picture.png"):
        with pytest.raises(BadInput, match=f"{name}: is a link"):
            eidophone.colorize(given, "a photo of dogs", count=1, **stages)


def test_the_sound_and_the_gray_part_stay(composed: Path, stages: dict, tmp_path: Path) -> None:
    player = {"audio_model": stages["audio_model"]}
    made = eidophone.colorize(composed, "a photo of dogs", count=2, out=tmp_path, **stages)
    before = read_picture(composed / "spectrogram.png").gray()
    heard_before = eidophone.hear(composed / "spectrogram.png", **player).clip.samples
    for result in made:
        colored = read_picture(result.folder / "picture.png")
        assert np.abs(colored.gray() - before).mean() < 1e-6
        assert colored.pixels.std(2).max() > 0.01
        heard = eidophone.hear(result.folder / "picture.png", **player).clip.samples
        assert np.abs(heard - heard_before).max() < 1e-4
        sounds = [eidophone.load(folder).clip.samples for folder in (composed, result.folder)]
        np.testing.assert_array_equal(*sounds)
        # guided: two steps of stage I, which starts at its second step, and both steps of stage II
        assert result.facts["unet_evaluations"] == 2 * (2 + 2) and (result.folder / "video.mp4").is_file()
    assert (tmp_path / "contact-sheet.png").is_file()
    assert not np.array_equal(made[0].picture.pixels, made[1].picture.pixels)
    again = eidophone.remake(
        made[1].folder,
        out=tmp_path / "again",
        **player,
        image_model=stages["image_model"],
        upscaler=stages["upscaler"],
        picture=composed / "spectrogram.png",
        sound=composed / "sound.wav",
    )
    for name in ("picture.png", "spectrogram.png", "sound.wav"):
        assert (again.folder / name).read_bytes() == (made[1].folder / name).read_bytes()


def published_stage(
    unet: Any, conditions: dict, gray: np.ndarray, draws: torch.Generator, start: int, beside: tuple = ()
) -> torch.Tensor:
    """One stage with network and scheduler of diffusers, as algorithms.md has it; both views estimated."""
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(**{k: v for k, v in SCHEDULE.items() if k != "_class_name"})
    scheduler.set_timesteps(4)
    fixed = torch.from_numpy(gray).expand(1, 3, *gray.shape) * 2 - 1
    x = torch.randn(fixed.shape, generator=draws)
    for number, t in list(enumerate(scheduler.timesteps))[start:]:
        noise = torch.randn(fixed.shape, generator=draws)
        noisy = scheduler.add_noise(fixed, noise, t[None]).mean(1, True).expand_as(fixed)
        x = 2 * noisy if start and number == start else x - x.mean(1, True) + noisy
        seen = torch.cat([x, *beside[:1]], 1)
        more = {"class_labels": torch.tensor([beside[1]])} if beside else {}
        with torch.no_grad():
            without, wanted = (
                unet(seen, t, conditions[c], **more).sample for c in ("negative prompt", "prompt")
            )
        estimate = without[:, :3] + 10 * (wanted[:, :3] - without[:, :3])
        views = torch.stack([estimate.mean(1, True).expand_as(x), estimate - estimate.mean(1, True)])
        answer = torch.cat([2 * views.mean(0), wanted[:, 3:]], 1)
        x = scheduler.step(answer, t, x, generator=draws).prev_sample
    return x


def test_paper_is_the_published_loop(cascade: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stages, written out with networks and schedulers of diffusers."""
    from diffusers import DDPMScheduler, UNet2DConditionModel

    gray = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    options = ColorizeOptions.make(
        picture="x", image_prompt="a dog", preset="paper", steps=4, upscale_steps=4, start_step=1
    )
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    model, conditions = loader.pixel(str(cascade[0]), {"prompt": "a dog", "negative prompt": ""})
    frame = Frame.of(64, 64, 16, 8, antialias=options.antialias)
    stages = ColorizeStages(options, gray, frame, conditions, lambda: None)
    small = stages.small(model, 3)
    ends = []
    monkeypatch.setattr(Frame, "taken", lambda self, pixels, *_: ends.append(pixels))
    stages.large(loader.upscaler(str(cascade[1])), small)

    draws = torch.Generator().manual_seed(1234 + 3)
    # bilinear without antialias: each of 16 pixels is the mean of the middle 2 x 2 of its 4 x 4
    shrunk = gray.reshape(16, 4, 16, 4)[:, 1:3, :, 1:3].mean((1, 3))
    unet = UNet2DConditionModel.from_pretrained(cascade[0] / "unet")
    first = published_stage(unet, conditions, shrunk, draws, start=1)
    torch.testing.assert_close(small.pixels, first, atol=1e-4, rtol=1e-4)

    noise = torch.randn((1, 3, 64, 64), generator=draws)
    large = torch.nn.functional.interpolate(first, (64, 64), mode="bilinear", align_corners=True)
    noising = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    beside = (noising.add_noise(large, noise, torch.tensor([50])), 50)
    unet = UNet2DConditionModel.from_pretrained(cascade[1] / "unet")
    second = published_stage(unet, conditions, gray, draws, start=0, beside=beside)
    torch.testing.assert_close(ends[0], second, atol=1e-3, rtol=1e-3)


def test_paper_draws_what_the_publication_draws(cascade: tuple[Path, Path]) -> None:
    """Only the paper preset draws new grey noise at every step, and starts from the doubled grey part."""
    paper = ColorizeOptions.make(picture="x", preset="paper")
    assert (paper.sampler, paper.steps, paper.upscale_steps, paper.start_step) == ("ddpm", 30, 30, 7)
    assert (paper.image_guidance, paper.noise_level) == (10.0, 50)
    assert paper.fresh_gray_noise and paper.learned_variance and paper.double_start and not paper.known_gray
    fast = ColorizeOptions.make(picture="x")
    assert not (fast.fresh_gray_noise or fast.learned_variance or fast.double_start)


@pytest.mark.parametrize("preset", ["paper", "draft"])
def test_any_picture_of_any_size_is_colored(
    preset: str, stages: dict, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    gray = np.random.default_rng(0).random((50, 31)).astype(np.float32)
    write_png(tmp_path / "mine.png", eidophone.Picture.from_gray(gray))
    few = {"steps": 3, "upscale_steps": 2, "start_step": 1}
    (made,) = eidophone.colorize(tmp_path / "mine.png", "a dog", preset=preset, **{**stages, **few})
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
        eidophone.colorize(composed, "a dog", **(stages | {"image_model": "if-m"}))


def test_the_negative_is_coloured_and_keeps_the_sound(composed: Path, stages: dict, tmp_path: Path) -> None:
    (made,) = eidophone.colorize(composed, "a photo of dogs", count=1, invert=True, out=tmp_path, **stages)
    before = read_picture(composed / "spectrogram.png").gray()
    colored = read_picture(made.folder / "picture.png")
    assert np.abs(colored.gray() - (1 - before)).mean() < 1e-6
    assert (made.folder / "sound.wav").exists() and np.abs(made.spectrogram - before).max() < 1e-6
    sounds = [eidophone.load(folder).clip.samples for folder in (composed, made.folder)]
    np.testing.assert_array_equal(*sounds)
    player = {"audio_model": stages["audio_model"]}
    heard = eidophone.hear(made.folder / "picture.png", invert=True, **player).clip.samples
    assert np.abs(heard - eidophone.hear(composed / "spectrogram.png", **player).clip.samples).max() < 1e-4
    assert made.film.pixels.shape == (2 * before.shape[0], before.shape[1], 3)


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
