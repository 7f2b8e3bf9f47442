"""Where the results of a batch are: ROOT/KEY/INDEX, in a local folder or behind a URL that fsspec knows."""

import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.media.files import cannot_write, draft_name, write_atomically
from eidophone.media.lock import folder_lock
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name

#: Up to this number, keys are listed one by one.
FEW_KEYS = 20
#: One sample: its key and its index.
Sample = tuple[str, int]
#: Records that are read at once, and how many a thread reads in one go: most of the time is waiting for the disk.
THREADS, IN_A_ROW = 8, 50
#: Never follows a link, which could lead anywhere, and never waits for whoever writes into a pipe.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK"))
_PIECE = 1 << 20
_PATIENCE_S = 60.0


class Place(Protocol):
    """A root that holds the results of a batch."""

    root: str

    def finished(self, keys: Iterable[str]) -> dict[str, set[int]]:
        """Indices of the finished samples of these keys."""

    def samples(self) -> Iterator[Sample]:
        """All finished samples, by key and index."""

    def record(self, key: str, index: int) -> bytes:
        """The record of a sample.

        Raises:
            OSError: it cannot be read.
        """

    def put_file(self, name: str, file: Path) -> None:
        """Puts a file into the root, whole or not at all."""


def place_of(root: str) -> "LocalPlace | RemotePlace":
    """The place that a path or a URL such as s3://bucket/runs means.

    Raises:
        BadInput: fsspec or the package for this kind of URL is not installed.
    """
    return RemotePlace(root) if "://" in root else LocalPlace(root)


class LocalPlace:
    """A folder of this machine or of a network share."""

    def __init__(self, root: str) -> None:
        self.root = root

    def finished(self, keys: Iterable[str]) -> dict[str, set[int]]:
        """See `Place`."""
        return {key: set(_indices(Path(self.root, key))) for key in keys}

    def samples(self) -> Iterator[Sample]:
        """See `Place`."""
        try:
            with os.scandir(self.root) as entries:
                keys = sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise BadInput(f"{self.root}: cannot be read; name the folder of a batch.") from error
        for key in keys:
            for index in sorted(_indices(Path(self.root, key))):
                yield key, index

    def record(self, key: str, index: int) -> bytes:
        """See `Place`."""
        # three system calls instead of the seven of open(): a million of them are slow on a network share
        file = os.open(f"{self.root}/{key}/{sample_name(index)}/{RECORD_FILE}", _READ)
        try:
            content = os.read(file, _PIECE)
            piece = content
            while len(piece) == _PIECE:
                piece = os.read(file, _PIECE)
                content += piece
            return content
        finally:
            os.close(file)

    def put_file(self, name: str, file: Path) -> None:
        """See `Place`."""
        with self._lock():
            write_atomically(Path(self.root, name), lambda draft: _copy(file, draft))

    def prepare(self) -> None:
        """Makes the folder and tries to write into it, before any work.

        Raises:
            CannotWrite: it cannot be written.
        """
        trial = Path(self.root, draft_name())
        with self._lock():
            write_atomically(trial, lambda draft: _ignore(draft.write_bytes(b"\n")))
            trial.unlink(missing_ok=True)

    def _lock(self) -> AbstractContextManager[None]:
        """For the files of the batch, which shards write in turn; each takes a moment."""
        return folder_lock(Path(self.root), f"writing into {self.root}", _PATIENCE_S)


def records_of(place: Place) -> Iterator[tuple[Sample, bytes | Exception]]:
    """All finished samples in order, each with its record or the reason why it cannot be read.

    Several are read at once; a few thousand are in memory.
    """

    def _read(samples: Sequence[Sample]) -> list[tuple[Sample, bytes | Exception]]:
        return [(sample, _record(place, sample)) for sample in samples]

    left = place.samples()
    with ThreadPoolExecutor(THREADS) as pool:
        coming: deque[Future[list[tuple[Sample, bytes | Exception]]]] = deque()
        while True:
            while len(coming) < 2 * THREADS and (part := list(islice(left, IN_A_ROW))):
                coming.append(pool.submit(_read, part))
            if not coming:
                return
            yield from coming.popleft().result()


def _record(place: Place, sample: Sample) -> bytes | Exception:
    try:
        return place.record(*sample)
    except Exception as error:  # every file system of fsspec has its own
        return error


def _ignore(_: object) -> None:
    """Drops a value."""


def _copy(file: Path, draft: Path) -> None:
    shutil.copyfile(file, draft)


def _indices(folder: Path) -> Iterator[int]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.isdecimal() and os.path.exists(f"{entry.path}/{RECORD_FILE}"):  # noqa: PTH110
                    yield int(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return


class RemotePlace:
    """A URL. A sample counts as finished once its record is there, and the record is put last."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        try:
            import fsspec
        except ImportError:
            raise BadInput(f"{root}: a URL needs fsspec; run: pip install 'eidophone[batch]'.") from None
        try:
            self.files: Any
            self.files, self._path = fsspec.core.url_to_fs(self.root)
        except (ImportError, ValueError) as error:
            raise BadInput(f"{root}: cannot be opened ({' '.join(str(error).split())}).") from error

    def finished(self, keys: Iterable[str]) -> dict[str, set[int]]:
        """See `Place`."""
        found: dict[str, set[int]] = {key: set() for key in keys}
        # a worker asks for its own key: it should not list a million files
        below = [f"/{key}" for key in found] if len(found) <= FEW_KEYS else [""]
        for folder in below:
            for key, index in self._listed(folder):
                if key in found:
                    found[key].add(index)
        return found

    def samples(self) -> Iterator[Sample]:
        """See `Place`."""
        yield from sorted(self._listed())

    def _listed(self, folder: str = "") -> Iterator[Sample]:
        self.files.invalidate_cache()
        try:
            names = self.files.find(self._path + folder)
        except FileNotFoundError:
            return
        for name in names:
            parts = name.split("/")[-3:]
            if len(parts) == 3 and parts[2] == RECORD_FILE and parts[1].isdecimal():
                yield parts[0], int(parts[1])

    def record(self, key: str, index: int) -> bytes:
        """See `Place`."""
        content: bytes = self.files.cat_file(f"{self._path}/{key}/{sample_name(index)}/{RECORD_FILE}")
        return content

    def put_file(self, name: str, file: Path) -> None:
        """See `Place`."""
        try:
            self.files.pipe_file(f"{self._path}/{name}", file.read_bytes())
        except OSError as error:
            raise cannot_write(Path(self.root, name), error) from error

    def put_sample(self, key: str, folder: Path) -> None:
        """Puts a finished sample: its record last, so that nobody takes a part of it for the whole.

        Raises:
            CannotWrite: the place refused it.
        """
        names = sorted((p.name for p in folder.iterdir()), key=lambda name: (name == RECORD_FILE, name))
        for name in names:
            self.put_file(f"{key}/{folder.name}/{name}", folder / name)

    def prepare(self) -> None:
        """Tries to write, before any work.

        Raises:
            CannotWrite: the place cannot be reached or written.
        """
        trial = f"{self._path}/.trial-{os.getpid()}"
        try:
            self.files.pipe_file(trial, b"\n")
            self.files.rm_file(trial)
        except Exception as error:  # every file system of fsspec has its own
            why = " ".join(str(error).split())[:200]
            raise CannotWrite(
                f"Cannot write {self.root}: {why}; check the address and your access."
            ) from error
