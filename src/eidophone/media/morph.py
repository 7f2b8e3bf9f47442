"""A film in which a picture turns into its other views, and what each of them plays."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eidophone.core.values import Clip, Floats, Picture
from eidophone.media.lettering import caption_band, ground
from eidophone.media.picture import from_bytes, resize, to_bytes
from eidophone.media.video import (
    LEAST_WIDTH,
    MARGIN,
    MOST_HEIGHT,
    MOST_WIDTH,
    Bytes,
    Stage,
    drawn,
    even,
    write_frames,
    yuv,
)

#: How long a picture turns, and how long one without a sound is shown; seconds.
TURN_S, SHOWN_S = 1.5, 2.0


@dataclass(frozen=True)
class Scene:
    """One view of a picture.

    Attributes:
        picture: What it shows.
        clip: What it plays; None if nothing.
        caption: The line below it.
        places: Where its pixels come from, as row * width + column of the first scene's picture; int64,
            (height, width). None for the first scene.
    """

    picture: Picture
    clip: Clip | None
    caption: str
    places: NDArray[np.int64] | None = None


def write_morph(path: Path, scenes: Sequence[Scene], fps: int = 30) -> None:
    """Writes an MP4 video: the first scene, and from it to each of the others and back.

    A scene with a sound plays it, under a line that moves; one without is shown for 2 seconds. In between every
    pixel moves straight to its place, in 1.5 seconds.

    Args:
        path: The file, ending in .mp4.
        scenes: Two or more; the first has a sound.
        fps: Frames per second.

    Raises:
        CannotWrite, EidophoneError: as `media.video.write_video`.
    """
    first = scenes[0]
    if first.clip is None or len(scenes) < 2:
        raise ValueError("a morph needs a first scene with a sound, and another scene")
    frame = _Frame.of(scenes)
    films: list[Iterator[Bytes]] = [_still(frame, first, fps)]
    sounds = [_padded(first.clip.mono(), _frames(first, fps), first.clip.rate_hz, fps)]
    silence = _padded(np.zeros(1, np.float32), _turning(fps), first.clip.rate_hz, fps)
    for scene in scenes[1:]:
        films += [
            _turn(frame, first, scene, fps),
            _still(frame, scene, fps),
            _turn(frame, first, scene, fps, back=True),
        ]
        played = np.zeros(1, np.float32) if scene.clip is None else scene.clip.mono()
        sounds += [silence, _padded(played, _frames(scene, fps), first.clip.rate_hz, fps), silence]
    clip = Clip(np.concatenate(sounds)[None], first.clip.rate_hz)
    write_frames(path, frame.size, chain.from_iterable(films), clip, fps)


@dataclass(frozen=True)
class _Frame:
    """The ground that all scenes are shown on; all in pixels.

    Attributes:
        scale: Of the pictures.
        height, width: Room for the largest picture.
        below: Room for captions.
    """

    scale: float
    height: int
    width: int
    below: int

    @classmethod
    def of(cls, scenes: Sequence[Scene]) -> "_Frame":
        height = max(scene.picture.pixels.shape[0] for scene in scenes)
        width = max(scene.picture.pixels.shape[1] for scene in scenes)
        larger = max(1, math.ceil(LEAST_WIDTH / width))
        scale = larger * min(1.0, MOST_WIDTH / (larger * width), MOST_HEIGHT / (larger * height))
        wide = even(scale * width)
        below = max(MARGIN, *(len(_caption(scene.caption, wide)) for scene in scenes))
        return cls(scale, even(scale * height), wide, below)

    @property
    def size(self) -> tuple[int, int]:
        return (MARGIN + self.height + self.below + 1) // 2 * 2, self.width + 2 * MARGIN

    def stage(self, picture: Picture, caption: str) -> Stage:
        """The picture in the middle of its room, with its caption below."""
        height, width = picture.pixels.shape[:2]
        shown = resize(
            picture, min(self.height, even(self.scale * height)), min(self.width, even(self.scale * width))
        )
        height, width = shown.pixels.shape[:2]
        top = MARGIN + (self.height - height) // 4 * 2
        left = MARGIN + (self.width - width) // 4 * 2
        pixels = ground(*self.size)
        pixels[top : top + height, left : left + width] = to_bytes(shown)
        band = _caption(caption, self.width)
        under = MARGIN + self.height
        pixels[under : under + len(band), MARGIN : MARGIN + self.width] = band
        return Stage(pixels, left, top, width, height)


def _caption(text: str, width: int) -> Bytes:
    return caption_band((text,), width, size=max(16, round(width / 44)))


def _turning(fps: int) -> int:
    return round(TURN_S * fps)


def _frames(scene: Scene, fps: int) -> int:
    seconds = SHOWN_S if scene.clip is None else scene.clip.duration_s
    return max(1, math.ceil(seconds * fps - 1e-6))


def _padded(samples: Floats, frames: int, rate_hz: int, fps: int) -> Floats:
    """A sound with silence behind it, as long as its frames."""
    silence = np.zeros(max(0, round(frames * rate_hz / fps) - len(samples)), np.float32)
    return np.concatenate([samples, silence])


def _still(frame: _Frame, scene: Scene, fps: int) -> Iterator[Bytes]:
    """A scene while it plays."""
    stage, count = frame.stage(scene.picture, scene.caption), _frames(scene, fps)
    if scene.clip is not None:
        yield from drawn(stage, count, scene.clip.duration_s, fps)
        return
    planes = yuv(stage.pixels)
    for _ in range(count):
        yield planes


def _turn(frame: _Frame, first: Scene, scene: Scene, fps: int, back: bool = False) -> Iterator[Bytes]:
    """The first picture on its way into a scene's, or back."""
    count = _turning(fps)
    caption = first.caption if back else scene.caption
    for k in range(count):
        gone = (k + 0.5) / count
        moment = (1 - math.cos(math.pi * (1 - gone if back else gone))) / 2
        yield yuv(frame.stage(between(first.picture, scene, moment), caption).pixels)


