"""Changes that come from elsewhere: an installed package with entry points, and a copy of the source with one edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

SOURCE = Path(__file__).resolve().parents[2] / "src"

PACKAGE = '''
"""A view and a verb."""

from dataclasses import replace

from eidophone.diffusion.views import View
from eidophone.verbs import Argument, Verb
from eidophone.verbs.see.options import SeeOptions


def shifted(x):
    return x.roll(x.shape[-1] // 2, -1)


def back(x):
    return x.roll(-(x.shape[-1] // 2), -1)


SHIFTED = View("shifted", shifted, back)


class PeekOptions(SeeOptions):
    """The first second of a sound, drawn."""


def peek(options, context):
    from eidophone.verbs.see.pipeline import see

    for result in see(options.model_copy(update={"duration_s": 1.0}), context):
        yield replace(result, verb="peek", recipe=result.recipe.changed(verb="peek"))


PEEK = Verb(
    "peek",
    "draw the first second of a sound",
    PeekOptions,
    peek,
    (Argument("sound", "SOUND", "the sound file"),),
    models=("audio_model",),
)
'''
METADATA = "Metadata-Version: 2.1\nName: peeking\nVersion: 1\n"
ENTRY_POINTS = """
[eidophone.views]
shifted = peeking:SHIFTED
[eidophone.verbs]
peek = peeking:PEEK
"""


COMPOSE = (
    "compose", "a castle", "bell ringing", "--preset", "draft", "--steps", "2", "--count", "1", "--width", "64",
    "--device", "cpu",
)  # fmt: skip


def options_in(out: Path) -> dict[str, Any]:
    """The options that a result records."""
    options: dict[str, Any] = json.loads((out / "0000" / "record.json").read_text())["recipe"]["options"]
    return options


def run(*arguments: str | Path, search: Path) -> str:
    """What `eidophone ...` prints, with a folder in front of the search path; it must end well."""
    paths = os.pathsep.join([str(search), str(SOURCE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "eidophone", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_package_brings_a_view_and_a_verb(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "peeking-1.dist-info").mkdir(parents=True)
    (site / "peeking.py").write_text(PACKAGE)
    (site / "peeking-1.dist-info" / "METADATA").write_text(METADATA)
    (site / "peeking-1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(np.arange(44_100)), 22_050)

    assert "draw the first second" in run("--help", search=site)
    (peeked,) = json.loads(
        run("peek", tmp_path / "a.wav", "--out", tmp_path / "peeked", "--json", search=site)
    )
    assert peeked["verb"] == "peek"
    again = run(
        "remake", tmp_path / "peeked" / "0000", "--sound", tmp_path / "a.wav",
        "--out", tmp_path / "again", "--json", search=site,
    )  # fmt: skip
    (remade,) = json.loads(again)
    sounds = [soundfile.read(tmp_path / name / "0000" / "sound.wav")[0] for name in ("peeked", "again")]
    assert remade["verb"] == "peek" and len(sounds[0]) == 22_050 and (sounds[0] == sounds[1]).all()

    run(*COMPOSE, "--view", "shifted", "--out", tmp_path / "out", search=site)
    assert options_in(tmp_path / "out")["view"] == "shifted"


@pytest.mark.slow
def test_a_setting_of_compose_is_an_edit_of_one_file(tmp_path: Path) -> None:
    """`--guidance` for both models, in a copy of the source where only verbs/compose/options.py differs."""
    copy = tmp_path / "src" / "eidophone"
    shutil.copytree(SOURCE / "eidophone", copy, ignore=shutil.ignore_patterns("tiny", "__pycache__"))
    (copy / "models" / "tiny").symlink_to(SOURCE / "eidophone" / "models" / "tiny")
    edited = copy / "verbs" / "compose" / "options.py"
    text = edited.read_text()
    field = '    steps: Steps = setting("denoising steps", default=25, common=True)\n'
    begin = '        if given.get("view", "identity") != "identity" and not given.get("crop"):\n'
    assert text.count(field) == text.count(begin) == 1
    text = text.replace(
        field,
        field
        + '    guidance: Scale | None = setting("guidance scale of both prompts", default=None, common=True)\n',
    )
    both = 'given = dict.fromkeys(("image_guidance", "audio_guidance"), given["guidance"]) | given'
    text = text.replace(begin, f'        if given.get("guidance") is not None:\n            {both}\n{begin}')
    edited.write_text(text)

    search = tmp_path / "src"
    run(*COMPOSE, "--guidance", "2", "--out", tmp_path / "new", search=search)
    run(*COMPOSE, "--image-guidance", "2", "--audio-guidance", "2", "--out", tmp_path / "old", search=SOURCE)
    run(*COMPOSE, "--out", tmp_path / "plain", search=SOURCE)
    assert options_in(tmp_path / "new")["guidance"] == 2
    new, old, plain = (soundfile.read(tmp_path / n / "0000/sound.wav")[0] for n in ("new", "old", "plain"))
    assert (new == old).all() and (old != plain).any()
    assert "--guidance" in run("compose", "--help", search=search)
