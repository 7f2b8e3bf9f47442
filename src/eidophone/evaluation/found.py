"""Which samples an evaluation judges: those in folders, in batches behind a URL, and those that manifests list."""

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eidophone.batch.manifest import CSV, PARQUET, read_manifest
from eidophone.batch.places import is_url, place_of, records_of, root_of
from eidophone.batch.remote import RemotePlace, Sample
from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.text import printable
from eidophone.evaluation.published_folders import checksum_of, is_published, published_below
from eidophone.media.files import check_no_link, sha256
from eidophone.results.recipe import RECORD_FILE
from eidophone.results.store import SEEN_AND_HEARD, sample_name, samples_below

#: One place for all samples of a batch: a place behind a URL keeps its connection.
_place = functools.lru_cache(maxsize=8)(place_of)


@dataclass(frozen=True, slots=True)
class Found:
    """A sample.

    A million of them are in memory at once, so they hold texts, not paths.

    Attributes:
        folder: Its folder; KEY/INDEX if it belongs to a batch that has a root.
        checksum: Of its record; empty if that cannot be read.
        root: Folder or URL of the batch; empty for a folder that was found without a manifest.
    """

    folder: str
    checksum: str
    root: str = ""

    @property
    def where(self) -> str:
        """How messages name its place."""
        return f"{self.root}/{self.folder}" if self.root else self.folder

    @contextlib.contextmanager
    def opened(self, *, whole: bool = False) -> Iterator[Path]:
        """Its folder on this disk; from a URL, a copy that is removed afterwards.

        Args:
            whole: Fetch all files that its record names, not only those that judges see and hear.

        Raises:
            BadInput: it cannot be fetched, a link leads to it, or its record is not the one that was listed.
        """
        if not self.root:
            yield Path(self.folder)
            return
        names = None if whole else (RECORD_FILE, *SEEN_AND_HEARD)
        key, _, index = self.folder.partition("/")
        with _place(self.root).opened(key, int(index), names) as folder:
            if self.checksum and sha256(folder / RECORD_FILE) != self.checksum:
                raise BadInput(
                    f"{self.where}: its record is not the one that was listed; if the manifest is old, write it "
                    "again with `eidophone batch --rebuild`."
                )
            yield folder


def found_below(folders: Sequence[str | Path], out: Path) -> dict[str, Found]:
    """The samples in and below folders, of batches behind URLs, and of manifests, each once, by a name.

    A name may be shared. It is the path from `out`, if that shows nothing outside the folders' common place;
    otherwise it starts with the last part of the folder or URL that was named.

    Raises:
        BadInput: there is no such folder, URL or manifest, or it cannot be read.
    """
    found: dict[str, Found] = {}
    seen: set[str] = set()
    out = out.absolute()
    for folder in folders:
        for whole, name, one in _samples(str(folder), out):
            if whole not in seen:
                seen.add(whole)
                found[_unused(name, found)] = one
    return found


def shareable_name(place: Path, folder: Path, out: Path) -> str:
    """A sample's name without the path to the user's files.

    Args:
        place: The sample; absolute.
        folder: The folder that the user named, which holds it; absolute.
        out: The evaluation's folder; absolute.

    >>> shareable_name(Path("/home/al/art/frog/0001"), Path("/home/al/art/frog"), Path("/home/al/art/eval"))
    '../frog/0001'
    >>> shareable_name(Path("/home/al/frog/0001"), Path("/home/al/frog"), Path("/tmp/eval"))
    'frog/0001'
    """
    place, folder, out = (Path(os.path.normpath(path)) for path in (place, folder, out))
    try:
        common = Path(os.path.commonpath([place, out]))
        name = os.path.relpath(place, out)
    except ValueError:  # on two drives
        common, name = Path(place.anchor), ""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    hidden = place.is_relative_to(home) and not common.is_relative_to(home)
    if hidden or len(common.parts) < 3:
        name = str(Path(folder.name) / place.relative_to(folder))
    return printable(Path(name).as_posix())


def _unused(name: str, found: dict[str, Found]) -> str:
    number, free = 1, name
    while free in found:
        number += 1
        first, slash, rest = name.partition("/")
        free = f"{first}-{number}{slash}{rest}"
    return free


def _samples(named: str, out: Path) -> Iterator[tuple[str, str, Found]]:
    """Where each sample is, a name for it, and the sample."""
    if is_url(named):
        yield from _at_url(named)
        return
    folder = Path(root_of(named) if "://" in named else named)
    if folder.name in (PARQUET, CSV):
        root = folder.absolute().parent
        # once for all: what stands before KEY/INDEX
        before = shareable_name(root / "x", root, out)[:-1]
        entries = ((entry.key, entry.index) for entry in read_manifest(folder, str(folder)))
        for one in _with_records(str(root), entries):
            yield f"{root}{os.sep}{one.folder.replace('/', os.sep)}", before + one.folder, one
        return
    for place in _walked(folder):
        whole = place.absolute()
        yield str(whole), shareable_name(whole, folder.absolute(), out), Found(str(place), _checksum(place))


def _at_url(url: str) -> Iterator[tuple[str, str, Found]]:
    root, _, name = url.rstrip("/").rpartition("/")
    listed = name in (PARQUET, CSV)
    root = root if listed else url.rstrip("/")
    short = printable(last_parts(root)[-1])
    for one in _listed_at(root, name) if listed else _with_records(root, _place(root).samples()):
        yield one.where, f"{short}/{one.folder}", one


def _listed_at(root: str, name: str) -> Iterator[Found]:
    """Samples as the manifest has them: asking for every record would take a request each."""
    place = _place(root)
    assert isinstance(place, RemotePlace)
    with place.file(name) as manifest:
        for entry in read_manifest(manifest, f"{root}/{name}"):
            yield Found(f"{entry.key}/{sample_name(entry.index)}", entry.checksum, root)


def _with_records(root: str, samples: Iterable[Sample]) -> Iterator[Found]:
    for (key, index), content in records_of(_place(root), samples):
        checksum = "" if isinstance(content, Exception) else hashlib.sha256(content).hexdigest()
        yield Found(f"{key}/{sample_name(index)}", checksum, root)


def last_parts(named: str | Path) -> list[str]:
    """The parts of a folder's path, or of a URL's without what could be an account; a manifest stands for its folder.

    >>> last_parts("s3://bucket/runs/manifest.parquet"), last_parts("ftp://al:secret@host/runs/")
    (['bucket', 'runs'], ['host', 'runs'])
    """
    text = str(named)
    if is_url(text):
        parts = [part for part in text.partition("://")[2].rpartition("@")[2].split("/") if part]
    else:
        parts = list(Path(text).absolute().parts)
    return (parts[:-1] if parts and parts[-1] in (PARQUET, CSV) else parts) or ["results"]


def _walked(folder: Path) -> Iterator[Path]:
    try:
        yield from samples_below(folder)
        yield from published_below(folder)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{folder}: cannot be read ({why}); check the path and its permissions.") from error


def _checksum(place: Path) -> str:
    try:
        if (place / RECORD_FILE).exists() or not is_published(place):
            check_no_link(place / RECORD_FILE)
            return sha256(place / RECORD_FILE)
        return checksum_of(place)
    except EidophoneError:  # the reason shows when the sample is read
        return ""