def between(picture: Picture, scene: Scene, moment: float) -> Picture:
    """A picture on its way into a view: every pixel on a straight line between its two places.

    Where several pixels meet, their mean is seen; where none is, black.

    Args:
        picture: Where it starts, (height, width, 3).
        scene: Where it ends; its `places` are of that picture.
        moment: From 0, the start, to 1, the end.

    Returns:
        As high and wide as the larger of both; they share their centre.
    """
    assert scene.places is not None
    start, end = picture.pixels, scene.picture.pixels
    height, width = (max(a, b) for a, b in zip(start.shape[:2], end.shape[:2], strict=True))
    rows, columns = np.divmod(scene.places.ravel(), start.shape[1])
    to_rows, to_columns = np.divmod(np.arange(scene.places.size), end.shape[1])
    y = _on_the_way(rows, to_rows, start.shape[0], end.shape[0], height, moment)
    x = _on_the_way(columns, to_columns, start.shape[1], end.shape[1], width, moment)
    colours = (1 - moment) * start.reshape(-1, 3)[scene.places.ravel()] + moment * end.reshape(-1, 3)
    place = y * width + x
    met = np.bincount(place, minlength=height * width)
    sums = [np.bincount(place, colour, height * width) for colour in colours.T]
    mean = np.stack(sums, 1) / np.maximum(met, 1)[:, None]
    return Picture(mean.reshape(height, width, 3).astype(np.float32).clip(0, 1))


def _on_the_way(
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    from_size: int,
    to_size: int,
    size: int,
    moment: float,
) -> NDArray[np.int64]:
    """Coordinates in a room of `size`, in which both pictures are centred."""
    start, end = before + (size - from_size) // 2, after + (size - to_size) // 2
    found: NDArray[np.int64] = np.floor((1 - moment) * start + moment * end + 0.5).astype(np.int64)
    return found


def scene_of(
    picture: Picture, clip: Clip | None, caption: str, places: NDArray[np.int64] | None = None
) -> Scene:
    """A scene of what a PNG holds: 8 bits a value, so that the same files make the same film."""
    return Scene(from_bytes(to_bytes(picture)), clip, caption, places)
