"""Results of a batch behind a URL: ROOT/KEY/INDEX in whatever fsspec can open."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.media.files import cannot_write
from eidophone.results.recipe import RECORD_FILE, read_record
from eidophone.results.store import sample_name

#: One sample: its key and its index.
Sample = tuple[str, int]
#: A file of a sample.
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")
#: Up to this number, keys are listed one by one.
FEW_KEYS = 20


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
            parts = name.removeprefix(self._path.rstrip("/") + "/").split("/")
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

    @contextlib.contextmanager
    def opened(self, key: str, index: int, names: Collection[str] | None) -> Iterator[Path]:
        """See `Place`."""
        with TemporaryDirectory(prefix="eidophone-sample-") as parent:
            folder = Path(parent, sample_name(index))
            folder.mkdir()
            below = f"{key}/{folder.name}"
            if names is None:
                names = self._names(below, folder)
            self._fetch(below, names, folder)
            yield folder

    def _names(self, below: str, folder: Path) -> list[str]:
        """The files of a sample: the record, and what it names; a stranger's record leads nowhere else."""
        self._fetch(below, [RECORD_FILE], folder)
        try:
            named = read_record(folder / RECORD_FILE).files
        except BadInput as error:
            raise BadInput(str(error).replace(str(folder), f"{self.root}/{below}")) from error
        return [RECORD_FILE, *(name for name in named if _FILE.fullmatch(name))]

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """A copy of a file in the root, which is removed afterwards.

        Raises:
            BadInput: it cannot be fetched.
        """
        with TemporaryDirectory(prefix="eidophone-file-") as folder:
            self._fetch("", [name], Path(folder))
            yield Path(folder, name)

    def _fetch(self, below: str, names: Collection[str], folder: Path) -> None:
        base = f"{self._path}/{below}".rstrip("/")
        try:
            # one call, so that file systems that can do so fetch all files at once
            self.files.get([f"{base}/{name}" for name in names], [str(folder / name) for name in names])
        except Exception as error:  # every file system of fsspec has its own
            why = "it is not there" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
            what = "/".join(part for part in (below, *names) if part) if len(names) == 1 else below
            raise BadInput(
                f"{self.root}/{what}: cannot be fetched ({why[:200]}); check the address and your access."
            ) from error
