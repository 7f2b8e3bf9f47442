"""`python -m tests.fuzz --seed N --count M`: runs M bad inputs; exit code 1 if one of them goes wrong."""

import argparse
import collections
import faulthandler
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--count", type=int, default=2000, help="cases to run")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no case after this time")
    parser.add_argument("--verbose", action="store_true", help="name each case before it runs")
    return parser.parse_args()


def main() -> int:
    """Runs the cases, prints those that went wrong and a count of exit codes."""
    given = _arguments()
    os.environ["HF_HUB_OFFLINE"] = "0"  # a connection must show
    from tests.fuzz.runner import Fuzzer

    faulthandler.enable()
    root = Path(tempfile.mkdtemp(prefix="eidophone-fuzz-"))
    fuzzer = Fuzzer(root / "work")
    codes: collections.Counter[str] = collections.Counter()
    wrong, started = 0, time.monotonic()
    for number in range(given.first, given.first + given.count):
        if time.monotonic() - started > given.seconds:
            break
        if given.verbose:
            print(f"case {number}", file=sys.stderr, flush=True)
        outcome = fuzzer.run(given.seed, number)
        codes[f"{outcome.case.kind}, exit {outcome.code}"] += 1
        if sum(codes.values()) % 100 == 0:
            print(f"{sum(codes.values())} cases, {wrong} wrong", file=sys.stderr, flush=True)
        if outcome.wrong:
            wrong += 1
            words = [f"case {given.seed}/{number}, {outcome.case.kind}: {'; '.join(outcome.wrong)}"]
            words += [
                f"    {outcome.case.arguments or outcome.case.requests!r}"[:600],
                f"    {outcome.said[:600]!r}",
            ]
            print("\n".join(words), flush=True)
    for name, count in sorted(codes.items()):
        print(f"{count:6} {name}")
    print(f"{sum(codes.values())} cases, {wrong} wrong, {time.monotonic() - started:.0f} s")
    if wrong:
        print(f"the files of the cases that went wrong: {fuzzer.root}")
    else:
        shutil.rmtree(root)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
