"""Folders of batches that come from strangers: nothing hangs, nothing else is read, nothing half is kept."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from eidophone.api import hear
from eidophone.batch.manifest import _write_csv
from eidophone.batch.run import Progress, _failures
from eidophone.batch.work import Outcome
from eidophone.cli import main


@pytest.fixture(scope="module")
def sample(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np
    from PIL import Image

    root = tmp_path_factory.mktemp("hear")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48), np.uint8)).save(root / "x.png")
    made = hear(root / "x.png", audio_model=pair[1], out=root / "out")
    return (made[0] if isinstance(made, list) else made).folder


def run_of(sample: Path, root: Path) -> Path:
    shutil.copytree(sample, root / "key" / "0000")
    return root / "key" / "0000"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "gone", "other"])
@pytest.mark.parametrize("name", ["video.mp4", "picture.png", "record.json"])
def test_merge_copies_what_a_record_describes_or_nothing(
    name: str, kind: str, sample: Path, tmp_path: Path, capsys
) -> None:
    path = run_of(sample, tmp_path / "theirs") / name
    private = tmp_path / "private"
    private.write_text("secret")
    path.unlink()
    if kind == "link":
        path.symlink_to(private)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "other":
        path.write_text("other")
    code = main(["batch", "--merge", str(tmp_path / "theirs"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err
    if name == "record.json" and kind in ("gone", "folder"):
        assert code in (0, 2)  # a folder without a record is no sample
    else:
        assert code == 2
        assert "eidophone: " in said and "Traceback" not in said
    kept = [p for p in (tmp_path / "out").rglob("*") if p.is_file() and p.name != ".eidophone-lock"]
    assert {p.name for p in kept} <= {"manifest.parquet", "manifest.csv"}


def test_a_whole_sample_is_merged(sample: Path, tmp_path: Path) -> None:
    theirs = run_of(sample, tmp_path / "theirs")
    assert main(["batch", "--merge", str(tmp_path / "theirs"), "--out", str(tmp_path / "out")]) == 0
    merged = tmp_path / "out" / "key" / "0000"
    assert {p.name: p.read_bytes() for p in merged.iterdir()} == {
        p.name: p.read_bytes() for p in theirs.iterdir()
    }


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": {"seed": 10**400}}, {"recipe": {"seed": "x"}}, {"facts": {"seconds": 10**400}},
        {"facts": {"unet_evaluations": 2**63}}, {"recipe": {"options": {"image_prompt": "\ud800"}}},
        {"recipe": {"options": {"vocoder": "\ud800"}}},
        {"facts": {"unet_evaluations": True}}, None,
    ],
)  # fmt: skip
def test_a_record_that_no_table_can_hold_is_named(
    damage: dict | None, sample: Path, tmp_path: Path, capsys
) -> None:
    record = run_of(sample, tmp_path / "run") / "record.json"
    if damage is None:
        record.unlink()
        os.mkfifo(record)
    else:
        given = json.loads(record.read_text())
        for name, values in damage.items():
            given[name] |= values
        record.write_text(json.dumps(given))
    assert main(["batch", "--rebuild", "--out", str(tmp_path / "run")]) == 1
    assert "key/0000: its record cannot be read" in capsys.readouterr().err


def test_failures_name_no_machine_and_no_folder(tmp_path: Path) -> None:
    error = f"{tmp_path}/models/audio: weights are missing; fetch them again."
    details = 'File "/home/zebediah quux/lib/x.py", line 3, in f'
    failed = {"k": Outcome("k", ("2",), error=error, details=details, worker="quux-workstation:12")}
    text = _failures(Progress(failed=failed))
    assert not [word for word in (str(tmp_path), "zebediah", "quux") if word in text]
    (row,) = json.loads(text)
    assert row["error"] == "audio: weights are missing; fetch them again."
    assert row["details"] == 'File "x.py", line 3, in f'


def test_a_prompt_is_no_formula_in_the_manifest(tmp_path: Path) -> None:
    _write_csv(tmp_path / "m.csv", iter([{"key": "k", "image_prompt": "=1+1", "seed": -3}]))
    (row,) = csv.DictReader((tmp_path / "m.csv").open())
    assert (row["image_prompt"], row["seed"]) == ("'=1+1", "-3")


def test_an_overview_that_is_missing_is_made_by_the_next_run(pair, tmp_path: Path) -> None:
    row = {
        "image_prompt": "frog", "audio_prompt": "rain", "count": 2, "steps": 1, "preset": "draft", "offline": True,
        "image_model": str(pair[0]), "audio_model": str(pair[1]), "device": "cpu", "dtype": "float32",
    }  # fmt: skip
    (tmp_path / "jobs.jsonl").write_text(json.dumps(row))
    command = ["batch", str(tmp_path / "jobs.jsonl"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    (sheet,) = tmp_path.glob("out/*/contact-sheet.png")
    whole = sheet.read_bytes()
    sheet.unlink()
    assert main(command) == 0
    assert sheet.read_bytes() == whole
