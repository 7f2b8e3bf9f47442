"""Kills batches at random moments until a number of kills is reached, and checks what they leave.

    python -m tests.batch.kills 100 --seed 23

Drivers and workers are forked from a process that has imported everything, because starting Python takes longer
than the work. `test_killed_workers_and_drivers_lose_nothing_and_make_nothing_twice` does the same with the real
command, a few times.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from eidophone.batch.engines import EngineSettings, local
from eidophone.batch.jobs import Task, read_tasks
from eidophone.batch.run import run_batch
from eidophone.results.store import load
from tests.batch.conftest import PROMPTS, digests, samples

WORKERS = 2
#: Kills of workers in one batch; with five, a row would count as failed.
MOST_OF_A_BATCH = 4


def job_file(folder: Path, models: dict[str, Any], rows: int = 4, count: int = 2) -> Path:
    """Rows of the toy pair, two of which share batches."""
    path = folder / "jobs.jsonl"
    row = {"audio_prompt": "bell", "count": count, "steps": 1, "threads": 1} | models
    lines = [row | {"image_prompt": PROMPTS[n % 4], "seed": 7 + n // 4} for n in range(rows)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def kill_often(
    tasks: list[Task], whole: Path, root: Path, kills: int, chance: random.Random, longest_s: float
) -> Counter[str]:
    """Runs batches into a folder and kills them; returns what happened, by name.

    Args:
        tasks: Of the batch.
        whole: Results of the same tasks, made without a kill.
        root: Folder for the results.
        kills: How many processes to kill.
        chance: Chooses whom and when.
        longest_s: Longest time between kills.
    """
    happened, seen = Counter[str](), dict[Path, int]()
    while happened["drivers killed"] + happened["workers killed"] < kills:
        _disturb(_start(tasks, root), chance, longest_s, happened)
        found = {path: path.stat().st_mtime_ns for path in root.glob("*/*/record.json")}
        assert seen.items() <= found.items(), "a finished sample was made again or lost"
        seen = found
        happened["checks"] += 1
        print(json.dumps(dict(happened)), file=sys.stderr, flush=True)
        if len(found) == sum(task.size for task in tasks):
            check_whole(tasks, whole, root)
            happened["whole and equal"] += 1
            shutil.rmtree(root)
            seen = {}
    run_batch(tasks, str(root))
    check_whole(tasks, whole, root)
    return happened


def _disturb(driver: Any, chance: random.Random, longest_s: float, happened: Counter[str]) -> None:
    """Kills workers of a batch, or the batch."""
    for _ in range(MOST_OF_A_BATCH):
        driver.join(chance.uniform(0, longest_s))
        workers = _workers(driver.pid)
        if driver.exitcode is not None or not workers:
            continue
        if chance.random() < 0.4:
            happened["drivers killed"] += _killed(driver.pid)
            driver.join()
            assert all(_ended(worker) for worker in workers), "a worker outlived its driver"
            return
        happened["workers killed"] += _killed(chance.choice(workers))
    driver.join(1800)
    assert driver.exitcode == 0, f"the batch ended with {driver.exitcode}"
    happened["batches that went on to their end"] += 1


def _start(tasks: list[Task], root: Path) -> Any:
    """A driver in a process of its own."""
    driver = multiprocessing.get_context("fork").Process(target=_drive, args=(tasks, root))
    driver.start()
    return driver


def _drive(tasks: list[Task], root: Path) -> None:
    local.multiprocessing = _Forking()  # type: ignore[assignment]
    finish = run_batch(tasks, str(root), settings=EngineSettings(WORKERS))
    for outcome in finish.progress.failed.values():
        print(outcome.error, outcome.details, file=sys.stderr, flush=True)
    os._exit(int(bool(finish.progress.failed)))


class _Forking:
    """`multiprocessing` with fork for spawn."""

    def get_context(self, _: str) -> Any:
        return multiprocessing.get_context("fork")

    def parent_process(self) -> Any:
        return multiprocessing.parent_process()


def _workers(driver: int | None) -> list[int]:
    try:
        children = psutil.Process(driver).children()
        return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def _killed(pid: int | None) -> int:
    try:
        assert pid is not None
        ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return 0
    return int(not ended)


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def check_whole(tasks: list[Task], whole: Path, root: Path) -> None:
    """Every sample once, with the bytes of the undisturbed run, its checksums right, and nothing left over."""
    assert samples(root) == samples(whole) != set()
    assert len(samples(root)) == sum(task.size for task in tasks)
    assert digests(root) == digests(whole)
    for key, index in samples(root):
        load(root / key / index)  # compares files and checksums
    run_batch(tasks, str(root))  # nothing to make: only the manifest
    assert not list(root.rglob(".part-*"))


def models_of(folder: Path) -> dict[str, Any]:
    """A toy pair, as options of compose."""
    from tests.conftest import CANVAS, MEL, make_model

    image, audio = make_model(folder / "image", 1), make_model(folder / "audio", 2)
    (audio / "eidophone.json").write_text(json.dumps({"mel_spec": MEL, "canvas": CANVAS}))
    return {"image_model": str(image), "audio_model": str(audio), "device": "cpu", "dtype": "float32"}


def main() -> None:
    """Kills as often as asked; prints what happened."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=23)
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        tasks = read_tasks(job_file(folder, models_of(folder)))
        began = time.monotonic()
        undisturbed = _start(tasks, folder / "whole")
        undisturbed.join()
        assert undisturbed.exitcode == 0
        took_s = time.monotonic() - began
        chance = random.Random(given.seed)
        happened = kill_often(tasks, folder / "whole", folder / "runs", given.kills, chance, took_s / 3)
        print(json.dumps(dict(happened) | {"seconds": round(time.monotonic() - began)}, indent=2))


if __name__ == "__main__":
    main()
