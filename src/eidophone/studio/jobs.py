"""The queue of jobs, and the one thread that hands them to an engine."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from eidophone.core.errors import EidophoneError
from eidophone.core.events import CancelToken
from eidophone.core.text import printable
from eidophone.options.kinds import Options
from eidophone.studio.engine import Engine, Message, Order
from eidophone.studio.settings import Limits

State = Literal["waiting", "running", "finished", "cancelled", "failed"]
ENDED: tuple[State, ...] = ("finished", "cancelled", "failed")


class QueueFull(EidophoneError):
    """More jobs wait than the queue holds."""


@dataclass
class Job:
    """One run of a verb, or one caption.

    Attributes:
        verb: Its name, or "caption".
        options: Checked.
        request: The options as the visitor sent them.
        sound: What is captioned.
        id: Opaque.
        state: Where it stands.
        cancel: Stops it.
    """

    verb: str
    options: Options
    request: dict[str, Any]
    sound: Path | None = None
    id: str = field(default_factory=lambda: token_hex(8))
    state: State = "waiting"
    cancel: CancelToken = field(default_factory=CancelToken)
    made: float = field(default_factory=time.time)
    _messages: list[tuple[int, Message]] = field(default_factory=list)
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, message: Message) -> None:
        """Adds a message; a step or preview replaces the one before, so that the log stays short."""
        with self._lock:
            self._number += 1
            kept = [(n, m) for n, m in self._messages if not _replaces(message, m)]
            self._messages = [*kept, (self._number, message)]

    def since(self, number: int) -> list[tuple[int, Message]]:
        """Messages after the one of this number."""
        with self._lock:
            return [(n, message) for n, message in self._messages if n > number]

    def plain(self) -> dict[str, Any]:
        """What a list of jobs says of it."""
        latest = {m["type"]: m for _, m in self.since(0)}
        return {
            "id": self.id,
            "verb": self.verb,
            "options": self.request,
            "state": self.state,
            "made": self.made,
            "count": getattr(self.options, "count", 1),
            "step": latest.get("step"),
            "message": latest.get("failed", {}).get("message"),
        }


def _replaces(new: Message, old: Message) -> bool:
    if new["type"] in ("step", "started", "caption"):
        return bool(old["type"] == new["type"])
    if new["type"] in ("preview", "sample"):
        return bool(old["type"] == "preview" and old["index"] == new["index"])
    return new["type"] in ("finished", "failed", "cancelled") and old["type"] in ("preview", "step")


class Worker:
    """Runs one job after the other.

    Args:
        engine: Works on them.
        place: The output folder of a job, or the sound that it captions.
        add: Puts the folder of a finished sample into the library and returns its entry.
        limits: See `Limits`.
    """

    def __init__(
        self,
        engine: Engine,
        place: Callable[[Job], Path],
        add: Callable[[Path], dict[str, Any]],
        limits: Limits,
    ) -> None:
        self._engine, self._place, self._add, self._limits = engine, place, add, limits
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="studio-worker", daemon=True)

    def start(self) -> None:
        """Starts the thread; the engine first loads what most runs need."""
        self._thread.start()

    def close(self) -> None:
        """Cancels everything and waits for the thread; finished samples stay."""
        with self._changed:
            self._closed = True
            for job in self._jobs.values():
                job.cancel.cancel()
            self._changed.notify()
        self._thread.join(timeout=40)

    def put(self, job: Job) -> None:
        """Puts a job at the end of the queue.

        Raises:
            QueueFull: too many wait already.
        """
        with self._changed:
            if len(self._waiting) >= self._limits.waiting:
                raise QueueFull(
                    f"The queue is full: {len(self._waiting)} jobs wait. Try again when one has finished, or "
                    "cancel one."
                )
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Cancels a job: at once if it waits, within one step if it runs."""
        with self._changed:
            job.cancel.cancel()
            if job in self._waiting:
                self._waiting.remove(job)
                job.say({"type": "cancelled"})
                job.state = "cancelled"

    def __getitem__(self, job_id: str) -> Job:
        return self._jobs[job_id]

    def __iter__(self) -> Iterator[Job]:
        with self._changed:
            return iter(list(self._jobs.values()))

    def _forget(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state in ENDED]
        for job_id in ended[: -self._limits.kept_jobs]:
            del self._jobs[job_id]

    def _work(self) -> None:
        self._engine.start(self._limits.warm_up)
        while (job := self._next()) is not None:
            self._run(job)
        self._engine.close()

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            job = self._waiting.popleft()
            job.state = "running"
            return job

    def _run(self, job: Job) -> None:
        def _say(message: Message) -> None:
            if message["type"] == "sample":
                message = {**message, "result": self._add(Path(message.pop("folder")))}
            job.say(message)
            if message["type"] in ENDED:
                job.state = message["type"]

        try:
            self._engine.run(Order(job.options, self._place(job)), _say, job.cancel)
        except Exception as error:  # the output folder is gone, or the like
            words = f"Unexpected failure ({type(error).__name__}: {error})."
            _say({"type": "failed", "message": printable(words)[:500]})
