"""Networks and canvases: every stage runs without packs; a stopped run ends where an unbroken one does."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

pytest.importorskip("mido", reason="needs the extra `training`")

from eidophone.models.cards import package_folder
from eidophone.models.patches import PatchCodec
from training.config import Run
from training.data import clips
from training.data.canvas import Pack, canvas, row
from training.data.captions import caption
from training.data.pictures import concepts
from training.data.sounds import pictures_of
from training.data.textures import HEIGHT, WIDTH, mel_row
from training.loop import Plan
from training.networks import codec, pixels, unet
from training.networks.translate import translated


def weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / f"{name}.pt", weights_only=True)["mean"]
    return state


@pytest.mark.slow
def test_all_stages_leave_a_family_that_diffusers_loads(smoke: Path) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(smoke / "tiny" / "image", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 16, 36, generator=torch.Generator().manual_seed(0))
    made = pipe("a dog", num_inference_steps=2, latents=noise, height=128, width=288, output_type="np").images
    assert made.shape == (1, 128, 288, 3)
    assert np.isfinite(made).all()


@pytest.mark.slow
def test_the_audio_folder_borrows_and_says_how_its_picture_sounds(smoke: Path) -> None:
    audio = smoke / "tiny" / "audio"
    listed = json.loads((audio / "model_index.json").read_text())
    assert {"unet", "vae", "text_encoder", "tokenizer", "scheduler"} <= listed.keys()
    assert sorted(p.name for p in audio.iterdir() if p.is_dir()) == ["scheduler", "unet"]
    facts = json.loads((audio / "eidophone.json").read_text())
    shipped = json.loads((package_folder("tiny/audio") / "eidophone.json").read_text())
    assert {name: facts[name] for name in ("canvas", "blend")} == {
        "canvas": shipped["canvas"],
        "blend": "average",
    }
    assert facts["mel_spec"]["n_mels"] == HEIGHT
    levels = [DDIMScheduler.from_pretrained(smoke / "tiny" / n / "scheduler") for n in ("image", "audio")]
    assert torch.equal(levels[0].alphas_cumprod, levels[1].alphas_cumprod)
    assert UNet2DConditionModel.from_pretrained(audio / "unet").config.in_channels == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "channels", "canvas"), [("pixel", 3, [32, 72]), ("upscaler", 6, [128, 288])]
)
def test_the_coloured_pair_is_left_in_the_layout_of_if(
    smoke: Path, name: str, channels: int, canvas: list[int]
) -> None:
    folder = smoke / "tiny" / name
    config = UNet2DConditionModel.from_pretrained(folder / "unet").config
    assert (config.in_channels, config.out_channels) == (channels, 3)
    assert json.loads((folder / "eidophone.json").read_text())["canvas"] == canvas
    assert DDIMScheduler.from_pretrained(folder / "scheduler").config.prediction_type == "v_prediction"
    noising = folder / "image_noising_scheduler" / "scheduler_config.json"
    assert noising.exists() == (name == "upscaler")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["image", "audio"])
def test_a_family_translated_to_its_own_latents_says_what_it_said(smoke: Path, which: str) -> None:
    run = Run.open("smoke", smoke, "cpu", smoke / "tiny")
    told, noisy = torch.randn(1, 16, run["text"]["width"]), torch.randn(1, 4, 16, 36)
    again = unet.build(run, which)
    again.load_state_dict(translated(run, which))
    stored = UNet2DConditionModel.from_pretrained(smoke / "tiny" / which / "unet", dtype=torch.float32)
    with torch.no_grad():
        said, expected = (net(noisy, torch.tensor(500), told).sample for net in (again.eval(), stored.eval()))
    torch.testing.assert_close(said, expected, atol=2e-2 * float(expected.std()), rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["codec", "image", "pixel", "upscaler"])
def test_a_stopped_run_ends_where_an_unbroken_one_does(smoke: Path, stage: str, tmp_path: Path) -> None:
    run = Run.open("smoke", tmp_path, "cpu")
    torch.set_num_threads(run["threads"])  # as the script has it; sums depend on it
    for name in (
        "canvases.npz",
        "training-set-image.pt",
        "training-set-colours.pt",
        "deviations.json",
        "text.pt",
    ):
        (tmp_path / name).write_bytes((smoke / name).read_bytes())
    shutil.copytree(smoke / "tokenizer", tmp_path / "tokenizer")
    teachers = {"codec": codec.train, "image": partial(unet.train, which="image")}
    teach = teachers.get(stage, partial(pixels.train, which=stage))
    teach(run, stop_after=2)
    assert torch.load(tmp_path / f"{stage}.pt", weights_only=True)["step"] == 2
    teach(run)
    unbroken = weights(smoke, stage)
    assert all(torch.equal(value, unbroken[name]) for name, value in weights(tmp_path, stage).items())


def test_a_canvas_depends_on_its_number_alone() -> None:
    pack = Pack.made_up(concepts())
    for concept in ("castle", "garden", "lilies"):
        first, second = (canvas(pack, (1, 5), concept) for _ in range(2))
        assert first.caption == second.caption
        np.testing.assert_array_equal(first.picture, second.picture)
        assert first.picture.shape == (HEIGHT, WIDTH)
        assert 0 <= first.picture.min() <= first.picture.max() <= 1


def test_windows_that_are_not_heard_behind_the_codec_teach_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck = [clips.at_peak(clips.bell(np.random.default_rng(i))) for i in range(6)]
    bells = pictures_of(np.stack([(32767 * sound).astype(np.int16) for sound in struck]), 28)
    np.savez(
        tmp_path / "sounds.npz", pictures=np.concatenate([bells, np.zeros_like(bells[:3])] * 2),
        concept=np.repeat([0, 1], 9), concepts=np.array(["bell", "owl"]), split=np.zeros(18),
    )  # fmt: skip
    shipped = PatchCodec.from_pretrained(package_folder("tiny/image") / "vae", dtype=torch.float32)
    monkeypatch.setattr(codec, "load", lambda _: shipped)
    monkeypatch.setattr(unet, "FEWEST_LASTING", 3)
    pictures, names = unet.lasting(Run.open("laptop", tmp_path, "cpu"))
    # no bell is an owl, so nothing of "owl" would be left, and all of it stays
    assert 3 <= names.count("bell") <= 6 and names.count("owl") == 9
    assert pictures[: names.count("bell")].max((1, 2)).all()


def test_the_last_noise_level_hides_even_the_mean_of_a_canvas() -> None:
    """What plain noise would promise otherwise: a middling loudness, a grey ground."""
    alphas = unet.schedule().alphas_cumprod
    cells = HEIGHT * WIDTH / codec.PATCH**2
    assert alphas[-1] / (1 - alphas[-1]) * cells < 0.2
    assert alphas[0] > 0.999


def test_calm_canvases_of_a_drawing_all_face_one_way() -> None:
    pack, rng = Pack.made_up(concepts()), np.random.default_rng(2)
    slope = np.repeat(np.arange(pack.grey.shape[2], dtype=np.uint8)[None] * 2, pack.grey.shape[1], 0)
    sloped = replace(pack, grey=np.stack([slope] * len(pack.grey)), alpha=np.full_like(pack.alpha, 255))
    for _ in range(8):
        layer, _ = row(sloped, rng, ["dog"], 1, 0.0, simple=True)
        middle = layer.grey[HEIGHT // 2]
        assert middle[WIDTH // 2 - 30] < middle[WIDTH // 2 + 30]


def test_a_black_background_is_only_named_where_it_is_black() -> None:
    rng = np.random.default_rng(0)
    said = [caption(rng, ["dogs"], [], "plain", black=False) for _ in range(200)]
    assert not any("black background" in words for words in said)


def test_low_tones_lie_at_the_bottom_of_a_texture() -> None:
    rows = mel_row(np.array([0.0, 1000.0, 8000.0]))
    assert rows[0] == HEIGHT - 1
    assert rows[2] == 0
    assert rows[1] > (rows[0] + rows[2]) / 2


def test_the_learning_rate_rises_and_falls() -> None:
    plan = Plan(steps=1000, rate=1e-3, seed=0)
    rates = [plan.rate_at(step) for step in range(1000)]
    assert max(rates) == pytest.approx(1e-3, rel=0.02)
    assert rates[0] < max(rates) / 20
    assert rates[-1] < max(rates) / 15
