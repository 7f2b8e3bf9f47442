"""Data sets in bad places and broken tables, mixtures by several processes (ids: the robustness review)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from eidophone.cli import main
from eidophone.core.errors import BadInput
from eidophone.data import mixtures
from eidophone.data.mixtures import draw, read_mixtures, write_mixtures
from eidophone.data.recordings import read_esc
from eidophone.media.lock import folder_lock
from tests.ending import exit_code
from tests.media.conftest import limit


@pytest.fixture
def esc(tmp_path: Path) -> Path:
    for i, label in enumerate(("dog", "rain", "clock")):
        path = tmp_path / "esc" / "audio" / f"1-{i}-A.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * np.random.default_rng(i).standard_normal(4410), 44_100)
        table(tmp_path / "esc", "a" if i else "w", f"1-{i}-A.wav,1,{label}")
    return tmp_path / "esc"


def table(folder: Path, mode: str, *rows: str, encoding: str = "utf-8") -> None:
    (folder / "meta").mkdir(exist_ok=True)
    with (folder / "meta" / "esc50.csv").open(mode, encoding=encoding) as file:
        file.writelines(
            f"{row}\n" for row in ([] if mode == "a" else ["filename,fold,category"]) + list(rows)
        )


def mix(esc: Path, out: Path, *more: str) -> list[str]:
    return ["data", "mix", str(esc), "--out", str(out), *more]


def test_r34_a_full_disk_names_the_folder_and_leaves_nothing(esc: Path, tmp_path: Path, capsys) -> None:
    with limit(1000):
        assert main(mix(esc, tmp_path / "m", "--count", "2")) == 2
    said = capsys.readouterr().err
    assert f"Cannot write {tmp_path / 'm'}: the file would be larger" in said and ".part-" not in said
    assert not list(tmp_path.glob("*m*"))


@pytest.mark.slow
def test_r22_two_processes_with_other_seeds_never_mix_their_files(esc: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    given = [sys.executable, "-m", "eidophone"]
    running = [
        subprocess.Popen(
            [*given, *mix(esc, out, "--count", "300", "--seed", seed)], stderr=subprocess.PIPE, text=True
        )
        for seed in ("1", "5000")
    ]
    errors = [process.communicate(timeout=200)[1] for process in running]
    codes = sorted(process.returncode for process in running)
    assert codes == [0, 2], errors
    assert any("Another process is writing mixtures" in e or "already holds mixtures" in e for e in errors)
    rows = json.loads((out / "manifest.json").read_text())["mixtures"]
    assert [row["seed"] - rows[0]["seed"] for row in rows] == list(range(300))
    expected = draw(read_esc(esc), 300, rows[0]["seed"])
    found = read_mixtures(out)
    assert [r.labels for r in found] == [m.labels for m in expected]
    (again,) = list(write_mixtures(expected[7:8], tmp_path / "again"))
    assert again.read_bytes() == found[7].path.read_bytes()


def test_r22_a_folder_that_another_process_is_writing_is_refused_at_once(
    esc: Path, tmp_path: Path, capsys
) -> None:
    with folder_lock(tmp_path / ".part-m", "busy"):
        assert main(mix(esc, tmp_path / "m", "--count", "2")) == 2
    assert "Another process is writing mixtures into" in capsys.readouterr().err
    assert main(mix(esc, tmp_path / "m", "--count", "2")) == 0


def _dies_at_the_sixth_file(monkeypatch) -> list[Path]:
    """Ctrl-C at the sixth WAV file; the files that are begun, before and after, are added to the list."""
    real, begun = mixtures.write_wav, []

    def counting(path: Path, *rest: object) -> None:
        begun.append(path)
        if len(begun) == 6:
            raise KeyboardInterrupt
        real(path, *rest)

    monkeypatch.setattr(mixtures, "write_wav", counting)
    return begun


def test_r23_a_killed_run_leaves_nothing_that_a_smaller_one_could_keep(
    esc: Path, tmp_path: Path, monkeypatch
) -> None:
    _dies_at_the_sixth_file(monkeypatch)
    assert main(mix(esc, tmp_path / "m", "--count", "8")) == 130
    monkeypatch.undo()
    assert not (tmp_path / "m").exists()
    assert main(mix(esc, tmp_path / "m", "--count", "3", "--seed", "9")) == 0
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "0000.wav",
        "0001.wav",
        "0002.wav",
        "manifest.json",
    ]
    assert not list(tmp_path.glob(".part-*"))


def test_a_killed_run_continues_and_gives_the_same_bytes(esc: Path, tmp_path: Path, monkeypatch) -> None:
    assert main(mix(esc, tmp_path / "whole", "--count", "8")) == 0
    made = _dies_at_the_sixth_file(monkeypatch)
    assert main(mix(esc, tmp_path / "m", "--count", "8")) == 130
    assert main(mix(esc, tmp_path / "m", "--count", "8")) == 0
    assert len(made) == 6 + 3
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "m" / path.name).read_bytes() == path.read_bytes()


def test_a_folder_with_other_files_is_not_touched(esc: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "0000.wav").write_bytes(b"mine")
    assert main(mix(esc, tmp_path / "m", "--count", "2")) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert (tmp_path / "m" / "0000.wav").read_bytes() == b"mine" and not list(tmp_path.glob(".part-*"))


def test_a_bad_recording_leaves_nothing(esc: Path, tmp_path: Path, capsys) -> None:
    (esc / "audio" / "1-1-A.wav").write_bytes(b"RIFF")
    assert main(mix(esc, tmp_path / "m", "--count", "9")) == 2
    assert "1-1-A.wav" in capsys.readouterr().err
    assert not (tmp_path / "m").exists() and not list(tmp_path.glob(".part-*"))


ROWS = [
    "x\x00y.wav,1,a",
    f"{'x' * 5000}.wav,1,a",
    f"1-0-A.wav,{'9' * 5000},a",
    "1-0-A.wav,-1,a",
    "1-0-A.wav,²,a",
    "1-0-A.wav",
]


@pytest.mark.parametrize(
    "row", ROWS, ids=["nul", "long name", "long fold", "negative", "superscript", "cut short"]
)
def test_r55_a_bad_row_of_a_table_is_a_sentence(row: str, esc: Path, tmp_path: Path, capsys) -> None:
    table(esc, "a", row)
    assert main(mix(esc, tmp_path / "m")) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and len(err) < 800 and "\x00" not in err and "Unexpected" not in err


def test_r68_a_table_that_excel_saved_is_read(esc: Path, tmp_path: Path) -> None:
    plain = (esc / "meta" / "esc50.csv").read_text()
    (esc / "meta" / "esc50.csv").write_text(plain, encoding="utf-8-sig")
    assert [r.labels for r in read_esc(esc)] == [("dog",), ("rain",), ("clock",)]
    assert main(mix(esc, tmp_path / "m", "--count", "2")) == 0


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b"])
def test_r45_a_name_that_cannot_be_one_is_a_sentence(name: str, esc: Path, tmp_path: Path, capsys) -> None:
    for given in (mix(Path(name), tmp_path / "m"), mix(esc, tmp_path / name, "--count", "1")):
        assert exit_code(given) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and "Unexpected" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_r46_a_folder_without_permission_is_a_sentence(esc: Path, tmp_path: Path, capsys) -> None:
    esc.chmod(0)
    try:
        assert main(mix(esc, tmp_path / "m")) == 2
        assert "permission" in capsys.readouterr().err.lower()
    finally:
        esc.chmod(0o755)


def test_r51_names_of_any_bytes_are_escaped(esc: Path, tmp_path: Path, capsysbinary) -> None:
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    shutil.move(esc, place)
    assert exit_code(mix(Path(place), Path(place) / "m", "--count", "1")) in (0, 2)
    said = capsysbinary.readouterr()
    assert b"Unexpected" not in said.err and b"Traceback" not in said.err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"mixtures": [{"file": "../x.wav", "labels": ["a"]}]}',
        '{"mixtures": [{"file": "x", "labels": "a"}]}',
    ],
)
def test_a_damaged_manifest_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadInput, match="manifest"):
        read_mixtures(tmp_path)
