"""The commands as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eidophone.cli import main
from eidophone.cli.program import build_parser
from eidophone.options.kinds import flag_of
from eidophone.verbs import VERBS


def flags(settings: dict) -> list[str]:
    return [
        "--image-model", settings["image_model"], "--audio-model", settings["audio_model"], "--device", "cpu",
    ]  # fmt: skip


def test_compose_prints_where_the_results_are(settings, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compose", "castle", "bell", "--count", "2", "--steps", "1", *flags(settings)]) == 0
    said = capsys.readouterr().out
    (folder,) = (tmp_path / "eidophone-out").iterdir()
    assert folder.name.endswith("-compose-castle-bell")
    assert f"eidophone-out/{folder.name}" in said
    assert sorted(p.name for p in folder.iterdir()) == [
        ".eidophone-lock",
        "0000",
        "0001",
        "contact-sheet.png",
    ]
    assert "picture.png, record.json, sound.wav, spectrogram.png, video.mp4" in said
    assert main(["compose", "castle", "bell", "--count", "1", "--steps", "1", *flags(settings)]) == 0
    assert len(list((tmp_path / "eidophone-out").iterdir())) == 2


def test_json_names_every_file(settings, tmp_path, capsys) -> None:
    more = [
        "--count",
        "1",
        "--index",
        "7",
        "--seed",
        "3",
        "--steps",
        "1",
        "--json",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(["compose", "castle", "bell", *more, *flags(settings)]) == 0
    (sample,) = json.loads(capsys.readouterr().out)
    assert sample["index"] == 7 and sample["seed"] == 10
    assert all((Path(sample["folder"]) / name).is_file() for name in sample["files"])
    assert "video.mp4" in sample["files"]


def test_remake_by_command(settings, tmp_path, capsys) -> None:
    more = ["--count", "1", "--steps", "1", "--out", str(tmp_path / "o")]
    assert main(["compose", "castle", "bell", *more, *flags(settings)]) == 0
    sound = str(tmp_path / "o" / "0000" / "sound.wav")
    assert main(["remake", sound, "--out", str(tmp_path / "p"), *flags(settings)]) == 0
    for name in ("picture.png", "sound.wav"):
        ours, theirs = (tmp_path / folder / "0000" / name for folder in ("o", "p"))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("verb", VERBS.names())
def test_every_setting_is_a_flag_and_has_help(verb: str, capsys) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([verb, "--help"])
    help_text = capsys.readouterr().out
    for name, field in VERBS[verb].options.model_fields.items():
        assert field.description
        if name not in VERBS[verb].options.HIDDEN:
            assert flag_of(name) in help_text


@pytest.mark.parametrize("verb", VERBS.names())
@pytest.mark.parametrize("preset", ["paper", "fast", "draft"])
def test_presets_are_valid_and_survive_the_record(verb: str, preset: str) -> None:
    kind = VERBS[verb].options
    files = {"hear": {"picture": "x.png"}, "colorize": {"picture": "x.png"}}
    given = files.get(verb, {"sound": "x.wav"} if verb in ("see", "paint") else {})
    if "preset" not in kind.model_fields:
        return
    options = kind.make(preset=preset, **given)
    assert kind.make(**json.loads(json.dumps(options.plain()))) == options


def test_models_list_names_source_and_licence(capsys) -> None:
    assert main(["models", "list"]) == 0
    said = capsys.readouterr().out
    for word in ("tiny", "sd15", "auffusion", "CreativeML-OpenRAIL-M", "stable-diffusion-v1-5"):
        assert word in said


def test_r81_models_check_takes_offline(capsys, monkeypatch, tmp_path: Path) -> None:
    """The flag of all verbs; `check` asks no hub without it either."""

    asked: list[object] = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: asked.append("the hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for flags in ([], ["--offline"]):
        assert main(["models", "check", "sd15", *flags]) == 2
        assert "run `eidophone models pull sd15`" in capsys.readouterr().out
    assert not asked


def test_models_check_loads_a_folder(pair, capsys) -> None:
    assert main(["models", "check", *map(str, pair)]) == 0
    said = capsys.readouterr().out
    assert "(image): works" in said and "(audio): works" in said and "32 mel bands at 8000 Hz" in said


@pytest.mark.slow
def test_ctrl_c_keeps_finished_samples_and_says_how_many(settings, tmp_path) -> None:
    out = tmp_path / "o"
    more = ["--count", "500", "--steps", "3", "--batch-size", "1", "--out", str(out)]
    command = [sys.executable, "-m", "eidophone", "compose", "castle", "bell", *more, *flags(settings)]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what runs in the background of a script inherits a deaf ear for Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not (out / "0001" / "record.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGINT)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, said
    kept = sorted(p.name for p in out.iterdir() if p.name.isdecimal())
    assert f"{len(kept)} of 500 samples are finished" in said
    assert "Traceback" not in said
    assert all((out / name / "record.json").is_file() for name in kept)
