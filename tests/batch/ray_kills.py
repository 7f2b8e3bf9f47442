"""Kills what takes part in a batch on a Ray cluster of two nodes on this machine, and checks what is left.

    python -m tests.batch.ray_kills 12 --seed 23

Each kill takes an actor, a whole node, or the driver, which is the real command. Needs Ray Data.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import psutil

from eidophone.batch.jobs import read_tasks
from eidophone.batch.run import run_batch
from tests.batch.kills import check_whole, job_file

VICTIMS = ("driver", "node", "actor")
LONGEST_S = 1200


class Machines:
    """A cluster of two nodes with one processor each; the second one can be lost and replaced."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        more = {"num_cpus": 1, "object_store_memory": 80_000_000}
        self._more = more
        self._cluster: Any = Cluster(
            initialize_head=True, head_node_args={**more, "include_dashboard": False}
        )
        self._second: Any = self._cluster.add_node(**more)

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def actors(self, nodes: str = "all") -> list[int]:
        """Processes that make samples."""
        found = [self._second] if nodes == "second" else [self._cluster.head_node, self._second]
        raylets = [node.all_processes["raylet"][0].process.pid for node in found if node is not None]
        return [child.pid for raylet in raylets for child in _children(raylet) if "(Actor)" in _title(child)]

    def lose_node(self) -> None:
        """As when the power goes."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = None

    def replace_node(self) -> None:
        if self._second is None:
            self._second = self._cluster.add_node(**self._more)

    def close(self) -> None:
        self._cluster.shutdown()


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[:1])
    except psutil.Error:
        return ""


@contextmanager
def machines() -> Iterator[Machines]:
    """A cluster that ends with the block."""
    with patch.dict(os.environ, {"RAY_worker_niceness": "0", "RAY_memory_monitor_refresh_ms": "0"}):
        found = Machines()
        try:
            yield found
        finally:
            found.close()


def kill_in_turn(
    cluster: Machines, jobs: Path, whole: Path, root: Path, victims: Sequence[str], wait: Callable[[], float]
) -> Counter[str]:
    """Runs batches into a folder; kills one victim in each; returns what happened, by name.

    Args:
        cluster: Where they run.
        jobs: The job file.
        whole: Results of the same file, made without a kill.
        root: Folder for the results.
        victims: Of `VICTIMS`.
        wait: Seconds between the moment that an actor is there and its kill.
    """
    tasks, happened = read_tasks(jobs), Counter[str]()
    seen: dict[Path, int] = {}
    wanted = sum(task.size for task in tasks)
    for victim in victims:
        if len(seen) == wanted:
            check_whole(tasks, whole, root)
            happened["whole and equal"] += 1
            for path in [path.parent for path in list(seen)[: wanted // 2]]:  # go on from half of it
                _remove(path)
            seen = _records(root)
        driver = _start(cluster, jobs, root)
        _kill(victim, cluster, driver, wait())
        happened[f"{victim}s killed"] += 1
        code = driver.wait(LONGEST_S)
        assert victim == "driver" or code == 0, (
            f"after a killed {victim} the batch ended with {code}: {_said(root)}"
        )
        cluster.replace_node()
        found = _records(root)
        assert seen.items() <= found.items(), "a finished sample was made again or lost"
        seen = found
        print(json.dumps(dict(happened) | {"samples": len(seen)}), file=sys.stderr, flush=True)
    # actors of a killed driver may live for a moment, and hold the rows that they are making
    attempts = 0
    while (code := _start(cluster, jobs, root).wait(LONGEST_S)) != 0:
        attempts += 1
        assert attempts < 4, f"the batch that nobody disturbs ends with {code}"
    assert seen.items() <= _records(root).items()
    check_whole(tasks, whole, root)
    happened["whole and equal"] += 1
    return happened


def _start(cluster: Machines, jobs: Path, root: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "eidophone", "batch", str(jobs), "--out", str(root), "--engine", "ray"]
    more = ["--workers", "2", "--engine-option", f"address={cluster.address}", "--retry", "2"]
    with _log(root).open("wb") as log:
        return subprocess.Popen([*command, *more], stdout=log, stderr=log)


def _log(root: Path) -> Path:
    return root.with_name("driver.log")


def _said(root: Path) -> str:
    failures = root / "failures.json"
    return _log(root).read_text(errors="replace")[-6000:] + (
        failures.read_text() if failures.exists() else ""
    )


def _kill(victim: str, cluster: Machines, driver: "subprocess.Popen[bytes]", after_s: float) -> None:
    deadline = time.monotonic() + 300
    node = "second" if victim == "node" else "all"
    while driver.poll() is None and time.monotonic() < deadline and not cluster.actors(node):
        time.sleep(0.1)
    assert driver.poll() is None, "the batch ended before it had an actor"
    time.sleep(after_s)
    if victim == "driver":
        driver.kill()
    elif victim == "node":
        cluster.lose_node()
    elif actors := cluster.actors():
        os.kill(actors[-1], signal.SIGKILL)


def _records(root: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in root.glob("*/*/record.json")}


def _remove(sample: Path) -> None:
    for path in sample.iterdir():
        path.unlink()
    sample.rmdir()


def main() -> None:
    """Kills as often as asked; prints what happened."""
    from tests.batch.kills import models_of

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument(
        "--longest", type=float, default=8.0, help="seconds from an actor's start to the kill"
    )
    parser.add_argument("--only", choices=VICTIMS, help="kill nothing else")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with TemporaryDirectory() as name, machines() as cluster:
        folder = Path(name)
        jobs = job_file(folder, models_of(folder), rows=6)
        run_batch(read_tasks(jobs), str(folder / "whole"))
        began = time.monotonic()
        chosen = [given.only] if given.only else VICTIMS
        victims = [chosen[number % len(chosen)] for number in range(given.kills)]
        happened = kill_in_turn(
            cluster,
            jobs,
            folder / "whole",
            folder / "runs",
            victims,
            lambda: chance.uniform(0, given.longest),
        )
        print(json.dumps(dict(happened) | {"seconds": round(time.monotonic() - began)}, indent=2))


if __name__ == "__main__":
    main()
