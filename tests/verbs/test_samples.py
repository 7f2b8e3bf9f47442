"""Samples: what seeds, batches and recipes promise, on a small random pair in the real layout."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import eidophone
from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Clip
from eidophone.diffusion.views import VIEWS
from eidophone.media.picture import read_picture
from eidophone.results.store import Store
from eidophone.verbs.compose.blends.lighten import lighten
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose, open_run
from eidophone.verbs.compose.run import Job
from eidophone.verbs.shared.context import Context

PROMPTS = ("castle towers", "bell ringing")
FILES = {"picture.png", "spectrogram.png", "sound.wav", "video.mp4", "record.json"}


def models(settings: dict) -> dict:
    """A recipe names no folder, so whoever remakes a result of models in folders says where they are."""
    return {name: settings[name] for name in ("image_model", "audio_model")}


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / b.std())


@pytest.fixture(scope="module")
def five(settings: dict) -> list:
    return eidophone.compose(*PROMPTS, count=5, steps=4, batch_size=2, **settings)


@pytest.mark.parametrize("index", range(5))
def test_a_sample_is_the_same_alone_and_in_a_batch(index: int, five: list, settings: dict) -> None:
    (alone,) = eidophone.compose(*PROMPTS, count=1, index=index, steps=4, **settings)
    assert five[index].index == index
    assert off(alone.arrays["latents"], five[index].arrays["latents"]) < 1e-4


def test_samples_differ(five: list) -> None:
    latents = [r.arrays["latents"] for r in five]
    assert min(off(a, b) for i, a in enumerate(latents) for b in latents[:i]) > 0.1


@pytest.mark.parametrize("verb", ["compose", "imprint"])
@pytest.mark.parametrize("suffix", ["picture.png", "sound.wav", "spectrogram.png", ""])
def test_remake_gives_the_same_bytes(verb: str, suffix: str, settings: dict, tmp_path: Path) -> None:
    more = {"steps": 3} if verb == "compose" else {"image_steps": 2, "audio_steps": 3}
    made = getattr(eidophone, verb)(
        *PROMPTS, count=3, index=4, batch_size=2, out=tmp_path / "a", **more, **settings
    )
    for result in made[1:]:  # one from a full batch, one from the smaller last one
        again = eidophone.remake(result.folder / suffix, out=tmp_path / "b", **models(settings))
        for name in FILES - {"record.json"}:
            assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes(), name


def test_a_film_is_made_of_what_the_other_files_hold(settings: dict, tmp_path: Path) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=2, out=tmp_path / "a", **settings)
    samples = made.clip.samples + np.float32(1e-9)
    samples[0, 100:200] *= np.float32(1 + 1e-7)
    nearly = replace(
        made, clip=Clip(samples, made.clip.rate_hz), picture=read_picture(made.folder / "picture.png")
    )
    with Store(tmp_path / "b") as store:
        again = store.save(nearly)
    for name in ("picture.png", "sound.wav", "video.mp4"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes(), name


def test_a_result_folder_is_whole(settings: dict, tmp_path: Path) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=2, out=tmp_path, keep_arrays=True, **settings)
    assert {p.name for p in made.folder.iterdir()} == FILES | {"arrays.npz"}
    back = eidophone.load(made.folder)
    assert np.abs(back.picture.pixels - made.picture.pixels).max() <= 0.5 / 255 + 1e-6
    assert np.abs(back.clip.samples - made.clip.samples).max() <= 1 / 32768
    assert back.recipe == made.recipe
    assert {p.name for p in tmp_path.iterdir()} == {"0000", ".eidophone-lock"}


def test_evaluations_are_counted(settings: dict) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=10, image_start_step=3, **settings)
    assert made.facts["unet_evaluations"] == 2 * (7 + 10)


def test_audio_weight_one_is_the_audio_model_alone(settings: dict) -> None:
    (blended,) = eidophone.compose(*PROMPTS, count=1, steps=4, audio_weight=1.0, **settings)
    (alone,) = eidophone.compose("anything", PROMPTS[1], count=1, steps=4, image_start_step=4, **settings)
    assert off(blended.arrays["latents"], alone.arrays["latents"]) < 1e-5


def test_the_blend_is_what_the_paper_says(settings: dict) -> None:
    """(1 - w) e_image + w e_audio, each unconditional + g (conditional - unconditional)."""
    from eidophone.diffusion.canvas import start_noise
    from eidophone.diffusion.sampler import make_scheduler

    options = ComposeOptions.make(
        image_prompt="a", audio_prompt="b", audio_weight=0.3, image_guidance=5, audio_guidance=2, **settings
    )
    run = open_run([options], Context())
    (conditions,) = run.conditions
    scheduler = make_scheduler("ddim", run.image.schedule, 10)
    x, t = start_noise((1, 4, 4, 8), 0), torch.tensor(401)

    def of(model, wanted: str, unwanted: str, scale: float):
        e = [model.network(x, t, conditions[name]).sample for name in (wanted, unwanted)]
        return e[1] + scale * (e[0] - e[1])

    with torch.no_grad():
        ours = run.denoiser(scheduler, [Job(0, 0)])(x, t)
        theirs = 0.7 * of(run.image, "image", "not image", 5.0)
        theirs = theirs + 0.3 * of(run.audio, "audio", "not audio", 2.0)
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("view", ["identity", "rows"])
def test_lighten_shows_the_lighter_of_what_either_model_makes_alone(view: str, settings: dict) -> None:
    told = {"count": 2, "steps": 3, "view": view, "height": 64 if view == "rows" else 32, **settings}
    both = eidophone.compose(*PROMPTS, blend="lighten", audio_weight=0.3, drawing_size=0.6, **told)
    alone = [eidophone.compose(*PROMPTS, audio_weight=w, **told) for w in (0.0, 1.0)]
    for result, drawn, played in zip(both, *alone, strict=True):
        drawing = VIEWS[view].apply(torch.from_numpy(drawn.arrays["picture"])[None])
        sound = torch.from_numpy(played.spectrogram)[None, None]
        expected = lighten(drawing, sound, 0.3, 8, 0.6).mean(1)[0].numpy()
        assert off(result.spectrogram, expected) < 1e-4
        assert off(result.arrays["latents"], drawn.arrays["latents"]) < 1e-4
        assert off(result.arrays["audio_latents"], played.arrays["latents"]) < 1e-4
    evaluations = [results[0].facts["unet_evaluations"] for results in (both, *alone)]
    assert evaluations[0] == sum(evaluations[1:])


@pytest.fixture(scope="module")
def wide(pair: tuple[Path, Path], settings: dict, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The settings of a pair whose audio model is used to a wider canvas than its image model."""
    root = tmp_path_factory.mktemp("wide")
    image, audio = (shutil.copytree(folder, root / folder.name) for folder in pair)
    facts = json.loads((audio / "eidophone.json").read_text())
    (image / "eidophone.json").write_text(json.dumps({"canvas": [32, 64]}))
    (audio / "eidophone.json").write_text(json.dumps(facts | {"canvas": [32, 96]}))
    return settings | {"image_model": str(image), "audio_model": str(audio)}


