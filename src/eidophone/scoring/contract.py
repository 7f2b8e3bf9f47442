"""The contract of a judge: a subject goes in, named numbers come out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from eidophone.core.errors import EidophoneError
from eidophone.core.values import Clip, Floats, Picture, Result, Score, Turn
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


def judged_views(result: Result, judges: Sequence[Scorer]) -> Score:
    """A result and each of its further views; the numbers of a view are named "judge.what@view"."""
    score = judged(subject_of(result), judges)
    numbers, failed = dict(score.numbers), dict(score.failed)
    for turn in result.turns:
        found = judged(_view_of(result, turn), judges)
        side = ".sounds" if turn.sound else ".looks"
        stem = turn.sound or turn.picture
        numbers |= {f"{name}@{stem}": value for name, value in found.numbers.items() if side in name}
        failed |= {f"{name}@{stem}": reason for name, reason in found.failed.items()}
    return Score(numbers, failed)


def _view_of(result: Result, turn: Turn) -> Subject:
    """A further view as judges see it: a picture with its prompt, or a sound with its prompt."""
    picture = result.extras[turn.picture]
    return Subject(
        picture=picture,
        gray=picture.gray(),
        clip=result.sounds[turn.sound] if turn.sound else result.clip,
        image_prompt="" if turn.sound else turn.prompt,
        audio_prompt=turn.prompt if turn.sound else "",
        spectrogram=picture.gray() if turn.sound else result.spectrogram,
        mel_spec=MelSpec.from_dict(result.recipe.mel_spec),
    )
