"""Which settings are faster at equal scores: `python -m benchmarks.fast collect OUT`, then `... report OUT`.

`collect` makes the same samples (pairs of prompts and seeds) with every setting of SETTINGS and has them judged
by the judges that ship; with --work also by those that took no part in training (see `benchmarks.judging`), which
say whether the thing is seen and the sound is heard. The baseline is the publication's loop: 100 DDIM steps, both
models guided at every step, nothing reused. What is judged is kept in OUT/fast.jsonl, a line a sample, so that a run
goes on from there. `report` compares each setting with the baseline, sample by sample, with 95 % bootstrap intervals.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.judging import Judges, Ledger
from benchmarks.pairs import PAIRS, picture_prompt, sound_prompt
from eidophone.core.values import Result
from eidophone.evaluation.statistics import mean_of
from eidophone.scoring.contract import judged, subject_of
from eidophone.scoring.judges import open_judges
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import compose
from eidophone.verbs.shared.context import Context

FILE, BASELINE = "fast.jsonl", "loop"
LOOP: dict[str, Any] = {"sampler": "ddim", "steps": 100, "reuse_steps": 1, "guidance_stop_step": None}


def solver(
    steps: int, guided: int | None = None, reuse: int = 1, first: int = 0, sampler: str = "dpm++2m"
) -> dict[str, Any]:
    """A sampler in so many steps, guided from `first` to before `guided`."""
    return {
        "sampler": sampler, "steps": steps, "guidance_start_step": first, "guidance_stop_step": guided,
        "reuse_steps": reuse,
    }  # fmt: skip


SETTINGS: dict[str, dict[str, Any]] = {
    BASELINE: LOOP,
    "25": solver(25),
    "25 reuse 2": solver(25, reuse=2),
    "25 guided 0-15": solver(25, 15),
    "16": solver(16),
    "16 reuse 2": solver(16, reuse=2),
    "16 guided 0-10": solver(16, 10),
    "16 guided 0-10 reuse 2": solver(16, 10, 2),
    "16 guided 2-10": solver(16, 10, first=2),
    "12": solver(12),
    "12 guided 0-8": solver(12, 8),
    "12 guided 0-8 reuse 2": solver(12, 8, 2),
    "12 guided 0-6": solver(12, 6),
    "10 guided 0-7": solver(10, 7),
    "12 unipc": solver(12, sampler="unipc"),
    "8 guided 0-5 reuse 2": solver(8, 5, 2),
    "8 guided 0-5 reuse 2 unipc": solver(8, 5, 2, sampler="unipc"),
}


def collect(ledger: Ledger, given: argparse.Namespace) -> None:
    """Makes and judges the samples that the ledger does not hold yet."""
    import torch

    judges, context = open_judges("tiny,tagger", torch.device("cpu"), offline=True), Context()
    others = Judges.load(given.work) if given.work else None
    for index in range(given.first, given.first + given.seeds):
        for seen, heard in PAIRS[: given.pairs]:
            for name in given.only or SETTINGS:
                key = f"{name}/{seen}+{heard}/{index}"
                if key in ledger.rows:
                    continue
                options = ComposeOptions.make(
                    image_prompt=picture_prompt(seen), audio_prompt=sound_prompt(heard), index=index, count=1,
                    threads=1, device="cpu", offline=True, engine=given.engine, **SETTINGS[name],
                )  # fmt: skip
                began, (result,) = time.process_time(), compose(options, context)
                row = row_of(result, time.process_time() - began, judges)
                if others is not None:
                    row |= {what: float(found) for what, found in others.both(result, seen, heard).items()}
                ledger.add(key, row)


def row_of(result: Result, cpu_s: float, judges: Any) -> dict[str, Any]:
    """What is kept of a sample."""
    score = judged(subject_of(result), judges)
    return {"cpu_s": cpu_s, "evaluations": result.facts["unet_evaluations"], **score.numbers}


def report(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A table: cost and scores of each setting against the baseline, over the samples that both have."""
    names = list(dict.fromkeys(key.split("/")[0] for key in rows))
    numbers = [n for n in next(iter(rows.values())) if n not in ("cpu_s", "evaluations")]
    print("| setting | samples | evaluations | CPU s | times the speed |", " | ".join(numbers), "|")
    print("|" + "---|" * (5 + len(numbers)))
    for name in names:
        parts = [key.split("/", 1)[1] for key in rows if key.startswith(f"{name}/")]
        parts = [part for part in parts if f"{BASELINE}/{part}" in rows]
        if not parts:
            continue
        mine, base = ([rows[f"{which}/{part}"] for part in parts] for which in (name, BASELINE))
        cost, before = (np.median([row["cpu_s"] for row in each]) for each in (mine, base))
        cells = [_difference(mine, base, number) for number in numbers]
        print(
            f"| {name} | {len(parts)} | {np.mean([r['evaluations'] for r in mine]):.0f} | {cost:.2f} "
            f"| {before / cost:.1f} |", " | ".join(cells), "|",
        )  # fmt: skip


def _difference(mine: list[Mapping[str, Any]], base: list[Mapping[str, Any]], number: str) -> str:
    """Mean of a score, and its mean difference from the baseline with the interval."""
    pairs = [(a[number], b[number]) for a, b in zip(mine, base, strict=True) if number in a and number in b]
    if not pairs:
        return "-"
    off = mean_of([a - b for a, b in pairs])
    low, high = off.bootstrap_low, off.bootstrap_high
    within = "" if low is None or high is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"{np.mean([a for a, _ in pairs]):.3f} {off.mean:+.3f}{within}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="the first so many")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="index of the first seed")
    parser.add_argument(
        "--engine", default="torch", help="openvino gives nearly the same numbers in half the time"
    )
    parser.add_argument("--only", nargs="*", help="these settings")
    parser.add_argument("--work", type=Path, help="folder with judge.pt, for the judges that took no part")
    parser.add_argument("--files", type=Path, nargs="*", default=[], help="further ledgers to report")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.what == "collect":
        collect(Ledger(given.out / FILE), given)
    else:
        files = [given.out / FILE, *given.files]
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        report({line.pop("key"): line for line in lines})


if __name__ == "__main__":
    main()
