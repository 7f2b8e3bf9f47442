"""Sizes of a canvas: what the settings say, and what can be decoded and played. Loads nothing."""

from collections.abc import Sequence
from typing import Protocol

from eidophone.core.errors import BadInput
from eidophone.media.mel import MelSpec

CROP_PIXELS = 32
#: Latent columns that `--cutoff` drops.
CUTOFF_COLUMNS = 4


class SampleSettings(Protocol):
    """What these functions read of a run's completed settings."""

    @property
    def height(self) -> int:
        """Of the canvas, in pixels."""

    @property
    def width(self) -> int:
        """Of the canvas, in pixels."""

    @property
    def crop(self) -> bool:
        """Whether the right edge is dropped."""

    @property
    def count(self) -> int:
        """How many samples the run makes."""

    @property
    def batch_size(self) -> int | None:
        """How many are sampled at once; None: as the device allows."""

    @property
    def numbers(self) -> Sequence[int]:
        """Indices of the samples."""


def width_of(seconds: float, spec: MelSpec, factor: int, rows: int = 1, cut: int = 0) -> int:
    """The width of a canvas whose sound lasts about this long, in whole blocks of the VAE.

    Args:
        seconds: How long.
        spec: How many columns that is.
        factor: Pixels per latent cell.
        rows: How many mel pictures the canvas holds, one above the other; they play one after another.
        cut: Pixels that will be dropped on the right; they are added.

    >>> width_of(10, MelSpec(), 8), width_of(10, MelSpec(), 8, cut=32), width_of(0.001, MelSpec(), 8)
    (1000, 1032, 8)
    """
    blocks = round(seconds / (rows * spec.seconds(factor)))
    return max(1, blocks) * factor + -(-cut // factor) * factor


def check_size(
    height: int, width: int, factor: int, playable: int, player: str, cut: int = 0
) -> tuple[int, int]:
    """A canvas in pixels, if it can be decoded and played.

    Args:
        height, width: Of the canvas.
        factor: Pixels per latent cell.
        playable: The only height that can be played.
        player: Who plays it, for messages.
        cut: Pixels that will be dropped on the right.
    """
    plays = f"{player} plays pictures {playable} pixels high"
    for name, size, hint in (("--height", height, f", and {plays}"), ("--width", width, "")):
        if size % factor:
            near = sorted({max(factor, size // factor * factor), (size // factor + 1) * factor})
            raise BadInput(
                f"{name} {size}: the VAE works in blocks of {factor} pixels; "
                f"the nearest are {' and '.join(map(str, near))}{hint}."
            )
    if height != playable:
        raise BadInput(f"--height {height}: {plays}; leave out --height or use {playable}.")
    if width <= cut:
        flag = "--crop" if cut == CROP_PIXELS else "--cutoff"
        raise BadInput(f"--width {width}: {flag} drops {cut} pixels and nothing would be left; widen it.")
    return height, width
