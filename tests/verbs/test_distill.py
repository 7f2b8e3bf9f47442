"""Score distillation as a verb: real runs on small models, killed and taken up again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput, CannotWrite
from eidophone.models.load import Loader
from eidophone.models.pixel import PixelModel
from eidophone.verbs.distill import models as distill_models
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.shared.context import Context

BRIEF = {"threads": 1, "iterations": 3, "preview_every": 2}
KEPT = ("picture.png", "spectrogram.png", "sound.wav", "course.png")


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in KEPT}


@pytest.mark.parametrize("representation", ["implicit", "latent"])
def test_a_result_is_stored_and_made_again(representation: str, settings: dict, tmp_path: Path) -> None:
    told = {**settings, **BRIEF, "representation": representation, "rate": 0.1}
    (first,) = eidophone.distill("castle", "bell", out=tmp_path / "a", **told)
    assert first.picture.pixels.shape == (32, 64, 3)
    assert first.clip.rate_hz == 8000 and first.clip.duration_s == pytest.approx(64 * 64 / 8000)
    assert first.facts["unet_evaluations"] == 3 * 4
    again = eidophone.remake(
        tmp_path / "a" / "0000" / "sound.wav",
        out=tmp_path / "b",
        **{k: settings[k] for k in ("image_model", "audio_model")},
    )
    assert files(tmp_path / "a" / "0000") == files(tmp_path / "b" / "0000")
    assert again.recipe == first.recipe
    (moved,) = eidophone.distill("castle", "bell", **{**told, "iterations": 1})
    assert not (moved.picture.pixels == first.picture.pixels).all()


@pytest.mark.parametrize("representation", ["pixels", "latent"])
def test_a_model_over_pixels_sees_crops(
    representation: str, cascade: tuple[Path, Path], settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {**settings, **BRIEF, "image_model": str(cascade[0]), "crops": 3, "representation": representation}
    seen = []
    monkeypatch.setattr(
        PixelModel, "noise_of", lambda self, x, t, c, **_: seen.append(x) or self.predictor(x, t, c)
    )
    (first,) = eidophone.distill("castle", "bell", **told)
    assert all(x.shape[1:] == (3, 16, 16) for x in seen) and sum(map(len, seen)) == 3 * 2 * 3
    assert first.recipe.models.keys() == {"pixel", "audio"}
    assert first.facts["unet_evaluations"] == 3 * (2 * 3 + 2)
    (deaf,) = eidophone.distill("castle", "bell", **{**told, "image_weight": 0.0})
    assert not (deaf.picture.pixels == first.picture.pixels).all()


@pytest.fixture
def wide(cascade: tuple[Path, Path], tmp_path: Path) -> Path:
    """Stage I with a card as IF's, whose canvas is the whole picture that colorize makes."""
    folder = tmp_path / "wide"
    shutil.copytree(cascade[0], folder)
    (folder / "eidophone.json").write_text(json.dumps({"canvas": [16, 32]}))
    return folder


