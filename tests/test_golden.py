"""The published systems' own numbers, through the command line: `--preset paper` and flags."""

from pathlib import Path

import numpy as np
import pytest
import torch

from eidophone.cli import main
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel, log_mel_from_picture, picture_from_log_mel

CASTLE = ["a painting of castle towers, grayscale", "bell ringing"]
TIGERS = ["a painting of tigers, grayscale", "tiger growling"]
COMPOSE = {
    "a": (
        CASTLE,
        "--seed 1234 --steps 20 --height 256 --width 512 --image-start-step 2 --no-crop",
        2 * (18 + 20),
    ),
    "b": (
        TIGERS,
        "--seed 7 --index 3 --steps 11 --height 256 --width 256 --image-guidance 7.5 --audio-guidance 4 "
        "--image-start-step 0 --audio-start-step 3 --audio-weight 0.3 --image-negative blurry "
        "--audio-negative noise --no-crop",
        2 * (11 + 8),
    ),
    "c": (CASTLE, "--seed 99 --steps 6 --height 256 --width 320 --image-start-step 0 --crop", 2 * (6 + 6)),
}


def off(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference in units of the golden array's standard deviation."""
    theirs = np.squeeze(theirs)
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / theirs.std())


def run(arguments: list[str], golden: Path, out: Path, index: int) -> dict[str, np.ndarray]:
    models = ["--image-model", str(golden / "toy-image"), "--audio-model", str(golden / "toy-audio")]
    common = ["--preset", "paper", "--count", "1", "--keep-arrays", "--device", "cpu", "--out", str(out)]
    assert main([*arguments, *models, *common]) == 0
    with np.load(out / f"{index:04d}" / "arrays.npz") as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSE)
def test_compose_equals_the_published_run(name: str, golden: Path, tmp_path: Path) -> None:
    import json

    prompts, flags, evaluations = COMPOSE[name]
    index = 3 if name == "b" else 0
    ours = run(["compose", *prompts, *flags.split()], golden, tmp_path / "out", index)
    with np.load(golden / f"denoise-{name}.npz") as theirs:
        for key, array in (("latents", "latents"), ("picture", "img.png"), ("spectrogram", "spec.png")):
            assert off(ours[key], theirs[array]) < 1e-3, key
        assert off(ours["sound"], theirs["audio"]) < 1e-3
    record = json.loads((tmp_path / "out" / f"{index:04d}" / "record.json").read_text())
    assert record["facts"]["unet_evaluations"] == evaluations


@pytest.mark.slow
def test_imprint_equals_the_published_run(golden: Path, tmp_path: Path) -> None:
    flags = ["--seed", "5", "--height", "256", "--width", "256"]
    ours = run(["imprint", *CASTLE, *flags], golden, tmp_path / "out", 0)
    with np.load(golden / "imprint-a.npz") as theirs:
        for key, array in (
            ("picture", "img.png"), ("original_spectrogram", "spec_ori.png"), ("spectrogram", "spec.png"),
            ("sound", "audio"),
        ):  # fmt: skip
            assert off(ours[key], theirs[array]) < 1e-3, key


def test_the_mel_picture_equals_the_published_one(golden: Path) -> None:
    with np.load(golden / "mel-a.npz") as theirs:
        ours = log_mel(torch.from_numpy(theirs["wave"]), MelSpec())
        assert off(ours.numpy(), theirs["log_mel"]) < 1e-4
        drawn = picture_from_log_mel(torch.from_numpy(theirs["log_mel"][0]), MelSpec())
        assert off(drawn.expand(3, -1, -1).numpy(), theirs["picture"]) < 1e-4
        back = log_mel_from_picture(torch.from_numpy(theirs["picture"]).mean(0), MelSpec())
        assert off(back.numpy(), theirs["log_mel_back"]) < 1e-4


@pytest.mark.slow
def test_plms_with_gradients_equals_the_published_sampler(golden: Path) -> None:
    """The gradient of the mean square for the weights of the tokens, through all 40 steps."""
    from eidophone.diffusion.sampler import make_scheduler, sampling_steps
    from eidophone.models.load import Loader
    from eidophone.verbs.paint.optimise import weighted

    model = Loader(torch.device("cpu"), torch.float32, offline=True).model(str(golden / "toy-image"), "image")
    with np.load(golden / "plms-a.npz") as theirs:
        cond, uncond, noise = (torch.from_numpy(theirs[name]) for name in ("cond", "uncond", "x_T"))
        weights = torch.ones(77, requires_grad=True)
        denoiser = model.guided(weighted(cond, weights), uncond, float(theirs["scale"]))
        *_, state = sampling_steps(
            denoiser, noise, make_scheduler("plms", model.schedule, int(theirs["steps"]))
        )
        loss = state.latents.square().mean()
        loss.backward()
        assert off(state.latents[0].detach().numpy(), theirs["latents"]) < 1e-3
        assert loss.item() == pytest.approx(float(theirs["loss"]), rel=1e-4)
        assert off(weights.grad.numpy(), theirs["grad_w"]) < 1e-3
    assert model.evaluations == 2 * 41


def test_the_paper_costs_380_evaluations() -> None:
    """90 guided image steps and 100 guided audio steps."""
    from eidophone.verbs.compose.options import ComposeOptions

    paper = ComposeOptions.make(preset="paper")
    assert 2 * (paper.steps - paper.image_start_step + paper.steps - paper.audio_start_step) == 380
