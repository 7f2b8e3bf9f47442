"""Readers of public data sets: paths, labels and captions of recordings.

Only tables are read, no sounds. ESC-50 (Piczak 2015), AudioCaps (Kim et al. 2019) and
Clotho (Drossos et al. 2020) in the layouts of their publications or of the package aac-datasets.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput

LONGEST_FOLD, LONGEST_SHOWN = 6, 200
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".webm", ".aiff", ".wma")


@dataclass(frozen=True)
class Recording:
    """One recording of a data set.

    Attributes:
        path: The file.
        labels: Its classes; empty if the set has captions only.
        captions: Written by people; empty if the set has classes only.
        fold: Its part of a cross-validation; 0 if the set has none.
        start_s: Where it begins in the file, in seconds.
        duration_s: Its length in seconds; None: to the end of the file.
    """

    path: Path
    labels: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    fold: int = 0
    start_s: float = 0.0
    duration_s: float | None = None


def read_esc(folder: Path) -> list[Recording]:
    """ESC-50 and ESC-10: either `meta/esc50.csv` beside `audio/`, or one folder a class.

    In the second layout files are named FOLD-ID-TAKE, as in the publication.

    Raises:
        BadInput: neither layout, or the table names a file that is not there.
    """
    table = folder / "meta" / "esc50.csv"
    if _is_file(table):
        rows = _rows(table, ("filename", "fold", "category"))
        found = [
            Recording(folder / "audio" / row["filename"], (row["category"],), fold=_fold(row["fold"], table))
            for row in rows
        ]
    else:
        found = [
            Recording(path, (path.parent.name,), fold=_fold(path.name.partition("-")[0], path))
            for path in sounds_in(_inside(folder, "*/*"))
        ]
    return _present(found, folder, "ESC-50's meta/esc50.csv and audio/, or folders of sounds named by class")


def read_clotho(folder: Path, split: str = "evaluation") -> list[Recording]:
    """Clotho: `clotho_captions_SPLIT.csv` (file_name, caption_1 to caption_5) and the sounds of a split.

    The table may lie in `folder`, `clotho_csv_files/` or the folder of aac-datasets; the sounds in
    `SPLIT/` or `clotho_audio_files/SPLIT/`.

    Raises:
        BadInput: no such table, or a sound that is not there.
    """
    table = _one(folder, f"clotho_captions_{split}.csv")
    places = [p for p in _inside(folder, f"**/{split}") if p.is_dir()]
    audio = places[0] if places else folder / split
    found = [
        Recording(
            audio / row["file_name"],
            captions=tuple(row[k] for k in row if k.startswith("caption_") and row[k]),
        )
        for row in _rows(table, ("file_name", "caption_1"))
    ]
    return _present(found, folder, f"Clotho's {table.name} and the sounds in {split}/")


def read_audiocaps(folder: Path, split: str = "test") -> list[Recording]:
    """AudioCaps: `SPLIT.csv` (audiocap_id, youtube_id, start_time, caption) and the ten-second clips.

    Several rows may describe one clip; it gets all their captions. A clip is found by its id in any of the
    usual names (YOUTUBE_ID, YYOUTUBE_ID, YOUTUBE_ID_START, with an audio suffix), in any folder below. Clips
    that were taken down are missing from every copy of the set, so rows without a file are skipped.

    Raises:
        BadInput: no such table, or none of its clips.
    """
    table = _one(folder, f"{split}.csv")
    files = {path.stem: path for path in sounds_in(_inside(folder, "**/*"))}
    captions: dict[Path, list[str]] = {}
    for row in _rows(table, ("youtube_id", "start_time", "caption")):
        name, start = row["youtube_id"], row["start_time"].removesuffix(".0")
        stems = (name, f"Y{name}", f"{name}_{start}", f"{name}_{start}.0", f"Y{name}_{start}")
        path = next((files[stem] for stem in stems if stem in files), None)
        if path:
            captions.setdefault(path, []).append(row["caption"])
    found = [Recording(path, captions=tuple(said)) for path, said in captions.items()]
    return _present(found, folder, f"AudioCaps' {table.name} and clips named by YouTube id")


def sounds_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The paths with the name of a sound file, sorted; hidden files are skipped."""
    return (p for p in sorted(paths) if p.suffix.lower() in SOUNDS and not p.name.startswith("."))


def _one(folder: Path, name: str) -> Path:
    found = _inside(folder, f"**/{name}")
    if not found:
        raise BadInput(f"{folder}: there is no {name} in it; name the folder of the data set.")
    return found[0]


def _rows(table: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{table}: cannot be read as a table ({error}); fetch the data set again.") from error
    missing = [name for name in needed if not rows or name not in rows[0]]
    if missing:
        raise BadInput(f"{table}: has no column {', '.join(missing)}; fetch the data set again.")
    for number, row in enumerate(rows, 1):
        short = [name for name in needed if row[name] is None]
        if short:
            raise BadInput(f"{table}: row {number} ends before {', '.join(short)}; fetch the data set again.")
    return rows


def _fold(text: str, where: Path) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_FOLD):
        raise BadInput(f"{where}: {text[:40]!r} is not a fold; sounds are named FOLD-ID-TAKE, as in ESC-50.")
    return int(text)


def _is_file(path: Path) -> bool:
    """
    Raises:
        BadInput: the name cannot be one, or the folder may not be read.
    """
    try:
        return path.is_file()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInput:
    why = getattr(error, "strerror", None) or str(error)
    text = str(path)
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return BadInput(f"{shown}: cannot be opened ({why}); check the path and its permissions.")


def _inside(folder: Path, pattern: str) -> list[Path]:
    """What a pattern matches in a folder that exists and can be read."""
    try:
        if not folder.is_dir():
            raise BadInput(f"{folder}: there is no such folder; name the folder of the data set.")
        next(folder.iterdir(), None)  # a folder that may not be read matches nothing, silently
        return sorted(folder.glob(pattern))
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error


def _present(found: list[Recording], folder: Path, layout: str) -> list[Recording]:
    if not found:
        raise BadInput(f"{folder}: there are no recordings; expected {layout}.")
    for recording in found:
        if not _is_file(recording.path):
            raise BadInput(f"{recording.path} is in a table but not on the disk; fetch the data set again.")
    return found
