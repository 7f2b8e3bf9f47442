"""`eidophone batch`: many runs from one job file."""

import argparse
import json
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.cli.engines import add_engine_flags, engine_settings
from eidophone.cli.flags import folder_name
from eidophone.cli.show import Monitor, complain, monitor, sentence
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable

if TYPE_CHECKING:  # torch is slow to import
    from eidophone.batch.jobs import Task
    from eidophone.batch.run import Finish, Progress
    from eidophone.batch.work import Made, Outcome

ABOUT = "make many results from a job file; a second run makes only what is missing"
EXAMPLES = """examples:
  eidophone batch jobs.csv --out runs
  eidophone batch jobs.csv --out runs --workers 2
  eidophone batch jobs.csv --out s3://bucket/runs --shard 1/8
  eidophone batch --out runs --rebuild"""
MOST_PROBLEMS = 20
#: Seconds between updates on a terminal, and elsewhere.
TERMINAL_S, LINES_S = 0.2, 10.0


def add_command(commands: Any) -> None:
    """Adds `batch`."""
    parser = commands.add_parser(
        "batch", help=ABOUT, description=ABOUT[0].upper() + ABOUT[1:] + ".", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument(
        "jobs", nargs="?", type=Path, metavar="JOBS", help="job file: .csv, .tsv, .jsonl, .parquet or .toml"
    )
    parser.add_argument(
        "--out", required=True, type=folder_name, metavar="DIR", help="folder or URL for the results"
    )
    add_engine_flags(parser)
    parser.add_argument(
        "--shard", type=_shard, default=(1, 1), metavar="I/N", help="make only this share of the rows"
    )
    parser.add_argument(
        "--retry",
        type=_retries,
        default=0,
        metavar="N",
        help="how often to try a failed row again (default: 0)",
    )
    parser.add_argument("--check", action="store_true", help="check the job file, make nothing")
    parser.add_argument(
        "--rebuild", action="store_true", help="only write the manifest again, from the results"
    )
    parser.add_argument(
        "--merge", nargs="+", type=Path, default=[], metavar="DIR",
        help="first copy the results of these folders, such as shards, into --out",
    )  # fmt: skip
    parser.add_argument(
        "--keep-arrays", action="store_true", help="also store the numbers before 8-bit rounding"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(command=batch)


def _retries(text: str) -> int:
    if not re.fullmatch(r"\d{1,3}", text):
        raise argparse.ArgumentTypeError(f"give a number from 0 to 999; got {text!r}")
    return int(text)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"give I/N with I from 1 to N, such as 1/8; got {text!r}")
    return int(found[1]), int(found[2])


def batch(arguments: argparse.Namespace) -> int:
    """Runs a batch; 1 if a row failed or a record is damaged, 2 if the job file is wrong."""
    if arguments.merge:
        _merge(arguments)
    if arguments.jobs is None or arguments.rebuild:
        if not arguments.rebuild and not arguments.merge:
            raise BadInput("batch needs a job file, or --rebuild, or --merge with folders.")
        return _rebuild(arguments)
    tasks = _read(arguments.jobs)
    if arguments.check:
        samples = sum(task.size for task in tasks)
        print(
            f"{printable(str(arguments.jobs))}: {_many(_rows(tasks), 'row')}, {_many(samples, 'sample')}; all can run."
        )
        return 0
    return _run(tasks, arguments)


def _read(path: Path) -> "list[Task]":
    from eidophone.batch.jobs import BadRows, read_tasks

    try:
        return read_tasks(path)
    except BadRows as error:
        for problem in error.problems[:MOST_PROBLEMS]:
            complain(sentence(EidophoneError(f"{path}: {problem}")))
        more = len(error.problems) - MOST_PROBLEMS
        shown = f" ({more} more are not shown)" if more > 0 else ""
        raise BadInput(
            f"{_many(len(error.problems), 'row')} cannot run{shown}; nothing was started."
        ) from error


def _run(tasks: "list[Task]", arguments: argparse.Namespace) -> int:
    from eidophone.batch.jobs import shard_of
    from eidophone.batch.run import run_batch, write_rows

    settings = engine_settings(arguments)
    write_rows(tasks, arguments.out)
    with monitor() as watch:
        finish = run_batch(
            shard_of(tasks, *arguments.shard),
            arguments.out,
            engine=arguments.engine,
            settings=settings,
            keep_arrays=arguments.keep_arrays,
            retry=arguments.retry,
            watch=_Shown(watch),
        )
    print(json.dumps(_facts(finish), indent=2) if arguments.json else _summary(finish, arguments.out))
    if finish.progress.failed:
        rows = _many(len(finish.progress.failed), "row")
        complain(f"{rows} failed, see failures.json; the same command tries again.")
    return int(bool(finish.progress.failed or _complain_of_damage(finish.totals.damaged)))


def _merge(arguments: argparse.Namespace) -> None:
    from eidophone.batch.places import is_url, root_of
    from eidophone.batch.run import merge

    if is_url(arguments.out):
        raise BadInput("--merge copies into a folder; for a URL, use its own tool, then --rebuild.")
    copied = merge(arguments.merge, Path(root_of(arguments.out)))
    complain(f"{_many(copied, 'sample')} copied.")


def _rebuild(arguments: argparse.Namespace) -> int:
    from eidophone.batch.manifest import write_manifest
    from eidophone.batch.places import is_url, place_of, root_of

    root = root_of(arguments.out)
    if not is_url(root) and not Path(root).is_dir():
        raise BadInput(f"{arguments.out}: there is no such folder; name the folder of a batch.")
    name, totals = write_manifest(place_of(root))
    if arguments.json:
        print(json.dumps({"manifest": name, **asdict(totals)}, indent=2))
    else:
        print(f"{printable(arguments.out)}/{name}: {_many(totals.samples, 'sample')}")
    return int(_complain_of_damage(totals.damaged))


def _complain_of_damage(damaged: list[str]) -> bool:
    for name in damaged[:MOST_PROBLEMS]:
        complain(f"{printable(name)}: its record cannot be read; delete that folder and run the batch again.")
    if len(damaged) > MOST_PROBLEMS:
        complain(f"{len(damaged)} records cannot be read.")
    return bool(damaged)


class _Shown:
    """Shows the progress of a batch now and then."""

    def __init__(self, watch: Monitor) -> None:
        self._watch, self._last = watch, 0.0
        self._words: set[str] = set()
        self._every = TERMINAL_S if sys.stderr is not None and sys.stderr.isatty() else LINES_S

    def __call__(self, progress: "Progress", event: "Made | Outcome") -> None:
        """Shows it; a failure at once."""
        error = getattr(event, "error", "")
        if error:
            rows = ", ".join(getattr(event, "rows", ()))
            self._watch.warn(f"row {rows} failed: {error}")
        for word, used in getattr(event, "read_as", {}).items():
            if word not in self._words:
                self._words.add(word)
                self._watch.warn(f"a model does not know {word!r}; it uses {used!r} instead.")
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            cost = f"{progress.seconds:,.0f} s of computing, {progress.evaluations:,} denoiser evaluations"
            samples = f"{progress.samples_done} of {progress.samples} samples"
            self._watch.step(f"rows ({samples}, {cost})", progress.rows_done, progress.rows, progress.left_s)


def _rows(tasks: "list[Task]") -> int:
    return sum(len(task.rows) for task in tasks)


def _many(number: int, what: str) -> str:
    """
    >>> _many(1, "row"), _many(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _facts(finish: "Finish") -> dict[str, Any]:
    progress = finish.progress
    return {
        "rows": progress.rows,
        "made": progress.samples_done,
        "already": progress.already,
        "failed": [{"rows": o.rows, "key": o.key, "error": o.error} for o in progress.failed.values()],
        "wall_s": round(progress.elapsed_s, 3),
        "computing_s": round(progress.seconds, 3),
        "unet_evaluations": progress.evaluations,
        "loads_per_worker": max(progress.loads.values(), default=0),
        "worker_memory_bytes": max(progress.memory_bytes.values(), default=0),
        "manifest": finish.manifest,
        "samples_in_all": finish.totals.samples,
    }


def _summary(finish: "Finish", out: str) -> str:
    progress, totals = finish.progress, finish.totals
    lines = [f"{_many(progress.samples_done, 'sample')} made, {progress.already:,} already there."]
    if progress.samples_done:
        evaluations = _many(progress.evaluations, "denoiser evaluation")
        lines.append(
            f"{progress.seconds:,.0f} s of computing, {evaluations}, {progress.elapsed_s:,.0f} s in all."
        )
        workers = _many(len(progress.loads), "worker")
        peak = max(progress.memory_bytes.values(), default=0) / 1e6
        most = max(progress.loads.values(), default=0)
        times = "once" if most == 1 else f"up to {most} times"
        lines.append(f"{workers}, at most {peak:,.0f} MB each; each model was loaded {times} per worker.")
    verbs = ", ".join(f"{count:,} {verb}" for verb, count in sorted(totals.verbs.items()))
    holds = f" ({verbs})" if verbs else ""
    lines += ["", printable(out), f"  {finish.manifest} lists {_many(totals.samples, 'sample')}{holds}."]
    return "\n".join(lines)
