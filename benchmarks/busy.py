"""What a busy machine costs: `compose` of four drafts beside other programs, by how threads wait.

    python -m benchmarks.busy [--busy 0 1 3] [--rounds 3] [--json FILE]

Each run is a process of its own, as a user starts it. Busy programs are endless Python loops. The policies
take turns in every round, so that other load on the machine meets all of them alike; the table gives medians
and the load average that it was measured under. A run's fair share is its part of all runnable threads:
with t threads and b busy programs on c cores, it may take max(1, (t + b) / c) times as long.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

COMMAND = (
    "compose", "a painting of a frog, grayscale", "frog croaking",
    "--preset", "draft", "--count", "4", "--device", "cpu",
)  # fmt: skip
#: Environment of each policy; the package sets the first one by default.
POLICIES = {
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"},
    "spin briefly": {"GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"},
    "OpenMP's own": {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_THREAD_VARIABLES = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Keeps that many endless loops running."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run_once(variables: dict[str, str]) -> dict[str, float]:
    """One run from start to end: wall-clock and processor seconds, whole and while denoising."""
    given = {name: value for name, value in os.environ.items() if name not in _THREAD_VARIABLES}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "eidophone", *COMMAND, "--out", folder + "/out"]
        before, began = os.times(), time.perf_counter()
        subprocess.run(command, check=True, env={**given, **variables}, capture_output=True)
        wall, after = time.perf_counter() - began, os.times()
        records = [json.loads(p.read_text()) for p in Path(folder).glob("out/*/record.json")]
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"wall_s": wall, "cpu_s": cpu, "sampling_s": sum(r["facts"]["seconds"] for r in records)}


def measure(
    busy: int, rounds: int, policies: dict[str, dict[str, str]] = POLICIES
) -> dict[str, dict[str, float]]:
    """Medians of each policy beside that many busy programs."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in policies}
    with busy_programs(busy):
        for _ in range(rounds):
            for name, variables in policies.items():
                found[name].append(run_once(variables) | {"load": os.getloadavg()[0]})
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for name, runs in found.items()
    }


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 3], help="busy programs beside the run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each policy")
    parser.add_argument("--json", type=Path, help="keep the numbers here")
    given = parser.parse_args()
    cores = psutil.cpu_count(logical=False) or 1
    table: dict[int, dict[str, dict[str, float]]] = {}
    print(f"{cores} cores; load before: {os.getloadavg()[0]:.1f}")
    titles = f"{'busy':>4}  {'policy':14}{'wall s':>8}{'cpu s':>8}{'sampling s':>12}{'load':>7}"
    print(f"{titles}  against no busy program")
    for busy in given.busy:
        table[busy] = measure(busy, given.rounds)
        for name, row in table[busy].items():
            ratio = row["wall_s"] / table[given.busy[0]][name]["wall_s"]
            threads = 1 if name == "one thread" else cores
            fair = max(1.0, (threads + busy) / cores)
            print(
                f"{busy:4}  {name:14}{row['wall_s']:8.1f}{row['cpu_s']:8.1f}{row['sampling_s']:12.1f}"
                f"{row['load']:7.1f}  {ratio:.2f} x; fair share {fair:.2f} x",
                flush=True,
            )
    if given.json:
        given.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
