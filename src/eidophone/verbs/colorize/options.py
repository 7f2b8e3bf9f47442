"""Settings of colorize."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from eidophone.options.groups import DrawOptions
from eidophone.options.kinds import ModelName, Scale, Steps, VocoderChoice, setting, text_of
from eidophone.options.samplers import PixelSampler

_Name = Annotated[str, BeforeValidator(text_of)]


class ColorizeOptions(DrawOptions):
    """Colours for a picture that plays, whose sound stays (Factorized Diffusion, ECCV 2024)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture", "image_prompt", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "sampler": "ddpm", "steps": 30, "upscale_steps": 30, "start_step": 7, "image_guidance": 10.0,
            "noise_level": 50, "known_gray": False,
        },
        "fast": {"sampler": "ddim", "steps": 20, "upscale_steps": 10, "start_step": 0},
        "draft": {"sampler": "ddim", "steps": 10, "upscale_steps": 5, "start_step": 0},
    }  # fmt: skip

    picture: Path = setting("folder of a result, or its picture")
    image_prompt: str = setting("what the colours show, such as 'a colorful photo of dogs'", default="")
    audio_prompt: str = setting("what it sounds like, for judges (default: as its recipe says)", default="")
    sound: Path | None = setting("the sound that stays (default: the result's own)", default=None)
    count: int = setting("pictures to colour", default=1, ge=1, le=1_000_000)
    image_model: ModelName = setting("card, folder or hub id of the first stage", default="tiny-pixel")
    upscaler: _Name = setting("card, folder or hub id of the second stage (default: the same)", default="")
    audio_model: _Name = setting(
        "whose mel picture it is and who plays it (default: as its recipe says, else tiny)", default=""
    )
    vocoder: VocoderChoice = setting("auto takes hifi-gan where the model has one", default="auto")
    sampler: PixelSampler = setting("how the noise ladder is walked", default="ddim")
    steps: Steps = setting("denoising steps of the first stage", default=20)
    upscale_steps: Steps = setting("denoising steps of the second stage", default=10)
    start_step: int = setting("step at which the walks begin, from the noised grey picture", default=0, ge=0)
    image_guidance: Scale | None = setting("pull of the prompt (default: the models' own)", default=None)
    noise_level: int = setting(
        "timestep up to which the second stage sees the first one's picture noised", default=50, ge=0, le=999
    )
    known_gray: bool = setting(
        "take the grey part of the noise as what was put there, instead of estimating it", default=True
    )

    @model_validator(mode="after")
    def _some_steps_are_left(self) -> Self:
        if self.start_step >= (least := min(self.steps, self.upscale_steps)):
            raise ValueError(f"--start-step {self.start_step}: there are only {least} steps; lower it.")
        return self
