"""Runs cases in this process and checks what must hold for each of them."""

import contextlib
import gc
import itertools
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from eidophone.cli import main
from eidophone.core.errors import EidophoneError
from eidophone.core.values import Result
from eidophone.media.lock import LOCK_FILE
from eidophone.results.store import load
from tests.fuzz.case import OUT, Case
from tests.fuzz.cases import make_case
from tests.fuzz.guard import Guard
from tests.fuzz.materials import Materials, make_materials
from tests.fuzz.streams import captured
from tests.fuzz.studio import StudioUnderTest

#: Seconds of processor time, and by the clock: a case that waits for something uses none of the first.
LIMIT_S, WAIT_S = 60, 300
CODES = (0, 1, 2)
NOBODY = 65_534
#: Everything that could act on a terminal; a line break and a tab are the program's own.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: Verbs that store a sample whenever they succeed.
_MAKERS = {"hear", "see", "imprint", "compose", "colorize", "remake", "paint"}


class _Late(BaseException):
    """The time limit of a case; no `except Exception` swallows it."""


@dataclass
class Outcome:
    """What one case did.

    Attributes:
        number, case: Which one.
        code: Exit code; 0 for requests.
        seconds: How long it took.
        wrong: What did not hold; empty if all did.
        said: Standard error.
    """

    number: int
    case: Case
    code: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    said: str = ""


class Fuzzer:
    """Owns the good files, the guard, a Studio and a folder for each case."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.parent.chmod(0o755)  # some cases run as nobody
        self.good: Materials = make_materials(self.root / "good")
        self.studio = StudioUnderTest(self.root / "studio", self.good)
        self.guard = Guard(self.good.bait, (self.good.files, *self.good.readable))
        self.temporary = self.root / "tmp"
        self.temporary.mkdir()
        self.temporary.chmod(0o777)
        gc.collect()
        gc.freeze()  # every run ends with a collection, which need not look at all of torch

    def run(self, seed: int, number: int) -> Outcome:
        """Runs one case; its folder goes again unless something was wrong."""
        home = self.root / f"{seed}-{number:05d}"
        home.mkdir()
        home.chmod(0o777)
        case = make_case(seed, number, home, self.good)
        before = _listing(home)
        outcome = Outcome(number, case)
        started = time.monotonic()
        with captured(home, case) as said, self._watched(home), _limit(), _rights(case):
            self._do(case, outcome)
        outcome.seconds = time.monotonic() - started
        outcome.said = said["err"]
        outcome.wrong += [
            *self.guard.broken, *_words_wrong(outcome, said), *self._files_wrong(outcome, home, before),
        ]  # fmt: skip
        if not outcome.wrong:
            shutil.rmtree(home)
        return outcome

    def _do(self, case: Case, outcome: Outcome) -> None:
        try:
            if case.requests:
                outcome.wrong += self.studio.ask(case.requests)
            else:
                outcome.code = main(case.arguments)
        except SystemExit as stop:
            outcome.code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except _Late:
            outcome.wrong.append("took too long")
            outcome.code = 99
        except BaseException as error:
            outcome.wrong.append(f"raised {type(error).__name__}: {error}")
            outcome.code = 99

    @contextlib.contextmanager
    def _watched(self, home: Path) -> Iterator[None]:
        here, place = Path.cwd(), tempfile.tempdir
        os.chdir(home)
        tempfile.tempdir = str(self.temporary)
        self.guard.watch(home, self.studio.root)
        try:
            yield
        finally:
            self.guard.stop()
            tempfile.tempdir = place
            os.chdir(here)

    def _files_wrong(self, outcome: Outcome, home: Path, before: dict[str, tuple[int, int]]) -> Iterator[str]:
        after = _listing(home)
        for name in sorted(before.keys() | after.keys()):
            inside = name.startswith((OUT, f"inside{os.sep}{OUT}")) or outcome.case.kind == "bad_out"
            inside = inside or (name.startswith("manifest.") and "--rebuild" in outcome.case.arguments)
            inside = inside or _is_lock_of_out(home / name, outcome.case.arguments)
            if before.get(name) != after.get(name) and not inside:
                yield f"changed outside --out: {name!r}"
            if name not in before and ".part-" in name:
                yield f"left behind: {name!r}"
        for left in self.temporary.iterdir():
            if not left.name.startswith("eidophone-failure-"):
                yield f"left in the folder of temporary files: {left.name!r}"
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if outcome.case.kind not in ("damaged_set", "swept_kinds"):
            yield from _results_wrong(outcome, home / OUT)


def _is_lock_of_out(path: Path, arguments: list[str]) -> bool:
    """A folder of the case that --out names gets a lock."""
    named = itertools.pairwise(arguments)
    return path.name == LOCK_FILE and ("--out", str(path.parent)) in named


def _words_wrong(outcome: Outcome, said: dict[str, str]) -> Iterator[str]:
    if outcome.code not in CODES and not outcome.wrong:
        yield f"exit code {outcome.code}"
    lines = said["err"].splitlines()
    if any(not line.startswith("eidophone: ") for line in lines):
        yield "a line on standard error that is no sentence of this program"
    checks_models = outcome.case.arguments[:1] == ["models"]  # it prints a line for each model
    if outcome.code in (1, 2) and not lines and not checks_models:
        yield "fails without a word"
    for stream, text in said.items():
        if _CONTROL.search(text):
            yield f"control characters in std{stream}"
        if "Traceback" in text:
            yield f"traceback in std{stream}"
    if outcome.code == 2 and any(len(line) > 2000 for line in lines):
        yield "a sentence of more than 2,000 characters"


def _results_wrong(outcome: Outcome, out: Path) -> Iterator[str]:
    """Half-written samples, success without a sample, and silence or a blank picture without a word."""
    folders = sorted(path.parent for path in out.rglob("record.json")) if out.is_dir() else []
    numbered = (
        sorted(path for path in out.glob("[0-9][0-9][0-9][0-9]") if path.is_dir()) if out.is_dir() else []
    )
    for sample in sorted({*folders, *numbered}):
        try:
            result = load(sample)
        except EidophoneError as error:
            yield f"half-written: {error}"
            continue
        if outcome.code == 0 and not outcome.said and _blank(result):
            yield f"a blank or silent result without a word: {sample.name}"
    succeeded = outcome.code == 0 and outcome.case.arguments[:1] and OUT in outcome.case.arguments
    if succeeded and outcome.case.arguments[0] in _MAKERS and not folders:
        yield "succeeds without a result"


def _blank(result: Result) -> bool:
    pixels, samples = result.picture.pixels, result.clip.samples
    return bool(pixels.max() == pixels.min() or not samples.any())


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
def _rights(case: Case) -> Iterator[None]:
    if not case.nobody or os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    def _ring(*_: object) -> None:
        raise _Late

    ended = signal.getsignal(signal.SIGTERM)
    before = {each: signal.signal(each, _ring) for each in (signal.SIGALRM, signal.SIGPROF)}
    signal.alarm(WAIT_S)
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for each, handler in before.items():
            signal.signal(each, handler)
        signal.signal(signal.SIGTERM, ended)  # the command line sets its own
