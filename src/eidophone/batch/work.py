"""What a worker does: it holds a session and makes the samples of one share after another."""

import contextlib
import os
import platform
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from eidophone.batch.jobs import Task
from eidophone.batch.places import place_of
from eidophone.batch.remote import RemotePlace
from eidophone.batch.shares import Share
from eidophone.core.errors import CannotWrite, EidophoneError
from eidophone.core.values import Result
from eidophone.results.store import Store, finished_samples
from eidophone.running import Output
from eidophone.session import Session


@dataclass(frozen=True)
class Made:
    """A sample was stored.

    Attributes:
        key, index: Which one.
        seconds: Its computing time.
        evaluations: Denoiser evaluations.
        read_as: Words that the models do not know, and what they use instead.
    """

    key: str
    index: int
    seconds: float
    evaluations: int
    read_as: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """A task has ended.

    Attributes:
        key: Of the task.
        rows: How messages name its rows.
        made: Samples that were stored.
        seconds: Wall-clock time.
        error: Why it failed, one sentence; empty if it did not.
        details: The traceback of an unexpected failure.
        worker: Process that did it, as HOST:PID.
        loads: The most times that this worker has read any network from disk.
        memory_bytes: Resident memory of the worker.
    """

    key: str
    rows: tuple[str, ...]
    made: int = 0
    seconds: float = 0.0
    error: str = ""
    details: str = ""
    worker: str = ""
    loads: int = 0
    memory_bytes: int = 0


Event = Made | Outcome


@dataclass(frozen=True)
class Work:
    """What all workers of a batch must know.

    Attributes:
        root: Where results go, as `places.place_of` takes it; absolute if it is a folder.
        keep_arrays: Also store the numbers before 8-bit rounding.
    """

    root: str
    keep_arrays: bool = False

    def worker(self) -> "Worker":
        """Opens a session."""
        return Worker(self)


class Worker:
    """Holds a session: models are loaded once and serve every task."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.place = place_of(work.root)
        self.session = Session()

    def close(self) -> None:
        """Gives the models back."""
        self.session.close()

    def run(self, share: Share) -> Iterator[Event]:
        """Makes what the place lacks of a share; yields an outcome for each task. Raises no ordinary exception."""
        made = Counter[str]()
        if len(share) > 1:
            # whatever fails here fails again below, where each task is alone and its row can be named
            with contextlib.suppress(Exception):
                for event in self._together(share):
                    made[event.key] += 1
                    yield event
        for task in share:
            yield from self._alone(task, made[task.key])

    def _together(self, share: Share) -> Iterator[Made]:
        """Fills batches with samples of several tasks, on a device that gains from it."""
        left = [(task, missing) for task in share if (missing := self._missing(task))]
        if len(left) < 2 or not _gains(left[0][0]):
            return
        owners = [task for task, missing in left for _ in missing]
        runs = [task.only(missing) for task, missing in left]
        with self._folder() as root:
            folders = [root / task.key for task, _ in left]
            results = self.session.run_together(runs, Output(keep_arrays=self.work.keep_arrays), folders)
            for task, result in zip(owners, results, strict=True):
                self._put(task, result)
                yield _made(task, result)

    def _alone(self, task: Task, made: int) -> Iterator[Event]:
        """Makes what the place lacks of a task; the last event is its outcome.

        Args:
            task: Of the share.
            made: Samples of it that were made together with others.
        """
        began, error, details = time.monotonic(), "", ""
        try:
            for result in self._made(task):
                made += 1
                yield _made(task, result)
        except EidophoneError as refused:
            if not (isinstance(refused, CannotWrite) and not self._missing(task)):
                error = str(refused)  # otherwise another worker has just finished the same task
        except MemoryError:
            error = "Out of memory; give this row a smaller width, or use fewer workers."
        except Exception as failure:
            error = f"Unexpected failure ({type(failure).__name__}: {' '.join(str(failure).split())[:200]})."
            details = traceback.format_exc()
        yield Outcome(
            task.key,
            task.rows,
            made,
            time.monotonic() - began,
            error,
            details,
            here(),
            max(self.session.registry.loads.values(), default=0),
            memory_bytes(),
        )

    def _missing(self, task: Task) -> tuple[int, ...]:
        return task.missing(self.place.finished([task.key])[task.key])

    def _made(self, task: Task) -> Iterator[Result]:
        missing = self._missing(task)
        if not missing:
            return
        here = self.place.finished([task.key])[task.key]
        with self._folder() as root:
            for result in self._stored(task, missing, root / task.key):
                self._put(task, result, kept=result.index not in here)
                if result.index not in here:
                    yield result

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """Where samples are written first: the place itself, or a temporary folder for a URL."""
        if not isinstance(self.place, RemotePlace):
            yield Path(self.work.root)
            return
        with TemporaryDirectory(prefix="eidophone-batch-") as folder:
            yield Path(folder)

    def _put(self, task: Task, result: Result, *, kept: bool = True) -> None:
        """Moves a sample to its place, where it is not there yet."""
        if isinstance(self.place, RemotePlace):
            assert result.folder is not None
            if kept:
                self.place.put_sample(task.key, result.folder)
            shutil.rmtree(result.folder)

    def _stored(self, task: Task, missing: tuple[int, ...], folder: Path) -> Iterator[Result]:
        """Makes the missing samples and stores each in a local folder."""
        options = task.only(missing)
        if not task.chosen:
            yield from self.session.run(options, Output(folder, self.work.keep_arrays, ahead=True))
            return
        # which candidates are the best is known at the end only, so all are made again
        with Store(folder, self.work.keep_arrays) as store:
            store.reserve(())
            here = finished_samples(folder)
            for result in self.session.run(options):
                if result.index not in here:
                    yield store.save(result)
            store.overview()


def here() -> str:
    """This process, as HOST:PID."""
    return f"{platform.node() or 'localhost'}:{os.getpid()}"


def memory_bytes() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def _made(task: Task, result: Result) -> Made:
    facts = result.facts
    cost = float(facts.get("seconds") or 0), int(facts.get("unet_evaluations") or 0)
    return Made(task.key, result.index, *cost, dict(facts.get("read_as") or {}))


def _gains(task: Task) -> bool:
    """Whether batches are worth it: on a GPU, or where the row asks for them.

    Raises:
        BadInput: this machine has no such device.
    """
    from eidophone.models.device import choose_device

    wanted = getattr(task.options, "batch_size", None)
    if wanted is not None:
        return bool(wanted > 1)
    return choose_device(str(getattr(task.options, "device", "auto"))).type != "cpu"
