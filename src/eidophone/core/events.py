"""What a run reports while it works, and how a caller stops it.

Every face of the program (command line, Python, notebook, web page, batch) listens to the same stream:
`Started`, then `Step`, `Preview`, `Iteration`, `Warned` and `SampleFinished` in any order, then `Finished`.
"""

import threading
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Picture, Result

#: Seconds between previews; a preview is made at the first step after that.
PREVIEW_EVERY_S = 1.0


@dataclass(frozen=True)
class Started:
    """A run begins.

    Attributes:
        verb: Its name.
        samples: How many samples it will make.
    """

    verb: str
    samples: int


@dataclass(frozen=True)
class Step:
    """A stage of the run has come one step further.

    Attributes:
        stage: What is being done, such as "denoising".
        done, total: Finished steps, and all steps of this stage.
        eta_s: Estimated seconds until the stage ends; None before the second step.
    """

    stage: str
    done: int
    total: int
    eta_s: float | None


@dataclass(frozen=True)
class Preview:
    """How a sample looks so far.

    Attributes:
        index: Of the sample.
        picture: The estimate of the finished picture, perhaps at a lower resolution.
    """

    index: int
    picture: Picture


@dataclass(frozen=True)
class Iteration:
    """One of the pictures that a sample is chosen from or optimised through.

    Attributes:
        index: Of the sample.
        number: Of the picture, from 0.
        picture: As it was sampled.
        numbers: What was measured of it, by name, such as its loss.
    """

    index: int
    number: int
    picture: Picture
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Warned:
    """Something the user should know; the run goes on."""

    message: str


@dataclass(frozen=True)
class SampleFinished:
    """A sample is complete, and stored if the run stores its samples."""

    result: Result


@dataclass(frozen=True)
class Finished:
    """The run is over.

    Attributes:
        verb: Its name.
        samples: How many samples it made.
        seconds: How long it took.
    """

    verb: str
    samples: int
    seconds: float


Event = Started | Step | Preview | Iteration | Warned | SampleFinished | Finished
Listener = Callable[[Event], None]
#: Progress without events: (stage, steps done, steps in all).
Progress = Callable[[str, int, int], None]


class Cancelled(EidophoneError):
    """The caller cancelled the run; finished samples stay, the unfinished one is dropped."""


class CancelToken:
    """Stops a run from another thread, or from a listener: within one step, leaving whole samples only.

    >>> token = CancelToken()
    >>> token.cancel()
    >>> token.cancelled
    True
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Asks the run to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the run to stop."""
        return self._event.is_set()


@dataclass
class Reporter:
    """What pipelines report to. Calling it reports a step, and raises if the run was cancelled.

    Attributes:
        listener: Receives the events; None: nobody listens, and warnings become Python warnings.
        cancel: Checked at every step.
        previews: Whether to make previews, which cost a decoding each.
        between: Called at every step, for what another thread has finished.
    """

    listener: Listener | None = None
    cancel: CancelToken | None = None
    previews: bool = True
    between: Callable[[], None] | None = field(default=None, repr=False)
    _stage: str = field(default="", repr=False)
    _began: tuple[float, int] = field(default=(0.0, 0), repr=False)
    _previewed: float = field(default=-PREVIEW_EVERY_S, repr=False)
    _warned: set[str] = field(default_factory=set, repr=False)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Reports a step.

        Raises:
            Cancelled: the caller asked to stop.
        """
        self.check()
        if self.between is not None:
            self.between()
        if self.listener is None:
            return
        now = time.monotonic()
        if stage != self._stage or done < self._began[1]:
            self._stage, self._began = stage, (now, done)
        since, first = self._began
        eta_s = (now - since) / (done - first) * (total - done) if done > first else None
        self.listener(Step(stage, done, total, eta_s))

    def check(self) -> None:
        """Raises if the run was cancelled.

        Raises:
            Cancelled: the caller asked to stop.
        """
        if self.cancel is not None and self.cancel.cancelled:
            raise Cancelled("The run was cancelled; finished samples are kept.")

    def warn(self, message: str) -> None:
        """Reports something the user should know, once a run."""
        if message in self._warned:
            return
        self._warned.add(message)
        if self.listener is None:
            warnings.warn(message, stacklevel=3)
        else:
            self.listener(Warned(message))

    def wants_preview(self) -> bool:
        """Whether somebody listens and the last preview is old enough."""
        if self.listener is None or not self.previews:
            return False
        return time.monotonic() - self._previewed >= PREVIEW_EVERY_S

    def preview(self, index: int, picture: Picture) -> None:
        """Reports how a sample looks so far."""
        self._previewed = time.monotonic()
        if self.listener is not None:
            self.listener(Preview(index, picture))

    def iteration(self, index: int, number: int, picture: Picture, numbers: Mapping[str, float]) -> None:
        """Reports one of the pictures that a sample goes through."""
        if self.listener is not None and self.previews:
            self.listener(Iteration(index, number, picture, numbers))


def silent(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""
