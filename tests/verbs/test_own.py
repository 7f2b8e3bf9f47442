"""Your own picture and sound in compose, and your own picture in imprint."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture
from eidophone.media.audio import write_wav
from eidophone.media.picture import read_picture, write_png
from eidophone.verbs.compose.blends.relief import relief
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.shared.own import folded
from tests.verbs.test_samples import models

STEPS = {"steps": 3, "count": 1}


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc on a slope, in the canvas's proportions."""
    y, x = np.mgrid[:64, :128]
    gray = 0.1 + 0.5 * x / 128 + 0.4 * ((y - 32) ** 2 + (x - 50) ** 2 < 400)
    path = tmp_path_factory.mktemp("own") / "photo.png"
    write_png(path, Picture.from_gray(gray.astype(np.float32)))
    return path


@pytest.fixture(scope="module")
def sound(photo: Path) -> Path:
    """Two tones, one after the other."""
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * np.where(time < 0.4, 440, 1320) * time) * (time % 0.4 < 0.3)
    path = photo.with_name("tones.wav")
    write_wav(path, Clip(tone[None].astype(np.float32), 8000))
    return path


def test_less_strength_keeps_more_of_the_picture(photo: Path, settings: dict) -> None:
    kept = [
        eidophone.compose(audio_prompt="rain", picture=photo, strength=s, **STEPS, **settings)[0]
        for s in (0.1, 0.5, 0.95)
    ]
    similar = [made.facts["picture_similarity"] for made in kept]
    assert similar[0] > 0.7 and similar == sorted(similar, reverse=True)


@pytest.mark.parametrize("blend", ["average", "inlay", "lighten", "relief"])
@pytest.mark.parametrize("view", ["identity", "flip"])
def test_every_blend_and_view_takes_a_picture(blend: str, view: str, photo: Path, settings: dict) -> None:
    (made,) = eidophone.compose(
        audio_prompt="rain", picture=photo, blend=blend, view=view, **STEPS, **settings
    )
    assert made.picture.pixels.shape[:2] == (32, 64)
    assert made.captions == ("photo.png", "rain")


def test_a_picture_without_a_prompt_costs_no_evaluation_of_the_image_model(
    photo: Path, settings: dict
) -> None:
    (made,) = eidophone.compose(audio_prompt="rain", picture=photo, **STEPS, **settings)
    (redrawn,) = eidophone.compose("a cat", "rain", picture=photo, strength=0.9, **STEPS, **settings)
    assert made.facts["unet_evaluations"] == 2 * STEPS["steps"]
    assert redrawn.facts["unet_evaluations"] > made.facts["unet_evaluations"]


def test_the_negative_needs_one_latent(photo: Path, settings: dict) -> None:
    given = {"audio_prompt": "rain", "picture": photo, "view": "negate", **STEPS, **settings}
    with pytest.raises(BadInput, match="use --blend average"):
        eidophone.compose(**given)
    (made,) = eidophone.compose(**given, blend="average")
    assert made.spectrogram.shape == (32, 64)


@pytest.mark.parametrize("blend", ["average", "relief"])
def test_the_mask_keeps_the_picture_where_it_is_black(
    blend: str, photo: Path, settings: dict, tmp_path: Path
) -> None:
    white = np.zeros((64, 128), np.float32)
    white[:, 64:] = 1
    write_png(tmp_path / "mask.png", Picture.from_gray(white))
    given = {"picture": photo, "audio_prompt": "rain", "levels": False, **STEPS, **settings}
    (made,) = eidophone.compose(**given, blend=blend, strength=1.0, mask=tmp_path / "mask.png")
    (whole,) = eidophone.compose(**given, blend="relief", strength=0.0)
    wanted = read_picture(photo).gray()[::2, ::2]
    assert np.abs(made.spectrogram[:, :26] - wanted[:, :26]).mean() < 0.02
    assert np.abs(made.spectrogram[:, 40:] - wanted[:, 40:]).mean() > 0.05
    assert whole.facts["picture_similarity"] > 0.5


