"""Options of see."""

from pathlib import Path
from typing import ClassVar

from eidophone.options.kinds import ModelName, Options, setting


class SeeOptions(Options):
    """A sound, drawn as a mel picture."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})

    sound: Path = setting("the sound to draw", group="prompts")
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
