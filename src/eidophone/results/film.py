"""Another film of a finished result, for sharing: its frame, its speed, its cover and its captions as a track."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from eidophone.core.errors import BadInput
from eidophone.core.values import Picture, Result
from eidophone.media.files import write_text
from eidophone.media.picture import from_bytes, resize, write_png
from eidophone.media.video import Shape, make_stage, write_video
from eidophone.results.store import load

#: Height of the spectrogram below the picture, as a share of the picture's.
BELOW = 1 / 2


@dataclass(frozen=True)
class Film:
    """What a film shows.

    Attributes:
        fps: Frames per second, 1 to 120.
        shape: Of the frame; see `media.video.SHAPES`.
        spectrogram: Show the spectrogram below the picture.
        labels: Show the prompts as the publication labels them, "image prompt" and "audio prompt".
        cover: Also write the first frame as a picture.
        track: Also write the captions as a track, a WebVTT file.
    """

    fps: int = 60
    shape: Shape = "picture"
    spectrogram: bool = False
    labels: bool = False
    cover: bool = False
    track: bool = False

    def write(self, folder: Path, target: Path) -> list[Path]:
        """Writes the film of a result's folder, and what goes with it; returns the files.

        Raises:
            BadInput: the folder holds no finished result, or the target is not an MP4 file.
            CannotWrite: no space or no permission.
        """
        if target.suffix.lower() != ".mp4":
            raise BadInput(f"{target}: a film is an MP4 file; give it a name that ends in .mp4.")
        result = load(folder)
        shown, captions = self._shown(result), self._captions(result)
        write_video(target, shown, result.clip, captions=captions, fps=self.fps, shape=self.shape)
        written = [target]
        if self.cover:
            written.append(target.with_suffix(".png"))
            write_png(written[-1], from_bytes(make_stage(shown, captions, self.shape).pixels))
        if self.track:
            written.append(target.with_suffix(".vtt"))
            write_text(written[-1], track_of(result))
        return written

    def _shown(self, result: Result) -> Picture:
        """The picture, above its spectrogram where that is wanted or the picture's columns are not the sound's."""
        picture, below = result.picture, Picture.from_gray(result.spectrogram)
        if not self.spectrogram and picture.pixels.shape[:2] == result.spectrogram.shape:
            return picture
        height, width = picture.pixels.shape[:2]
        small = resize(below, max(1, round(BELOW * height)), width)
        return Picture(np.concatenate([picture.pixels, small.pixels]))

    def _captions(self, result: Result) -> tuple[str, ...]:
        options = result.recipe.options
        named = (("image prompt", options.image_prompt), ("audio prompt", options.audio_prompt))
        if self.labels and any(prompt for _, prompt in named):
            return tuple(f"{label}: {prompt}" for label, prompt in named if prompt)
        return tuple(caption for caption in result.captions if caption)


def track_of(result: Result) -> str:
    """A WebVTT track: each phrase of the caption while it is heard, else the captions all along."""
    end = result.clip.duration_s
    spoken = _spoken(result.facts.get("words"))
    cues = spoken or [(0.0, end, " / ".join(caption for caption in result.captions if caption))]
    shown = [
        f"{_clock(start)} --> {_clock(min(stop, end))}\n{text}" for start, stop, text in cues if start < end
    ]
    return "WEBVTT\n\n" + "\n\n".join(shown) + "\n"


def _spoken(words: Any) -> list[tuple[float, float, str]]:
    if not isinstance(words, list):
        return []
    timed = [word for word in words if word.get("end_s", 0) > word.get("start_s", 0)]
    phrases = groupby(timed, key=lambda word: (word["start_s"], word["end_s"], word["confidence"]))
    return [
        (start, stop, " ".join(str(word["text"]) for word in group)) for (start, stop, _), group in phrases
    ]


def _clock(seconds: float) -> str:
    """A time as WebVTT writes it.

    >>> _clock(3725.5)
    '01:02:05.500'
    """
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
