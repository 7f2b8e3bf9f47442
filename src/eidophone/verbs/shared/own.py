"""The user's own picture and sound, read as grey canvases."""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.errors import BadInput
from eidophone.core.events import Reporter
from eidophone.core.values import Floats
from eidophone.media.audio import cancelled_channels, peak_normalize, read_sound, resample
from eidophone.media.fitting import Fitted, fitted, toned
from eidophone.media.mel import MelSpec
from eidophone.media.picture import read_picture
from eidophone.media.spectrogram import gray_from_clip
from eidophone.options.own import PictureOptions

#: Share of a picture or a sound that may be lost without a warning.
NEGLIGIBLE = 0.02
#: A canvas whose lightest pixel is darker than this cannot be heard.
BLACK = 0.02
#: A larger share of the canvas that a sound leaves empty is said.
UNFILLED = 0.1
#: A picture that fills less of the canvas' width than this is said to be small.
SMALL = 0.25
#: The part of a loop over which the end of the user's material fades into its beginning.
FOLDED = 1 / 16
#: The narrowest and the widest canvas that a sound asks for by itself.
MIN_COLUMNS, WIDEST = 8, 65_536


def fitted_file(path: Path, options: PictureOptions, height: int, width: int, report: Reporter) -> Fitted:
    """A picture file on a canvas; says what is cropped.

    Raises:
        BadInput: it cannot be read.
    """
    found = fitted(read_picture(path, warn=report.warn), height, width, options.fit)
    if found.lost > NEGLIGIBLE:
        report.warn(
            f"{path.name}: its middle fills the canvas, and {found.lost:.0%} of the picture is cropped; "
            "use --fit contain to keep all of it."
        )
    covered = float(found.inside.any(0).mean())
    if covered < SMALL:
        report.warn(
            f"{path.name}: spans {covered:.0%} of the canvas; --fit cover and --fit stretch fill all of it."
        )
    return found


def folded(gray: Tensor, width: int) -> Tensor:
    """The first `width` columns, with what lies beyond faded into the beginning, so that the end meets it.

    >>> folded(torch.arange(6.0)[None], 4)[0].tolist()
    [4.0, 3.0, 2.0, 3.0]
    """
    beyond = gray.shape[-1] - width
    found = gray[..., :width].clone()
    if beyond > 0:
        share = torch.linspace(0, 1, beyond + 1, dtype=gray.dtype)[:-1]
        found[..., :beyond] = share * gray[..., :beyond] + (1 - share) * gray[..., width:]
    return found


def toned_file(
    path: Path, options: PictureOptions, height: int, width: int, report: Reporter
) -> tuple[Floats, Fitted]:
    """The tones of a picture file on a canvas, (height, width) in [0, 1], and where it lies.

    Raises:
        BadInput: it cannot be read, or is black.
    """
    found = fitted_file(path, options, height, width, report)
    gray = toned(
        found.picture.gray(),
        found.inside,
        levels=options.levels,
        brightness=options.brightness,
        contrast=options.contrast,
        gamma=options.gamma,
    )
    if float(gray.max()) < BLACK:
        raise BadInput(
            f"{path}: is black on the canvas, so nothing of it would be heard; raise --brightness."
        )
    return gray, found


def width_for(path: Path, spec: MelSpec, factor: int, cut: int, rows: int = 1) -> int:
    """The width of a canvas that holds a sound file whole, or as much of it as the widest canvas can.

    Args:
        path: The sound file.
        spec: How many columns that is.
        factor: Pixels per latent cell.
        cut: Pixels that will be dropped on the right.
        rows: How many mel pictures the canvas holds, one above the other.

    Raises:
        BadInput: it cannot be read.
    """
    clip = read_sound(path, duration_s=spec.seconds(WIDEST))
    columns = math.ceil(clip.duration_s * spec.rate_hz / spec.hop_length / rows) + cut
    return min(WIDEST // factor, math.ceil(max(columns, MIN_COLUMNS) / factor)) * factor


def mel_picture_of(path: Path, spec: MelSpec, width: int, report: Reporter) -> Floats:
    """The first `width` columns of a sound file's mel picture, silence after its end.

    Raises:
        BadInput: it cannot be read.
    """
    fits_s = spec.seconds(width)
    clip = read_sound(path, duration_s=fits_s + 0.5)
    if clip.duration_s > fits_s * (1 + NEGLIGIBLE):
        report.warn(
            f"{path.name}: the canvas holds its first {fits_s:.2f} seconds, and the rest is cut; "
            "raise --width to keep more."
        )
    if clip.duration_s < fits_s * (1 - UNFILLED):
        report.warn(
            f"{path.name}: lasts {clip.duration_s:.2f} seconds; the rest of the {fits_s:.2f} seconds has no sound "
            "of its own."
        )
    if (warning := cancelled_channels(clip, path.name)) is not None:
        report.warn(warning)
    if len(clip.samples) > 1 or clip.rate_hz > spec.rate_hz:
        channels = f" and {len(clip.samples)} channels" if len(clip.samples) > 1 else ""
        report.warn(
            f"{path.name}: has {clip.rate_hz} Hz{channels}; the result is made anew from the mel picture, at "
            f"{spec.rate_hz} Hz in one channel."
        )
    gray = gray_from_clip(peak_normalize(resample(clip, spec.rate_hz)), spec)[:, :width]
    padded: Floats = F.pad(torch.from_numpy(gray.copy()), (0, width - gray.shape[1])).numpy()
    return padded
