"""Settings of see."""

from pathlib import Path
from typing import ClassVar

from eidophone.options.kinds import ModelName, Options, setting


class SeeOptions(Options):
    """A sound, drawn as a mel picture."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})

    sound: Path = setting("the sound to draw")
    audio_model: ModelName = setting("whose mel picture to draw", default="tiny")
    start_s: float = setting("where to begin, in seconds", default=0.0, ge=0, allow_inf_nan=False)
    duration_s: float | None = setting("how much to draw, in seconds (default: all)", default=None, gt=0)
    normalize: bool = setting("raise the peak to 0.95 first", default=True)
    offline: bool = setting("never ask a hub for weights", default=False)
