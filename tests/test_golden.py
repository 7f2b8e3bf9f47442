"""The published systems' own numbers, through the command line: `--preset paper` and flags."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from eidophone.cli import main
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel, log_mel_from_picture, picture_from_log_mel
from tests import golden_runs
from tests.golden_runs import off

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


# --- whole loops, with every random draw recorded ---------------------------------------------------


def over(errors: dict[str, float | np.ndarray], tolerances: dict[str, float], rest: float = 1e-3) -> dict:
    """The arrays that are further off than the golden numbers' README allows."""
    worst = {name: float(np.max(error)) for name, error in errors.items()}
    return {name: error for name, error in worst.items() if error > tolerances.get(name, rest)}


def other(draws: list[Tensor], number: int = -1) -> None:
    """Replaces one recorded noise by another of the same kind."""
    draws[number] = torch.randn(draws[number].shape, generator=torch.Generator().manual_seed(999))


OPTIMISE = {"change of the picture": 1e-2}
COLORIZE = {"predicted_1": 3e-3, "predicted_2": 3e-3}


@pytest.mark.slow
def test_optimisation_equals_the_published_run(golden: Path, tmp_path: Path, monkeypatch) -> None:
    """Free from the start noise on: pictures, judges, losses, gradients and weights of six iterations."""
    errors = golden_runs.optimise(golden, tmp_path, monkeypatch)
    assert not over(errors, OPTIMISE)
    assert {"picture", "latents", "gradient", "loss", "parameters_after", "condition_term"} <= errors.keys()


@pytest.mark.slow
def test_another_start_noise_fails_the_comparison(golden: Path, tmp_path: Path, monkeypatch) -> None:
    errors = golden_runs.optimise(golden, tmp_path, monkeypatch, lambda draws: other(draws["start noise"]))
    assert {"latents", "picture", "gradient", "change of the picture"} <= over(errors, OPTIMISE).keys()


@pytest.mark.slow
def test_distillation_equals_the_published_run_step_by_step(
    golden: Path, tmp_path: Path, monkeypatch
) -> None:
    errors = golden_runs.distill(golden, tmp_path, monkeypatch, free=False)
    assert not over(errors, {"parameter_gradient": 5e-3})
    assert len(errors["audio_gradient"]) == 8 and len(errors["image_gradient"]) == 5


@pytest.mark.slow
def test_distillation_equals_the_published_run(golden: Path, tmp_path: Path, monkeypatch) -> None:
    errors = golden_runs.distill(golden, tmp_path, monkeypatch)
    assert not over({"last": errors["picture_last"]}, {}, 2e-3)


@pytest.mark.slow
def test_each_draw_of_the_distillation_counts(golden: Path, tmp_path: Path, monkeypatch) -> None:
    """Every iteration starts from the golden state, so a draw that is replaced spoils its own iteration only.

    The top edge is 0 in every draw, because the windows are as high as the canvas.
    """

    def _change(draws: dict[str, list[Tensor]]) -> None:
        draws["audio timestep"][0] = draws["audio timestep"][0] + 1
        other(draws["audio noise"], 1)
        other(draws["encoder noise"], 2)
        draws["image timestep"][0] = draws["image timestep"][0] + 1
        other(draws["image noise"], 1)
        lefts = draws["crop left"][2] = draws["crop left"][2].clone()
        lefts[5] = (lefts[5] + 1) % 129  # one window of eight, by one pixel

    errors = golden_runs.distill(golden, tmp_path, monkeypatch, _change, free=False)
    assert (errors["audio_gradient"] > 1e-3).tolist() == [True] * 3 + [False] * 5
    assert (errors["image_gradient"] > 1e-3).tolist() == [True] * 3 + [False] * 2


@pytest.mark.slow
def test_colorization_equals_the_published_run(golden: Path, tmp_path: Path, monkeypatch) -> None:
    errors = golden_runs.colorize(golden, tmp_path, monkeypatch)
    assert not over({name: error for name, error in errors.items() if name.endswith("_1")}, COLORIZE)
    assert errors["picture"] <= 1e-2


@pytest.mark.slow
def test_the_second_stage_equals_the_published_one(golden: Path, tmp_path: Path, monkeypatch) -> None:
    assert not over(golden_runs.colorize(golden, tmp_path, monkeypatch, free=False), COLORIZE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "stage 1 gray noise", "stage 1 step noise", "upscaler noise", "stage 2 start noise",
        "stage 2 gray noise", "stage 2 step noise",
    ],
)  # fmt: skip
def test_each_draw_of_the_colorization_counts(name: str, golden: Path, tmp_path: Path, monkeypatch) -> None:
    """The last of each. The start noise of stage I is left out: its first steps are thrown away."""
    errors = golden_runs.colorize(golden, tmp_path, monkeypatch, lambda draws: other(draws[name]), free=False)
    stage = "1" if "1" in name else "2"
    assert f"after_{stage}" in over(errors, COLORIZE)
    assert stage == "2" or not any("2" in spoilt for spoilt in over(errors, COLORIZE))


def test_a_missing_draw_or_another_shape_is_noticed() -> None:
    draws = golden_runs.Recorded({"noise": [torch.zeros(2)], "timestep": [torch.tensor(5)]})
    with pytest.raises(AssertionError):
        draws.normal("noise", (3,))
    with pytest.raises(AssertionError):
        draws.integers("timestep", 6, 9)
    with pytest.raises(KeyError):
        draws.normal("other noise", (2,))
    with pytest.raises(StopIteration):
        draws.normal("noise", (2,))
    assert draws.finished()
