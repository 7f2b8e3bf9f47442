"""Bad input: one clear sentence that names it and the remedy, exit code 2, no traceback, nothing left."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eidophone.cli import main

PROMPTS = ["castle", "bell"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that are not what their names say."""
    made = {
        name: tmp_path / name
        for name in ("empty.wav", "text.wav", "nan.wav", "none.wav", "cut.wav", "no.png")
    }
    made["empty.wav"].touch()
    made["text.wav"].write_text("not a sound at all\n" * 50)
    nan = np.zeros(8000, np.float32)
    nan[4000] = np.nan
    soundfile.write(made["nan.wav"], nan, 8000, subtype="FLOAT")
    soundfile.write(made["none.wav"], np.zeros((0, 1)), 8000)
    soundfile.write(made["cut.wav"], np.zeros(80_000), 8000)
    made["cut.wav"].write_bytes(made["cut.wav"].read_bytes()[:40_000])
    made["no.png"].write_text("not a picture\n")
    made["gone.wav"] = tmp_path / "gone.wav"
    return made


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that must be refused; returns its one sentence."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    said = capsys.readouterr()
    assert code == 2, said
    assert said.out == ""
    lines = said.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("eidophone: "), said.err
    assert "Traceback" not in said.err
    return lines[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone.wav", "does not exist"), ("empty.wav", "empty"), ("text.wav", "sound"), ("nan.wav", "NaN"),
        ("none.wav", "no sound"), ("cut.wav", "cut short"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["see", "imprint"])
def test_sounds(verb, name, words, files, settings, pair, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    flags = ["--out", str(out), "--audio-model", str(pair[1])]
    if verb == "imprint":
        flags += ["--image-model", str(pair[0]), "--count", "1", "--device", "cpu"]
        arguments = ["imprint", "castle", "--sound", str(files[name]), "--image-steps", "1", *flags]
    else:
        arguments = ["see", str(files[name]), *flags]
    sentence = refused(arguments, capsys)
    assert name in sentence and words in sentence
    assert not out.exists()


@pytest.mark.parametrize("verb", ["hear", "remake"])
@pytest.mark.parametrize("name", ["no.png", "gone.wav"])
def test_pictures(verb: str, name: str, files, pair, tmp_path, capsys) -> None:
    flags = ["--audio-model", str(pair[1])] if verb == "hear" else []
    assert name in refused([verb, str(files[name]), "--out", str(tmp_path / "out"), *flags], capsys)
    assert not (tmp_path / "out").exists()


def test_a_picture_without_a_recipe_cannot_be_remade(tmp_path, capsys) -> None:
    from eidophone.core.values import Picture
    from eidophone.media.picture import write_png

    write_png(tmp_path / "plain.png", Picture(np.zeros((8, 8, 3), np.float32)))
    assert "carries no recipe" in refused(["remake", str(tmp_path / "plain.png")], capsys)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--count", "-3"], ["--count", "-3", "greater than or equal to 1"]),
        (["--steps", "0"], ["--steps", "0"]),
        (["--steps", "many"], ["--steps", "integer", "many"]),
        (["--steps", "9", "--image-start-step", "10"], ["--image-start-step 10", "at most 9"]),
        (["--image-start-step", "2", "--audio-start-step", "3"], ["No model is active at steps 0 to 1"]),
        (["--height", "36"], ["--height 36", "nearest are 32 and 40"]),
        (["--width", "3"], ["--width", "greater than or equal to 8"]),
        (["--height", "40"], ["--height 40", "32"]),
        (["--width", "32", "--crop"], ["--width 32", "--crop"]),
        (["--crop", "--cutoff"], ["--crop and --cutoff"]),
        (["--audio-weight", "1.5"], ["--audio-weight, weight of the audio model", "1.5"]),
        (["--audio-weight", "nan"], ["--audio-weight", "nan"]),
        (["--preset", "best"], ["--preset", "'paper', 'fast' or 'draft'"]),
        (["--device", "cuda:7"], ["cuda:7", "--device auto or cpu"]),
        (["--image-model", "sd99"], ["sd99", "tiny", "sd15"]),
        (["--vocoder", "hifi-gan"], ["has no vocoder", "griffin-lim"]),
        (["--audio-negative", "noise " * 90], ["negative audio prompt has 90 tokens", "would be cut"]),
        (["--colour", "red"], ["--colour", "--help"]),
    ],
)  # fmt: skip
def test_settings(flags: list[str], words: list[str], settings, tmp_path, capsys) -> None:
    models = []
    for name in ("image_model", "audio_model"):
        flag = "--" + name.replace("_", "-")
        models += [] if flag in flags else [flag, settings[name]]
    device = [] if "--device" in flags else ["--device", "cpu"]
    sentence = refused(
        ["compose", *PROMPTS, *models, *device, *flags, "--out", str(tmp_path / "out")], capsys
    )
    assert all(word in sentence for word in words), sentence
    assert not (tmp_path / "out").exists()


