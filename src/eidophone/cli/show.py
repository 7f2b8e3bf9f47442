"""What a run prints while it works and when it ends. Keeps a line for each sample, not the samples."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eidophone.core.errors import EidophoneError
from eidophone.core.text import printable, shortened

if TYPE_CHECKING:
    from eidophone.core.events import Event
    from eidophone.core.values import Result

MOST_LINES = 40
SIDES = ("looks", "sounds")
#: Seconds between lines of progress where the output is no terminal.
LINE_EVERY_S = 10.0
#: Seconds without such lines at the start.
QUIET_S = 3.0

#: Reports progress as (stage, done, total).
Progress = Callable[[str, int, int], None]
#: Puts results in order, best first.
Order = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def show(
    make: Callable[["Monitor"], Iterator["Result"]],
    out: Path,
    wanted: int,
    as_json: bool,
    order: Order = list,
) -> int:
    """Runs a maker of stored results, prints them, returns the exit code.

    What was finished before an error or Ctrl-C stays, and is counted.
    """
    rows: list[dict[str, Any]] = []
    try:
        with monitor() as watch:
            for result in make(watch):
                rows.append(_row(result))
    except (KeyboardInterrupt, EidophoneError) as error:
        if isinstance(error, EidophoneError) and not rows:
            raise
        reason = "stopped" if isinstance(error, KeyboardInterrupt) else sentence(error).rstrip(".")
        where = f", in {printable(str(out))}" if rows else ""
        complain(f"{reason}; {len(rows)} of {wanted} samples are finished{where}.")
        return getattr(error, "code", 130) if isinstance(error, KeyboardInterrupt) else 2
    rows = order(rows)
    print(json.dumps(rows, indent=2) if as_json else _summary(rows, out))
    return 0


def sentence(error: BaseException) -> str:
    """An error's message on one line, whatever the file names in it hold."""
    return printable(shortened(" ".join(str(error).split())))


def complain(text: str) -> None:
    """Prints a sentence on standard error."""
    if sys.stderr is not None:
        print(f"eidophone: {text}", file=sys.stderr)


class Monitor:
    """Shows events: a bar on a terminal, a line now and then elsewhere, warnings as sentences."""

    def __call__(self, event: "Event") -> None:
        """Shows an event."""
        from eidophone.core.events import Step, Warned

        if isinstance(event, Step):
            self.step(event.stage, event.done, event.total, event.eta_s)
        elif isinstance(event, Warned):
            self.warn(event.message)

    def step(self, stage: str, done: int, total: int, eta_s: float | None = None) -> None:
        """Shows a step; as `Progress` for callers without events."""

    def warn(self, message: str) -> None:
        """Prints a warning."""
        complain(sentence(EidophoneError(message)))


class _Lines(Monitor):
    """For logs and pipes: once work takes three seconds, a line at the start of each stage and every ten seconds."""

    def __init__(self) -> None:
        self._stage, self._last = "", -LINE_EVERY_S
        self._first = time.monotonic() + QUIET_S

    def step(self, stage: str, done: int, total: int, eta_s: float | None = None) -> None:
        """See `Monitor`."""
        now = time.monotonic()
        if now < self._first or (stage == self._stage and now - self._last < LINE_EVERY_S):
            return
        self._stage, self._last = stage, now
        left = "" if eta_s is None else f", about {_duration(eta_s)} left"
        complain(f"{stage}, {done} of {total}{left}" if total > 1 else stage)


class _Bar(Monitor):
    """On a terminal."""

    def __init__(self, bar: Any) -> None:
        self._bar, self._task = bar, bar.add_task("starting", total=None)

    def step(self, stage: str, done: int, total: int, eta_s: float | None = None) -> None:
        """See `Monitor`."""
        left = "" if eta_s is None else f"{_duration(eta_s)} left"
        total_or_none = total if total > 1 else None
        self._bar.update(self._task, description=stage, completed=done, total=total_or_none, left=left)

    def warn(self, message: str) -> None:
        """See `Monitor`."""
        self._bar.console.print(
            f"eidophone: {sentence(EidophoneError(message))}", markup=False, highlight=False
        )


@contextlib.contextmanager
def monitor() -> Iterator[Monitor]:
    """Shows the events of a run on standard error."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar_with_field: Any = bar
        add_task = bar_with_field.add_task
        bar_with_field.add_task = lambda *a, **k: add_task(*a, left="", **k)
        yield _Bar(bar_with_field)


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Progress for work that reports no events, as (stage, done, total)."""
    with monitor() as watch:
        yield lambda stage, done, total: watch.step(stage, done, total)


def _duration(seconds: float) -> str:
    """A duration for people.

    >>> _duration(8.2), _duration(95), _duration(7300)
    ('8 s', '1 min 35 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """A plain table; columns of numbers stand at the right."""
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, show_edge=False, header_style="", padding=(0, 2, 0, 0))
    for number, heading in enumerate(headings):
        numeric = number < len(right) and right[number]
        grid.add_column(Text(heading), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    text = io.StringIO()
    Console(file=text, width=1000, color_system=None).print(grid)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _row(result: "Result") -> dict[str, Any]:
    height, width = result.picture.pixels.shape[:2]
    assert result.folder is not None
    return {
        "verb": result.verb,
        "index": result.index,
        "seed": result.recipe.seed,
        "folder": str(result.folder),
        "files": sorted(path.name for path in result.folder.iterdir()),
        "height": height,
        "width": width,
        "duration_s": result.clip.duration_s,
        "facts": result.facts,
        "score": asdict(result.score),
        "sides": {side: number for side in SIDES if (number := result.score.side(side)) is not None},
    }


def _summary(rows: list[dict[str, Any]], out: Path) -> str:
    lines = [_table(rows[:MOST_LINES])] if rows else []
    if len(rows) > MOST_LINES:
        lines.append(f"... and {len(rows) - MOST_LINES} more")
    facts = rows[0]["facts"] if rows else {}
    if "candidates" in facts:
        spent, many = facts["unet_evaluations_of_all"], facts["candidates"]
        lines.append(f"Best of {many} candidates, which took {spent} denoiser evaluations in all.")
    files = ", ".join(rows[0]["files"]) if rows else ""
    lines += ["", printable(str(out)), f"  Each sample has a folder in it with {printable(files)}."]
    if len(rows) > 1 and len({Path(row["folder"]).parent for row in rows}) == 1:
        lines.append("  contact-sheet.png shows all samples.")
    return "\n".join(lines)


def _table(rows: list[dict[str, Any]]) -> str:
    sides = [side for side in SIDES if any(side in row["sides"] for row in rows)]
    summaries = any(row["facts"].get("summary") for row in rows)
    several = len({Path(row["folder"]).parent for row in rows}) > 1
    headings = ["sample", "seed", *sides, "seconds", "evaluations", "sound", "picture"]
    cells = []
    for row in rows:
        facts = row["facts"]
        scores = [f"{row['sides'][side]:.3f}" if side in row["sides"] else "-" for side in sides]
        cells.append(
            [
                f"{Path(row['folder']).parent.name}/{row['index']:04d}" if several else f"{row['index']:04d}",
                "-" if row["seed"] is None else str(row["seed"]),
                *scores,
                str(facts.get("seconds", "-")),
                str(facts.get("unet_evaluations", "-")),
                f"{row['duration_s']:.2f} s",
                f"{row['width']} x {row['height']}",
                *([str(facts.get("summary", ""))] if summaries else []),
            ]
        )
    right = [False, True, *[True] * len(sides), True, True, True, False]
    return table([*headings, *(["caption"] if summaries else [])], cells, right)
