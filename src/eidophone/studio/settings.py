"""How a Studio runs: where it listens, where results go, and its limits."""

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from eidophone.core.errors import BadInput

#: Everything that the Studio itself stores lies in this folder of the output folder.
PRIVATE_FOLDER = ".studio"
#: Options about the machine that made a result; another machine chooses for itself.
MACHINE_OPTIONS = frozenset({"threads", "device", "dtype", "batch_size", "offline"})


@dataclass(frozen=True)
class Limits:
    """Attributes:
    waiting: Jobs that may wait in the queue.
    kept_jobs: Ended jobs to remember; their results stay on disk anyway.
    samples: Samples of one job.
    upload_bytes: Size of one uploaded file.
    inputs_bytes: Size of all uploaded files; the oldest go first.
    json_bytes: Size of any other request.
    warm_up: Load the embedded models at the start, before the first job.
    own_process: Make results in a process of its own, so that pages do not wait for them.
    """

    waiting: int = 8
    kept_jobs: int = 50
    samples: int = 256
    upload_bytes: int = 64 * 1024 * 1024
    inputs_bytes: int = 1024 * 1024 * 1024
    json_bytes: int = 256 * 1024
    warm_up: bool = True
    own_process: bool = True


@dataclass(frozen=True)
class StudioSettings:
    """Attributes:
    out: Folder for results; the library shows everything in it.
    host, port: Where to listen.
    token: What visitors must know; empty: nothing, which only this machine may use.
    limits: See `Limits`.
    """

    out: Path
    host: str = "127.0.0.1"
    port: int = 8765
    token: str = ""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def make(cls, out: Path, host: str = "127.0.0.1", port: int = 8765, token: str = "") -> "StudioSettings":
        """Checks the values; a host that others can reach gets a random token if none is given.

        Raises:
            BadInput: a port outside 0 to 65535, or a token that no header can hold.
        """
        if not 0 <= port <= 65_535:
            raise BadInput(f"--port {port}: use a port from 1 to 65535, or 0 for any free port.")
        if token and (not token.isascii() or not token.isprintable() or set(token) & set(' ;,"\\&#%+')):
            raise BadInput("--token: use letters, digits, dashes and underscores.")
        if not token and not is_loopback(host):
            token = secrets.token_urlsafe(24)
        return cls(out.absolute(), host, port, token)

    @property
    def private(self) -> Path:
        """Where uploads and stars are kept."""
        return self.out / PRIVATE_FOLDER


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host.

    >>> is_loopback("localhost"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
