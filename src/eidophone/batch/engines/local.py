"""This machine: one task after another in this process, or several processes that each hold a session."""

import multiprocessing
import os
import signal
import threading
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait

from eidophone.batch.engines import EngineSettings
from eidophone.batch.jobs import Task
from eidophone.batch.work import Event, Outcome, Work, Worker
from eidophone.core.errors import BadInput

#: A task is given up once this many workers were lost with it.
MOST_LOSSES = 5


def run(tasks: Sequence[Task], work: Work, settings: EngineSettings) -> Iterator[Event]:
    """Runs tasks here. No options.

    Raises:
        BadInput: options were given.
    """
    if settings.options:
        raise BadInput(
            f"--engine-option {min(settings.options)}: the local engine has no options; leave it out."
        )
    if settings.workers > 1:
        yield from _in_processes(tasks, work, settings.workers)
        return
    worker = Worker(work)
    try:
        for task in tasks:
            yield from worker.run(task)
    finally:
        worker.close()


class _Process:
    """A worker process and the pipe to it."""

    def __init__(self, work: Work) -> None:
        # a forked process would share locks and threads of torch with its parent
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self.process.start()
        theirs.close()  # so that a lost worker shows as the end of the pipe
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        """Starts a task."""
        self.task = task
        self.pipe.send(task)

    def stop(self) -> None:
        """Ends the process; the sample that it is making is dropped whole."""
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _serve(pipe: Connection, work: Work) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # what concerns the user travels in the events
    threading.Thread(target=_end_with_parent, daemon=True).start()
    worker = Worker(work)
    while True:
        try:
            task = pipe.recv()
            for event in worker.run(task):
                pipe.send(event)
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    """A driver that was killed leaves no worker behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _in_processes(tasks: Sequence[Task], work: Work, workers: int) -> Iterator[Event]:
    waiting, losses = deque(tasks), Counter[str]()
    running: list[_Process] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Process(work))
                _start(running[-1], waiting)
            for process in _ready(running):
                event = _next(process)
                if event is None:
                    running.remove(process)
                    task = process.task
                    process.stop()
                    assert task is not None
                    losses[task.key] += 1
                    if losses[task.key] < MOST_LOSSES:
                        waiting.appendleft(task)
                    else:
                        yield _given_up(task)
                    continue
                yield event
                if isinstance(event, Outcome) and not _start(process, waiting):
                    running.remove(process)
                    process.stop()
    finally:
        for process in running:
            process.stop()


def _ready(running: list[_Process]) -> list[_Process]:
    ready = wait([process.pipe for process in running])
    return [process for process in running if process.pipe in ready]


def _start(process: _Process, waiting: "deque[Task]") -> bool:
    """Gives the process the next task; False if there is none."""
    if not waiting:
        return False
    task = waiting.popleft()
    try:
        process.give(task)
    except OSError:  # it is gone; the end of its pipe shows that next
        process.task = task
    return True


def _next(process: _Process) -> Event | None:
    """The next event; None if the process is gone."""
    try:
        event: Event = process.pipe.recv()
        return event
    except (EOFError, OSError):
        return None


def _given_up(task: Task) -> Outcome:
    error = f"{MOST_LOSSES} workers were killed while they made it, perhaps for lack of memory; use fewer workers."
    return Outcome(task.key, task.rows, error=error)
