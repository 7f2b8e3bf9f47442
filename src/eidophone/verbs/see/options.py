"""Options of see."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import model_validator

from eidophone.options.kinds import ModelName, Options, setting


class SeeOptions(Options):
    """A sound, drawn as a mel picture."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})

    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset({"offline", "record"})

    sound: Path | None = setting("the sound to draw", default=None, group="prompts")
    record: float | None = setting(
        "record this many seconds from the microphone instead of reading a file (needs the extra microphone)",
        default=None, gt=0, le=600, allow_inf_nan=False, group="prompts", common=True,
    )  # fmt: skip
    audio_model: ModelName = setting(
        "model whose mel settings to use", default="tiny", group="models", common=True
    )
    start_s: float = setting(
        "where to begin, in seconds", default=0.0, ge=0, allow_inf_nan=False, group="sound", common=True
    )
    duration_s: float | None = setting(
        "how much to draw, in seconds (default: all)", default=None, gt=0, group="sound", common=True
    )
    normalize: bool = setting("raise the peak to 0.95 first", default=True, group="sound", common=True)
    offline: bool = setting("never download weights", default=False, group="machine")

    @model_validator(mode="after")
    def _one_sound(self) -> Self:
        if (self.sound is None) == (self.record is None):
            raise ValueError("Name a sound file, or record one with --record SECONDS; not both.")
        return self
