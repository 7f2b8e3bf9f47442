"""Options of hear."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from eidophone.options.kinds import Options, Threads, VocoderChoice, setting, text_of


class HearOptions(Options):
    """A spectrogram picture, played."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture"})

    picture: Path = setting("the picture to play", group="prompts")
    audio_model: Annotated[str, BeforeValidator(text_of)] = setting(
        "model whose mel settings and vocoder play it (default: as its recipe says, else tiny)",
        default="", group="models", common=True,
    )  # fmt: skip
    vocoder: VocoderChoice = setting(
        "auto takes HiFi-GAN where the model has one, else Griffin-Lim",
        default="auto", group="sound", common=True,
    )  # fmt: skip
    loop: bool = setting(
        "let the sound's end meet its beginning, for a picture whose edges meet", default=False, group="sound"
    )
    invert: bool = setting("dark is loud", default=False, group="sound", common=True)
    midi: bool = setting(
        "also write the picture's notes as a MIDI file, notes.mid (needs the extra midi)",
        default=False, group="sound", common=True,
    )  # fmt: skip
    threads: Threads | None = setting(
        "processor threads (default: one for each core)", default=None, group="machine"
    )
    offline: bool = setting("never download weights", default=False, group="machine")
