"""Engines: what spreads shares over processes and machines. A row each; heavy packages are imported when used."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eidophone.batch.shares import Share
from eidophone.batch.work import Event, Work
from eidophone.core.catalog import Catalog, checked

#: (shares, work, engine settings) -> events as they come.
Run = Callable[[Sequence[Share], Work, "EngineSettings"], Iterator[Event]]


@dataclass(frozen=True)
class EngineSettings:
    """How an engine runs.

    Attributes:
        workers: Processes, actors or cluster jobs; each holds a session.
        options: More, by name; each engine documents its own.
    """

    workers: int = 1
    options: Mapping[str, str] = field(default_factory=dict)


ENGINES: Catalog[Run] = Catalog("engine")
ENGINES.register("local", "eidophone.batch.engines.local:run")
ENGINES.register("ray", "eidophone.batch.engines.ray:run")
ENGINES.register("slurm", "eidophone.batch.engines.slurm:run")


def engine_of(name: str) -> Run:
    """An engine by its name.

    Raises:
        BadInput: there is none of this name.
    """
    return checked(lambda: ENGINES[name])
