"""The verbs as functions, on a default session that keeps the models it has loaded.

>>> import eidophone
>>> eidophone.compose("castle", "bell", steps=0)
Traceback (most recent call last):
    ...
eidophone.core.errors.BadInput: --steps, denoising steps, should be greater than or equal to 1; got 0.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from eidophone.arguments import (
    CaptionArguments,
    ColorizeArguments,
    ComposeArguments,
    DistillArguments,
    HearArguments,
    ImprintArguments,
    PaintArguments,
    ScoreArguments,
    SeeArguments,
)
from eidophone.core.values import Caption, Result, Score
from eidophone.results.store import load
from eidophone.running import Pair
from eidophone.session import Session

__all__ = [
    "caption", "colorize", "compose", "default_session", "distill", "hear", "imprint", "load", "paint", "remake",
    "score", "see",
]  # fmt: skip

#: Bytes of weights that the default session keeps.
MEMORY_LIMIT = 8 << 30


@functools.cache
def default_session() -> Session:
    """The session that the functions of this module share; `close` gives its models back."""
    return Session(memory_limit=MEMORY_LIMIT)


def compose(
    image_prompt: str | None = None,
    audio_prompt: str | None = None,
    *,
    prompts: Sequence[Pair] | None = None,
    **options: Unpack[ComposeArguments],
) -> list[Result]:
    """Pictures that play: one latent, denoised by an image and an audio model.

    See `Session.compose`; this returns all results at once.
    """
    return list(default_session().compose(image_prompt, audio_prompt, prompts=prompts, **options))


def imprint(
    image_prompt: str = "",
    audio_prompt: str = "",
    **options: Unpack[ImprintArguments],
) -> list[Result]:
    """Pictures pressed into spectrograms; see `Session.imprint`."""
    return list(default_session().imprint(image_prompt, audio_prompt, **options))


def colorize(
    picture: Any,
    image_prompt: str,
    **options: Unpack[ColorizeArguments],
) -> list[Result]:
    """Colours for a picture that plays; see `Session.colorize`."""
    return list(default_session().colorize(picture, image_prompt, **options))


def distill(
    image_prompt: str = "",
    audio_prompt: str = "",
    **options: Unpack[DistillArguments],
) -> list[Result]:
    """Pictures optimised until both models like them; see `Session.distill`."""
    return list(default_session().distill(image_prompt, audio_prompt, **options))


def paint(
    sound: Any,
    **options: Unpack[PaintArguments],
) -> list[Result]:
    """Pictures of a recorded sound; see `Session.paint`."""
    return list(default_session().paint(sound, **options))


def hear(
    picture: Any,
    **options: Unpack[HearArguments],
) -> Result:
    """Plays a picture; see `Session.hear`."""
    return default_session().hear(picture, **options)


def see(
    sound: Any = None,
    **options: Unpack[SeeArguments],
) -> Result:
    """Draws a sound as a mel picture; see `Session.see`."""
    return default_session().see(sound, **options)


def remake(
    path: str | Path,
    **changes: Any,
) -> Result:
    """Makes a result again from its PNG, WAV or folder; see `Session.remake`."""
    return default_session().remake(path, **changes)


def score(path: str | Path, sound: str | Path | None = None, **options: Unpack[ScoreArguments]) -> Score:
    """What judges say of a result's folder, or of a picture and a sound; see `Session.score`."""
    return default_session().score(path, sound, **options)


def caption(sound: str | Path, **options: Unpack[CaptionArguments]) -> Caption:
    """What can be heard in a sound file of any length; see `Session.caption`."""
    return default_session().caption(sound, **options)