def test_weights_that_are_absent(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    sentence = refused(["compose", *PROMPTS, "--image-model", "sd15", "--offline"], capsys)
    assert "eidophone models pull sd15" in sentence


def test_models_that_do_not_fit(pair, tmp_path, capsys) -> None:
    from tests.conftest import make_model

    other = make_model(tmp_path / "other", 3, beta_end=0.02)
    capsys.readouterr()  # what saving a model prints
    flags = ["--image-model", str(other), "--audio-model", str(pair[1]), "--device", "cpu"]
    sentence = refused(["compose", *PROMPTS, *flags], capsys)
    assert str(other) in sentence and str(pair[1]) in sentence and "beta_end" in sentence


def unwritable(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "out"


def read_only(tmp_path: Path) -> Path:
    return Path("/proc/eidophone-out")


@pytest.mark.parametrize("place", [unwritable, read_only])
def test_an_unwritable_folder_is_refused_before_the_work(
    place: Callable[[Path], Path], settings, tmp_path, capsys
) -> None:
    flags = ["--image-model", settings["image_model"], "--audio-model", settings["audio_model"]]
    out = place(tmp_path)
    sentence = refused(["compose", *PROMPTS, *flags, "--device", "cpu", "--out", str(out)], capsys)
    assert f"Cannot write {out}" in sentence


def test_the_number_of_prompts_of_imprint(files, capsys) -> None:
    assert "needs image prompt and audio prompt here, but got 1" in refused(["imprint", "castle"], capsys)
    arguments = ["imprint", "castle", "bell", "--picture", str(files["no.png"])]
    assert "needs audio prompt here, but got 2" in refused(arguments, capsys)


def test_no_traceback_from_the_real_program(tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "100"}
    ran = subprocess.run(
        [sys.executable, "-m", "eidophone", "see", str(tmp_path / "gone.wav")],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.strip().splitlines() == [
        f"eidophone: {tmp_path / 'gone.wav'} does not exist; check the path."
    ]


def test_a_reader_that_has_seen_enough_is_no_mistake() -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "eidophone", "models", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.close()
    _, said = running.communicate(timeout=120)
    assert said == b"" and running.returncode == 0


@pytest.mark.parametrize(
    "arguments", [["see", "x.wav", "--nothing=", "a" * 5000], ["see", "a" * 5000], ["a" * 5000]]
)
def test_a_long_word_does_not_flood_the_terminal(arguments: list[str], capsys) -> None:
    assert len(refused(arguments, capsys)) < 1000


def test_a_failure_is_explained_without_another_program(monkeypatch, tmp_path) -> None:
    from eidophone.cli.failures import explain

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(platform, "_uname_cache", None)
    monkeypatch.setattr(platform, "_platform_cache", {})
    code, words = explain(RuntimeError("x"))
    assert code == 3 and str(tmp_path) in words


def test_a_mistyped_flag_cannot_act_on_the_terminal(capsys) -> None:
    assert "\x1b" not in refused(["see", "x.wav", "--\x1b[31mred"], capsys)
    assert "\x1b" not in refused(["\x1b[31mred"], capsys)


def test_bad_input_leaves_no_folder_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compose", *PROMPTS, "--image-model", "/nowhere"]) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["hear", "x.png"], ["see", "x.wav"], ["compose", "a", "b"], ["remake", "x.png"], ["evaluate", "x"],
        ["data", "mix", "x"], ["batch", "x.csv"],
    ],
)  # fmt: skip
@pytest.mark.parametrize(("name", "said"), [("a\0b", "holds a character"), ("a\udcff", "not valid UTF-8")])
def test_a_name_that_no_folder_can_have_is_refused_by_every_command(
    command: list[str], name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused([*command, f"--out={tmp_path / name}"], capsys)
    assert not list(tmp_path.iterdir())
