"""Engines: what spreads shares over processes and machines. A row each; heavy packages are imported when used."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eidophone.core.catalog import Catalog, checked


class Piece(Protocol):
    """A piece of work, such as a task of a batch.

    Attributes:
        key: Names it.
        rows: How messages name it.
    """

    @property
    def key(self) -> str:
        """See above."""

    @property
    def rows(self) -> tuple[str, ...]:
        """See above."""


#: Pieces that a worker gets at once.
Pieces = Sequence[Piece]


class Working(Protocol):
    """What does the work, once it is opened on its machine."""

    def run(self, share: Any) -> Iterator[Any]:
        """Does a share; yields events, of which the last of each piece is an `Outcome`."""

    def close(self) -> None:
        """Gives back what it holds."""


class Work(Protocol):
    """What all workers must know; it travels to them.

    Attributes:
        root: A place for logs.
    """

    @property
    def root(self) -> str:
        """See above."""

    def worker(self) -> Working:
        """Opens what a worker needs, such as models."""


#: (shares, work, engine settings) -> events as they come.
Run = Callable[[Sequence[Pieces], Work, "EngineSettings"], Iterator[Any]]


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
