"""Inputs in memory: written to files, so that every verb reads them as it reads the user's files."""

from pathlib import Path
from typing import Any

from eidophone.media.audio import clip_from, write_wav
from eidophone.media.picture import picture_from, write_png

_SOUND = "sound-from-memory.wav"


def as_files(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options with paths in the place of pictures and sounds in memory.

    Args:
        given: Options; `picture`, `mask` and `sound` may be what `picture_from` and `clip_from` read.
        folder: Where files are written; it must outlive the run.

    Raises:
        BadInput: something that is neither.
    """
    found = dict(given)
    for name in ("picture", "mask"):
        if (picture := found.get(name)) is not None and not isinstance(picture, str | Path):
            found[name] = folder / f"{name}-from-memory.png"
            write_png(found[name], picture_from(picture))
    if (sound := found.get("sound")) is not None and not isinstance(sound, str | Path):
        found["sound"] = folder / _SOUND
        write_wav(found["sound"], clip_from(sound))
    return found
