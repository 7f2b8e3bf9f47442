"""Is the drawing made of the sound? Two measures that a drawing beside a sound does not pass.

Coverage says how much of the canvas the drawing spans. "Same place" cuts out the part of the canvas in which
the drawing is seen and asks whether that part alone still sounds like what was asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eidophone.core.values import Clip, Floats
from eidophone.scoring.windows import starts

#: Widths of the windows that are looked at, narrowest first, as shares of the canvas.
SHARES = (0.25, 0.375, 0.5, 0.75, 1.0)
#: A drawing that is recognised only in wider windows than this has no known place.
WIDEST_PLACED = 0.5
#: Windows begin this share of the canvas apart.
STRIDE = 1 / 16
#: A part of a sound that is shorter is repeated until it is this long, in seconds.
SHORTEST_S = 3.0
#: Fade at both ends of a part that was cut out, so that the cut does not click, in seconds.
FADE_S = 0.005

#: How surely each of some pictures, (count, height, width) in [0, 1], shows the thing: above 0 where it is
#: seen, 0 where it is not. Returns one number for each picture.
Eye = Callable[[Floats], Floats]
#: How surely a sound is what was asked for, likewise.
Ear = Callable[[Clip], float]


@dataclass(frozen=True)
class Place:
    """Where a drawing is seen, in columns of the canvas, and what that part sounds like.

    Attributes:
        columns: The narrowest window in which the thing is seen, the surest of its width.
        heard: How surely the part of the sound that it plays is what was asked for; 0 where it is not heard.
    """

    columns: slice
    heard: float


@dataclass(frozen=True)
class Sighting:
    """The windows of one width and how surely the thing is seen in each.

    Attributes:
        share: Width of the windows as a share of the canvas.
        begins: First column of each window.
        width: Columns of a window.
        sure: One number for each window, 0 where the thing is not seen.
    """

    share: float
    begins: tuple[int, ...]
    width: int
    sure: Floats


def look(gray: Floats, eye: Eye) -> Sighting | None:
    """The narrowest windows in which the thing is seen at all; None if it is not seen in the whole either.

    Args:
        gray: The canvas that plays, (height, width) in [0, 1].
        eye: Who looks.
    """
    columns = gray.shape[1]
    for share in SHARES:
        width = max(1, round(share * columns))
        begins = starts(columns, width, max(1, round(STRIDE * columns)))
        windows = np.stack([gray[:, first : first + width] for first in begins])
        sure = np.asarray(eye(windows), np.float32)
        if sure.max() > 0:
            return Sighting(share, tuple(begins), width, sure)
    return None


def coverage(sighting: Sighting | None, columns: int) -> float:
    """Share of the columns that the drawing spans, in [0, 1].

    A column counts where the thing is seen in at least half of the windows that contain it. A drawing that is
    only seen in windows wider than `WIDEST_PLACED` has no known place and counts as 0.

    Args:
        sighting: From `look`.
        columns: Of the canvas.
    """
    if sighting is None or sighting.share > WIDEST_PLACED:
        return 0.0
    seen, looked = np.zeros(columns), np.zeros(columns)
    for first, sure in zip(sighting.begins, sighting.sure, strict=True):
        looked[first : first + sighting.width] += 1
        seen[first : first + sighting.width] += sure > 0
    return float(np.mean(seen * 2 >= looked))


def same_place(sighting: Sighting | None, clip: Clip, columns: int, ear: Ear) -> Place | None:
    """Where the drawing is seen, and whether that part of the sound alone is what was asked for.

    Args:
        sighting: From `look`; None gives None.
        clip: The sound of the whole canvas.
        columns: Of the canvas.
        ear: Who listens.
    """
    if sighting is None:
        return None
    first = sighting.begins[int(sighting.sure.argmax())]
    where = slice(first, first + sighting.width)
    return Place(where, float(ear(cut_out(clip, where, columns))))


def cut_out(clip: Clip, where: slice, columns: int) -> Clip:
    """The part of a sound that some columns play, faded at its ends, repeated to `SHORTEST_S` if shorter."""
    frames = clip.samples.shape[1]
    first, beyond = (round(frames * column / columns) for column in (where.start, where.stop))
    part = clip.samples[:, first : max(beyond, first + 1)].copy()
    fade = min(round(FADE_S * clip.rate_hz), part.shape[1] // 2)
    if fade:
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        part[:, :fade] *= ramp
        part[:, -fade:] *= ramp[::-1]
    wanted = round(SHORTEST_S * clip.rate_hz)
    turns = max(1, -(-wanted // part.shape[1]))
    repeated = np.tile(part, turns)
    return Clip(repeated[:, : max(wanted, part.shape[1])], clip.rate_hz)