def test_a_drawing_keeps_its_width_where_the_sound_has_more(wide: dict) -> None:
    told = {"count": 2, "steps": 3, **wide}
    both = eidophone.compose(*PROMPTS, blend="lighten", **told)
    drawn = eidophone.compose(*PROMPTS, audio_weight=0.0, width=64, **told)
    heard = eidophone.compose(*PROMPTS, audio_weight=1.0, **told)
    for result, drawing, sound in zip(both, drawn, heard, strict=True):
        assert result.recipe.options.plain()["width"] == result.spectrogram.shape[1] == 96
        assert drawing.spectrogram.shape[1] == 64
        assert off(result.arrays["latents"], drawing.arrays["latents"]) < 1e-4
        assert off(result.arrays["audio_latents"], sound.arrays["latents"]) < 1e-4


@pytest.mark.parametrize(
    ("more", "width"),
    [({}, 96), ({"blend": "lighten", "width": 32}, 32), ({"crop": True}, 64)],
)
def test_the_canvas_is_as_wide_as_the_audio_model_is_used_to(more: dict, width: int, wide: dict) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=2, **more, **wide)
    assert made.spectrogram.shape[1] == width


def test_before_its_first_step_a_canvas_of_its_own_is_the_other_models(settings: dict) -> None:
    late = {"image_start_step": 3, "count": 1, "steps": 3, "reuse_steps": 1, **settings}
    (both,) = eidophone.compose(*PROMPTS, blend="lighten", audio_weight=0.5, **late)
    (sound,) = eidophone.compose(*PROMPTS, audio_weight=1.0, **late)
    for name in ("latents", "audio_latents"):
        assert off(both.arrays[name], sound.arrays["latents"]) < 1e-4


def test_the_published_preset_averages_whatever_the_models_advise() -> None:
    assert ComposeOptions.make(preset="paper").blend == "average"
    assert ComposeOptions.make(preset="fast").blend is None


