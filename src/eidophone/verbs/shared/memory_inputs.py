"""Inputs in memory: written to files, so that every verb reads them as it reads the user's files."""

from pathlib import Path
from typing import Any

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Clip, Picture
from eidophone.media.audio import write_wav
from eidophone.media.picture import write_png

_PICTURE, _SOUND = "picture-from-memory.png", "sound-from-memory.wav"


def as_files(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Options with paths in the place of pictures and sounds in memory.

    Args:
        given: Options; `picture` may be a `Picture`, a `PIL.Image` or an array, `sound` a `Clip` or a pair
            (samples, rate_hz).
        folder: Where files are written; it must outlive the run.

    Raises:
        BadInput: something that is neither.
    """
    found = dict(given)
    for name, keep in (("picture", _keep_picture), ("sound", _keep_sound)):
        value = found.get(name)
        if value is not None and not isinstance(value, str | Path):
            found[name] = keep(value, folder)
    return found


def _keep_picture(value: Any, folder: Path) -> Path:
    path = folder / _PICTURE
    write_png(path, value if isinstance(value, Picture) else Picture(_pixels(value)))
    return path


def _pixels(value: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    if hasattr(value, "convert"):  # a PIL.Image
        value = np.asarray(value.convert("RGB"))
    pixels = np.asarray(value)
    if pixels.dtype.kind in "ui" and pixels.ndim in (2, 3):
        pixels = pixels / np.iinfo(pixels.dtype).max
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] < 3 or 0 in pixels.shape or pixels.dtype.kind != "f":
        raise BadInput(
            "picture: give a path, a PIL image, a Picture, or an array of shape (height, width) or (height, width, 3) "
            "with integers or with numbers from 0 to 1."
        )
    pixels = pixels[:, :, :3].astype(np.float32)
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise BadInput("picture: the numbers of an array must lie between 0 and 1, or be integers.")
    return pixels


def _keep_sound(value: Any, folder: Path) -> Path:
    path = folder / _SOUND
    write_wav(path, value if isinstance(value, Clip) else _clip(value))
    return path


def _clip(value: Any) -> Clip:
    if not (isinstance(value, tuple) and len(value) == 2):
        raise BadInput("sound: give a path, a Clip, or a pair (samples, rate_hz).")
    samples, rate_hz = np.asarray(value[0]), value[1]
    if samples.dtype.kind in "ui":
        samples = samples / np.iinfo(samples.dtype).max
    if samples.ndim == 1:
        samples = samples[None]
    if samples.ndim == 2 and samples.shape[0] > samples.shape[1]:
        samples = samples.T  # (samples, channels), as soundfile gives them
    try:
        return Clip(np.ascontiguousarray(samples, np.float32), int(rate_hz))
    except (ValueError, TypeError) as error:
        raise BadInput(f"sound: {error}.") from error
