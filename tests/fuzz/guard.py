"""What a case may not do: connect, start a process, open files that nobody named, write outside its folder.

Python's audit events show what Python opens; the kernel (inotify) shows what libraries open, for the bait; a
server on this machine shows whether anything connects to it.
"""

import contextlib
import ctypes
import os
import socket
import struct
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

_CONNECTS = {"socket.connect", "socket.getaddrinfo", "socket.sendto"}
_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
#: Damaged playlists name this address.
PORT = 47_113
_IN_OPEN, _IS_FOLDER = 0x20, 0x40000000
_EVENT = struct.Struct("iIII")
#: What Python, torch and the time zone need; no file of a user.
_SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/dev", "/etc/localtime", "/etc/mime.types", "/etc/ssl")


class Refused(Exception):
    """A connection or a process that a case asked for."""


class Guard:
    """An audit hook. It cannot be taken out again, so one guard serves all cases of a process.

    Args:
        bait: A folder that no case may open.
        readable: Folders that cases may read, besides their own.

    Attributes:
        broken: What the case that runs did against the rules.
    """

    def __init__(self, bait: Path, readable: tuple[Path, ...] = ()) -> None:
        self.broken: list[str] = []
        self._bait = str(bait.resolve())
        self._home: str | None = None
        own = (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), Path(__file__).parents[2])
        self._readable = (*_SYSTEM, *(os.path.realpath(place) for place in (*own, *readable)))
        self._opens, self._server = _watched(self._bait), _listening()
        sys.addaudithook(self._seen)

    def watch(self, home: Path, *more: Path) -> None:
        """A case begins; it may write below `home`, in `more`, and in the folder of temporary files."""
        self._drain()
        self.broken, self._home = [], str(home.resolve())
        self._writable = tuple(str(place.resolve()) for place in (home, *more))

    def stop(self) -> None:
        """The case has ended."""
        self._home = None
        self.broken += self._drain()

    def _drain(self) -> list[str]:
        found = []
        with contextlib.suppress(OSError):
            if self._opens is not None and _files_in(os.read(self._opens, 1 << 16)):
                found.append("a library opens a file that nobody named")
        with contextlib.suppress(OSError):
            if self._server is not None:
                self._server.accept()[0].close()
                found.append("a library connects")
        return found

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
        if flags & os.O_NOFOLLOW and Path(name).is_symlink():
            return  # the kernel refuses that
        home, self._home = self._home, None  # realpath may not come back here
        try:
            path = os.path.realpath(Path(home or "", name))
        except (OSError, ValueError):
            return
        finally:
            self._home = home
        if _below(path, self._bait):
            self.broken.append(f"opens a file that nobody named: {path}")
            return
        mine = (*self._writable, tempfile.gettempdir(), "/dev", "/proc")
        writes = any(letter in (mode or "") for letter in "wax+") or bool(flags & _WRITING)
        if any(_below(path, place) for place in mine):
            return
        if writes:
            self.broken.append(f"writes elsewhere: {path}")
        elif not any(_below(path, place) for place in self._readable) and Path(path).is_file():
            self.broken.append(f"reads elsewhere: {path}")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _watched(folder: str) -> int | None:
    """A descriptor that tells of every file opened in a folder, by whomever; None where the kernel has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return None
    found: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if found < 0 or libc.inotify_add_watch(found, os.fsencode(folder), _IN_OPEN) < 0:
        return None
    return found


def _files_in(events: bytes) -> int:
    """How many of these events tell of a file; whoever lists a folder opens that too."""
    found, at = 0, 0
    while at + _EVENT.size <= len(events):
        _, mask, _, length = _EVENT.unpack_from(events, at)
        found += not mask & _IS_FOLDER
        at += _EVENT.size + length
    return found


def _listening() -> socket.socket | None:
    try:
        found = socket.create_server(("127.0.0.1", PORT))
    except OSError:  # another run has it
        return None
    found.setblocking(False)
    return found
