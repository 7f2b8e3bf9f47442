"""A captioner, an embedder or a judge is one file: registered by a program, or in a package with entry points."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

import eidophone
from eidophone.core.values import Caption
from eidophone.models.checkpoint import find_network
from eidophone.models.kinds import CAPTIONERS, EMBEDDERS
from eidophone.scoring import register_captioner, register_embedder
from eidophone.scoring.judges import open_judges

PACKAGE = '''
"""Brings a captioner, an embedder and a judge."""

import torch

from eidophone.core.values import Caption


class Parrot:
    name = "parrot"
    rate_hz = 8000

    def caption(self, blocks):
        return Caption.from_text(f"a sound of {sum(map(len, blocks))} samples")


class Level:
    """How loud a sound is."""

    name = "level"

    def __call__(self, subject):
        return {"peak": float(abs(subject.clip.samples).max())}


class Ones:
    name, senses, logit_scale, sees_whole, nothing = "ones", frozenset({"picture", "sound"}), 1.0, True, ()

    def picture(self, pixels):
        return torch.ones(len(pixels), 1)

    def sound(self, samples, rate_hz):
        return torch.ones(len(samples), 1)


def parrot(device):
    return Parrot()


def ones(device):
    return Ones()
'''
METADATA = "Metadata-Version: 2.1\nName: birds\nVersion: 1\n"
ENTRY_POINTS = """
[eidophone.captioners]
parrot = birds:parrot
[eidophone.embedders]
ones = birds:ones
[eidophone.scorers]
level = birds:Level
"""


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(np.arange(16_000)), 16_000)
    return tmp_path / "a.wav"


def test_a_registered_captioner_is_found_by_its_name(sound: Path) -> None:
    class Counting:
        name, rate_hz = "counting", 8000

        def caption(self, blocks: Iterable[np.ndarray]) -> Caption:
            return Caption.from_text(f"{sum(map(len, blocks))} samples")

    register_captioner("counting", lambda device: Counting(), "counts samples")
    assert "counting" in CAPTIONERS and {"act", "whisper", "qwen2_audio", "tagged"} <= set(CAPTIONERS.names())
    assert eidophone.caption(sound, captioner="counting").text == "8000 samples"
    found = find_network("counting", "captioner")
    assert found.path == Path(__file__) and len(found.weights) == 16


def test_a_registered_embedder_is_a_judge_too() -> None:
    class Light:
        name, senses, logit_scale, sees_whole, nothing = (
            "light",
            frozenset({"picture", "text"}),
            1.0,
            True,
            (),
        )

        def picture(self, pixels: Tensor) -> Tensor:
            return F.normalize(pixels.mean((2, 3)))

        def text(self, phrases: Sequence[str]) -> Tensor:
            return F.normalize(torch.ones(len(phrases), 3))

    register_embedder("light", lambda device: Light())
    assert "light" in EMBEDDERS
    (judge,) = open_judges("light", torch.device("cpu"), offline=True)
    assert judge.name == "light"


def test_another_package_brings_all_three_by_entry_points(sound: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "birds-1.dist-info").mkdir(parents=True)
    (tmp_path / "site" / "birds.py").write_text(PACKAGE)
    (tmp_path / "site" / "birds-1.dist-info" / "METADATA").write_text(METADATA)
    (tmp_path / "site" / "birds-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    Image.new("RGB", (64, 32), "white").save(tmp_path / "a.png")
    paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*given: str) -> list[dict]:
        command = [sys.executable, "-m", "eidophone", *given, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    (said,) = run("caption", str(sound), "--captioner", "parrot")
    assert said["caption"] == "a sound of 8000 samples"
    (scored,) = run("score", str(tmp_path / "a.png"), str(sound), "--judges", "level,ones")
    assert scored["numbers"]["level.peak"] == pytest.approx(0.5, abs=0.01)
    assert scored["numbers"]["ones.agrees"] == 1.0