@pytest.mark.parametrize(("more", "side"), [({}, 32), ({"window": 24}, 24)])
def test_windows_are_of_the_size_that_the_unet_was_trained_on(
    more: dict, side: int, wide: Path, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever canvas the card names: square windows of 32 x 64 pixels, resized to 16 x 16."""
    seen, cut = [], []
    crops = distill_models.random_crops

    def _crops(picture: torch.Tensor, count: int, window: tuple, size: tuple, draws: object) -> torch.Tensor:
        cut.append((tuple(picture.shape[-2:]), count, window, size))
        return crops(picture, count, window, size, draws)

    monkeypatch.setattr(distill_models, "random_crops", _crops)
    noise_of = PixelModel.noise_of
    monkeypatch.setattr(
        PixelModel, "noise_of", lambda self, x, t, c, **k: seen.append(x) or noise_of(self, x, t, c, **k)
    )
    few = {**settings, **BRIEF, "representation": "pixels", "image_model": str(wide), "crops": 4, **more}
    eidophone.distill("castle", "bell", **few)
    assert set(cut) == {((32, 64), 4, (side, side), (16, 16))}
    assert all(x.shape[1:] == (3, 16, 16) for x in seen)
    with pytest.raises(BadInput, match=r"--window 40: the windows .* are larger than the canvas.*at most 32"):
        eidophone.distill("castle", "bell", **few | {"window": 40})


def test_t5_attends_to_the_padding_here_and_not_in_colorization(
    cascade: tuple[Path, Path], settings: dict
) -> None:
    """Against transformers' own call of the encoder."""
    from transformers import T5EncoderModel, T5Tokenizer

    tokens = T5Tokenizer.from_pretrained(cascade[0] / "tokenizer")(
        "a red truck", padding="max_length", max_length=77, return_tensors="pt"
    )
    network = T5EncoderModel.from_pretrained(cascade[0] / "text_encoder")
    with torch.no_grad():
        plain, masked = network(tokens.input_ids)[0], network(tokens.input_ids, tokens.attention_mask)[0]
    assert not torch.allclose(plain, masked, atol=1e-3)
    loader = Loader(torch.device("cpu"), torch.float32, offline=True)
    _, conditions = loader.pixel(str(cascade[0]), {"prompt": "A red truck "})
    torch.testing.assert_close(conditions["prompt"], masked)
    told = {**settings, "image_model": str(cascade[0]), "image_prompt": "A red truck "}
    (term,) = (
        term
        for term in distill_models.load_distill_models(DistillOptions.make(**told), Context()).terms
        if term.name == "image"
    )
    torch.testing.assert_close(term.denoiser.wanted.condition, plain)


@pytest.mark.parametrize("representation", ["implicit", "pixels"])
@pytest.mark.parametrize("gray", ["mean", "luminance"])
def test_a_colour_canvas_plays_through_its_grey_part(representation: str, gray: str, settings: dict) -> None:
    few = {**settings, **BRIEF, "representation": representation, "features": 16, "rate": 0.1}
    (made,) = eidophone.distill("castle", "bell", color=True, gray=gray, **few)
    assert made.picture.pixels.std(2).max() > 0.01
    shares = {"mean": [1 / 3] * 3, "luminance": [0.2126, 0.7152, 0.0722]}[gray]
    assert abs(made.spectrogram - made.picture.pixels @ np.float32(shares)).max() < 1e-5


def test_windows_may_have_their_own_timesteps(
    cascade: tuple[Path, Path], settings: dict, monkeypatch
) -> None:
    seen: list[list[int]] = []

    noise_of = PixelModel.noise_of

    def _noise(self: PixelModel, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor, **k: Any) -> Any:
        seen.append([len(x), int(t)])
        return noise_of(self, x, t, c, **k)

    monkeypatch.setattr(PixelModel, "noise_of", _noise)
    few = {
        **settings, **BRIEF, "iterations": 1, "image_model": str(cascade[0]), "representation": "pixels",
        "crops": 3, "annealed": False, "image_lowest": 0.5, "image_highest": 0.9,
    }  # fmt: skip
    eidophone.distill("castle", "bell", window_timesteps="separate", **few)
    assert len({t for _, t in seen}) == 3 and all(500 <= t <= 900 for _, t in seen)
    with pytest.raises(BadInput, match="--window-timesteps separate: needs random timesteps"):
        eidophone.distill("castle", "bell", **few | {"window_timesteps": "separate", "annealed": True})


def test_a_sample_depends_on_its_seed_alone(settings: dict) -> None:
    both = eidophone.distill("castle", "bell", count=2, **settings, **BRIEF)
    (second,) = eidophone.distill("castle", "bell", index=1, **settings, **BRIEF)
    assert (both[1].picture.pixels == second.picture.pixels).all()
    assert not (both[0].picture.pixels == second.picture.pixels).all()


def test_killed_and_resumed_is_as_never_killed(settings: dict, tmp_path: Path) -> None:
    told = {
        "--iterations": 40, "--checkpoint-every": 3, "--preview-every": 20, "--representation": "pixels",
        "--threads": 1, "--device": "cpu", "--image-model": settings["image_model"],
        "--audio-model": settings["audio_model"],
    }  # fmt: skip
    flags = [str(part) for flag in told.items() for part in flag]
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "eidophone", "distill", "castle", "bell", *flags, "--out", str(out)]
    kept = out / "0000-unfinished" / "checkpoint.pt"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while not kept.exists():
            assert running.poll() is None
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
    assert not (out / "0000").exists()

    assert main([*command[3:]]) == 2  # nobody said to go on
    assert main([*command[3:], "--rate", "0.3", "--resume"]) == 2  # it was begun otherwise
    assert main([*command[3:], "--resume"]) == 0
    assert not kept.parent.exists()
    assert main([*command[3:-1], str(tmp_path / "whole")]) == 0
    assert files(out / "0000") == files(tmp_path / "whole" / "0000")
    facts = [json.loads((f / "0000" / "record.json").read_text())["facts"] for f in (out, tmp_path / "whole")]
    assert facts[0]["unet_evaluations"] == facts[1]["unet_evaluations"] == 160


