"""Judging on an engine of batches: workers that open the judges once, and rows that come back in any order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eidophone.batch.engines import EngineSettings, engine_of
from eidophone.batch.work import Outcome, here, memory_bytes
from eidophone.core.events import Progress
from eidophone.evaluation.found import Found
from eidophone.evaluation.journal import Journal, Row
from eidophone.models.device import choose_device, use_threads
from eidophone.scoring.contract import Scorer
from eidophone.scoring.judges import open_judges

#: Judges one sample; a function of a module, so that it can travel to another process.
RowMaker = Callable[[str, Found, Sequence[Scorer]], Row]
#: Samples that a worker judges before it asks for more.
AT_ONCE = 16


@dataclass(frozen=True)
class Spread:
    """Where samples are judged.

    Attributes:
        engine: "local", "ray" or "slurm".
        settings: Of the engine.
    """

    engine: str = "local"
    settings: EngineSettings = field(default_factory=EngineSettings)


@dataclass(frozen=True)
class Pending:
    """A sample that waits for its judges.

    Attributes:
        key: Its name in the evaluation.
        found: Where it is.
    """

    key: str
    found: Found

    @property
    def rows(self) -> tuple[str, ...]:
        """How messages name it."""
        return (self.key,)


@dataclass(frozen=True)
class Judged:
    """A sample was judged."""

    key: str
    row: Row


@dataclass(frozen=True)
class JudgeWork:
    """What all workers must know.

    Attributes:
        root: Folder of the evaluation, for the logs of an engine.
        judges, device, threads, offline: As in `EvaluateOptions`.
        row_maker: Judges one sample.
    """

    root: str
    judges: str
    device: str
    threads: int | None
    offline: bool
    row_maker: RowMaker

    def worker(self) -> "JudgeWorker":
        """Opens the judges."""
        return JudgeWorker(self)


class JudgeWorker:
    """Holds the judges."""

    def __init__(self, work: JudgeWork) -> None:
        use_threads(work.threads or 1)
        self._row_of = work.row_maker
        self._judges = open_judges(work.judges, choose_device(work.device), offline=work.offline)

    def run(self, share: Sequence[Pending]) -> Iterator[Judged | Outcome]:
        """Judges samples; a broken one has the reason in its row."""
        for one in share:
            yield Judged(one.key, self._row_of(one.key, one.found, self._judges))
            yield Outcome(one.key, one.rows, 1, worker=here(), memory_bytes=memory_bytes())

    def close(self) -> None:
        """Nothing is kept outside this process."""


def judge_apart(
    journal: Journal, left: Mapping[str, Found], work: JudgeWork, spread: Spread, progress: Progress
) -> None:
    """Judges samples on an engine; the journal gets a row for each as it comes.

    A sample whose workers were lost becomes a row with the reason.

    Args:
        journal: Open.
        left: The samples, by name.
        work: What workers must know.
        spread: Where.
        progress: Called as (stage, samples done, samples in all).

    Raises:
        EidophoneError: the engine does not start.
    """
    pending = [Pending(name, found) for name, found in left.items()]
    shares = [tuple(pending[first : first + AT_ONCE]) for first in range(0, len(pending), AT_ONCE)]
    done = 0
    for event in engine_of(spread.engine)(shares, work, spread.settings):
        if isinstance(event, Judged):
            journal.append(event.row)
        elif event.error:
            journal.append(Row(event.key, left[event.key].checksum, broken=event.error))
        if isinstance(event, Outcome):
            done += 1
            progress("judging", done, len(pending))
