"""A clock whose works take turns, and a report of tables."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Clock:
    """Seconds of work on a device: of the processor on a CPU, else of the wall.

    Attributes:
        device: Where the work runs.
        rounds: How often each piece of work is measured.
    """

    device: torch.device
    rounds: int = 3

    def once(self, work: Work) -> float:
        """Seconds of one call."""
        cuda = self.device.type == "cuda"
        now = time.perf_counter if cuda else time.process_time
        if cuda:
            torch.cuda.synchronize()
        began = now()
        work()
        if cuda:
            torch.cuda.synchronize()
        return now() - began

    def turns(self, works: Mapping[str, Work]) -> dict[str, float]:
        """Medians of several pieces of work that take turns; with several rounds, a first one does not count."""
        for work in works.values() if self.rounds > 1 else ():
            work()
        found: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(self.rounds):
            for name, work in works.items():
                found[name].append(self.once(work))
        return {name: statistics.median(values) for name, values in found.items()}


@dataclass
class Report:
    """Sections of Markdown, part by part.

    Attributes:
        kept: A file that keeps the parts, so that one of them can be measured again; None keeps nothing.
        parts: By name, the lines, the rows of the table of aims (what, the aim, what was measured), and the load of
            the machine.
        part: The one that is being written.
    """

    kept: Path | None = None
    parts: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    part: str = ""

    def __post_init__(self) -> None:
        if self.kept is not None and self.kept.exists():
            self.parts = json.loads(self.kept.read_text(encoding="utf-8"))

    def begin(self, part: str) -> None:
        """Begins a part, in the place of an older one of its name."""
        self.part, self.parts[part] = part, {"lines": [], "aims": [], "load": [os.getloadavg()[0]]}

    def loads(self) -> tuple[float, float]:
        """The lowest and the highest load under which parts began and ended."""
        found = [load for part in self.parts.values() for load in part["load"]]
        return min(found, default=0.0), max(found, default=0.0)

    def keep(self) -> None:
        """Ends the part, and writes all parts to the file."""
        if self.part:
            self.parts[self.part]["load"].append(os.getloadavg()[0])
            self.part = ""
        if self.kept is not None:
            self.kept.write_text(json.dumps(self.parts, indent=1) + "\n", encoding="utf-8")

    def table(
        self, title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], about: str = ""
    ) -> None:
        """A section with one table, after a paragraph about it."""
        section = ["", f"## {title}", ""]
        section += [about, ""] if about else []
        section += _table(head, rows)
        self.parts[self.part]["lines"] += section
        print("\n".join(section), flush=True)

    def aim(self, what: str, aim: str, measured: str) -> None:
        """Adds a row to the table of aims."""
        self.parts[self.part]["aims"].append((what, aim, measured))

    def text(self, head: list[str], order: Iterable[str]) -> str:
        """The whole page: its head, the table of aims, then all parts in this order."""
        found = [self.parts[name] for name in order if name in self.parts]
        rows = [aim for part in found for aim in part["aims"]]
        aims = ["", "## Aims", "", *_table(("what", "aim", "measured"), rows)] if rows else []
        return "\n".join([*head, *aims, *(line for part in found for line in part["lines"])]) + "\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
