"""Batches on the toy pair: the same keys and bytes however they run, and nothing twice."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from eidophone.batch.engines import EngineSettings
from eidophone.batch.jobs import read_tasks
from eidophone.batch.run import run_batch
from eidophone.cli import main
from eidophone.results.store import load
from tests.batch.conftest import digests, samples

Jobs = Callable[..., Path]
#: More kills: EIDOPHONE_KILLS=100 pytest tests/batch
KILLS = int(os.environ.get("EIDOPHONE_KILLS", "2"))


def manifest(root: Path) -> list[dict]:
    from pyarrow import parquet

    return parquet.read_table(root / "manifest.parquet").to_pylist()


def without_times(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("seconds", "made", "record_sha256")}


def named(row: dict) -> tuple:
    return row["key"], row["index"], row["seed"], row["picture_sha256"]


@pytest.mark.slow
def test_one_process_two_workers_and_two_shards_make_the_same(jobs: Jobs, tmp_path: Path, capsys) -> None:
    path = str(jobs())
    one, two, first, second, both = (tmp_path / name for name in ("one", "two", "first", "second", "both"))
    assert main(["batch", path, "--out", str(one)]) == 0
    assert "6 samples made, 0 already there." in capsys.readouterr().out
    assert main(["batch", path, "--out", str(two), "--workers", "2"]) == 0
    assert main(["batch", path, "--out", str(first), "--shard", "1/2"]) == 0
    assert main(["batch", path, "--out", str(second), "--shard", "2/2"]) == 0
    assert samples(first) and samples(second) and not samples(first) & samples(second)
    assert main(["batch", "--out", str(both), "--merge", str(first), str(second)]) == 0
    assert len(samples(one)) == 6
    assert digests(one) == digests(two) == digests(both)
    facts = [[without_times(row) for row in manifest(root)] for root in (one, two, both)]
    assert facts[0] == facts[1] == facts[2]


def test_a_sample_is_that_of_compose(jobs: Jobs, settings: dict, tmp_path: Path) -> None:
    from eidophone.session import Session

    path = jobs(1)
    assert main(["batch", str(path), "--out", str(tmp_path / "runs")]) == 0
    with Session() as session:
        list(
            session.compose(
                "castle", "bell", seed=7, count=2, steps=1, threads=1, out=tmp_path / "k", **settings
            )
        )
    (folder,) = {p.parent.parent for p in (tmp_path / "runs").glob("*/*/record.json")}
    for name in ("0000/picture.png", "0001/sound.wav", "0001/video.mp4"):
        assert (folder / name).read_bytes() == (tmp_path / "k" / name).read_bytes()


def test_a_second_run_makes_only_what_is_missing(jobs: Jobs, tmp_path: Path, capsys) -> None:
    root, path = tmp_path / "runs", str(jobs(2))
    assert main(["batch", path, "--out", str(root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loads_per_worker"] == 1
    before, rows = digests(root), manifest(root)
    kept = {p: p.stat().st_mtime_ns for p in root.glob("*/0000/record.json")}
    (root / "manifest.parquet").unlink()
    for lost in root.glob("*/0001"):
        shutil.rmtree(lost)
    assert main(["batch", path, "--out", str(root), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["made"], said["already"]) == (2, 2)
    assert digests(root) == before
    assert kept == {p: p.stat().st_mtime_ns for p in root.glob("*/0000/record.json")}
    assert [named(row) for row in manifest(root)] == [named(row) for row in rows]


def test_the_manifest_is_rebuilt_from_the_results(jobs: Jobs, tmp_path: Path, capsys) -> None:
    root = tmp_path / "runs"
    assert main(["batch", str(jobs(2)), "--out", str(root)]) == 0
    rows = manifest(root)
    for name in ("manifest.parquet", "rows.csv", "failures.json"):
        (root / name).unlink()
    assert main(["batch", "--out", str(root), "--rebuild"]) == 0
    assert manifest(root) == rows and len(rows) == 4
    for row in rows:
        result = load(root / row["folder"])
        assert (result.index, result.recipe.seed) == (row["index"], row["seed"])
        assert result.recipe.options.image_prompt == row["image_prompt"]
    (root / rows[0]["folder"] / "record.json").write_text("{")
    capsys.readouterr()
    assert main(["batch", "--out", str(root), "--rebuild"]) == 1
    assert rows[0]["folder"] in capsys.readouterr().err
    assert manifest(root) == rows[1:]


def test_a_failing_row_is_named_and_the_rest_goes_on(jobs: Jobs, tmp_path: Path, capsys) -> None:
    path = jobs(3)
    lines = path.read_text().splitlines()
    lines[1] = json.dumps(json.loads(lines[1]) | {"width": 84})
    path.write_text("\n".join(lines))
    root = tmp_path / "runs"
    code = main(["batch", str(path), "--out", str(root), "--retry", "1"])
    said = capsys.readouterr()
    assert code == 1, said
    assert "row 2 failed: " in said.err and "1 row failed" in said.err and "Traceback" not in said.err
    assert len(samples(root)) == 4
    (failure,) = json.loads((root / "failures.json").read_text())
    assert failure["rows"] == ["2"] and failure["error"]


def test_a_bad_job_file_starts_nothing(jobs: Jobs, tmp_path: Path, capsys) -> None:
    assert main(["batch", str(jobs(2, steps=0)), "--out", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr().err
    assert "row 1: --steps" in said and "row 2: --steps" in said and "2 rows cannot run" in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--shard", "3/2"], "I/N"),
        (["--workers", "0"], "1 to 99999"),
        (["--engine", "rya"], "did you mean 'ray'"),
        (["--engine-option", "x"], "NAME=VALUE"),
        (["--engine-option", "x=1"], "no options"),
    ],
)
def test_bad_flags(jobs: Jobs, tmp_path: Path, capsys, flags: list[str], words: str) -> None:
    try:
        code = main(["batch", str(jobs(1)), "--out", str(tmp_path / "runs"), *flags])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2 and words in capsys.readouterr().err
    assert not samples(tmp_path / "runs")


def test_best_of_many_resumes_as_a_whole(jobs: Jobs, tmp_path: Path) -> None:
    path = jobs(1, count=2, from_=3, judges="signal", early_rejection=False)
    root = tmp_path / "runs"
    tasks = read_tasks(path)
    assert run_batch(tasks, str(root)).progress.samples_done == 2
    before = digests(root)
    shutil.rmtree(next(iter(root.glob("*/0*"))))
    assert run_batch(tasks, str(root)).progress.samples_done == 1
    assert digests(root) == before
    assert run_batch(tasks, str(root)).progress.samples_done == 0


@pytest.mark.slow
def test_killed_workers_and_drivers_lose_nothing_and_make_nothing_twice(jobs: Jobs, tmp_path: Path) -> None:
    path, root = jobs(6), tmp_path / "runs"
    tasks = read_tasks(path)
    run_batch(tasks, str(tmp_path / "whole"))
    command = [sys.executable, "-m", "eidophone", "batch", str(path), "--out", str(root), "--workers", "2"]
    chance, seen = random.Random(23), {}
    for number in range(KILLS):
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_workers(running)
        time.sleep(chance.uniform(0, 6))
        children = psutil.Process(running.pid).children() if running.poll() is None else []
        workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        if number % 2 == 0 and workers:
            os.kill(chance.choice(workers).pid, signal.SIGKILL)
            assert running.wait(300) == 0, "the rest goes on without the killed worker"
        else:
            running.kill()
            running.wait()
            assert all(ended(child) for child in children), "workers end with their driver"
        found = {p: p.stat().st_mtime_ns for p in root.glob("*/*/record.json")}
        assert seen.items() <= found.items(), "a finished sample was made again"
        if len(found) == 12:  # everything is there: start from nothing
            assert digests(root) == digests(tmp_path / "whole")
            shutil.rmtree(root)
            found = {}
        seen = found
    assert run_batch(tasks, str(root), settings=EngineSettings(2)).progress.failed == {}
    assert digests(root) == digests(tmp_path / "whole")
    assert len(samples(root)) == 12
    assert not list(root.rglob(".part-*"))


def ended(child: psutil.Process) -> bool:
    """Within half a minute; a zombie has ended, though nobody has asked for its exit code."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def wait_for_workers(running: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while running.poll() is None and time.monotonic() < deadline:
        children = psutil.Process(running.pid).children()
        if sum("spawn_main" in " ".join(c.cmdline()) for c in children if c.status() != "zombie") >= 2:
            return
        time.sleep(0.2)


