"""What a judge is, and what it is shown."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Clip, Floats, Picture, Result, Score
from eidophone.media.mel import MelSpec


@dataclass(frozen=True)
class Subject:
    """What is judged: a picture, a sound, and what both were meant to be.

    Attributes:
        picture: As it is shown, in colour.
        gray: The channel that plays, shape (height, width); of another shape than what plays only where a
            view lies between.
        clip: The sound.
        image_prompt, audio_prompt: What was asked for; empty if nothing was.
        spectrogram: What was played, shape (bands, columns); None if it is not known.
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
    """A judge: named numbers of one subject, which depend on that subject and on nothing else."""

    @property
    def name(self) -> str:
        """What its numbers begin with."""
        ...

    def __call__(self, subject: Subject) -> dict[str, float]:
        """Numbers by what they say; empty if the subject gives it nothing to judge.

        Raises:
            EidophoneError: it could judge, but not this.
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
    """Asks every judge; one that fails, or says something that is no number, is named with its reason."""
    numbers: dict[str, float] = {}
    failed: dict[str, str] = {}
    for judge in judges:
        try:
            said = judge(subject)
        except EidophoneError as error:
            failed[judge.name] = str(error)
            continue
        for what, number in said.items():
            if math.isfinite(number):
                numbers[f"{judge.name}.{what}"] = number
            else:
                failed[f"{judge.name}.{what}"] = f"came out as {number}"
    return Score(numbers, failed)
