"""Scenes along time: what each stretch of a long canvas looks like and sounds like. Imports no torch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_TIME = r"(?:(?P<{0}_minutes>\d+):)?(?P<{0}>\d+(?:\.\d+)?)"
_SCENE = re.compile(rf"\s*{_TIME.format('start')}\s*-\s*{_TIME.format('end')}\s*:(?P<prompts>.*)", re.DOTALL)
#: Times closer than this are equal.
_EQUAL_S = 1e-6


@dataclass(frozen=True)
class Scene:
    """A stretch of time with prompts of its own.

    Attributes:
        start_s, end_s: In seconds from the beginning of the sound.
        image_prompt: What it looks like.
        audio_prompt: What it sounds like.
    """

    start_s: float
    end_s: float
    image_prompt: str
    audio_prompt: str


def scene_of(text: str) -> Scene:
    """Reads a scene.

    Raises:
        ValueError: it is not written as a scene; the message says what is wrong.

    >>> scene_of("0-8: a castle / bells")
    Scene(start_s=0.0, end_s=8.0, image_prompt='a castle', audio_prompt='bells')
    """
    found = _SCENE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is not a scene; write it as '0-8: a castle / bells', with times in seconds."
        )
    start, end = (float(found[name]) + 60 * int(found[f"{name}_minutes"] or 0) for name in ("start", "end"))
    if end <= start:
        raise ValueError(f"{text!r} ends before it begins; write the earlier time first.")
    image, slash, audio = found["prompts"].partition("/")
    if not slash or not (image.strip() or audio.strip()):
        raise ValueError(f"{text!r}: write what it looks like and what it sounds like, with / between them.")
    return Scene(start, end, image.strip(), audio.strip())


def scenes_of(texts: Sequence[str], fade_s: float) -> tuple[Scene, ...]:
    """Reads scenes that follow one another from 0 on.

    Args:
        texts: One for each scene.
        fade_s: How long they fade into each other.

    Raises:
        ValueError: a gap, an overlap, a wrong order, or a scene that is shorter than the fade.
    """
    scenes = tuple(scene_of(text) for text in texts)
    for one, following in pairwise(scenes):
        if following.start_s < one.start_s:
            raise ValueError(
                f"the scene at {following.start_s:g} s comes after the one at {one.start_s:g} s; sort them by time."
            )
    if scenes and scenes[0].start_s > _EQUAL_S:
        raise ValueError(f"the first scene begins at {scenes[0].start_s:g} s; let it begin at 0.")
    _check_neighbours(scenes)
    for scene in scenes:
        if len(scenes) > 1 and scene.end_s - scene.start_s < fade_s:
            length = scene.end_s - scene.start_s
            raise ValueError(
                f"the scene at {scene.start_s:g} s lasts {length:g} s; use a --fade of at most that."
            )
    return scenes


def _check_neighbours(scenes: Sequence[Scene]) -> None:
    """Refuses gaps and overlaps between scenes."""
    for one, following in pairwise(scenes):
        ends, begins = f"{one.end_s:g} s", f"{following.start_s:g} s"
        if following.start_s > one.end_s + _EQUAL_S:
            raise ValueError(
                f"there is a gap from {ends} to {begins}; let each scene begin where the last ends."
            )
        if following.start_s < one.end_s - _EQUAL_S:
            raise ValueError(
                f"two scenes overlap from {begins} to {ends}; let each begin where the last ends "
                "(--fade makes them overlap)."
            )


def joined(scenes: Sequence[Scene]) -> dict[str, str]:
    """One image prompt and one audio prompt for all scenes, for captions, judges and folder names."""
    return {
        name: ", ".join(dict.fromkeys(prompt for scene in scenes if (prompt := getattr(scene, name))))
        for name in ("image_prompt", "audio_prompt")
    }


def scene_shares(
    scenes: Sequence[Scene], columns: int, seconds: float, fade_s: float, cyclic: bool = False
) -> list[list[float]]:
    """How much each scene counts in each column: 1 inside, falling linearly across its ends; they sum to 1.

    Args:
        scenes: They fill the canvas, but for a rounding.
        columns: Of the canvas.
        seconds: How long the canvas plays.
        fade_s: How long two scenes overlap, half of it on either side of where they meet; 0: not at all.
        cyclic: The last scene fades into the first.

    Returns:
        For each scene, one number for each column.
    """
    moments = [(column + 0.5) * seconds / columns for column in range(columns)]
    found = []
    for number, scene in enumerate(scenes):
        begins = number > 0 or (cyclic and len(scenes) > 1)
        ends = number < len(scenes) - 1 or (cyclic and len(scenes) > 1)
        end_s = scene.end_s if number < len(scenes) - 1 else seconds
        found.append([_share(at, scene.start_s, end_s, fade_s, begins, ends, seconds) for at in moments])
    return found


def _share(
    at: float, start: float, end: float, fade: float, begins: bool, ends: bool, seconds: float
) -> float:
    """How much a scene counts at a moment; across the loop point it also counts a whole length earlier or later."""
    best = 0.0
    for moment in (at, at - seconds, at + seconds):
        rising = _ramp(moment - start, fade) if begins else float(moment >= start)
        falling = _ramp(end - moment, fade) if ends else float(moment <= end)
        best = max(best, min(rising, falling))
    return best


def _ramp(inside: float, fade: float) -> float:
    """From 0 to 1 over a fade that is centred where a scene begins."""
    return float(inside >= 0) if fade <= 0 else min(1.0, max(0.0, inside / fade + 0.5))
