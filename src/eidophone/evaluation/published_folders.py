"""Samples as the published code of Images that Sound writes them: img.png, spec.png, audio.wav, config.yaml."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from eidophone.core.errors import BadInput
from eidophone.media.audio import read_sound
from eidophone.media.files import check_no_link, sha256
from eidophone.media.mel import MelSpec
from eidophone.media.picture import read_picture
from eidophone.scoring.contract import Subject

CONFIG_FILE, SPECTROGRAM, PICTURE, SOUND = "config.yaml", "spec.png", "img.png", "audio.wav"
FILES = (CONFIG_FILE, SPECTROGRAM, SOUND, PICTURE)
#: How a sample of the published code was made, in tables.
METHOD = "published code"
#: A settings file has a few kilobytes.
MOST_BYTES = 1_000_000


class _Trainer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    image_prompt: str = ""
    audio_prompt: str = ""


class _Config(BaseModel):
    model_config = ConfigDict(extra="ignore")

    trainer: _Trainer = _Trainer()
    seed: int | None = None


@dataclass(frozen=True)
class PublishedSample:
    """A sample of the published code.

    Attributes:
        subject: As judges see it. The picture is the colour decode, or the spectrogram where there is none.
        index: From its folder's name, example_001 being 0.
        seed: What it was drawn from.
    """

    subject: Subject
    index: int
    seed: int | None


def is_published(folder: Path) -> bool:
    """Whether the published code wrote a sample here."""
    return all((folder / name).is_file() for name in (CONFIG_FILE, SPECTROGRAM, SOUND))


def published_below(folder: Path) -> Iterator[Path]:
    """Such folders in and below a folder, by name."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if {CONFIG_FILE, SPECTROGRAM, SOUND} <= set(files):
            folders.clear()
            yield Path(place)


def read_published(folder: Path) -> PublishedSample:
    """Reads a sample.

    Raises:
        BadInput: a file is missing or damaged.
    """
    _check_no_links(folder)
    config = _config(folder / CONFIG_FILE)
    gray = read_picture(folder / SPECTROGRAM)
    picture = read_picture(folder / PICTURE) if (folder / PICTURE).is_file() else gray
    same_shape = picture.pixels.shape == gray.pixels.shape
    subject = Subject(
        picture=picture,
        gray=gray.gray() if same_shape else picture.gray(),
        clip=read_sound(folder / SOUND),
        image_prompt=config.trainer.image_prompt,
        audio_prompt=config.trainer.audio_prompt,
        spectrogram=gray.gray(),
        mel_spec=MelSpec(),
    )
    return PublishedSample(subject, _index(folder.name), config.seed)


def _check_no_links(folder: Path) -> None:
    for name in FILES:
        check_no_link(folder / name)


def checksum_of(folder: Path) -> str:
    """Of the files that are judged.

    Raises:
        BadInput: one cannot be read.
    """
    _check_no_links(folder)
    files = [folder / name for name in FILES]
    text = "".join(sha256(path) for path in files if path.is_file())
    return hashlib.sha256(text.encode()).hexdigest()


def _config(path: Path) -> _Config:
    import yaml

    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadInput(f"{path}: is too large for a settings file; bring the original file back.")
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Config.model_validate(found)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = (
            error.errors()[0]["msg"] if isinstance(error, ValidationError) else " ".join(str(error).split())
        )
        raise BadInput(f"{path}: is not a settings file of the published code ({reason}).") from error


def _index(name: str) -> int:
    """
    >>> _index("example_012"), _index("mine")
    (11, 0)
    """
    number = name.rpartition("_")[2]
    return max(0, int(number) - 1) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
