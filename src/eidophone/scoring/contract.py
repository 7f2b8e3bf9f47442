"""The contract of a judge: a subject goes in, named numbers come out."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Clip, Floats, Picture, Result, Score
from eidophone.media.mel import MelSpec


@dataclass(frozen=True)
class Subject:
    """A picture, a sound, and the prompts they were made for.

    Attributes:
        picture: As it is shown, in colour.
        gray: The channel that plays, shape (height, width). It has the shape of the spectrogram unless a view
            lies between.
        clip: The sound.
        image_prompt, audio_prompt: Empty if there is none.
        spectrogram: The mel picture that was played, shape (bands, columns); None if it is not known.
        mel_spec: How `spectrogram` was played; None if it is not known.
    """

    picture: Picture
    gray: Floats
    clip: Clip
    image_prompt: str = ""
    audio_prompt: str = ""
    spectrogram: Floats | None = None
    mel_spec: MelSpec | None = None


class Scorer(Protocol):
    """A judge: named numbers of one subject, which depend on that subject only."""

    @property
    def name(self) -> str:
        """The first part of the names of its numbers."""
        ...

    def __call__(self, subject: Subject) -> dict[str, float]:
        """Numbers by name; empty if the subject lacks what this judge needs, such as a prompt.

        Raises:
            EidophoneError: the subject has what it needs, but cannot be judged.
        """
        ...


def subject_of(result: Result) -> Subject:
    """A result as its judges see it."""
    same_shape = result.picture.pixels.shape[:2] == result.spectrogram.shape
    return Subject(
        picture=result.picture,
        gray=result.spectrogram if same_shape else result.picture.gray(),
        clip=result.clip,
        image_prompt=result.recipe.options.image_prompt,
        audio_prompt=result.recipe.options.audio_prompt,
        spectrogram=result.spectrogram,
        mel_spec=MelSpec.from_dict(result.recipe.mel_spec),
    )


def judged(subject: Subject, judges: Iterable[Scorer]) -> Score:
    """Asks every judge. One that fails, or returns NaN or infinity, is listed with the reason."""
    numbers: dict[str, float] = {}
    failed: dict[str, str] = {}
    for judge in judges:
        try:
            found = judge(subject)
        except EidophoneError as error:
            failed[judge.name] = str(error)
            continue
        for what, number in found.items():
            if math.isfinite(number):
                numbers[f"{judge.name}.{what}"] = number
            else:
                failed[f"{judge.name}.{what}"] = f"the result is {number}"
    return Score(numbers, failed)
