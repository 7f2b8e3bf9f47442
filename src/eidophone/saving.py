"""Samples are stored while the next one is made: pictures, sound and film are written by another thread."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from eidophone.core.errors import EidophoneError
from eidophone.core.events import Reporter
from eidophone.core.values import Result

#: Stores a sample; returns it with its folder.
Save = Callable[[Result], Result]
#: Called with each stored sample, always by the thread that makes samples.
Tell = Callable[[Result], None]


class Saver:
    """Stores one sample at a time, beside the work of the thread that made it.

    A stored sample is reported at the next step of the run, not when the next sample is ready. Used as a context
    manager, it ends only when nothing is half written.

    Args:
        report: Of the run; its steps are when a finished file is noticed.
        tell: Called with each sample that is stored.
    """

    def __init__(self, report: Reporter, tell: Tell) -> None:
        self._report, self._tell = report, tell
        self._pool = ThreadPoolExecutor(1, "eidophone-saver")
        self._waiting: Future[Result] | None = None
        self._stored: list[Result] = []

    def __enter__(self) -> "Saver":
        self._report.between = self.notice
        return self

    def __exit__(self, *_: object) -> None:
        self._report.between = None
        self._pool.shutdown()  # waits

    def notice(self, *, wait: bool = False) -> None:
        """Reports a sample that is stored by now.

        Raises:
            CannotWrite: it could not be stored.
        """
        if self._waiting is not None and (wait or self._waiting.done()):
            done, self._waiting = self._waiting, None
            saved = done.result()
            self._stored.append(saved)
            self._tell(saved)

    def begin(self, result: Result, save: Save) -> None:
        """Begins to store a sample; waits for the one before it."""
        self.notice(wait=True)
        self._waiting = self._pool.submit(save, result)

    def stored(self) -> list[Result]:
        """Samples that were stored since this was last asked."""
        found, self._stored = self._stored, []
        return found


def saved(
    made: Iterator[tuple[Save | None, Result]], report: Reporter, tell: Tell, *, ahead: bool
) -> Iterator[Result]:
    """Stores samples, reports them, and yields them in order.

    Args:
        made: Samples, each with what stores it, if it is to be stored.
        report: Of the run.
        tell: Called with each sample.
        ahead: Store beside the making of the next one; see `saved_beside`.
    """
    if ahead:
        yield from saved_beside(((save or _as_it_is, result) for save, result in made), report, tell)
        return
    for save, result in made:
        stored = save(result) if save else result
        tell(stored)
        yield stored


def _as_it_is(result: Result) -> Result:
    return result


def saved_beside(made: Iterator[tuple[Save, Result]], report: Reporter, tell: Tell) -> Iterator[Result]:
    """Stores samples beside the making of the next ones; yields them in order.

    Where the run is stopped, the samples that were complete by then are still yielded.

    Args:
        made: Samples, each with what stores it.
        report: Of the run.
        tell: Called with each stored sample.
    """
    with Saver(report, tell) as saver:
        try:
            for save, result in made:
                saver.begin(result, save)
                yield from saver.stored()
        except (KeyboardInterrupt, EidophoneError):
            saver.notice(wait=True)
            yield from saver.stored()
            raise
        saver.notice(wait=True)
        yield from saver.stored()
