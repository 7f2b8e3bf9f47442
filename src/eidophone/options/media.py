"""Settings of the verbs that read a picture or a sound: hear, see, caption, data mix."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from eidophone.options.base import (
    Decibels,
    ModelName,
    Options,
    Threads,
    VocoderChoice,
    choose,
    text_of,
)
from eidophone.options.shared import PlaceOptions


class HearOptions(Options):
    """A spectrogram picture, played."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture"})

    picture: Path = choose("the picture to play")
    audio_model: Annotated[str, BeforeValidator(text_of)] = choose(
        "whose mel picture it is and who plays it (default: as its recipe says, else tiny)", default=""
    )
    threads: Threads | None = choose("processor threads (default: as many as there are cores)", default=None)
    vocoder: VocoderChoice = choose("auto takes hifi-gan where the model has one", default="auto")
    invert: bool = choose("dark is loud", default=False)
    offline: bool = choose("never ask a hub for weights", default=False)


class SeeOptions(Options):
    """A sound, drawn as a mel picture."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})

    sound: Path = choose("the sound to draw")
    audio_model: ModelName = choose("whose mel picture to draw", default="tiny")
    start_s: float = choose("where to begin, in seconds", default=0.0, ge=0, allow_inf_nan=False)
    duration_s: float | None = choose("how much to draw, in seconds (default: all)", default=None, gt=0)
    normalize: bool = choose("raise the peak to 0.95 first", default=True)
    offline: bool = choose("never ask a hub for weights", default=False)


class CaptionOptions(PlaceOptions):
    """What can be heard in a sound."""

    captioner: ModelName = choose("card, folder, checkpoint file or hub id that listens", default="tiny")


class MixOptions(Options):
    """Mixtures of two recordings of different classes (Images from In-the-wild Sounds, section 4)."""

    count: int = choose("mixtures to make", default=100, ge=1, le=1_000_000)
    seed: int = choose("mixture i is drawn from seed + i", default=1000, ge=0, le=2**62)
    fold: int | None = choose("only recordings of this fold (default: all)", default=None, ge=1)
    lowest_db: Decibels = choose("how much louder the first one is, at least", default=0.0)
    highest_db: Decibels = choose("and at most; drawn evenly between", default=0.0)

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.lowest_db > self.highest_db:
            raise ValueError(
                f"--lowest-db {self.lowest_db:g}: is above --highest-db {self.highest_db:g}; exchange them."
            )
        return self
