"""`eidophone data mix`, as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eidophone.cli import main


@pytest.fixture
def esc(tmp_path: Path) -> Path:
    for i, label in enumerate(("dog", "rain", "clock")):
        for fold in (1, 2):
            path = tmp_path / "esc" / label / f"{fold}-{i}-A.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * np.random.default_rng(i).standard_normal(4410), 44_100)
    return tmp_path / "esc"


def test_mixtures_come_with_a_manifest_and_are_the_same_again(esc: Path, tmp_path: Path, capsys) -> None:
    arguments = ["data", "mix", str(esc), "--count", "4", "--fold", "2", "--lowest-db", "-6"]
    for out in ("a", "b"):
        assert main([*arguments, "--out", str(tmp_path / out)]) == 0
    assert "4 mixtures" in capsys.readouterr().out
    rows = json.loads((tmp_path / "a" / "manifest.json").read_text())["mixtures"]
    for row in rows:
        name = row["file"]
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert len(set(row["labels"])) == 2 and -6 <= row["level_db"] <= 0
        assert all(source.startswith("2-") for source in row["sources"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--fold", "7"], "at least two classes"),
        (["--lowest-db", "3"], "--lowest-db"),
        (["--count", "0"], "--count"),
    ],
)
def test_bad_settings_are_one_sentence(more: list[str], said: str, esc: Path, tmp_path: Path, capsys) -> None:
    assert main(["data", "mix", str(esc), "--out", str(tmp_path / "out"), *more]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_mixtures_are_not_written_over(esc: Path, tmp_path: Path, capsys) -> None:
    arguments = ["data", "mix", str(esc), "--count", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert main(arguments) == 2
    assert "already holds mixtures" in capsys.readouterr().err
