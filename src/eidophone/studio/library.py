"""Everything in the output folder: found on disk, searched by prompt, served by opaque ids."""

import hashlib
import json
import re
import struct
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.recipe import Record
from eidophone.core.text import printable
from eidophone.media.files import write_text
from eidophone.results.recipe import RECORD_FILE, read_record
from eidophone.results.store import file_in, samples_below
from eidophone.studio.settings import PRIVATE_FOLDER

#: Files of a result that may be asked for, with their media types.
SERVED = {
    "picture.png": "image/png",
    "spectrogram.png": "image/png",
    "sound.wav": "audio/wav",
    "video.mp4": "video/mp4",
    "iterations.png": "image/png",
    RECORD_FILE: "application/json",
}
#: Files of further views and sounds of a result; they may be asked for, too.
_FURTHER = re.compile(r"(?:(?:view|spectrogram)-\d{1,2}\.png|sound-\d{1,2}\.wav|morph\.mp4)")
#: Seconds between two looks at the disk, for results that other programs made.
RESCAN_S = 3.0
_KEPT_SEARCHES = 64
SORTS = ("newest", "stars", "score", "looks", "sounds")

Entry = dict[str, Any]


class Library:
    """Thread-safe; readers wait for the first scan, and never for the disk after it.

    Args:
        root: The output folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, Path] = {}
        self._entries: dict[str, Entry] = {}
        #: Searches since the last change: many readers ask for the same pages.
        self._searches: dict[tuple[tuple[str, ...], str, int], list[Entry]] = {}
        self._lock = threading.Lock()
        self._scanning = threading.Lock()
        self._scanned = float("-inf")
        self._scanned_once = threading.Event()
        self._stars_file = root / PRIVATE_FOLDER / "stars.json"
        self._stars = _read_stars(self._stars_file)

    # --- reading -------------------------------------------------------------------------------------

    def search(self, words: str = "", sort: str = "newest", stars: int = 0) -> list[Entry]:
        """Entries whose prompts hold all the words, sorted.

        Args:
            words: Separated by spaces; upper and lower case are alike.
            sort: One of `SORTS`; best or newest first.
            stars: At least this many.
        """
        self._rescan_if_old()
        self._scanned_once.wait()
        wanted = tuple(words.casefold().split())
        with self._lock:
            found = self._searches.get((wanted, sort, stars))
            if found is None:
                every = self._entries.values()
                fits = (
                    e for e in every if e["stars"] >= stars and all(word in e["search"] for word in wanted)
                )
                found = sorted(fits, key=_order(sort), reverse=True)
                if len(self._searches) >= _KEPT_SEARCHES:
                    self._searches.clear()
                self._searches[wanted, sort, stars] = found
        return found

    def entry(self, result_id: str) -> Entry:
        """One entry.

        Raises:
            KeyError: there is none of this id.
        """
        self._scanned_once.wait()
        with self._lock:
            return self._entries[result_id]

    def folder(self, result_id: str) -> Path:
        """The folder of a result.

        Raises:
            KeyError: there is none of this id.
        """
        self._scanned_once.wait()
        with self._lock:
            return self._folders[result_id]

    def file(self, result_id: str, name: str) -> Path:
        """A file of a result, if it is one of the fixed list and lies in the output folder.

        Raises:
            KeyError: there is none.
        """
        if name not in SERVED and not _FURTHER.fullmatch(name):
            raise KeyError(name)
        path = self.folder(result_id) / name
        inside = path.resolve()
        if not inside.is_file() or not inside.is_relative_to(self.root.resolve()):
            raise KeyError(name)
        return inside

    # --- changing ------------------------------------------------------------------------------------

    def add(self, folder: Path) -> Entry:
        """Adds a sample that was just stored and returns its entry."""
        self._take(folder)
        return self.entry(self._id(folder))

    def set_stars(self, result_id: str, stars: int) -> Entry:
        """Gives a result 0 to 5 stars, kept on disk.

        Raises:
            KeyError: there is no such result.
            CannotWrite: the output folder cannot be written.
        """
        with self._lock:
            entry = self._entries[result_id]
            changed = {**self._stars, result_id: stars}
            self._stars = {key: count for key, count in changed.items() if count}
            write_text(self._stars_file, json.dumps(self._stars, indent=1))
            self._entries[result_id] = {**entry, "stars": stars}
            self._searches.clear()
            return self._entries[result_id]

    def scan_soon(self) -> None:
        """Starts a look at the disk, unless one is under way."""
        if self._scanning.locked():
            return
        self._scanned = time.monotonic()
        threading.Thread(target=self.scan, name="studio-scan", daemon=True).start()

    def scan(self) -> None:
        """Looks at the disk now: new results are read, removed ones are dropped."""
        try:
            self._scan()
        finally:
            self._scanned_once.set()

    def _scan(self) -> None:
        with self._scanning:
            if not self.root.is_dir():
                return
            seen = set()
            for folder in samples_below(self.root):
                seen.add(self._id(folder))
                if self._id(folder) not in self._entries:
                    self._take(folder)
            with self._lock:
                for gone in self._entries.keys() - seen:
                    if not (self._folders[gone] / RECORD_FILE).exists():
                        del self._entries[gone], self._folders[gone]
                        self._searches.clear()
            self._scanned = time.monotonic()

    def _rescan_if_old(self) -> None:
        if time.monotonic() - self._scanned >= RESCAN_S:
            self.scan_soon()

    def _take(self, folder: Path) -> None:
        try:
            record = read_record(folder / RECORD_FILE)
            entry = _entry(self._id(folder), folder, record)
        except (EidophoneError, OSError, struct.error):
            return  # damaged, or written by something else; the library shows what it can
        with self._lock:
            entry["stars"] = self._stars.get(entry["id"], 0)
            self._entries[entry["id"]], self._folders[entry["id"]] = entry, folder
            self._searches.clear()

    def _id(self, folder: Path) -> str:
        place = str(folder.relative_to(self.root))
        return hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def media_type_of(name: str) -> str:
    """Of a file that may be asked for.

    >>> media_type_of("view-1.png"), media_type_of("record.json")
    ('image/png', 'application/json')
    """
    return next(kind for known, kind in SERVED.items() if Path(known).suffix == Path(name).suffix)


def public(entries: Iterable[Entry]) -> list[Entry]:
    """Entries without what only the search uses."""
    return [{key: value for key, value in entry.items() if key != "search"} for entry in entries]


def _entry(result_id: str, folder: Path, record: Record) -> Entry:
    options = record.recipe.options
    width, height = _png_size(file_in(folder, "picture.png"))
    score = record.score
    from eidophone.core.values import Score

    sides = Score(score.numbers)
    looks, sounds = sides.side("looks"), sides.side("sounds", "_clear")
    texts = [options.image_prompt, options.audio_prompt, *record.captions, record.verb]
    return {
        "id": result_id,
        "verb": record.verb,
        "index": record.index,
        "seed": record.recipe.seed,
        "image_prompt": printable(options.image_prompt),
        "audio_prompt": printable(options.audio_prompt),
        "captions": [printable(text) for text in record.captions if text],
        "made": record.made,
        "run": printable(folder.parent.name),
        "width": width,
        "height": height,
        "looks": looks,
        "sounds": sounds,
        "score": None if looks is None or sounds is None else min(looks, sounds),
        "numbers": score.numbers,
        "files": [name for name in SERVED if (folder / name).is_file()],
        "further": sorted(path.name for path in folder.iterdir() if _FURTHER.fullmatch(path.name)),
        "search": " ".join(texts).casefold(),
    }


def _png_size(path: Path) -> tuple[int, int]:
    """Width and height from the header of a PNG.

    Raises:
        BadInput: it is not a PNG.
    """
    with path.open("rb") as file:
        head = file.read(24)
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        raise BadInput(f"{path} is not a PNG.")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _read_stars(path: Path) -> dict[str, int]:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(given, dict):
        return {}
    return {str(key): count for key, count in given.items() if isinstance(count, int) and 0 < count <= 5}


def _order(sort: str) -> Any:
    def _key(entry: Entry) -> tuple[float, str, int]:
        value = entry.get(sort)
        ranked = float(value) if sort != "newest" and isinstance(value, int | float) else -1e9
        # samples of one second are shown in the order of their run
        return ranked, entry["made"], -entry["index"]

    return _key
