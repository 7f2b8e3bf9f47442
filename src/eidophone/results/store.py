"""A sample's folder: files first, record.json last, then one rename; and reading it back.

A folder with a `record.json` is a finished sample. A process that is killed may leave a folder whose name
begins with `.part-`; the next run into the same root removes it. One process at a time writes into a root.
"""

import contextlib
import datetime
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from eidophone.core.errors import BadInput, CannotWrite
from eidophone.core.recipe import FORMAT, Facts, Record
from eidophone.core.values import Clip, Picture, Result, Score
from eidophone.media.audio import read_sound, write_wav
from eidophone.media.files import (
    cannot_write,
    check_no_link,
    draft_name,
    sha256,
    write_atomically,
    write_text,
)
from eidophone.media.lock import LOCK_FILE, folder_lock
from eidophone.media.mel import MelSpec
from eidophone.media.morph import scene_of, write_morph
from eidophone.media.picture import from_bytes, read_picture, to_bytes, write_png
from eidophone.media.sheets import contact_sheet
from eidophone.media.video import write_video
from eidophone.results.recipe import KEYWORD, RECORD_FILE, read_record
from eidophone.results.sound_file import SoundFile

FILES = ("picture.png", "spectrogram.png", "sound.wav", "video.mp4")
#: What `load` reads besides the record.
SEEN_AND_HEARD = ("picture.png", "spectrogram.png", "sound.wav")
ARRAYS_FILE = "arrays.npz"
SHEET_FILE = "contact-sheet.png"
SHEET_SAMPLES = 64
SHEET_WIDTH = 2400


