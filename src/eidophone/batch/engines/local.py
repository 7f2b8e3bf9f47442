"""This machine: one share after another in this process, or several processes that each hold a session."""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from eidophone.batch.engines import EngineSettings, Piece, Pieces, Work
from eidophone.batch.work import Outcome
from eidophone.core.errors import BadInput
from eidophone.models.device import take_gpu

#: A task is given up once this many workers were lost with it.
MOST_LOSSES = 5


def run(shares: Sequence[Pieces], work: Work, settings: EngineSettings) -> Iterator[Any]:
    """Runs shares here. No options.

    Raises:
        BadInput: options were given.
    """
    if settings.options:
        raise BadInput(
            f"--engine-option {min(settings.options)}: the local engine has no options; leave it out."
        )
    if settings.workers > 1:
        yield from _in_processes(shares, work, settings.workers)
        return
    worker = work.worker()
    try:
        for share in shares:
            yield from worker.run(share)
    finally:
        worker.close()


class _Process:
    """A worker process and the pipe to it.

    Attributes:
        number: From 0; a worker that replaces another one takes its number.
        left: Tasks of its share that have not ended.
    """

    def __init__(self, work: Work, number: int) -> None:
        self.number = number
        # a forked process would share locks and threads of torch with its parent
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, number), daemon=True)
        self.process.start()
        theirs.close()  # so that a lost worker shows as the end of the pipe
        self.left: list[Piece] = []

    def give(self, share: Pieces) -> None:
        """Starts a share."""
        self.left = list(share)
        with contextlib.suppress(OSError):  # the worker is gone; the end of its pipe shows that next
            self.pipe.send(share)

    def next(self) -> Any:
        """The next event; None if the worker is gone."""
        try:
            event = self.pipe.recv()
        except (EOFError, OSError):
            return None
        if isinstance(event, Outcome):
            self.left = [task for task in self.left if task.key != event.key]
        return event

    def stop(self) -> None:
        """Ends the process; the sample that it is making is dropped whole."""
        self.pipe.close()
        self.process.terminate()
        self.process.join()


def _serve(pipe: Connection, work: Work, number: int) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # what concerns the user travels in the events
    threading.Thread(target=_end_with_parent, daemon=True).start()
    take_gpu(number)
    worker = work.worker()
    while True:
        try:
            share = pipe.recv()
            for event in worker.run(share):
                pipe.send(event)
        except (EOFError, OSError):
            return


def _end_with_parent() -> None:
    """A driver that was killed leaves no worker behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _in_processes(shares: Sequence[Pieces], work: Work, workers: int) -> Iterator[Any]:
    waiting, losses = deque(shares), Counter[str]()
    running: list[_Process] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                free = set(range(workers)) - {process.number for process in running}
                running.append(_Process(work, min(free)))
                running[-1].give(waiting.popleft())
            for process in _ready(running):
                event = process.next()
                if event is not None:
                    yield event
                if event is None or not (process.left or waiting):
                    running.remove(process)
                    process.stop()
                    yield from _again(process.left, waiting, losses)
                elif not process.left:
                    process.give(waiting.popleft())
    finally:
        for process in running:
            process.stop()


def _ready(running: list[_Process]) -> list[_Process]:
    ready = wait([process.pipe for process in running])
    return [process for process in running if process.pipe in ready]


def _again(lost: list[Piece], waiting: "deque[Pieces]", losses: Counter[str]) -> Iterator[Outcome]:
    """Queues the tasks of a lost worker again, each alone, as one of them may be what kills workers."""
    for task in lost:
        losses[task.key] += 1
        if losses[task.key] < MOST_LOSSES:
            waiting.appendleft((task,))
        else:
            yield _given_up(task)


def _given_up(task: Piece) -> Outcome:
    error = f"{MOST_LOSSES} workers were killed while they made it, perhaps for lack of memory; use fewer workers."
    return Outcome(task.key, task.rows, error=error)
