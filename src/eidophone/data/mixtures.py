"""Mixtures of two recordings of different classes, with both labels: Multi-ESC50 (Lee et al. 2023, 2.5).

Mixture i of seed s is drawn from s + i, and depends on nothing else but the list of recordings.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eidophone.core.errors import BadInput, CannotWrite, EidophoneError
from eidophone.core.values import Clip, Floats
from eidophone.data.recordings import Recording
from eidophone.media.audio import peak_normalize, read_sound, resample, write_wav
from eidophone.media.files import cannot_write, write_text
from eidophone.media.lock import LOCK_FILE, folder_lock

RATE_HZ = 44_100
MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Mixture:
    """Two recordings played at once.

    Attributes:
        first, second: The two recordings; their labels differ.
        level_db: Level of the first over the second, measured in the loudest second of each.
        seed: What it was drawn from.
    """

    first: Recording
    second: Recording
    level_db: float
    seed: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of both recordings."""
        return (*self.first.labels, *self.second.labels)


def draw(
    recordings: Sequence[Recording], count: int, seed: int, level_db: tuple[float, float] = (0.0, 0.0)
) -> list[Mixture]:
    """Draws pairs: two different classes, then a recording of each, all equally likely.

    Args:
        recordings: To draw from, each with one label.
        count: Number of mixtures.
        seed: Mixture i is drawn from seed + i.
        level_db: Lowest and highest level of the first over the second; the level is uniform between them.

    Raises:
        BadInput: fewer than two classes.
    """
    classes = sorted({r.labels[0] for r in recordings if len(r.labels) == 1})
    if len(classes) < 2:
        raise BadInput("Mixtures need recordings of at least two classes; name a folder with more classes.")
    members = {name: [r for r in recordings if r.labels == (name,)] for name in classes}
    return [_drawn(members, classes, seed + i, level_db) for i in range(count)]


def _drawn(
    members: dict[str, list[Recording]], classes: list[str], seed: int, level_db: tuple[float, float]
) -> Mixture:
    rng = np.random.default_rng(seed)
    names = [classes[i] for i in rng.choice(len(classes), 2, replace=False)]
    first, second = (members[name][int(rng.integers(len(members[name])))] for name in names)
    return Mixture(first, second, float(rng.uniform(*level_db)), seed)


def mix(mixture: Mixture, rate_hz: int = RATE_HZ) -> Clip:
    """The sound of a mixture: mono, peak 0.95, as long as the longer of the two.

    Raises:
        BadInput: a recording cannot be read, or is silent.
    """
    first, second = (_sound(r, rate_hz) for r in (mixture.first, mixture.second))
    louder = 10 ** (mixture.level_db / 20) * loudness(second, rate_hz) / loudness(first, rate_hz)
    frames = max(len(first), len(second))
    padded = [np.pad(samples, (0, frames - len(samples))) for samples in (first, second)]
    both = (padded[0] * np.float32(louder) + padded[1])[None]
    return peak_normalize(Clip(both.astype(np.float32), rate_hz))


def loudness(samples: Floats, rate_hz: int) -> float:
    """Root mean square of the loudest second, so that silence after a short sound does not count.

    >>> sound = np.concatenate([np.full(8000, 0.5), np.zeros(80_000)]).astype(np.float32)
    >>> loudness(sound, 8000)
    0.5
    """
    window = min(rate_hz, len(samples))
    power = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    return float(np.sqrt(max(0.0, (power[window:] - power[:-window]).max()) / window))


def _sound(recording: Recording, rate_hz: int) -> Floats:
    clip = read_sound(recording.path, start_s=recording.start_s, duration_s=recording.duration_s)
    mono = resample(clip, rate_hz).mono()
    if not mono.any():
        raise BadInput(f"{recording.path} is silent and has no level to mix at; remove it from the folder.")
    return mono


def write_mixtures(mixtures: Sequence[Mixture], folder: Path) -> Iterator[Path]:
    """Writes `NNNN.wav` for each mixture and `manifest.json` into a new folder.

    Yields the path that each file has at the end, when the file is written.

    The files are written beside the folder, into `.part-NAME`, which is renamed at the end: the folder is complete
    or not there. If the process is killed, the next call with the same mixtures continues.

    Raises:
        EidophoneError: a recording cannot be read, the folder cannot be written or is not empty, or another
            process is writing it.
    """
    _check_free(folder)
    part = folder.absolute().parent / f".part-{folder.name}"
    with folder_lock(part, f"writing mixtures into {folder}"):
        try:
            yield from (folder / name for name in _write(mixtures, part))
            _check_free(folder)
            _finish(part, folder)
        except (EidophoneError, OSError, UnicodeEncodeError) as error:
            shutil.rmtree(part, ignore_errors=True)
            if isinstance(error, UnicodeEncodeError):
                name = error.object
                raise BadInput(f"{name}: the name is not valid UTF-8; rename the file or folder.") from error
            cause = error.__cause__ if isinstance(error, CannotWrite) else error
            if isinstance(cause, OSError):  # it names a file in the folder beside
                raise cannot_write(folder, cause) from error
            raise


def _write(mixtures: Sequence[Mixture], part: Path) -> Iterator[str]:
    rows = [{"file": f"{i:04d}.wav", **_row(mixture)} for i, mixture in enumerate(mixtures)]
    text = json.dumps({"format": FORMAT, "rate_hz": RATE_HZ, "mixtures": rows}, indent=1) + "\n"
    manifest = part / MANIFEST
    if not (manifest.is_file() and manifest.read_text(encoding="utf-8") == text):  # of another run, or none
        for old in part.iterdir():
            if old.name != LOCK_FILE:
                old.unlink()
        write_text(manifest, text)
    for row, mixture in zip(rows, mixtures, strict=True):
        path = part / str(row["file"])
        if not path.is_file():
            write_wav(path, mix(mixture))
        yield path.name


def _check_free(folder: Path) -> None:
    try:
        taken = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CannotWrite(f"Cannot write {folder}: {why}; choose another --out.") from error
    if taken:
        what = "already holds mixtures" if (folder / MANIFEST).exists() else "is not an empty folder"
        raise CannotWrite(f"{folder} {what}; choose another --out.")


def _finish(part: Path, folder: Path) -> None:
    if folder.is_dir():
        folder.rmdir()
    part.rename(folder)
    (folder / LOCK_FILE).unlink(missing_ok=True)


def _row(mixture: Mixture) -> dict[str, object]:
    sources = [r.path.name for r in (mixture.first, mixture.second)]
    level = round(mixture.level_db, 3)
    return {"labels": list(mixture.labels), "sources": sources, "level_db": level, "seed": mixture.seed}


class _ManifestRow(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    file: str = Field(pattern=r"^[^/\\\x00]{1,200}$")
    labels: list[str] = Field(min_length=1)


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    mixtures: list[_ManifestRow]


def read_mixtures(folder: Path) -> list[Recording]:
    """The mixtures that `write_mixtures` wrote, as recordings with two labels.

    Raises:
        BadInput: there is no manifest, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        rows = _Manifest.model_validate_json(path.read_bytes()).mixtures
    except (OSError, ValueError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"{path}: is not a manifest of mixtures ({reason}); make them again.") from error
    return [Recording(folder / row.file, tuple(row.labels)) for row in rows]
