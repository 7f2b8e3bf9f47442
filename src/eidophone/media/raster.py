"""Pillow behind one door: which picture files are opened, how large they may be, how pixels become RGB.

Pillow chooses a reader by a file's content, and some readers start other programs (EPS starts Ghostscript)
or open other files. So only the raster formats in `FORMATS` are tried.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.core.values import Floats
from eidophone.media.files import cannot_read
from eidophone.media.gray import gray_from_raw, is_raw

T = TypeVar("T")
Warn = Callable[[str], None]

#: Pillow's names of the formats that are read. None of these readers starts a process or opens another file.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000")
MOST_PIXELS = 64_000_000  # 768 MB as float32 RGB; a larger picture is a mistake or an attack
USE_INSTEAD = "save it as PNG, JPEG, WebP or TIFF"
_DARK = 16 / 255  # a drawing darker than this is black ink
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_STDERR = 2
_stderr_lock = threading.Lock()

#: Formats that people may try, by the bytes at a place in the file.
_OTHERS = (
    (0, b"%!PS", "a PostScript or EPS drawing"),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\xd7\xcd\xc6\x9a", "a WMF drawing"),
    (0, b"\x01\x00\x09\x00", "a WMF drawing"),
    (40, b" EMF", "an EMF drawing"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"),
    (4, b"ftyphei", "a HEIC picture"),
    (4, b"ftyphev", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIF picture"),
    (4, b"ftypmsf1", "a HEIF picture"),
    (4, b"ftypcrx", "a raw camera picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"BLP", "a BLP texture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"\x1a\x45\xdf\xa3", "a film"),
    (4, b"ftyp", "a film"),
    (0, b"RIFF", "a sound or a film"),
    (0, b"OggS", "a sound"),
    (0, b"fLaC", "a sound"),
    (0, b"ID3", "a sound"),
)


def opened(path: Path, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the opened picture.

    Raises:
        BadInput: Not a picture, of another format, too large, or damaged.
        EidophoneError: The memory is too small for it.
    """
    try:
        with _quiet(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # An open file, so that Pillow opens nothing by name.
            with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
                check_size(image.height, image.width, str(path))
                return use(image)
    except BadInput:
        raise
    except _BOMB as error:
        raise too_large(str(path)) from error
    except UnidentifiedImageError as error:
        raise BadInput(_not_a_picture(path)) from error
    except MemoryError as error:
        raise EidophoneError(f"Out of memory while reading {path}; make the picture smaller.") from error
    except PermissionError as error:
        raise cannot_read(path, error) from error
    except Exception as error:  # Pillow's readers raise a dozen kinds for a damaged file
        raise BadInput(f"{path} is cut short or damaged; copy or download it again.") from error


def check_size(height: int, width: int, name: str) -> None:
    """Refuses a picture of more pixels than fit in memory.

    Raises:
        BadInput: It has more than `MOST_PIXELS` pixels.
    """
    if height * width > MOST_PIXELS:
        raise too_large(name)


def too_large(name: str) -> BadInput:
    """The message for a picture of too many pixels."""
    return BadInput(f"{name} has more than {MOST_PIXELS // 1_000_000} million pixels; make it smaller first.")


def pixels_of(image: Image.Image, name: str, warn: Warn) -> Floats:
    """A Pillow image as RGB, the right way up, on black where it is transparent.

    Args:
        image: Any mode.
        name: What messages call it.
        warn: Called with a sentence when something had to be assumed.

    Returns:
        float32 in [0, 1], shape (height, width, 3).
    """
    upright = ImageOps.exif_transpose(image)
    if is_raw(upright):
        gray, shown = gray_from_raw(upright, name, warn)
        rgb = np.repeat(gray[:, :, None], 3, axis=2)
        alpha = None if shown is None else shown.astype(np.float32)[:, :, None]
    elif upright.has_transparency_data:
        layers = np.asarray(upright.convert("RGBA"), np.float32) / np.float32(255)
        rgb, alpha = layers[:, :, :3], layers[:, :, 3:]
    else:
        rgb, alpha = np.asarray(upright.convert("RGB"), np.float32) / np.float32(255), None
    return rgb if alpha is None else on_ground(rgb, alpha, name, warn)


def on_ground(rgb: Floats, alpha: Floats, name: str, warn: Warn) -> Floats:
    """A transparent picture on black, or on white if it would vanish on black.

    Args:
        rgb: Shape (height, width, 3).
        alpha: Opacity, shape (height, width, 1).
        name: What messages call it.
        warn: Called with a sentence if white was used, or if nothing is opaque.
    """
    on_black = rgb * alpha
    if (rgb * (alpha > 0)).max() > _DARK or alpha.min() == 1:
        return on_black
    if alpha.max() == 0:
        warn(f"{name} is fully transparent, so it is read as black.")
        return on_black
    warn(f"{name} is a black drawing on a transparent ground, so it is read on white.")
    return on_black + (1 - alpha)


def _not_a_picture(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(512)
    kind = next((kind for at, mark, kind in _OTHERS if head[at:].startswith(mark)), None)
    if kind is None and b"<svg" in head:
        kind = "an SVG drawing"
    if kind is None:
        return f"{path} is not a picture that Eidophone can read; {USE_INSTEAD}."
    return f"{path} is {kind}, which Eidophone does not read as a picture; {USE_INSTEAD}."


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Silences libtiff, which prints warnings about private tags to stderr."""
    with path.open("rb") as file:
        is_tiff = file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    if not is_tiff:
        yield
        return
    with _stderr_lock:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(_STDERR)
        except OSError:  # stderr is closed
            yield
            return
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), _STDERR)
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
