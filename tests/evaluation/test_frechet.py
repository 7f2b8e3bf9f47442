"""FID and FAD: the distance against another implementation and closed forms; references; few samples are named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import soundfile
import torch
from PIL import Image

import eidophone
from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture, Result
from eidophone.evaluation import frechet
from eidophone.evaluation.frechet import EmbedderFeatures, TaggerFeatures, open_features, reference_files
from eidophone.evaluation.statistics import Moments, frechet_distance
from eidophone.models.tagger import load_tagger
from eidophone.results import store as records
from eidophone.results.store import Store
from eidophone.scoring import judges
from eidophone.scoring.windows import squares
from tests.scoring.conftest import Formula, formula, make_result  # noqa: F401 (fixtures)

CPU = torch.device("cpu")


def moments(features: np.ndarray) -> Moments:
    found = Moments()
    for feature in features:
        found.add(feature.astype(np.float32))
    return found


def published(a: np.ndarray, b: np.ndarray) -> float:
    """As Heusel et al. compute it, with scipy's square root of the product of both covariances."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * np.real(root)))


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_that_of_scipys_matrix_root(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(60, 7)) @ rng.normal(size=(7, 7)) + rng.normal(size=7) for _ in range(2))
    a, b = a.astype(np.float32).astype(np.float64), b.astype(np.float32).astype(np.float64)
    assert frechet_distance(moments(a), moments(b)) == pytest.approx(published(a, b), rel=1e-7)


def test_gaussians_have_the_known_distance() -> None:
    """Of diagonal Gaussians: |m - n|^2 + sum of (s - t)^2."""
    rng = np.random.default_rng(0)
    mean, spread, other_mean, other = [0, 1, 2], [1, 2, 3], [1, 1, 0], [2, 1, 0.5]
    a = rng.normal(size=(200_000, 3)).astype(np.float32) * spread + mean
    b = rng.normal(size=(200_000, 3)).astype(np.float32) * other + other_mean
    first, second = Moments(), Moments()
    for one, x in ((first, a), (second, b)):  # as `add` does, for all at once
        one.count, one._sum, one._products = len(x), x.sum(0), x.T @ x
    assert frechet_distance(first, second) == pytest.approx(1 + 0 + 4 + 1 + 1 + 6.25, rel=0.02)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


# --- the command -------------------------------------------------------------------------------------


@pytest.fixture
def runs(make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.setattr(records, "write_video", lambda path, *_, **__: path.write_bytes(b"film"))
    monkeypatch.setattr(judges, "load_embedder", lambda *_, **__: Formula())
    monkeypatch.setattr(frechet, "load_embedder", lambda *_, **__: Formula())
    for index in range(6):
        Store(tmp_path / "runs" / str(index)).save(make_result(index, width=64))
    return tmp_path / "runs"


def test_samples_are_at_distance_0_from_themselves(runs: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    code = main(["evaluate", str(runs), "--judges", "formula", "--fid", str(runs), "--fad", str(runs),
                 "--fad-features", "tagger", "--out", str(out)])  # fmt: skip
    said = capsys.readouterr()
    assert code == 0, said.err
    found = {one["kind"]: one for one in json.loads((out / "summary.json").read_text())["references"]}
    assert found["FID"]["distance"] == pytest.approx(0, abs=1e-6)
    assert found["FAD"]["distance"] == pytest.approx(0, abs=1e-3)
    assert found["FID"]["features"] == "formula" and found["FAD"]["features"] == "YAMNet"
    assert found["FID"]["count"] == found["FID"]["reference_count"] == 6
    assert found["FAD"]["dimension"] == 1024
    assert "FAD of compose" in said.err and "too few" in said.err
    html = (out / "report.html").read_text()
    assert "YAMNet" in html and "too large" in html
    assert "FID" in said.out and "YAMNet" in said.out


def pictures_below(folder: Path, pattern: str) -> np.ndarray:
    """Mean embedding of the square windows of each picture, (pictures, dimensions)."""
    found = []
    for path in sorted(folder.rglob(pattern)):
        pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        found.append(Formula().picture(squares(pixels)).mean(0).numpy())
    return np.stack(found).astype(np.float64)


def test_files_are_references_too(runs: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(3):
        (tmp_path / "pictures" / "below").mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 64, 3), np.uint8)).save(
            tmp_path / "pictures" / "below" / f"{i}.png"
        )
        soundfile.write(tmp_path / "pictures" / f"{i}.wav", rng.normal(0, 0.1, 8000), 8000)
    summary = eidophone.evaluate(
        [runs], tmp_path / "out", judges="formula", fid=tmp_path / "pictures", fad=tmp_path / "pictures"
    )
    fid, fad = summary.references
    assert fid.distance == pytest.approx(
        published(pictures_below(runs, "picture.png"), pictures_below(tmp_path / "pictures", "*.png")),
        rel=1e-3,
    )
    assert (fid.reference_count, fad.reference_count) == (3, 6)  # two windows a second
    assert fad.distance > 0


@pytest.mark.parametrize("kind", ["fid", "fad"])
@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_references_that_are_not_there_are_named(
    kind: str, what: str, runs: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "empty").mkdir()
    code = main(["evaluate", str(runs), "--judges", "formula", f"--{kind}", str(tmp_path / what),
                 "--out", str(tmp_path / "out")])  # fmt: skip
    said = capsys.readouterr().err
    assert code == 2 and f"--{kind}" in said and what in said and said.count("\n") == 1
    assert not (tmp_path / "out" / "samples.jsonl").exists()  # before any work


def test_features_fit_what_they_embed() -> None:
    with pytest.raises(BadInput, match="does not see"):
        open_features("FID", "tagger", CPU, offline=True)
    assert open_features("FAD", "tagger", CPU, offline=True).name == "YAMNet"
    assert open_features("FID", "tiny", CPU, offline=True).name == "tiny"


def test_features_of_a_sound_are_those_of_its_windows() -> None:
    clip = Clip(np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32), 16_000)
    tagger = load_tagger()
    found = np.stack(list(TaggerFeatures(tagger).of_sound(clip)))
    loud = torch.from_numpy(clip.samples[0] / np.abs(clip.samples).max())
    assert found == pytest.approx(tagger.embeddings(loud).numpy(), abs=1e-4)
    (one,) = EmbedderFeatures(Formula()).of_picture(Picture.from_gray(np.full((32, 32), 0.5, np.float32)))
    assert one.ndim == 1


def test_results_are_references_before_loose_files(runs: Path) -> None:
    assert len(reference_files("FID", runs)) == len(reference_files("FAD", runs)) == 6
