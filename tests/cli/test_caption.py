"""`eidophone caption`, as a user types it, on real files."""

import json
import os
import sys
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


def test_r72_a_broken_file_is_named_and_the_others_are_captioned(sounds: Path, capsys) -> None:
    """Exit code 1, as docs/reference/exit-codes.md says."""
    (sounds / "broken.wav").write_bytes(b"RIFF not a sound")
    assert main(["caption", str(sounds)]) == 1
    said = capsys.readouterr()
    assert "a pure tone" in said.out and "silence" in said.out
    assert "broken.wav" in said.err and sum("listening" not in x for x in said.err.splitlines()) == 1


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
    err = [line for line in capsys.readouterr().err.splitlines() if "listening" not in line]
    assert said in err[0] and len(err) == 1


def test_nothing_readable_is_bad_input(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.wav").write_bytes(b"nothing")
    assert main(["caption", str(tmp_path / "x.wav")]) == 2
    assert "x.wav" in capsys.readouterr().err


def test_python_says_the_same(sounds: Path) -> None:
    found = eidophone.caption(sounds / "a-tone.flac")
    assert found.text == "a pure tone" and found.words[-1].end_s == pytest.approx(3, abs=0.01)


def test_filler_words_have_no_rows(sounds: Path, capsys) -> None:
    assert main(["caption", str(sounds / "a-tone.flac")]) == 0
    caption, heading, *rows = capsys.readouterr().out.splitlines()
    assert caption.endswith(": a pure tone") and "confidence" in heading
    assert [row.split()[0] for row in rows] == ["pure", "tone"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_r51_a_name_that_is_not_utf8_is_escaped(sounds: Path, capsysbinary) -> None:
    place = os.fsdecode(os.fsencode(sounds) + b"/caf\xe9.wav")
    (sounds / "c-silence.wav").rename(place)
    assert main(["caption", place]) in (0, 2)
    said = capsysbinary.readouterr()
    assert b"caf\\xe9.wav" in said.out + said.err and b"Unexpected" not in said.err