def test_crop_drops_pixels_and_their_share_of_the_sound(settings: dict) -> None:
    (whole,) = eidophone.compose(*PROMPTS, count=1, steps=2, **settings)
    (cropped,) = eidophone.compose(*PROMPTS, count=1, steps=2, crop=True, **settings)
    width = whole.spectrogram.shape[1] - 32
    assert np.array_equal(cropped.spectrogram, whole.spectrogram[:, :width])
    assert np.array_equal(cropped.clip.samples, whole.clip.samples[:, : width * 64])


def test_cutoff_drops_latent_columns(settings: dict) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=2, cutoff=True, **settings)
    assert made.arrays["latents"].shape == (4, 4, 4)
    assert made.picture.pixels.shape == (32, 32, 3)


def test_the_rows_view_plays_the_lower_half_after_the_upper(settings: dict) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=2, height=64, view="rows", **settings)
    assert made.picture.pixels.shape == (64, 64, 3)
    assert made.spectrogram.shape == (32, 128)
    assert made.clip.samples.shape == (1, 128 * 64)


def test_a_part_of_a_run_is_kept_when_it_is_stopped(settings: dict, tmp_path: Path) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        out = tmp_path / "o"
        eidophone.compose(*PROMPTS, count=4, steps=2, batch_size=1, out=out, progress=stop, **settings)
    kept = sorted(p.name for p in (tmp_path / "o").iterdir() if p.name.isdecimal())
    assert kept == ["0000", "0001"]
    assert all({p.name for p in (tmp_path / "o" / name).iterdir()} == FILES for name in kept)


def test_nothing_is_overwritten_and_nothing_empty_is_left(settings: dict, tmp_path: Path) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=1, out=tmp_path / "o", **settings)
    before = (made.folder / "picture.png").read_bytes()
    with pytest.raises(CannotWrite, match="already holds sample 0000"):
        eidophone.compose(*PROMPTS, count=1, seed=9, steps=1, out=tmp_path / "o", **settings)
    assert (made.folder / "picture.png").read_bytes() == before
    (made.folder / "record.json").unlink()
    with pytest.raises(CannotWrite, match="0000 is not a finished sample"):
        eidophone.compose(*PROMPTS, count=1, steps=1, resume=True, out=tmp_path / "o", **settings)
    with pytest.raises(BadInput):
        eidophone.compose(*PROMPTS, height=33, steps=1, out=tmp_path / "new" / "deep", **settings)
    assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_nothing_half_written(settings: dict, tmp_path: Path, monkeypatch) -> None:
    import errno

    from eidophone.results import store as records

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(records, "write_video", full)
    with pytest.raises(CannotWrite, match="disk is full"):
        eidophone.compose(*PROMPTS, count=1, steps=1, out=tmp_path / "o", **settings)
    assert not (tmp_path / "o").exists()


def test_imprint_presses_by_the_formula(settings: dict) -> None:
    steps = {"image_steps": 2, "audio_steps": 2}
    (made,) = eidophone.imprint(*PROMPTS, count=1, magnitude_ratio=0.3, **steps, **settings)
    arrays = made.arrays
    expected = arrays["original_spectrogram"] * (1 - 0.3 * arrays["picture"])
    assert np.allclose(made.spectrogram, expected, atol=1e-6)
    assert np.allclose(made.picture.gray(), made.spectrogram, atol=1e-6)  # what is shown is what plays
    (plain,) = eidophone.imprint(*PROMPTS, count=1, invert=False, **steps, **settings)
    assert np.allclose(plain.arrays["picture"], 1 - arrays["picture"], atol=1e-6)


