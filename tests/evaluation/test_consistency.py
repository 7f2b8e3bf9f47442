"""Consistency pictures: what a sound holds of its picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eidophone
from eidophone.core.values import Clip, Result
from eidophone.evaluation.consistency import consistency_of, stretched
from eidophone.media.picture import read_picture
from eidophone.media.spectrogram import gray_from_clip
from eidophone.results import store as records
from eidophone.results.store import Store
from eidophone.scoring.contract import subject_of
from tests.scoring.conftest import SPEC, make_result  # noqa: F401 (fixtures)


def own_sound(result: Result) -> Result:
    """A result whose picture is exactly the spectrogram of its sound."""
    t = np.arange(72 * SPEC.hop_length) / SPEC.rate_hz
    wave = 0.4 * np.sin(2 * np.pi * (500 + 900 * t) * t) + 0.05 * np.sin(2 * np.pi * 3000 * t)
    clip = Clip(wave[None].astype(np.float32), SPEC.rate_hz)
    return replace(result, clip=clip, spectrogram=gray_from_clip(clip, SPEC))


def test_a_picture_that_is_its_sounds_spectrogram_comes_back(make_result: Callable[..., Result]) -> None:  # noqa: F811
    result = own_sound(make_result())
    found = consistency_of(subject_of(result))
    again = found.pictures["spectrogram-of-sound"].gray()
    assert again == pytest.approx(result.spectrogram, abs=1e-5)
    inside = np.s_[:, 4:-4]
    errors = {
        stem: float(
            np.abs(found.pictures[f"spectrogram-of-{stem}"].gray() - result.spectrogram)[inside].mean()
        )
        for stem in ("istft", "griffin-lim")
    }
    other = float(np.abs(make_result(5).spectrogram - result.spectrogram)[inside].mean())
    assert errors["istft"] < other / 4 and errors["griffin-lim"] < other / 4
    assert all(clip.samples.shape == result.clip.samples.shape for clip in found.sounds.values())


def test_the_true_phases_give_the_sound_back(make_result: Callable[..., Result]) -> None:  # noqa: F811
    result = own_sound(make_result())
    found = consistency_of(subject_of(result))
    inside = np.s_[4 * SPEC.hop_length : -4 * SPEC.hop_length]
    own, given = result.clip.samples[0][inside], {k: c.samples[0][inside] for k, c in found.sounds.items()}
    alike = {k: float(np.corrcoef(own, other)[0, 1]) for k, other in given.items()}
    assert alike["istft"] > 0.95 > alike["griffin-lim"]


def test_contrast_is_stretched_to_black_and_white() -> None:
    gray = np.random.default_rng(0).uniform(0.3, 0.6, (8, 9)).astype(np.float32)
    found = stretched(gray)
    assert found.min() == 0 and found.max() == 1
    assert np.array_equal(np.argsort(found, axis=None), np.argsort(gray, axis=None))
    assert np.array_equal(stretched(np.full((2, 2), 0.5, np.float32)), np.full((2, 2), 0.5, np.float32))


def test_evaluate_writes_them_for_the_shown_samples(
    make_result: Callable[..., Result],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    for index in range(3):
        Store(tmp_path / "run").save(make_result(index))
    eidophone.evaluate([tmp_path / "run"], tmp_path / "out", judges="signal", shown=2, consistency=True)
    folders = sorted((tmp_path / "out" / "consistency").iterdir())
    assert len(folders) == 2 and folders[0].name.startswith("run-000")
    assert {path.suffix for path in folders[0].iterdir()} == {".png", ".wav"}
    assert read_picture(folders[0] / "spectrogram-stretched.png").gray().max() == 1