def test_evaluate_reads_a_manifest(jobs: Jobs, tmp_path: Path, capsys) -> None:
    root, out = tmp_path / "runs", tmp_path / "report"
    assert main(["batch", str(jobs(2)), "--out", str(root)]) == 0
    manifest_file = root / "manifest.parquet"
    more = ["--judges", "signal", "--device", "cpu", "--out", str(out)]
    assert main(["evaluate", str(manifest_file), *more]) == 0
    assert "4 samples" in capsys.readouterr().out
    assert (
        main(["evaluate", str(root), "--judges", "signal", "--device", "cpu", "--out", str(tmp_path / "b")])
        == 0
    )
    assert (out / "samples.csv").read_text() == (tmp_path / "b" / "samples.csv").read_text()


@pytest.mark.slow
def test_workers_judge_what_one_process_judges(jobs: Jobs, tmp_path: Path, capsys) -> None:
    root = tmp_path / "runs"
    assert main(["batch", str(jobs(4)), "--out", str(root)]) == 0
    more = [
        str(root / "manifest.parquet"),
        "--judges",
        "signal,roundtrip",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    broken = sorted(root.glob("*/0001"))[0]
    (broken / "sound.wav").write_bytes(b"x")
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(["evaluate", *more, "--out", str(one)]) == 1
    assert main(["evaluate", *more, "--out", str(two), "--workers", "2"]) == 1
    assert "1 sample could not be read" in capsys.readouterr().err
    for name in ("samples.csv", "samples.jsonl", "summary.json"):
        assert (one / name).read_text() == (two / name).read_text(), name
    lines = (two / "samples.jsonl").read_text().splitlines(keepends=True)
    (two / "samples.jsonl").write_text("".join(lines[:4]))  # stopped half-way
    assert main(["evaluate", *more, "--out", str(two), "--workers", "2"]) == 1
    assert (one / "samples.csv").read_text() == (two / "samples.csv").read_text()