def test_imprint_takes_the_users_own_files(settings: dict, tmp_path: Path) -> None:
    from eidophone.media.audio import write_wav
    from eidophone.media.picture import write_png

    pixels = np.zeros((50, 70, 3), np.float32)
    pixels[:, 35:] = 1
    write_png(tmp_path / "half.png", eidophone.Picture(pixels))
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(44_100) / 44_100).astype(np.float32)
    write_wav(tmp_path / "tone.wav", eidophone.Clip(np.stack([tone, tone]), 44_100))
    files = {"picture": tmp_path / "half.png", "sound": tmp_path / "tone.wav"}
    (made,) = eidophone.imprint(
        invert=False, fit="stretch", width=64, out=tmp_path / "o", **files, **settings
    )
    spectrogram, row = made.spectrogram, made.spectrogram[:, :30].mean(1).argmax()
    assert made.facts["unet_evaluations"] == 0
    assert spectrogram[row, 5:28].mean() == pytest.approx(2 * spectrogram[row, 36:60].mean(), rel=0.05)
    here = models(settings)
    again = eidophone.remake(made.folder / "sound.wav", out=tmp_path / "p", **files, **here)
    assert (again.folder / "sound.wav").read_bytes() == (made.folder / "sound.wav").read_bytes()
    assert str(tmp_path) not in (made.folder / "record.json").read_text()
    with pytest.raises(BadInput, match=r"say where it is with --picture"):
        eidophone.remake(made.folder / "picture.png", out=tmp_path / "r", **here)  # no folder is searched
    for name in ("half.png", "tone.wav"):
        (tmp_path / name).rename(tmp_path / "o" / name)  # beside the results they are found again
    third = eidophone.remake(made.folder / "picture.png", out=tmp_path / "r", **here)
    assert (third.folder / "picture.png").read_bytes() == (made.folder / "picture.png").read_bytes()
    write_png(tmp_path / "o" / "half.png", eidophone.Picture(1 - pixels))
    with pytest.raises(BadInput, match="is not the picture that was used"):
        eidophone.remake(made.folder / "sound.wav", out=tmp_path / "q", **here)


def test_imprint_keeps_the_length_of_the_users_sound(settings: dict, tmp_path: Path) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(3 * 44_100) / 44_100).astype(np.float32)
    eidophone.Clip(np.stack([tone, tone]), 44_100).save(tmp_path / "tone.wav")
    more = {"sound": tmp_path / "tone.wav", "image_steps": 1, "count": 1, **settings}
    with pytest.warns(UserWarning, match="has 44100 Hz and 2 channels; the result is made anew"):
        (made,) = eidophone.imprint("castle", **more)
    assert made.clip.duration_s == pytest.approx(3, abs=0.064)  # a block of the VAE
    assert made.recipe.options.plain()["window_width"] == 64
    with pytest.raises(BadInput, match="--loop: --sound keeps your file as it is"):
        eidophone.imprint("castle", loop=True, **more)


def test_compose_is_a_generator_of_finished_samples(settings: dict) -> None:
    more = {"count": 3, "steps": 1, "batch_size": 1}
    options = ComposeOptions.make(image_prompt="a", audio_prompt="b", **more, **settings)
    first = next(compose(options, Context()))
    assert first.index == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_number_formats_stay_near(dtype: str, settings: dict) -> None:
    wide = {**settings, "dtype": "float32"}
    (exact,) = eidophone.compose(*PROMPTS, count=1, steps=3, **wide)
    (near,) = eidophone.compose(*PROMPTS, count=1, steps=3, **{**settings, "dtype": dtype})
    assert 0 < off(near.arrays["latents"], exact.arrays["latents"]) < 0.3
    assert near.recipe.options.plain()["dtype"] == dtype


def test_guidance_has_an_interval_of_steps(settings: dict) -> None:
    def cost(**more: int) -> int:
        (made,) = eidophone.compose(*PROMPTS, count=1, steps=4, **more, **settings)
        return made.facts["unet_evaluations"]

    assert cost() == 16
    assert cost(guidance_start_step=1, guidance_stop_step=3) == 2 * (2 * 2 + 2)


def test_imprint_does_not_ask_that_models_fit(settings: dict, tmp_path: Path) -> None:
    from tests.conftest import make_model

    other = make_model(tmp_path / "other", 4, vae_seed=9)
    more = {**settings, "image_model": other, "image_steps": 1, "audio_steps": 1, "count": 1}
    (made,) = eidophone.imprint(*PROMPTS, **more)
    assert made.facts["unet_evaluations"] == 4


def test_the_rows_view_finds_its_height_itself(settings: dict) -> None:
    (made,) = eidophone.compose(*PROMPTS, count=1, steps=1, view="rows", **settings)
    assert made.picture.pixels.shape[0] == 64


def test_the_recipe_names_the_threads(settings: dict) -> None:
    import torch

    (made,) = eidophone.compose(*PROMPTS, count=1, steps=1, threads=1, **settings)
    assert made.recipe.options.plain()["threads"] == torch.get_num_threads() == 1


def test_the_rows_view_turns_off_the_papers_crop() -> None:
    assert ComposeOptions.make(preset="paper").crop
    assert not ComposeOptions.make(preset="paper", view="rows").crop
    with pytest.raises(BadInput, match="--view rows: has no right edge"):
        ComposeOptions.make(preset="paper", view="rows", crop=True)
