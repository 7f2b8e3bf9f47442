"""Picture files and other values to `Picture` and back, and pictures at other sizes.

`raster` decides which formats are opened. Written is one format: 8-bit RGB PNG, which can carry its recipe as
text. Colour profiles are not applied.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Floats, Picture
from eidophone.media.files import check_readable, write_atomically
from eidophone.media.raster import MOST_PIXELS, Warn, check_size, on_ground, opened, pixels_of

#: Shrinking by more than this is done in two steps: Lanczos' table grows with the factor.
_STEEPEST = 64
_WHITE = {"uint8": 255, "uint16": 65535, "bool": 1}


def _ignore(_message: str) -> None:
    """Drops a warning."""


def read_picture(path: Path, *, warn: Warn = _ignore) -> Picture:
    """Reads a picture file: the first frame, the right way up, on black where it is transparent.

    Grey becomes three equal channels. 8-bit values are divided by 255, 16-bit grey ones by 65535 (Pillow
    reads 16-bit colour as 8-bit). 32-bit and floating-point grey is scaled as `gray.gray_from_raw` says. A
    black drawing on a transparent ground is put on white.

    Args:
        path: The file.
        warn: Called with a sentence when something had to be assumed about the values or the ground.

    Raises:
        BadInput: Missing, a folder, empty, not a picture, of a format that is not read, damaged or cut
            short, or of more than 64 million pixels.
    """
    check_readable(path, "a picture")
    return Picture(opened(path, lambda image: pixels_of(image, str(path), warn)))


def write_png(path: Path, picture: Picture, *, text: Mapping[str, str] | None = None) -> None:
    """Writes an 8-bit RGB PNG, each value rounded to the nearest step. The same picture makes the same bytes.

    Args:
        path: The file; missing folders are made.
        picture: The picture.
        text: Text to store in the file, by keyword (1 to 79 Latin letters); beyond Latin-1 as iTXt.

    Raises:
        CannotWrite: No space or no permission.
    """
    info = PngImagePlugin.PngInfo()
    for keyword, words in (text or {}).items():
        info.add_text(keyword, words)
    image = to_image(picture)
    write_atomically(path, lambda draft: image.save(draft, "PNG", pnginfo=info, compress_level=6))


def read_png_text(path: Path) -> dict[str, str]:
    """The text stored inside a PNG, by keyword; empty if there is none.

    Raises:
        BadInput: Missing, damaged, or not a PNG.
    """
    check_readable(path, "a picture")

    def _words(image: Image.Image) -> dict[str, str]:
        if not isinstance(image, PngImagePlugin.PngImageFile):
            raise BadInput(f"{path} is not a PNG file; name a WAV or PNG file that Eidophone made.")
        return {str(keyword): str(value) for keyword, value in image.text.items()}

    return opened(path, _words)


def picture_from(value: Any, *, warn: Warn = _ignore) -> Picture:
    """A picture from what people have at hand.

    Args:
        value: A `Picture`, the path of a file, a Pillow image, or a numpy array of shape (height, width),
            (height, width, 3) or (height, width, 4): uint8, uint16, bool, or floats from 0 to 1. A fourth
            channel is opacity, on a black ground.
        warn: As in `read_picture`.

    Raises:
        BadInput: Anything else, or a file that cannot be read.
    """
    if isinstance(value, Picture):
        return value
    if isinstance(value, str | os.PathLike):
        return read_picture(Path(value), warn=warn)
    if isinstance(value, Image.Image):
        return _from_image(value, warn)
    if isinstance(value, np.ndarray):
        return _from_array(value, warn)
    raise BadInput(
        f"A picture cannot be made from {type(value).__name__}; give a path, a Pillow image, a Picture, "
        "or a numpy array of shape (height, width, 3)."
    )


def to_image(picture: Picture) -> Image.Image:
    """The picture as an 8-bit RGB Pillow image."""
    return Image.fromarray(to_bytes(picture), "RGB")


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Pixels as 8-bit values, rounded to nearest, shape (height, width, 3)."""
    rounded: NDArray[np.uint8] = np.floor(picture.pixels * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded


def from_bytes(pixels: NDArray[np.uint8]) -> Picture:
    """The picture of 8-bit RGB values of shape (height, width, 3); the inverse of `to_bytes`."""
    return Picture(pixels.astype(np.float32) / np.float32(255))


def resize(picture: Picture, height: int, width: int) -> Picture:
    """The picture at another size in pixels, by Lanczos: antialiased when smaller, smooth when larger.

    Raises:
        BadInput: The new size is over the limit of 64 million pixels.
    """
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1; got {height} x {width}")
    old_height, old_width = picture.pixels.shape[:2]
    if (old_height, old_width) == (height, width):
        return picture
    if height * width > MOST_PIXELS:
        raise BadInput(
            f"A picture of {old_width} x {old_height} pixels (width x height) cannot be scaled to "
            f"{width} x {height}: more than {MOST_PIXELS // 1_000_000} million pixels; cut it first."
        )
    # An extreme reduction first averages whole blocks, else its filter would need gigabytes.
    steep = old_height > _STEEPEST * height or old_width > _STEEPEST * width
    channels = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(picture.pixels[:, :, i])).resize(
                (width, height), Image.Resampling.LANCZOS, reducing_gap=_STEEPEST / 2 if steep else None
            )
        )
        for i in range(3)
    ]
    return Picture(np.clip(np.stack(channels, axis=2), 0, 1))


def fit_height(picture: Picture, height: int) -> Picture:
    """The picture at another height in pixels; the width follows and is at least 1.

    Raises:
        BadInput: As `resize`.
    """
    old_height, old_width = picture.pixels.shape[:2]
    return resize(picture, height, max(1, round(old_width * height / old_height)))


def _from_image(image: Image.Image, warn: Warn) -> Picture:
    check_size(image.height, image.width, "The picture")
    try:
        return Picture(pixels_of(image, "The picture", warn))
    except EidophoneError:
        raise
    except Exception as error:  # a lazily opened file that is damaged or closed by now
        raise BadInput(f"The Pillow image cannot be decoded ({error}); open it again.") from error


def _from_array(array: NDArray[Any], warn: Warn) -> Picture:
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise BadInput(
            f"A numpy array of shape {array.shape} is not a picture; give (height, width), "
            "(height, width, 3) or (height, width, 4)."
        )
    check_size(array.shape[0], array.shape[1], "The picture")
    values = _unit_range(array if array.ndim == 3 else array[:, :, None])
    if values.shape[2] == 4:
        return Picture(on_ground(values[:, :, :3], values[:, :, 3:], "The picture", warn))
    return Picture(np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3))))


def _unit_range(array: NDArray[Any]) -> Floats:
    if array.dtype.name in _WHITE:
        return (array / np.float32(_WHITE[array.dtype.name])).astype(np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise BadInput(f"A picture of {array.dtype} values has no known white; convert it to uint8 or float.")
    if not (np.isfinite(array).all() and array.min() >= -1e-6 and array.max() <= 1 + 1e-6):
        raise BadInput(
            f"The picture's floats range from {array.min():g} to {array.max():g}; scale them to 0 (black) "
            "to 1 (white)."
        )
    clipped: Floats = np.clip(array, 0, 1).astype(np.float32)
    return clipped
