"""Settings of colorize."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from eidophone.options.groups import DrawOptions
from eidophone.options.kinds import ModelName, Scale, Steps, VocoderChoice, setting, text_of
from eidophone.options.samplers import PixelSampler

_Name = Annotated[str, BeforeValidator(text_of)]


class ColorizeOptions(DrawOptions):
    """Colours for a picture that plays; its sound stays the same (Factorized Diffusion, ECCV 2024)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture", "image_prompt", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "sampler": "ddpm", "steps": 30, "upscale_steps": 30, "start_step": 7, "image_guidance": 10.0,
            "noise_level": 50, "known_gray": False, "fresh_gray_noise": True, "learned_variance": True,
            "double_start": True, "antialias": False,
        },
        "fast": {"sampler": "ddim", "steps": 20, "upscale_steps": 10, "start_step": 0},
        "draft": {"sampler": "ddim", "steps": 10, "upscale_steps": 5, "start_step": 0},
    }  # fmt: skip

    picture: Path = setting(
        "folder of a result, or its picture; its spectrogram is coloured, at most 4096 columns"
    )
    image_prompt: str = setting("what the colours show, such as 'a colorful photo of dogs'", default="")
    audio_prompt: str = setting(
        "what it sounds like, for the judges (default: from the picture's recipe)", default=""
    )
    sound: Path | None = setting("sound file of the result (default: the picture's own sound)", default=None)
    count: int = setting("number of coloured pictures", default=1, ge=1, le=1_000_000)
    image_model: ModelName = setting("first stage: card, folder or hub id", default="tiny-pixel")
    upscaler: _Name = setting(
        "second stage: card, folder or hub id (default: same as --image-model)", default=""
    )
    audio_model: _Name = setting(
        "audio model whose mel settings and vocoder are used (default: from the picture's recipe, else tiny)",
        default="",
    )
    vocoder: VocoderChoice = setting("vocoder; auto uses hifi-gan if the model includes one", default="auto")
    sampler: PixelSampler = setting("sampler", default="ddim")
    steps: Steps = setting("denoising steps of the first stage", default=20)
    upscale_steps: Steps = setting("denoising steps of the second stage", default=10)
    start_step: int = setting(
        "first step of the first stage; it starts from the grey picture with noise (0: from pure noise, like "
        "the second stage)",
        default=0, ge=0,
    )  # fmt: skip
    image_guidance: Scale | None = setting(
        "classifier-free guidance scale for the prompt (default: the model's)", default=None
    )
    noise_level: int = setting(
        "timestep of the noise on the small picture that conditions the second stage",
        default=50,
        ge=0,
        le=999,
    )
    known_gray: bool = setting(
        "use the noise that was added to the grey part instead of the model's estimate of it", default=True
    )
    fresh_gray_noise: bool = setting(
        "draw new noise for the grey part at every step, instead of once per stage", default=False
    )
    learned_variance: bool = setting(
        "add noise with the variance that the model predicts, if it predicts one (ddpm only)", default=False
    )
    double_start: bool = setting(
        "at --start-step, start from twice the grey part of the noised picture, without colour noise, as the "
        "published code does",
        default=False,
    )
    invert: bool = setting(
        "colour the negative, dark on white; the sound stays, and `hear --invert` plays such a picture",
        default=False,
    )
    antialias: bool = setting("smooth the grey picture before it is made smaller", default=True)

    @model_validator(mode="after")
    def _some_steps_are_left(self) -> Self:
        if self.start_step >= self.steps:
            raise ValueError(
                f"--start-step {self.start_step}: the first stage has only {self.steps} steps; lower it."
            )
        return self


class ColorizeSettings(ColorizeOptions):
    """Options of colorize with everything decided."""

    threads: int
    image_guidance: float