@dataclass
class Store:
    """Where the samples of one run go.

    Use it as a context manager: it holds the folder's lock, and on exit it removes folders that it made and
    that stayed empty.

    Attributes:
        root: Each sample gets a folder in it, named by its index.
        keep_arrays: Also store the numbers before 8-bit rounding.
        sound: A second sound file, beside sound.wav.
    """

    root: Path
    keep_arrays: bool = False
    sound: SoundFile | None = None
    _made: list[Path] = field(default_factory=list)
    _lock: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _holds: bool = False

    def reserve(self, indices: Iterable[int], *, resumable: bool = False) -> None:
        """Makes the root, locks it, and checks that it can be written, before any work is done.

        Args:
            indices: The samples that are going to be made.
            resumable: Whether the verb could go on in this folder with `--resume`, for the message.

        Raises:
            CannotWrite: it cannot be written, another process is writing into it, or a sample is already
                there.
        """
        try:
            for folder in [*reversed(self.root.absolute().parents), self.root]:
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    self._made.append(folder)
            if not self.root.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "not a folder")
            self._take_lock()
            for index in indices:
                self._check_free(self.root / sample_name(index), resumable)
            self._try_writing()
        except OSError as error:
            raise cannot_write(self.root, error) from error
        except ValueError as error:
            raise CannotWrite(f"Cannot write {self.root}: {error}; choose another --out.") from error

    def _take_lock(self) -> None:
        self._lock.enter_context(folder_lock(self.root, f"writing into {self.root}"))
        self._holds = True

    def _check_free(self, sample: Path, resumable: bool) -> None:
        if (sample / RECORD_FILE).exists():
            remedy = "add --resume to keep what is there, or choose another --out or --index"
            raise CannotWrite(
                f"{self.root} already holds sample {sample.name}; "
                f"{remedy if resumable else 'choose another --out'}."
            )
        if os.path.lexists(sample):
            raise CannotWrite(
                f"{sample} is not a finished sample: it has no {RECORD_FILE}; delete it, or choose another --out."
            )

    def _try_writing(self) -> None:
        trial = self.root / draft_name()
        try:
            # more than a file system keeps inside its tables, so that a full disk shows
            trial.write_bytes(bytes(65_536))
        finally:
            with contextlib.suppress(OSError):
                trial.unlink(missing_ok=True)

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock, contextlib.suppress(OSError):
            # never the lock of another process, which would let a third one in
            if self._holds and {path.name for path in self.root.iterdir()} == {LOCK_FILE}:
                (self.root / LOCK_FILE).unlink()
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):
                folder.rmdir()  # succeeds on an empty folder only

    def save(self, result: Result) -> Result:
        """Writes a sample's folder, or nothing; returns the result with its folder.

        Raises:
            CannotWrite: the disk is full, the folder may not be written, or the sample is already there.
        """
        final = self.root / sample_name(result.index)
        with self._draft(final) as draft:
            _write_files(result, draft, self.keep_arrays)
            if self.sound is not None:
                spec = MelSpec.from_dict(result.recipe.mel_spec)
                result.facts.update(self.sound.write(read_sound(draft / "sound.wav"), draft, spec))
            _write_record(result, draft)
        return replace(result, folder=final)

    def adopt(self, sample: Path) -> None:
        """Copies a finished sample from another root, whole or not at all; only the files that its record names.

        Raises:
            BadInput: it is damaged, or a file of it is not the one that was written.
            CannotWrite: as `save`.
        """
        record = read_record(sample / RECORD_FILE)
        _check_files(sample, record)
        with self._draft(self.root / sample.name) as draft:
            for name, digest in record.files.items():
                _copy_file(sample, name, digest, draft)
            shutil.copyfile(sample / RECORD_FILE, draft / RECORD_FILE)

    @contextlib.contextmanager
    def _draft(self, final: Path) -> Iterator[Path]:
        """A folder that gets its name once it is filled, and goes if anything fails."""
        draft = self.root / draft_name()
        try:
            draft.mkdir(parents=True)
            yield draft
            draft.rename(final)
        except OSError as error:
            raise cannot_write(final, error) from error
        except CannotWrite as error:  # it names a file of the draft
            if isinstance(error.__cause__, OSError):
                raise cannot_write(final, error.__cause__) from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def overview(self) -> None:
        """Writes a contact sheet of the samples in the root, if there are several; of the first 64 at most.

        Raises:
            CannotWrite: as `save`.
        """
        folders = sorted(path.parent for path in self.root.glob(f"*/{RECORD_FILE}"))[:SHEET_SAMPLES]
        if len(folders) < 2:
            return
        pictures = [read_picture(file_in(folder, "picture.png")) for folder in folders]
        columns = max(1, min(4, SHEET_WIDTH // pictures[0].pixels.shape[1]))
        sheet = contact_sheet(pictures, [folder.name for folder in folders], columns)
        write_png(self.root / SHEET_FILE, sheet)


def sample_name(index: int) -> str:
    """The folder name of a sample.

    >>> sample_name(7)
    '0007'
    """
    return f"{index:04d}"


def finished_samples(root: Path) -> dict[int, Path]:
    """Folders of finished samples directly in a root, by index."""
    found = {}
    for record in sorted(root.glob(f"*/{RECORD_FILE}")):
        if record.parent.name.isdecimal():
            found[int(record.parent.name)] = record.parent
    return found


def file_in(folder: Path, name: str) -> Path:
    """A file of a result, which may come from a stranger.

    Raises:
        BadInput: it is a link, which could lead to a file that nobody named.
    """
    check_no_link(folder / name)
    return folder / name


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


def load(folder: str | Path, *, verify: bool = True) -> Result:
    """Reads a finished sample back, at 8 bits a pixel and 16 bits a sample of sound.

    Args:
        folder: Of the sample.
        verify: Compare the files with the checksums of the record.

    Raises:
        BadInput: it is not finished, or a file of it is missing, damaged or not the one that was written.
    """
    folder = Path(folder)
    record = read_record(folder / RECORD_FILE)
    if verify:
        _check_files(folder, record)
    spectrogram = read_picture(folder / "spectrogram.png").gray()
    bands = MelSpec.from_dict(record.recipe.mel_spec).n_mels
    if len(spectrogram) != bands:
        raise BadInput(
            f"{folder / 'spectrogram.png'}: has {len(spectrogram)} rows, but {RECORD_FILE} says {bands} mel bands; "
            "bring the original files back, or make the result again."
        )
    return Result(
        verb=record.verb,
        index=record.index,
        picture=read_picture(folder / "picture.png"),
        spectrogram=spectrogram,
        clip=read_sound(folder / "sound.wav"),
        recipe=record.recipe,
        facts=record.facts.model_dump(exclude_unset=True),
        captions=tuple(record.captions),
        score=Score(record.score.numbers, record.score.failed),
        folder=folder,
    )


def _check_files(folder: Path, record: Record) -> None:
    for name in SEEN_AND_HEARD:
        path = folder / name
        if path.is_symlink() or sha256(path) != record.files.get(name):
            raise BadInput(
                f"{path}: is not the file that {RECORD_FILE} describes; bring the original file back, or make "
                "the result again."
            )


def _copy_file(sample: Path, name: str, digest: str, draft: Path) -> None:
    path = sample / name
    if path.name != name or path.is_symlink() or sha256(path) != digest:
        raise BadInput(f"{path}: is not the file that {RECORD_FILE} describes; bring the original file back.")
    shutil.copyfile(path, draft / name)


def _write_files(result: Result, folder: Path, keep_arrays: bool) -> None:
    text = result.recipe.text()
    spectrogram = Picture.from_gray(result.spectrogram)
    write_png(folder / "picture.png", result.picture, text={KEYWORD: text})
    write_png(folder / "spectrogram.png", spectrogram, text={KEYWORD: text})
    for stem, picture in result.extras.items():
        write_png(folder / f"{stem}.png", picture, text={KEYWORD: text})
    for name, content in result.files.items():
        (folder / name).write_bytes(content)  # the folder is a draft
    write_wav(folder / "sound.wav", result.clip, recipe=text)
    for stem, clip in result.sounds.items():
        write_wav(folder / f"{stem}.wav", clip, recipe=text)
    same_columns = result.picture.pixels.shape[:2] == result.spectrogram.shape
    # a canvas whose columns are not those of the sound shows what plays
    shown = result.film or (result.picture if same_columns else spectrogram)
    # made of what the other files hold: a last bit that they do not keep may not change the film
    seen, heard = from_bytes(to_bytes(shown)), read_sound(folder / "sound.wav")
    write_video(folder / "video.mp4", seen, heard, captions=tuple(c for c in result.captions if c))
    if any(turn.places is not None for turn in result.turns):
        _write_morph(result, heard, folder)
    if keep_arrays:
        write_atomically(
            folder / ARRAYS_FILE, lambda draft: np.savez(draft, allow_pickle=False, **result.arrays)
        )


def _write_morph(result: Result, heard: Clip, folder: Path) -> None:
    """The film that turns the picture into its other views, of what the other files hold."""
    scenes = [
        scene_of(result.picture, heard, " / ".join(caption for caption in result.captions[:2] if caption))
    ]
    for turn in result.turns:
        clip = read_sound(folder / f"{turn.sound}.wav") if turn.sound else None
        scenes.append(scene_of(result.extras[turn.picture], clip, turn.caption, turn.places))
    write_morph(folder / "morph.mp4", scenes)


def _write_record(result: Result, folder: Path) -> None:
    record = {
        "format": FORMAT,
        "verb": result.verb,
        "index": result.index,
        "captions": list(result.captions),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": result.recipe.plain(),
        "facts": Facts.model_validate(result.facts).model_dump(exclude_unset=True),
        "score": asdict(result.score),
        "files": {path.name: sha256(path) for path in sorted(folder.iterdir())},
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    write_text(folder / RECORD_FILE, text + "\n")