def test_your_own_sound_plays_on_beside_the_drawing(sound: Path, settings: dict) -> None:
    given = {"image_prompt": "a castle", "sound": sound, **STEPS, **settings}
    (kept,) = eidophone.compose(**given, strength=0.0)
    (seen,) = [eidophone.see(sound, audio_model=settings["audio_model"])]
    assert kept.spectrogram.shape[1] == 128  # as long as the sound, in whole blocks of the VAE
    assert np.allclose(kept.spectrogram[:, :125], seen.spectrogram, atol=1e-5)
    (little,) = eidophone.compose(**given, strength=0.3)
    (much,) = eidophone.compose(**given, strength=0.9)

    def off(made: eidophone.Result) -> float:
        return float(np.abs(made.spectrogram - kept.spectrogram).mean())

    assert off(little) < off(much)


def test_picture_and_sound_of_your_own_need_no_model(photo: Path, sound: Path, settings: dict) -> None:
    (made,) = eidophone.compose(picture=photo, sound=sound, steps=3, **settings)
    assert made.facts["unet_evaluations"] == 0
    assert made.facts["picture_similarity"] > 0.2


def test_remake_finds_the_files_again(photo: Path, settings: dict, tmp_path: Path) -> None:
    given = {"picture": photo, "audio_prompt": "rain", "mask": photo, **STEPS, **settings}
    (made,) = eidophone.compose(**given, out=tmp_path / "a")
    assert str(photo.parent) not in made.recipe.text()
    assert set(made.recipe.inputs) == {"picture", "mask"}
    shutil.copy(photo, tmp_path / "a" / "0000")
    again = eidophone.remake(made.folder, out=tmp_path / "b", **models(settings))
    for name in ("picture.png", "sound.wav", "spectrogram.png"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()


def test_pictures_in_memory(photo: Path, settings: dict) -> None:
    (made,) = eidophone.compose(audio_prompt="rain", picture=read_picture(photo), **STEPS, **settings)
    assert made.facts["picture_similarity"] > 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"picture": "photo.png"}, "say in a prompt what the result should sound like"),
        ({"sound": "tones.wav"}, "say in a prompt what the result should look like"),
        ({"mask": "photo.png", "image_prompt": "a", "audio_prompt": "b"}, "add --picture"),
        ({"picture": "absent.png", "audio_prompt": "rain"}, "absent.png"),
        ({"picture": "black.png", "audio_prompt": "rain"}, "raise --brightness"),
        ({"picture": "photo.png", "mask": "black.png", "audio_prompt": "rain"}, "nothing may change"),
    ],
)
def test_what_cannot_work_is_said(given: dict, says: str, photo: Path, sound: Path, settings: dict) -> None:
    write_png(photo.with_name("black.png"), Picture.from_gray(np.zeros((20, 20), np.float32)))
    files = {k: photo.with_name(v) if k in ("picture", "sound", "mask") else v for k, v in given.items()}
    with pytest.raises(BadInput, match=says):
        eidophone.compose(**files, **STEPS, **settings)


def test_the_command_takes_one_prompt_beside_a_picture(photo: Path, settings: dict, tmp_path: Path) -> None:
    flags = ["--steps", "2", "--count", "1", "--offline", "--threads", "1", "--out", str(tmp_path / "out")]
    flags += ["--image-model", settings["image_model"], "--audio-model", settings["audio_model"]]
    assert main(["compose", "--picture", str(photo), "rain on leaves", *flags]) == 0
    assert (tmp_path / "out" / "0000" / "sound.wav").is_file()
    assert main(["compose", "--picture", str(photo), "a", "b", "c", *flags]) == 2


def test_relief_goes_from_the_picture_to_the_sound() -> None:
    picture, sound = (
        torch.rand(1, 1, 8, 16, generator=torch.Generator().manual_seed(n)) * 0.9 for n in (1, 2)
    )
    sound[..., 8:] = 0
    assert torch.equal(relief(picture, sound, 1.0)[..., 8:], torch.zeros(1, 1, 8, 8))
    off = [
        float((relief(picture, sound, share) - relief(picture, sound, 1.0)).abs().mean())
        for share in (0, 0.3, 0.6, 0.9)
    ]
    assert off == sorted(off, reverse=True)
    beside = torch.ones(1, 1, 8, 16)
    dark = torch.zeros_like(picture)
    assert torch.equal(relief(dark, sound, 0.2, beside), relief(dark, sound, 1.0))
    assert (relief(dark, sound, 0.2) <= relief(dark, sound, 1.0)).all()


