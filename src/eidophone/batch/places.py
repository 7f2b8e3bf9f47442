"""Where the results of a batch are: ROOT/KEY/INDEX, in a local folder or behind a URL that fsspec knows."""

import os
import shutil
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from eidophone.batch.remote import RemotePlace, Sample
from eidophone.core.errors import BadInput
from eidophone.media.files import draft_name, write_atomically
from eidophone.media.lock import folder_lock
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import sample_name

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

    def opened(self, key: str, index: int, names: Collection[str] | None) -> AbstractContextManager[Path]:
        """The folder of a sample; from a URL, a copy that is removed afterwards.

        Args:
            key, index: Which one.
            names: The files that are wanted, the record among them; None for all that the record names.

        Raises:
            BadInput: it cannot be fetched, or a link leads to it.
        """


def is_url(text: str) -> bool:
    """Whether this is the address of a place elsewhere; file:// is a folder of this machine."""
    return "://" in text and not text.startswith("file://")


def root_of(out: str) -> str:
    """A URL as it is; a folder, which file:// may stand before, as an absolute path."""
    if is_url(out):
        return out
    return str(Path(url2pathname(urlsplit(out).path) if "://" in out else out).absolute())


def place_of(root: str) -> "LocalPlace | RemotePlace":
    """The place that a path or a URL such as s3://bucket/runs means.

    Raises:
        BadInput: fsspec or the package for this kind of URL is not installed.
    """
    return RemotePlace(root) if is_url(root) else LocalPlace(root)


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

    @contextmanager
    def opened(self, key: str, index: int, names: Collection[str] | None) -> Iterator[Path]:  # noqa: ARG002
        """See `Place`."""
        folder = Path(self.root, key, sample_name(index))
        for place in (folder.parent, folder):
            if place.is_symlink():  # it could lead to a folder that nobody named
                raise BadInput(f"{place}: is a link; bring the original folder back.")
        yield folder

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


def records_of(
    place: Place, samples: Iterable[Sample] | None = None
) -> Iterator[tuple[Sample, bytes | Exception]]:
    """Samples in order, each with its record or the reason why it cannot be read.

    Several are read at once; a few thousand are in memory.

    Args:
        place: Where they are.
        samples: Which; None for all finished ones.
    """

    def _read(samples: Sequence[Sample]) -> list[tuple[Sample, bytes | Exception]]:
        return [(sample, _record(place, sample)) for sample in samples]

    left = place.samples() if samples is None else iter(samples)
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
