"""What a case may not do: connect, start a process, read bait, write outside its folder."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

_CONNECTS = {"socket.connect", "socket.getaddrinfo", "socket.sendto"}
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Refused(Exception):
    """A connection or a process that a case asked for."""


class Guard:
    """An audit hook. It cannot be taken out again, so one guard serves all cases of a process.

    Attributes:
        broken: What the case that runs did against the rules.
    """

    def __init__(self, bait: Path) -> None:
        self.broken: list[str] = []
        self._bait = str(bait.resolve())
        self._home: str | None = None
        sys.addaudithook(self._seen)

    def watch(self, home: Path) -> None:
        """A case begins; it may write below `home` and in the folder of temporary files."""
        self.broken, self._home = [], str(home.resolve())

    def stop(self) -> None:
        """The case has ended."""
        self._home = None

    def _seen(self, event: str, given: tuple[Any, ...]) -> None:
        if self._home is None:
            return
        if event in _CONNECTS:
            self.broken.append(f"connects: {given[-1]!r}")
            raise Refused(event)
        if event in _STARTS:
            self.broken.append(f"starts a process: {given[0]!r}")
            raise Refused(event)
        if event == "open" and isinstance(given[0], (str, bytes)):
            self._opened(os.fsdecode(given[0]), given[1], given[2])

    def _opened(self, name: str, mode: str | None, flags: int) -> None:
        home, self._home = self._home, None  # realpath may not come back here
        try:
            path = os.path.realpath(Path(home or "", name))
        except (OSError, ValueError):
            return
        finally:
            self._home = home
        if _below(path, self._bait):
            self.broken.append(f"opens a file that nobody named: {path}")
        writes = any(letter in (mode or "") for letter in "wax+") or bool(flags & _WRITING)
        allowed = (home, tempfile.gettempdir(), "/dev", "/proc")
        if writes and not any(_below(path, place) for place in allowed if place):
            self.broken.append(f"writes elsewhere: {path}")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