def test_imprint_keeps_the_whole_picture_and_warns_where_it_cannot_be_seen(
    photo: Path, settings: dict, tmp_path: Path
) -> None:
    silence = tmp_path / "silence.wav"
    click = np.zeros((1, 8000), np.float32)
    click[0, 4000] = 1
    write_wav(silence, Clip(click, 8000))
    square = tmp_path / "square.png"
    write_png(square, Picture.from_gray(np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))))
    with pytest.warns(UserWarning, match="can be seen"):
        (made,) = eidophone.imprint(picture=square, sound=silence, **settings)
    assert np.array_equal(
        made.arrays["spectrogram"][:, :16], made.arrays["original_spectrogram"][:, :16]
    )  # beside the picture the sound stays


def test_an_old_imprint_still_fills_the_canvas_with_plain_tones(photo: Path) -> None:
    old = ImprintOptions.from_recorded({"picture": str(photo), "audio_prompt": "rain"}, {})
    assert (old.fit, old.levels) == ("cover", False)
    new = ImprintOptions.from_recorded({"picture": str(photo), "audio_prompt": "rain", "fit": "stretch"}, {})
    assert (new.fit, new.levels) == ("stretch", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImprintOptions.make(picture=photo, audio_prompt="rain")


def steps_of(gray: np.ndarray) -> np.ndarray:
    """Mean difference of neighbouring columns, and of the last and the first at the end."""
    return np.abs(gray - np.roll(gray, -1, 1)).mean(0)


def test_what_lies_beyond_a_loop_fades_into_its_beginning() -> None:
    slope = torch.linspace(0, 1, 80)[None, None].expand(-1, 4, -1)
    found = folded(slope, 64)[0].numpy()
    assert found.shape == (4, 64) and np.array_equal(found[:, 16:], slope[0, :, 16:64].numpy())
    assert steps_of(found)[-1] == pytest.approx(1 / 79, abs=1e-6)
    assert torch.equal(folded(slope, 80), slope)


@pytest.mark.parametrize("fit", ["stretch", "cover"])
def test_the_end_of_a_picture_meets_its_beginning_in_a_loop(fit: str, photo: Path, settings: dict) -> None:
    """The slope of the photograph would be a step of half the brightness."""
    given = {"audio_prompt": "rain", "picture": photo, "strength": 0.0, "fit": fit, "levels": False}
    (made,) = eidophone.compose(loop=True, **given, **STEPS, **settings)
    (open_,) = eidophone.compose(**given, **STEPS, **settings)
    steps = steps_of(made.picture.gray())
    assert steps[-1] <= steps[:-1].max()
    assert steps_of(open_.picture.gray())[-1] > 2 * steps[-1]


def test_own_material_with_scenes_and_a_length(photo: Path, sound: Path, settings: dict) -> None:
    free = {name: value for name, value in settings.items() if name != "width"}
    (made,) = eidophone.compose(
        picture=photo, scene=["0-1: / rain", "1-2: / a dog"], fade=0.5, **STEPS, **free
    )
    assert made.clip.duration_s == pytest.approx(2, abs=0.3) and made.facts["picture_similarity"] > 0
    (drawn,) = eidophone.compose(
        sound=sound, scene=["0-0.5: a cat /", "0.5-1: a ship /"], fade=0, **STEPS, **free
    )
    assert drawn.clip.duration_s == pytest.approx(1, abs=0.3) and "sound_similarity" in drawn.facts


def test_a_sound_that_ends_early_and_a_small_picture_are_said(
    photo: Path, sound: Path, settings: dict
) -> None:
    free = {name: value for name, value in settings.items() if name != "width"}
    with pytest.warns(UserWarning, match="lasts 1.00 seconds; the rest of the"):
        eidophone.compose("a cat", sound=sound, seconds=4, **STEPS, **free)
    with pytest.warns(UserWarning, match=r"photo.png: spans \d+% of the canvas; --fit cover"):
        eidophone.compose(audio_prompt="rain", picture=photo, seconds=6, **STEPS, **free)
