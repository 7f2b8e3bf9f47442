"""A batch from its job file to its manifest. What is finished is never made again."""

import contextlib
import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from eidophone.batch.engines import EngineSettings, engine_of
from eidophone.batch.jobs import Task
from eidophone.batch.manifest import Totals, write_manifest
from eidophone.batch.places import LocalPlace, place_of, root_of
from eidophone.batch.remote import RemotePlace
from eidophone.batch.shares import shares_of
from eidophone.batch.work import Made, Outcome, Work
from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.text import without_folders
from eidophone.media.files import check_no_link, sha256
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import SHEET_FILE, Store, sample_name

ROWS_FILE, FAILURES_FILE = "rows.csv", "failures.json"


@dataclass
class Progress:
    """How far a batch has come.

    Attributes:
        rows, rows_done: Tasks of this run, and those that have ended.
        samples, samples_done: The same for samples.
        already: Samples that were there before.
        seconds: Computing time so far, of all workers.
        evaluations: Denoiser evaluations so far.
        began, first: When the run began, and when its first sample was there; monotonic clock.
        loads: By worker, the most times that it read any network from disk.
        memory_bytes: By worker, the largest resident memory.
        failed: Outcomes of tasks that failed.
    """

    rows: int = 0
    rows_done: int = 0
    samples: int = 0
    samples_done: int = 0
    already: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    began: float = field(default_factory=time.monotonic)
    first: float = 0.0
    loads: dict[str, int] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Outcome] = field(default_factory=dict)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    @property
    def left_s(self) -> float | None:
        """Estimated seconds that are left; None before the second sample, as the first waits for the models."""
        if self.samples_done < 2:
            return None
        pace_s = (time.monotonic() - self.first) / (self.samples_done - 1)
        return pace_s * max(0, self.samples - self.samples_done)

    def take(self, event: Made | Outcome) -> None:
        """Counts an event."""
        if isinstance(event, Made):
            self.first = self.first or time.monotonic()
            self.samples_done += 1
            self.seconds += event.seconds
            self.evaluations += event.evaluations
            return
        self.rows_done += 1
        self.failed.pop(event.key, None)
        if event.error:
            self.failed[event.key] = event
        if event.worker:
            self.loads[event.worker] = event.loads
            self.memory_bytes[event.worker] = max(event.memory_bytes, self.memory_bytes.get(event.worker, 0))


Watch = Callable[[Progress, Made | Outcome], None]


@dataclass(frozen=True)
class Finish:
    """How a batch ended.

    Attributes:
        progress: What this run did.
        manifest: Name of the manifest in the place.
        totals: What the place holds now.
    """

    progress: Progress
    manifest: str
    totals: Totals


def run_batch(
    tasks: Sequence[Task],
    out: str,
    *,
    engine: str = "local",
    settings: EngineSettings | None = None,
    keep_arrays: bool = False,
    retry: int = 0,
    watch: Watch | None = None,
) -> Finish:
    """Makes what is missing of tasks, then writes the manifest.

    Args:
        tasks: Of `jobs.read_tasks`, perhaps one shard of them.
        out: Folder or URL.
        engine: "local", "ray" or "slurm".
        settings: Of the engine.
        keep_arrays: Also store the numbers before 8-bit rounding.
        retry: How often to try a failed task again.
        watch: Called with every event.

    Raises:
        EidophoneError: the place cannot be written, or the engine does not start.
    """
    place = place_of(root_of(out))
    place.prepare()
    work, settings = Work(place.root, keep_arrays), settings or EngineSettings()
    start = engine_of(engine)
    progress = Progress()
    left = missing_of(tasks, place)
    progress.samples = sum(count for _, count in left)
    progress.rows, progress.already = len(left), sum(task.size for task in tasks) - progress.samples
    again = [task for task, _ in left]
    for _ in range(retry + 1):
        for event in start(shares_of(again, settings.workers), work, settings) if again else ():
            progress.take(event)
            if watch is not None:
                watch(progress, event)
        again = [task for task in again if task.key in progress.failed]
        progress.rows_done -= len(again)
    progress.rows_done += len(again)
    if isinstance(place, LocalPlace):
        _make_overviews(tasks, Path(place.root))
    _put_text(place, FAILURES_FILE, _failures(progress))
    name, totals = write_manifest(place)
    return Finish(progress, name, totals)


def _make_overviews(tasks: Sequence[Task], root: Path) -> None:
    """The contact sheets that are missing because a worker was stopped when its samples were stored."""
    for task in tasks:
        folder = root / task.key
        if task.size > 1 and folder.is_dir() and not (folder / SHEET_FILE).exists():
            with contextlib.suppress(CannotWrite), Store(folder) as store:  # another process is at work there
                store.reserve(())
                store.overview()


def missing_of(tasks: Sequence[Task], place: LocalPlace | RemotePlace) -> list[tuple[Task, int]]:
    """Tasks that the place lacks samples of, with the number of these."""
    finished = place.finished(task.key for task in tasks)
    found = []
    for task in tasks:
        here = finished[task.key]
        if task.missing(here):
            done = len(here & set(task.samples))
            found.append((task, task.size - done))
    return found


def write_rows(tasks: Sequence[Task], out: str) -> None:
    """Writes which row of the job file has which key."""
    place = place_of(root_of(out))
    with TemporaryDirectory(prefix="eidophone-batch-") as folder:
        path = Path(folder, ROWS_FILE)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "key", "verb", "samples"])
            writer.writerows([row, task.key, task.verb, task.size] for task in tasks for row in task.rows)
        place.put_file(ROWS_FILE, path)


def _failures(progress: Progress) -> str:
    rows = []
    for outcome in progress.failed.values():
        # the file is passed on with the results: nothing of the machine or of whose folders these are
        said = {"error": without_folders(outcome.error), "details": without_folders(outcome.details)}
        rows.append({name: value for name, value in (asdict(outcome) | said).items() if name != "worker"})
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _put_text(place: LocalPlace | RemotePlace, name: str, text: str) -> None:
    with TemporaryDirectory(prefix="eidophone-batch-") as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        place.put_file(name, path)


def merge(folders: Sequence[Path], out: Path) -> int:
    """Copies the samples of other batches, such as shards, that this folder lacks; returns how many.

    Raises:
        BadInput: no such folder, a damaged sample, or two samples of one name with other pictures or sounds.
        CannotWrite: the folder cannot be written, or another process writes into it.
    """
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"{folder}: there is no such folder; name the folder of a batch.")
    copied = 0
    for folder in folders:
        for key, indices in _grouped(LocalPlace(str(folder.absolute()))):
            with Store(out / key) as store:
                store.reserve(())
                for index in indices:
                    copied += _merge_one(folder / key / sample_name(index), store)
    return copied


def _grouped(place: LocalPlace) -> Iterator[tuple[str, list[int]]]:
    last: tuple[str, list[int]] | None = None
    for key, index in place.samples():
        if last is None or last[0] != key:
            if last is not None:
                yield last
            last = key, []
        last[1].append(index)
    if last is not None:
        yield last


def _merge_one(theirs: Path, store: Store) -> int:
    ours = store.root / theirs.name
    if (ours / RECORD_FILE).exists():
        for name in ("picture.png", "sound.wav"):
            check_no_link(theirs / name)
            if sha256(theirs / name) != sha256(ours / name):
                raise BadInput(
                    f"{theirs / name} differs from {ours / name}, made with the same settings; they come from "
                    "different devices or versions. Keep one of the two folders."
                )
        return 0
    store.adopt(theirs)
    return 1
