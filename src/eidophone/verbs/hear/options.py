"""Settings of hear."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from eidophone.options.kinds import Options, Threads, VocoderChoice, setting, text_of


class HearOptions(Options):
    """A spectrogram picture, played."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture"})

    picture: Path = setting("the picture to play")
    audio_model: Annotated[str, BeforeValidator(text_of)] = setting(
        "whose mel picture it is and who plays it (default: as its recipe says, else tiny)", default=""
    )
    threads: Threads | None = setting("processor threads (default: as many as there are cores)", default=None)
    vocoder: VocoderChoice = setting("auto takes hifi-gan where the model has one", default="auto")
    invert: bool = setting("dark is loud", default=False)
    offline: bool = setting("never ask a hub for weights", default=False)
