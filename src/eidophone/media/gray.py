"""Grey pictures of more than 8 bits or of floating-point values, as grey values from 0 to 1."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eidophone.core.errors import BadInput
from eidophone.core.values import Floats

_OVERSHOOT = 0.01  # resampling may leave the range by this much
_SAMPLE_FORMAT, _UNSIGNED = 339, 1  # a TIFF tag and its value


def is_raw(image: Image.Image) -> bool:
    """Whether the image is grey with more than 8 bits a pixel."""
    return image.mode == "F" or image.mode.startswith("I")


def gray_from_raw(
    image: Image.Image, name: str, warn: Callable[[str], None]
) -> tuple[Floats, NDArray[np.bool_] | None]:
    """Grey values of a 16-bit, 32-bit or floating-point image.

    16-bit values are divided by 65535. The white of other kinds is not stated in the file, so it follows
    from the values: floats from 0 to 1 stay as they are; whole numbers up to 255 or 65535 are divided
    by that; anything else (decibels, elevations) is stretched so that the lowest value is black and the
    highest white.

    Args:
        image: Of mode I, I;16 (any byte order) or F.
        name: What messages call it.
        warn: Called with a sentence if the values were stretched.

    Returns:
        Grey values in [0, 1], float32 of shape (height, width), and which pixels are opaque (None: all).

    Raises:
        BadInput: Values that are not finite, or all equal and outside 0 to 1.
    """
    values = _values(image)
    key = image.info.get("transparency")
    opaque = values != key if isinstance(key, int) else None
    if image.mode.startswith("I;16") or (image.format == "PPM" and image.mode == "I"):
        # Pillow scales every PGM of more than 8 bits to 16 bits.
        return (values / np.float32(65535)).astype(np.float32), opaque
    if not np.isfinite(values).all():
        raise BadInput(f"{name} holds values that are not finite numbers (NaN or infinity); export it again.")
    return _scaled(values.astype(np.float64), image.mode == "F", name, warn), opaque


def _values(image: Image.Image) -> NDArray[Any]:
    values: NDArray[Any] = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (None,)) in (_UNSIGNED, (_UNSIGNED,)):
        return values.view(np.uint32)
    return values


def _scaled(values: NDArray[np.float64], is_float: bool, name: str, warn: Callable[[str], None]) -> Floats:
    low, high = float(values.min()), float(values.max())
    if is_float and low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        return np.clip(values, 0, 1).astype(np.float32)
    if low >= 0 and high <= 65535 and np.array_equal(values, np.rint(values)):
        return (values / (255 if high <= 255 else 65535)).astype(np.float32)
    if low == high:
        raise BadInput(f"{name} holds the value {low:g} everywhere; scale its values to 0 to 1.")
    warn(f"{name} holds values from {low:g} to {high:g}; the lowest is read as black, the highest as white.")
    return ((values - low) / (high - low)).astype(np.float32)
