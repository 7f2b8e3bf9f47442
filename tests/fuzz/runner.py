"""Runs cases in this process and checks what must hold for each of them."""

import contextlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eidophone.cli import main
from eidophone.core.errors import EidophoneError
from eidophone.results.store import load
from tests.fuzz.cases import OUT, make_case
from tests.fuzz.guard import Guard
from tests.fuzz.materials import Materials, make_materials

LIMIT_S = 60
CODES = (0, 1, 2)
#: Everything that could act on a terminal; a line break and a tab are the program's own.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class _Late(BaseException):
    """The time limit of a case; no `except Exception` swallows it."""


@dataclass
class Outcome:
    """What one case did.

    Attributes:
        number, kind, arguments: Which one.
        code: Exit code.
        seconds: How long it took.
        wrong: What did not hold; empty if all did.
        said: Standard error.
    """

    number: int
    kind: str
    arguments: list[str]
    code: int = -1
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    said: str = ""


class Fuzzer:
    """Owns the good files, the guard and a folder for each case."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.good: Materials = make_materials(self.root / "good")
        self.guard = Guard(self.good.bait)
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()

    def run(self, seed: int, number: int, limit_s: int = LIMIT_S) -> Outcome:
        """Runs one case; its folder goes again unless something was wrong."""
        home = self.root / f"{seed}-{number:05d}"
        home.mkdir()
        kind, arguments = make_case(seed, number, home, self.good)
        before = _listing(home)
        outcome = Outcome(number, kind, arguments)
        started = time.monotonic()
        with _captured(home) as said, self._watched(home), _limit(limit_s):
            outcome.code = _call(arguments, outcome.wrong)
        outcome.seconds = time.monotonic() - started
        outcome.said = said["err"]
        outcome.wrong += [
            *self.guard.broken,
            *_words_wrong(outcome, said),
            *self._files_wrong(outcome, home, before),
        ]
        if not outcome.wrong:
            shutil.rmtree(home)
        return outcome

    @contextlib.contextmanager
    def _watched(self, home: Path) -> Iterator[None]:
        here, place = Path.cwd(), tempfile.tempdir
        os.chdir(home)
        tempfile.tempdir = str(self.temporary)
        self.guard.watch(home)
        try:
            yield
        finally:
            self.guard.stop()
            tempfile.tempdir = place
            os.chdir(here)

    def _files_wrong(self, outcome: Outcome, home: Path, before: dict[str, tuple[int, int]]) -> Iterator[str]:
        after = _listing(home)
        for name in sorted(before.keys() | after.keys()):
            inside = name == OUT or name.startswith(OUT + os.sep)
            if before.get(name) != after.get(name) and not inside and outcome.kind != "bad_out":
                yield f"changed outside --out: {name!r}"
            if ".part-" in name or ".trial-" in name:
                yield f"left behind: {name!r}"
        for left in self.temporary.iterdir():
            if not left.name.startswith("eidophone-failure-"):
                yield f"left in the folder of temporary files: {left.name!r}"
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if outcome.kind != "damaged_set":
            yield from _half_written(home / OUT)


def _call(arguments: list[str], wrong: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except _Late:
        wrong.append("took too long")
    except BaseException as error:
        wrong.append(f"raised {type(error).__name__}: {error}")
    return 99


def _words_wrong(outcome: Outcome, said: dict[str, str]) -> Iterator[str]:
    if outcome.code not in CODES and not outcome.wrong:
        yield f"exit code {outcome.code}"
    lines = said["err"].splitlines()
    if any(not line.startswith("eidophone: ") for line in lines):
        yield "a line on standard error that is no sentence of this program"
    checks_models = outcome.arguments[:1] == ["models"]  # it prints a line for each model
    if outcome.code in (1, 2) and not lines and not checks_models:
        yield "fails without a word"
    for stream, text in said.items():
        if _CONTROL.search(text):
            yield f"control characters in std{stream}"
        if "Traceback" in text:
            yield f"traceback in std{stream}"
    if outcome.code == 2 and any(len(line) > 2000 for line in lines):
        yield "a sentence of more than 2,000 characters"


def _half_written(out: Path) -> Iterator[str]:
    for sample in sorted(out.glob("[0-9][0-9][0-9][0-9]")) if out.is_dir() else ():
        try:
            load(sample)
        except EidophoneError as error:
            yield f"half-written: {error}"


def _listing(home: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for place, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(place, name)
            facts = path.lstat()
            is_folder = name in folders
            found[os.path.relpath(path, home)] = (0, 0) if is_folder else (facts.st_size, facts.st_mtime_ns)
    return found


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def _ring(*_: object) -> None:
        raise _Late

    before, ended = signal.signal(signal.SIGALRM, _ring), signal.getsignal(signal.SIGTERM)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGTERM, ended)  # the command line sets its own


@contextlib.contextmanager
def _captured(home: Path) -> Iterator[dict[str, str]]:
    """What Python and the C libraries write on both streams."""
    said: dict[str, str] = {}
    kept = {1: os.dup(1), 2: os.dup(2)}
    streams = sys.stdout, sys.stderr
    with tempfile.TemporaryFile(dir=home.parent) as out, tempfile.TemporaryFile(dir=home.parent) as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(os.fdopen(os.dup(2), "wb"), encoding="utf-8", write_through=True)
        try:
            yield said
        finally:
            sys.stdout.close()
            sys.stderr.close()
            sys.stdout, sys.stderr = streams
            for number, copy in kept.items():
                os.dup2(copy, number)
                os.close(copy)
            for name, file in (("out", out), ("err", err)):
                file.seek(0)
                said[name] = file.read().decode("utf-8", "replace")
