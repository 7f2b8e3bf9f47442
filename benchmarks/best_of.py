"""What choosing pays: `python -m benchmarks.best_of collect OUT`, then `... report OUT`.

`collect` makes candidates of the family's pairs, roughly and as asked, and has all of them judged. From these
numbers `report` (see benchmarks.choosing) works out every way of choosing without making anything again. What
is judged is kept in OUT/best-of.jsonl, so that a run goes on from there.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import choosing
from benchmarks.judging import Judges, Ledger
from benchmarks.pairs import PAIRS, picture_prompt, sound_prompt
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.compose.pipeline import open_run, samples
from eidophone.verbs.shared.best_of_n import open_judge
from eidophone.verbs.shared.context import Context

FILE = "best-of.jsonl"


def collect(ledger: Ledger, given: argparse.Namespace) -> None:
    """Judges the candidates that the ledger does not hold yet, pair by pair."""
    judges = Judges.load(given.work)
    for weight in given.weights:
        for seen, heard in PAIRS[: given.pairs]:
            part = f"{seen}+{heard}@{weight:g}"
            missing = [i for i in range(given.candidates) if f"{part}/{i}/end" not in ledger.rows]
            if not missing:
                continue
            options = ComposeOptions.make(
                image_prompt=picture_prompt(seen), audio_prompt=sound_prompt(heard), audio_weight=weight,
                preset=given.preset, judges=given.judge, threads=given.threads, offline=True, count=1,
                from_=given.candidates, batch_size=given.batch_size,
            )  # fmt: skip
            began = time.monotonic()
            for key, row in judgements(options, missing, judges, (seen, heard)):
                ledger.add(f"{part}/{key}", row)
            print(f"{part}: {len(missing)} candidates in {time.monotonic() - began:.0f} s", flush=True)


def judgements(
    options: ComposeOptions, missing: list[int], judges: Judges, concepts: tuple[str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Numbers of candidates by "index/stage"; at the end, also what the judges that took no part say."""
    context = Context()
    opened = open_run([options], context)
    these = {"samples": tuple(missing), "count": len(missing)}
    asked, judge = opened.settings.model_copy(update=these), open_judge(opened.settings, context)
    walks = {str(steps): asked.coarse(steps) for steps in choosing.ROUGH_STEPS} | {"end": asked}
    for stage, sampling_steps in walks.items():
        for result in samples(replace(opened, pairs=(sampling_steps,)), context):
            score = judge(result)
            row: dict[str, Any] = {"looks": score.side("looks"), "sounds": score.side("sounds")}
            if stage == "end":
                row |= judges.both(result, *concepts)
            yield f"{result.index}/{stage}", row


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("collect", "report"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=len(PAIRS), help="the first so many")
    parser.add_argument("--candidates", type=int, default=64)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.5], help="audio weights")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--judge", default="tiny", help="the embedder that chooses")
    parser.add_argument("--work", type=Path, default=Path("training/work/laptop"), help="where judge.pt is")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument(
        "--of", type=int, default=32, help="candidates of the comparison with early rejection"
    )
    given = parser.parse_args()
    ledger = Ledger(given.out / FILE)
    if given.what == "collect":
        collect(ledger, given)
    else:
        steps = ComposeOptions.make(preset=given.preset).steps
        print(choosing.report(choosing.pools(ledger.rows), steps, given.of))


if __name__ == "__main__":
    main()