def test_finished_samples_are_not_made_again(settings: dict, tmp_path: Path) -> None:
    eidophone.distill("castle", "bell", out=tmp_path, **settings, **BRIEF)
    written = (tmp_path / "0000" / "record.json").stat().st_mtime_ns
    with pytest.raises(CannotWrite):
        eidophone.distill("castle", "bell", count=2, out=tmp_path, **settings, **BRIEF)
    results = eidophone.distill("castle", "bell", count=2, out=tmp_path, resume=True, **settings, **BRIEF)
    assert [r.index for r in results] == [0, 1]
    assert (tmp_path / "0000" / "record.json").stat().st_mtime_ns == written
    assert (tmp_path / "contact-sheet.png").is_file()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"image_start_step": 1, "audio_start_step": 2}, "No model is on"),
        ({"lowest": 0.6, "highest": 0.4}, "--lowest"),
        ({"image_start_step": 9}, "only 3 iterations"),
        ({"image_weight": 0.0, "audio_start_step": 1}, "No model is on"),
        ({"image_weight": 0.0, "audio_weight": 0.0}, "No model is on"),
        ({"rate": 1e9}, "--rate"),
        ({"audio_lowest": 0.99}, "--audio-lowest 0.99: is above --highest 0.98"),
        ({"image_lowest": 0.6, "image_highest": 0.5}, "--image-lowest 0.6: is above --image-highest"),
    ],
)
def test_what_cannot_work_is_refused_before_the_run(wrong: dict, says: str, settings: dict) -> None:
    with pytest.raises(BadInput, match=says):
        eidophone.distill("castle", "bell", **{**settings, **BRIEF, **wrong})


def test_resuming_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distill", "castle", "bell", "--resume"]) == 2
    assert "--out" in capsys.readouterr().err


def flipped(path: Path) -> None:
    """Changes one letter of a key, which PyTorch's own reader does not notice."""
    path.write_bytes(path.read_bytes().replace(b"recipe", b"recipf", 1))


def with_state(**values: Any) -> Any:
    """Damage: these parts of the state are something else."""

    def _change(path: Path) -> None:
        found = torch.load(path)
        torch.save({**found, "state": {**found["state"], **values}}, path)

    return _change


def with_optimiser(change: Any) -> Any:
    def _change(path: Path) -> None:
        found = torch.load(path)
        change(found["state"]["optimiser"])
        torch.save(found, path)

    return _change


#: R59 and its kin: by name, what is done to a checkpoint.
DAMAGE: dict[str, Any] = {
    "other file": lambda path: path.write_bytes(b"not a checkpoint"),
    "flipped": flipped,
    **{
        str(value): lambda path, value=value: torch.save(value, path)
        for value in ({}, [], [1, 2], None, "x", torch.zeros(2), {"recipe": "x"})
    },
    "no state": lambda path: torch.save(torch.load(path) | {"state": []}, path),
    "half a state": lambda path: torch.save(torch.load(path) | {"state": {"canvas": {}, "done": 1}}, path),
    "done: text": with_state(done="x"),
    "done: below 0": with_state(done=-5),
    "done: beyond the end": with_state(done=10**9),
    "frames: numbers": with_state(frames=[1, 2]),
    "frames: another shape": with_state(frames=[(1, torch.zeros(2, dtype=torch.uint8))]),
    "costs: text": with_state(costs=("a", "b")),
    "costs: endless": with_state(costs=(1, float("inf"))),
    "generator: short": with_state(generator=torch.zeros(3, dtype=torch.uint8)),
    "optimiser: nothing kept": with_optimiser(lambda x: x["state"].clear()),
    "optimiser: another shape": with_optimiser(lambda x: x["state"][0].update(exp_avg=torch.zeros(1, 1))),
    "optimiser: another rate": with_optimiser(lambda x: x["param_groups"][0].update(lr=9.0)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_r59_a_damaged_checkpoint_is_named(damage: Any, begun: Path, settings: dict, tmp_path: Path) -> None:
    shutil.copytree(begun, tmp_path / "o")
    damage(tmp_path / "o/0000-unfinished/checkpoint.pt")
    with pytest.raises(BadInput, match=r"checkpoint\.pt: is damaged; delete the folder 0000-unfinished"):
        eidophone.distill("castle", "bell", out=tmp_path / "o", resume=True, **settings, **BRIEF)
    assert not (tmp_path / "o/0000").exists()


@pytest.fixture(scope="module")
def begun(settings: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was stopped after its first checkpoint."""
    out = tmp_path_factory.mktemp("begun")

    def _stop(stage: str, done: int, steps: int) -> None:
        if (out / "0000-unfinished/checkpoint.pt").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        brief = {**BRIEF, "checkpoint_every": 1}
        eidophone.distill("castle", "bell", out=out, progress=_stop, **settings, **brief)
    return out
