"""From a job file to tasks: every row is checked before anything starts."""

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eidophone.batch.columns import cell_value, files_of, option_of, swept_values
from eidophone.batch.keys import Digests, row_key
from eidophone.batch.readers import RawRow, read_rows
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.options.kinds import Options
from eidophone.verbs import Verb, verb_of

DEFAULT_VERB = "compose"
MOST_SWEPT = 1_000_000


class BadRows(BadInput):
    """Rows of a job file that cannot run.

    Attributes:
        problems: A sentence for each, which names the row.
    """

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        verb = "row cannot" if len(problems) == 1 else "rows cannot"
        super().__init__(f"{path}: {len(problems)} {verb} run; nothing was started. First: {problems[0]}")


@dataclass(frozen=True)
class Task:
    """Samples that share all options: one row, or several rows that differ in their samples only.

    Attributes:
        key: Names the task's folder; see `keys.row_key`.
        verb: Name of the verb.
        options: Checked.
        samples: Indices that are wanted. With `from_` these are the candidates.
        rows: How messages name the rows.
    """

    key: str
    verb: str
    options: Options
    samples: tuple[int, ...]
    rows: tuple[str, ...]

    @property
    def chosen(self) -> bool:
        """Whether the samples are the best of many candidates, so that their indices are not known before."""
        return getattr(self.options, "from_", None) is not None

    @property
    def size(self) -> int:
        """How many samples it makes."""
        return int(getattr(self.options, "count", 1)) if self.chosen else len(self.samples)

    def missing(self, finished: set[int]) -> tuple[int, ...]:
        """The samples that a folder with these finished samples lacks."""
        if self.chosen:
            return self.samples if len(finished & set(self.samples)) < self.size else ()
        return tuple(index for index in self.samples if index not in finished)

    def only(self, samples: tuple[int, ...]) -> Options:
        """The options of some of the samples; one thread, unless the row says otherwise."""
        known = type(self.options).model_fields
        changes: dict[str, Any] = {}
        if "samples" in known and not self.chosen:
            changes = {"samples": samples, "count": len(samples)}
        if "resume" in known:
            changes["resume"] = False
        # the number of threads may change the last bits, so it may not depend on the engine
        if "threads" in known and getattr(self.options, "threads", None) is None:
            changes["threads"] = 1
        return self.options.model_copy(update=changes)


def read_tasks(path: Path) -> list[Task]:
    """Reads and checks a job file.

    Rows that share models follow each other, so that a worker loads them once.

    Raises:
        BadRows: rows that cannot run, all of them.
        BadInput: the file cannot be read.
    """
    check = _Check(path.absolute().parent)
    problems: list[str] = []
    tasks: dict[str, Task] = {}
    for raw in read_rows(path):
        try:
            for label, cells in _swept(raw):
                _add(tasks, check.task(label, cells))
        except EidophoneError as error:
            problems.append(f"row {raw.number}: {error}")
    if problems:
        raise BadRows(path, problems)
    by_models: dict[tuple[str, ...], list[Task]] = {}
    for task in tasks.values():
        names = (str(getattr(task.options, name, "")) for name in verb_of(task.verb).models)
        by_models.setdefault(tuple(names), []).append(task)
    return [task for group in by_models.values() for task in group]


def _add(tasks: dict[str, Task], task: Task) -> None:
    there = tasks.get(task.key)
    if there is None:
        tasks[task.key] = task
        return
    if task.chosen or set(there.samples) & set(task.samples):
        raise BadInput(
            f"asks for the same samples as row {there.rows[0]}; remove it, or give another seed or index."
        )
    tasks[task.key] = replace(
        there, samples=tuple(sorted({*there.samples, *task.samples})), rows=there.rows + task.rows
    )


def _swept(raw: RawRow) -> Iterator[tuple[str, dict[str, Any]]]:
    """The row itself, or one row for each combination of the values in its lists."""
    if raw.problem:
        raise BadInput(raw.problem)
    cells = {option_of(name): value for name, value in raw.cells.items()}
    if len(cells) < len(raw.cells):
        raise BadInput("two columns name the same option; remove one.")
    verb = verb_of(str(cells.pop("verb", DEFAULT_VERB)))
    found = {name: swept_values(verb.options, name, value) for name, value in cells.items()}
    lists = {name: values for name, values in found.items() if values is not None}
    empty = next((name for name, values in lists.items() if not values), None)
    if empty is not None:
        raise BadInput(f"{empty}: the list is empty; give at least one value, or leave it out.")
    total = math.prod(len(values) for values in lists.values())
    if total > MOST_SWEPT:
        raise BadInput(f"its lists make {total:,} combinations; {MOST_SWEPT:,} is the most. Split the row.")
    for number, values in enumerate(itertools.product(*lists.values()), 1):
        label = f"{raw.number}" if total == 1 else f"{raw.number}, combination {number} of {total}"
        yield label, {"verb": verb.name, **cells, **dict(zip(lists, values, strict=True))}


@dataclass
class _Check:
    """Turns cells into tasks.

    Attributes:
        base: Paths of input files start here.
        digests: Of input files, each computed once.
        models: Model names that were found.
    """

    base: Path
    digests: Digests = field(default_factory=Digests)
    models: set[tuple[str, str]] = field(default_factory=set)

    def task(self, label: str, cells: dict[str, Any]) -> Task:
        verb = verb_of(cells.pop("verb"))
        cells = {name: cell_value(verb.options, name, value) for name, value in cells.items()}
        files = files_of(verb.options)
        for name in files:
            if isinstance(cells.get(name), str):
                cells[name] = str(self.base / Path(cells[name]).expanduser())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # once a row would be too often
            options = verb.options.make(**cells)
        self._needed(verb, options)
        for name in ("image_model", "audio_model"):
            if name in verb.models and name in options.model_fields_set:
                self._model(name, str(getattr(options, name)))
        inputs = {name: self.digests(path) for name in files if (path := getattr(options, name, None))}
        samples = tuple(getattr(options, "numbers", (0,)))
        if getattr(options, "from_", None) is not None:
            samples = tuple(range(samples[0], samples[0] + options.from_))  # type: ignore[attr-defined]
        return Task(row_key(verb.name, options, inputs), verb.name, options, samples, (label,))

    @staticmethod
    def _needed(verb: Verb, options: Options) -> None:
        for argument in verb.arguments:
            value = getattr(options, argument.field, None)
            other = getattr(options, argument.replaced_by, None) if argument.replaced_by else None
            if value in (None, "") and other is None:
                instead = f" or {argument.replaced_by}" if argument.replaced_by else ""
                raise BadInput(f"{verb.name} needs {argument.field}{instead}; fill in that column.")

    def _model(self, option: str, name: str) -> None:
        from eidophone.models.cards import resolved
        from eidophone.models.source import drawing_role

        if (option, name) not in self.models:
            resolved(name, "audio" if option == "audio_model" else drawing_role(name))
            self.models.add((option, name))


def shard_of(tasks: Sequence[Task], number: int, of: int) -> list[Task]:
    """Every `of`-th task, from the `number`-th; number counts from 1."""
    return list(tasks[number - 1 :: of])
