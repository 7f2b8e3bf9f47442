"""Canvases that are both a drawing and a sound, and what is learned from them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("mido", reason="needs the extra `training`")

from training.config import Run
from training.data.pictures import concepts as things
from training.data.sounds import concepts as sound_concepts
from training.data.textures import HEIGHT, WIDTH
from training.joint import FORMS, Material, drawn_into, lifted, loss_of, main

RNG = np.random.default_rng(0)


def test_nothing_changes_outside_a_drawing() -> None:
    """Inside, the canvas is never darker than the sound that the form keeps, nor than the drawing's own light."""
    sound = RNG.random((16, 40), np.float32)
    grey, alpha = np.zeros_like(sound), np.zeros_like(sound)
    grey[4:12, 10:20], alpha[4:12, 10:20] = 0.8, 1.0
    for light, keeps in FORMS:
        canvas = drawn_into(sound, grey, alpha, (light, keeps))
        assert np.array_equal(canvas[alpha == 0], sound[alpha == 0])
        inside = canvas[4:12, 10:20]
        assert (inside >= keeps * 0.85 * sound[4:12, 10:20] - 1e-6).all()
        assert (inside >= 0.75 * light - 1e-6).all()
        assert canvas.max() <= 1


def test_a_lifted_sound_keeps_silence_and_order() -> None:
    """Black stays black, and what was louder stays louder."""
    sound = np.linspace(0, 0.7, 200, dtype=np.float32).reshape(10, 20)
    louder = lifted(sound)
    assert louder[0, 0] == 0
    assert (np.diff(louder.ravel()) >= 0).all()
    assert 0.8 < louder.max() <= 1


class _Net(nn.Module):
    """Predicts 0.3 for the first canvas and one number for all others."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, mixed: Tensor, steps: Tensor, told: Tensor) -> SimpleNamespace:
        """The same prediction for every input."""
        assert len(mixed) == len(steps) == len(told)
        answer = torch.full_like(mixed, self.number)
        answer[0] = 0.3
        return SimpleNamespace(sample=answer)


def _material() -> Material:
    latents = torch.randn(6, 4, 2, 8, generator=torch.Generator().manual_seed(0)).half()
    return Material(latents, torch.zeros(6, 3, 5).half())


def test_own_material_is_learned_as_the_teacher_sees_it() -> None:
    """A net that predicts what the teacher predicts has only the other canvases to learn."""
    teacher = _Net(0.3)
    alphas, settings = torch.linspace(0.99, 0.01, 50), {"batch": 1, "kept": 4}
    loss = loss_of(_material(), _material(), teacher, torch.zeros(3, 5), alphas, settings)

    def _of(number: float) -> float:
        return float(loss(_Net(number), np.random.default_rng(1), torch.Generator().manual_seed(1)))

    assert _of(0.3) < _of(0.35) < _of(0.5)
    # the same distance on either side costs the same: the goal is the teacher's prediction
    assert abs(_of(0.5) - _of(0.1)) < 1e-6


def test_latents_are_rotated_in_time() -> None:
    """Rotation loses nothing, and every latent has its condition."""
    clean, told = _material().some(np.random.default_rng(2), 4)
    known = _material().latents.float().sort(-1).values
    assert told.shape == (4, 3, 5)
    for one in clean:
        assert any(torch.equal(one.sort(-1).values, row) for row in known)


def test_expected_sounds_are_known(tmp_path: Path) -> None:
    """The table of expected sounds names only concepts that exist, and every thing that the family draws."""
    run = Run.open("further", tmp_path, "cpu")
    expected = run["joint"]["expected"]
    assert set(expected) == set(run["canvases"]["concepts"]) <= set(things())
    assert {name for names in expected.values() for name in names} <= set(sound_concepts())


def test_a_preset_without_the_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["canvases", "--preset", "smoke", "--work", str(tmp_path)]) == 2
    assert "--preset further" in capsys.readouterr().err


def test_canvases_need_drawings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sounds = {"dog": np.zeros((2, HEIGHT, WIDTH), np.uint8)}
    np.savez(tmp_path / "joint-sounds.npz", **sounds)  # type: ignore[arg-type]
    assert main(["canvases", "--preset", "further", "--work", str(tmp_path)]) == 2
    assert "run the stage pictures" in capsys.readouterr().err


def test_export_needs_trained_denoisers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--preset", "further", "--work", str(tmp_path)]) == 2
    assert "joint-image.pt" in capsys.readouterr().err
    assert not (tmp_path / "joint").exists()
