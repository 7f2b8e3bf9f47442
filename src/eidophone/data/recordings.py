"""Readers of the public sets: where a recording lies, what it is called, what was written about it.

Only tables are read; the sounds stay where they are. ESC-50 (Piczak 2015), AudioCaps (Kim et al. 2019) and
Clotho (Drossos et al. 2020) in the layouts of their publications or of the package aac-datasets.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eidophone.core.errors import BadInput

SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".webm", ".aiff", ".wma")


@dataclass(frozen=True)
class Recording:
    """One sound of a set.

    Attributes:
        path: The file.
        labels: What can be heard in it, by class; empty where the set has only captions.
        captions: What people wrote about it; empty where the set has only classes.
        fold: Part of a cross-validation that it belongs to; 0 if the set has none.
        start_s: Where in the file it begins.
        duration_s: How long it is; None is to the end.
    """

    path: Path
    labels: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    fold: int = 0
    start_s: float = 0.0
    duration_s: float | None = None


def read_esc(folder: Path) -> list[Recording]:
    """ESC-50 and ESC-10: either `meta/esc50.csv` beside `audio/`, or one folder a class.

    In the second layout a file is named FOLD-ID-TAKE, as in the publication.

    Raises:
        BadInput: neither layout, or the table names a file that is not there.
    """
    table = folder / "meta" / "esc50.csv"
    if table.is_file():
        rows = _rows(table, ("filename", "fold", "category"))
        found = [
            Recording(folder / "audio" / row["filename"], (row["category"],), fold=_fold(row["fold"], table))
            for row in rows
        ]
    else:
        found = [
            Recording(path, (path.parent.name,), fold=_fold(path.name.partition("-")[0], path))
            for path in sounds_in(folder.glob("*/*"))
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
    places = [p for p in sorted(folder.rglob(split)) if p.is_dir()]
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

    Several rows may describe one clip: their captions are joined. A clip is found by its id in any of the
    usual names (YOUTUBE_ID, YYOUTUBE_ID, YOUTUBE_ID_START, with an audio ending), in any folder below. Clips
    that were taken down are missing from every copy of the set, so rows without a file are left out.

    Raises:
        BadInput: no such table, or not a single clip of it.
    """
    table = _one(folder, f"{split}.csv")
    files = {path.stem: path for path in sounds_in(folder.rglob("*"))}
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
    """Those that are named like sound files, in order of name; hidden ones are left out."""
    return (p for p in sorted(paths) if p.suffix.lower() in SOUNDS and not p.name.startswith("."))


def _one(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        raise BadInput(f"{folder}: there is no {name} in it; name the folder that holds the set.")
    return found[0]


def _rows(table: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table}: not readable as a table ({error}); fetch the set again.") from error
    missing = [name for name in needed if not rows or rows[0].get(name) is None]
    if missing:
        raise BadInput(f"{table}: has no column {', '.join(missing)}; fetch the set again.")
    return rows


def _fold(text: str, where: Path) -> int:
    if not text.isdecimal():
        raise BadInput(f"{where}: {text!r} is no fold; sounds are named FOLD-ID-TAKE, as in ESC-50.")
    return int(text)


def _present(found: list[Recording], folder: Path, layout: str) -> list[Recording]:
    if not found:
        raise BadInput(f"{folder}: no recordings; it should hold {layout}.")
    for recording in found:
        if not recording.path.is_file():
            raise BadInput(f"{recording.path} is named in a table but not there; fetch the set again.")
    return found
