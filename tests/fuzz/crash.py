"""`python -m tests.fuzz.crash --kills N`: kills runs at random points, resumes them, compares bytes.

Every run is a process of its own, forked from one that has imported everything already, so that the kill falls into
the work and not into the imports.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # a process with a pool of threads must not be forked

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from eidophone.cli import main as eidophone
from tests.fuzz.materials import Materials, make_materials

LONGEST_S = 300


def _commands(good: Materials) -> dict[str, list[str]]:
    models = [
        "--image-model",
        str(good.image),
        "--audio-model",
        str(good.audio),
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    small = ["--dtype", "float32", "--judges", "none", "--preset", "draft"]
    return {
        "compose": ["compose", "frog", "rain", "--count", "5", "--batch-size", "2", "--steps", "4", *models, *small],
        "imprint": ["imprint", "frog", "--sound", str(good.sounds[0]), "--count", "3", *models, *small],
    }  # fmt: skip


def _start(arguments: list[str], log: Path) -> int:
    """Forks a process that runs a command; returns its id."""
    child = os.fork()
    if child:
        return child
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os._exit(eidophone(arguments))


def _wait(child: int, seconds: float) -> int | None:
    """The exit code; None if the process was still at work after this time and has been killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def contents(out: Path) -> dict[str, object]:
    """What a run wrote, without the times in its records and without the lock."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_dir() or path.name == ".eidophone-lock":
            continue
        if path.name == "record.json":
            record = json.loads(path.read_text())
            found[name] = {
                key: record[key] for key in ("verb", "index", "captions", "recipe", "files", "score")
            }
        else:
            found[name] = path.read_bytes()
    return found


def _differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


def run_kills(kills: int, seed: int, root: Path) -> list[str]:
    """Kills runs of every verb in turn; returns what went wrong.

    A run is killed once to three times, at points drawn evenly over the time of an uninterrupted one, and then
    resumed to its end.
    """
    good = make_materials(root / "good")
    dice, wrong, done = random.Random(seed), [], 0
    whole: dict[str, tuple[float, dict[str, object]]] = {}
    for verb, command in _commands(good).items():
        started = time.monotonic()
        code = _wait(_start([*command, "--out", str(root / verb)], root / f"{verb}.log"), LONGEST_S)
        if code != 0:
            return [f"{verb}: the uninterrupted run ends with {code}: {(root / f'{verb}.log').read_text()}"]
        whole[verb] = time.monotonic() - started, contents(root / verb)
    while done < kills:
        verb, command = list(_commands(good).items())[done % len(whole)]
        seconds, expected = whole[verb]
        out, log = root / f"killed-{done}", root / f"killed-{done}.log"
        arguments = [*command, "--resume", "--out", str(out)]
        for _ in range(min(kills - done, dice.choice((1, 1, 2, 3)))):
            _wait(_start(arguments, log), dice.uniform(0, seconds))
            done += 1
        code = _wait(_start(arguments, log), LONGEST_S)
        found = _differences(contents(out), expected) if out.is_dir() else ["no folder"]
        if code != 0 or found:
            wrong.append(f"{verb}, kill {done}: exit {code}, differ {found}, said {log.read_text()[-600:]!r}")
        shutil.rmtree(out, ignore_errors=True)
    return wrong


def main() -> int:
    """Prints what differs; exit code 1 if anything does."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eidophone-crash-") as root:
        wrong = run_kills(given.kills, given.seed, Path(root) / "work")
    print("\n".join([*wrong, f"{given.kills} kills, {len(wrong)} runs differ"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
