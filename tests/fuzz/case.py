"""One bad input: a command, or requests to the Studio, and the surroundings in which it runs."""

from dataclasses import dataclass, field

OUT = "out"
JUDGES = ["--judges", "signal,roundtrip"]


@dataclass(frozen=True)
class Request:
    """A request to the Studio, as `httpx` takes it."""

    method: str
    path: str
    headers: dict[str, str | bytes] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True)
class Case:
    """What to run.

    Attributes:
        kind: Name of the kind of damage.
        arguments: Of the command line; empty for requests.
        requests: To the Studio.
        encoding: Of the terminal.
        stdout: "" as usual, "closed", or "full": a disk without room.
        nobody: Run without the rights of root, so that permissions count.
    """

    kind: str
    arguments: list[str] = field(default_factory=list)
    requests: tuple[Request, ...] = ()
    encoding: str = "utf-8"
    stdout: str = ""
    nobody: bool = False
