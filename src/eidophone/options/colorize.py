"""Settings of colorize."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from eidophone.options.base import ModelName, PixelSolver, Scale, Steps, VocoderChoice, choose, text_of
from eidophone.options.shared import DrawOptions

_Name = Annotated[str, BeforeValidator(text_of)]


class ColorizeOptions(DrawOptions):
    """Colours for a picture that plays, whose sound stays (Factorized Diffusion, ECCV 2024)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture", "image_prompt"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "ddpm", "steps": 30, "upscale_steps": 30, "start_step": 7, "image_guidance": 10.0,
            "noise_level": 50, "known_gray": False,
        },
        "fast": {"solver": "ddim", "steps": 20, "upscale_steps": 10, "start_step": 0},
        "draft": {"solver": "ddim", "steps": 10, "upscale_steps": 5, "start_step": 0},
    }  # fmt: skip

    picture: Path = choose("folder of a result, or its picture")
    image_prompt: str = choose("what the colours show, such as 'a colorful photo of dogs'", default="")
    audio_prompt: str = choose("what it sounds like, for judges (default: as its recipe says)", default="")
    sound: Path | None = choose("the sound that stays (default: the result's own)", default=None)
    count: int = choose("pictures to colour", default=1, ge=1, le=1_000_000)
    image_model: ModelName = choose("card, folder or hub id of the first stage", default="tiny-pixel")
    upscaler: _Name = choose("card, folder or hub id of the second stage (default: the same)", default="")
    audio_model: _Name = choose(
        "whose mel picture it is and who plays it (default: as its recipe says, else tiny)", default=""
    )
    vocoder: VocoderChoice = choose("auto takes hifi-gan where the model has one", default="auto")
    solver: PixelSolver = choose("how the noise ladder is walked", default="ddim")
    steps: Steps = choose("denoising steps of the first stage", default=20)
    upscale_steps: Steps = choose("denoising steps of the second stage", default=10)
    start_step: int = choose("step at which the walks begin, from the noised grey picture", default=0, ge=0)
    image_guidance: Scale | None = choose("pull of the prompt (default: the models' own)", default=None)
    noise_level: int = choose(
        "timestep up to which the second stage sees the first one's picture noised", default=50, ge=0, le=999
    )
    known_gray: bool = choose(
        "take the grey part of the noise as what was put there, instead of estimating it", default=True
    )

    @model_validator(mode="after")
    def _some_steps_are_left(self) -> Self:
        if self.start_step >= (least := min(self.steps, self.upscale_steps)):
            raise ValueError(f"--start-step {self.start_step}: there are only {least} steps; lower it.")
        return self
