"""`eidophone caption`, as a user types it, on real files."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import eidophone
from eidophone.cli import main


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    t = np.arange(3 * 44_100) / 44_100
    soundfile.write(tmp_path / "a-tone.flac", 0.5 * np.sin(2 * np.pi * 500 * t), 44_100)
    soundfile.write(tmp_path / "b-noise.ogg", 0.1 * np.random.default_rng(0).standard_normal(len(t)), 44_100)
    soundfile.write(tmp_path / "c-silence.wav", np.zeros(len(t)), 44_100)
    return tmp_path


def test_a_folder_is_captioned_file_by_file(sounds: Path, capsys) -> None:
    assert main(["caption", str(sounds), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [Path(row["sound"]).name for row in rows] == ["a-tone.flac", "b-noise.ogg", "c-silence.wav"]
    assert [row["caption"] for row in rows][::2] == ["a pure tone", "silence"]
    for row in rows:
        assert " ".join(word["text"] for word in row["words"]) == row["caption"]
        assert all(0 <= w["confidence"] <= 1 and 0 <= w["start_s"] <= w["end_s"] <= 3 for w in row["words"])


def test_a_broken_file_is_named_and_the_others_are_captioned(sounds: Path, capsys) -> None:
    (sounds / "broken.wav").write_bytes(b"RIFF not a sound")
    assert main(["caption", str(sounds)]) == 1
    said = capsys.readouterr()
    assert "a pure tone" in said.out and "silence" in said.out
    assert "broken.wav" in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--captioner", "nobody"], "nobody"),
        (["--captioner", "sd15"], "captioner"),
        (["--device", "tpu"], "--device"),
    ],
)
def test_bad_settings_are_one_sentence(more: list[str], said: str, sounds: Path, capsys) -> None:
    assert main(["caption", str(sounds / "c-silence.wav"), *more]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_nothing_readable_is_bad_input(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing")
    assert main(["caption", str(tmp_path / "x.wav")]) == 2
    assert "x.wav" in capsys.readouterr().err


def test_python_says_the_same(sounds: Path) -> None:
    found = eidophone.caption(sounds / "a-tone.flac")
    assert found.text == "a pure tone" and found.words[-1].end_s == pytest.approx(3, abs=0.01)
