"""`python -m tests.fuzz.crash --kills N`: kills runs at random points, resumes them, compares bytes."""

import argparse
import collections
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.materials import make_materials
from tests.fuzz.runs import Run, commands, contents, differences, start, wait

LONGEST_S = 600


def run_kills(kills: int, seed: int, root: Path, verbs: list[str]) -> tuple[list[str], dict[str, int]]:
    """Kills runs of every verb in turn; returns what went wrong, and how many kills each verb had.

    A run is killed once to three times, at points drawn evenly over the time of an uninterrupted one, and then
    resumed to its end. Only those kills count that found the process at work.
    """
    good = make_materials(root / "good")
    dice, wrong = random.Random(seed), []
    runs = {
        verb: run for verb, run in commands(good, root).items() if run.goes_on and verb in (verbs or [verb])
    }
    whole: dict[str, tuple[float, dict[str, object]]] = {}
    for verb, run in runs.items():
        began, log = time.monotonic(), root / f"{verb}.log"
        code = wait(start([*run.arguments, "--out", str(root / verb)], log), LONGEST_S)
        if code != 0:
            return [f"{verb}: the uninterrupted run ends with {code}: {log.read_text()}"], {}
        whole[verb] = time.monotonic() - began, contents(root / verb)
    done: collections.Counter[str] = collections.Counter()
    turn = 0
    while done.total() < kills:
        verb, turn = list(runs)[turn % len(runs)], turn + 1
        found, killed = _killed(runs[verb], *whole[verb], root / f"killed-{turn}", dice, kills - done.total())
        done[verb] += killed
        wrong += [f"{verb}, turn {turn}: {found}"] if found else []
        print(found or f"{done.total()} kills, {len(wrong)} runs differ", file=sys.stderr, flush=True)
    return wrong, dict(done)


def _killed(
    run: Run, seconds: float, expected: dict[str, object], out: Path, dice: random.Random, most: int
) -> tuple[str, int]:
    """Kills a run, resumes it; what differs, and how many kills there were."""
    log = out.with_suffix(".log")
    arguments = [*run.arguments, *run.resume, "--out", str(out)]
    killed = 0
    for _ in range(min(most, dice.choice((1, 1, 2, 3)))):
        code = wait(start(arguments, log), dice.uniform(0, seconds))
        killed += code is None
        if code is not None:
            break
    if code is None:
        code = wait(start(arguments, log), LONGEST_S)
    found = differences(contents(out), expected) if out.is_dir() else ["no folder"]
    shutil.rmtree(out, ignore_errors=True)
    beside = [path.name for path in out.parent.glob(f".part-{out.name}*")]
    complete = code == 2 and not run.resume and "already holds" in log.read_text()  # killed when all was done
    if (code != 0 and not complete) or found or beside:
        return f"exit {code}, differ {found}, left {beside}, said {log.read_text()[-600:]!r}", killed
    return "", killed


def main() -> int:
    """Prints what differs; exit code 1 if anything does."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbs", default="", help="only these, separated by commas")
    given = parser.parse_args()
    verbs = [verb for verb in given.verbs.split(",") if verb]
    with tempfile.TemporaryDirectory(prefix="eidophone-crash-") as root:
        wrong, done = run_kills(given.kills, given.seed, Path(root) / "work", verbs)
    counts = ", ".join(f"{verb} {count}" for verb, count in done.items())
    print("\n".join([*wrong, f"{sum(done.values())} kills ({counts}), {len(wrong)} runs differ"]))
    return int(bool(wrong) or not done)


if __name__ == "__main__":
    sys.exit(main())
