"""A sample's folder: files first, record.json last, the whole renamed into place; and reading it back.

A folder with a `record.json` is a finished sample. Only a process that is killed outright can leave
something else behind: a folder whose name begins with `.part-`.
"""

import contextlib
import datetime
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.values import Picture, Result, Score
from eidophone.media.audio import read_sound, write_wav
from eidophone.media.files import cannot_write, sha256, write_atomically, write_text
from eidophone.media.picture import from_bytes, read_picture, to_bytes, write_png
from eidophone.media.sheets import contact_sheet
from eidophone.media.video import write_video
from eidophone.results.recipe import FORMAT, KEYWORD, RECORD_FILE, read_record, to_text

FILES = ("picture.png", "spectrogram.png", "sound.wav", "video.mp4")
ARRAYS_FILE = "arrays.npz"
SHEET_FILE = "contact-sheet.png"
SHEET_SAMPLES = 64
SHEET_WIDTH = 2400


@dataclass
class Store:
    """Where the samples of one run go.

    Use as a context: folders that were made and stayed empty are removed at the end.

    Attributes:
        root: One folder a sample is made in here, named by its index.
        keep_arrays: Also store the numbers before 8-bit rounding.
    """

    root: Path
    keep_arrays: bool = False
    _made: list[Path] = field(default_factory=list)

    def reserve(self, indices: Iterable[int]) -> None:
        """Makes the root and tries whether it can be written, before any work is done.

        Raises:
            CannotWrite: it cannot, or one of the samples is already there.
        """
        trial = self.root / f".trial-{secrets.token_hex(6)}"
        try:
            for index in indices:
                if (self.root / name_of(index)).exists():
                    raise CannotWrite(
                        f"{self.root} already holds sample {name_of(index)}; choose another --out or --index."
                    )
            for folder in [*reversed(self.root.absolute().parents), self.root]:
                if not folder.exists():
                    folder.mkdir()
                    self._made.append(folder)
            if not self.root.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "not a folder")
            # more than a file system keeps inside its tables, so that a full disk shows
            trial.write_bytes(bytes(65_536))
        except OSError as error:
            raise cannot_write(self.root, error) from error
        finally:
            with contextlib.suppress(OSError):
                trial.unlink(missing_ok=True)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        for folder in reversed(self._made):
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()

    def save(self, result: Result) -> Result:
        """Writes a sample's folder, or nothing; returns the result with its folder.

        Raises:
            CannotWrite: the disk is full, the folder may not be written, or the sample is already there.
        """
        final = self.root / name_of(result.index)
        draft = self.root / f".part-{secrets.token_hex(6)}"
        try:
            draft.mkdir(parents=True)
            _write_files(result, draft, self.keep_arrays)
            _write_record(result, draft)
            draft.rename(final)
        except OSError as error:
            raise cannot_write(final, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return replace(result, folder=final)

    def overview(self) -> None:
        """Writes a contact sheet of the samples in the root, if there are several; of the first 64 at most.

        Raises:
            CannotWrite: as `save`.
        """
        folders = sorted(path.parent for path in self.root.glob(f"*/{RECORD_FILE}"))[:SHEET_SAMPLES]
        if len(folders) < 2:
            return
        pictures = [read_picture(folder / "picture.png") for folder in folders]
        columns = max(1, min(4, SHEET_WIDTH // pictures[0].pixels.shape[1]))
        sheet = contact_sheet(pictures, [folder.name for folder in folders], columns)
        write_png(self.root / SHEET_FILE, sheet)


def name_of(index: int) -> str:
    """The folder name of a sample.

    >>> name_of(7)
    '0007'
    """
    return f"{index:04d}"


def samples_below(folder: Path) -> Iterator[Path]:
    """Folders of finished samples in and below a folder, by name; the folder itself, if it is one.

    Raises:
        BadInput: there is no such folder.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder}: there is no such folder; name the folder of a result or of a run.")
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if RECORD_FILE in files:
            folders.clear()
            yield Path(place)


def load(folder: str | Path) -> Result:
    """Reads a finished sample back, at 8 bits a pixel and 16 bits a frame of sound.

    Raises:
        BadInput: it is not finished, or a file of it is missing or damaged.
    """
    folder = Path(folder)
    record = read_record(folder / RECORD_FILE)
    return Result(
        verb=record["verb"],
        index=record["index"],
        picture=read_picture(folder / "picture.png"),
        spectrogram=read_picture(folder / "spectrogram.png").gray(),
        clip=read_sound(folder / "sound.wav"),
        recipe=record["recipe"],
        facts=record["facts"],
        captions=tuple(record["captions"]),
        score=Score(**record.get("score", {})),
        folder=folder,
    )


def _write_files(result: Result, folder: Path, keep_arrays: bool) -> None:
    text = to_text(result.recipe)
    spectrogram = Picture.from_gray(result.spectrogram)
    write_png(folder / "picture.png", result.picture, text={KEYWORD: text})
    write_png(folder / "spectrogram.png", spectrogram, text={KEYWORD: text})
    for stem, picture in result.extras.items():
        write_png(folder / f"{stem}.png", picture, text={KEYWORD: text})
    write_wav(folder / "sound.wav", result.clip, recipe=text)
    same_columns = result.picture.pixels.shape[:2] == result.spectrogram.shape
    # imprint shows what plays; so does a canvas whose columns are not those of the sound
    shown = result.film or (result.picture if same_columns and result.verb != "imprint" else spectrogram)
    # made of what the other files hold: a last bit that they do not keep may not change the film
    seen, heard = from_bytes(to_bytes(shown)), read_sound(folder / "sound.wav")
    write_video(folder / "video.mp4", seen, heard, captions=tuple(c for c in result.captions if c))
    if keep_arrays:
        write_atomically(
            folder / ARRAYS_FILE, lambda draft: np.savez(draft, allow_pickle=False, **result.arrays)
        )


def _write_record(result: Result, folder: Path) -> None:
    record = {
        "format": FORMAT,
        "verb": result.verb,
        "index": result.index,
        "captions": list(result.captions),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": result.recipe,
        "facts": result.facts,
        "score": asdict(result.score),
        "files": {path.name: sha256(path) for path in sorted(folder.iterdir())},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_text(folder / RECORD_FILE, text + "\n")
