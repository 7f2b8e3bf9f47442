"""Options of imprint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import model_validator

from eidophone.options.groups import LongOptions
from eidophone.options.kinds import Scale, Share, Steps, setting
from eidophone.options.own import PictureOptions
from eidophone.options.samplers import Sampler

#: The best sampler at few steps.
COARSE_SAMPLER = "dpm++2m"


class ImprintOptions(LongOptions, PictureOptions):
    """A picture pressed into a spectrogram that was made apart (Images that Sound, section 4.1)."""

    EXAMPLES_OF: ClassVar[str] = "imprint"
    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "sampler": "ddim", "image_steps": 50, "audio_steps": 100,
            "image_guidance": 7.5, "audio_guidance": 7.5, "magnitude_ratio": 0.5, "crop": True,
        },
        "fast": {"sampler": "dpm++2m", "image_steps": 20, "audio_steps": 25},
        "draft": {"sampler": "unipc", "image_steps": 10, "audio_steps": 12},
    }  # fmt: skip

    image_prompt: str = setting("what it looks like", default="", group="prompts")
    audio_prompt: str = setting("what it sounds like", default="", group="prompts")
    picture: Path | None = setting(
        "your own picture instead of the image prompt", default=None, group="prompts", common=True
    )
    sound: Path | None = setting(
        "your own sound instead of the audio prompt; the canvas is as long as it",
        default=None,
        group="prompts",
        common=True,
    )
    sampler: Sampler = setting("sampler", default="dpm++2m")
    image_steps: Steps = setting("denoising steps of the picture", default=20, common=True)
    audio_steps: Steps = setting("denoising steps of the sound", default=25, common=True)
    image_guidance: Scale | None = setting(
        "guidance scale of the image model (default: the model's own)", default=None
    )
    audio_guidance: Scale | None = setting(
        "guidance scale of the audio model (default: the model's own)", default=None
    )
    magnitude_ratio: Share = setting(
        "how deep the picture is pressed in: 0 not at all, 1 to silence",
        default=0.5, group="canvas", common=True,
    )  # fmt: skip
    invert: bool = setting(
        "darken the sound where the picture is dark; off: where it is bright",
        default=True, group="canvas",
    )  # fmt: skip

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`. With both files given the result is deterministic, so only one sample is made."""
        if given.get("picture") and given.get("sound"):
            given = {"count": 1, **given}
        return super().make(**given)

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """See `Options.upgraded`. Earlier versions filled the canvas with a picture's plain tones."""
        former = {} if "fit" in recorded else {"fit": "cover", "levels": False}
        return former | super().upgraded(recorded)

    @property
    def steps_per_sample(self) -> int:
        """Denoising steps of a sample: of its picture and of its sound, where they are not files."""
        return (0 if self.picture else self.image_steps) + (0 if self.sound else self.audio_steps)

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in at most this many steps each."""
        fewer = {name: min(steps, getattr(self, name)) for name in ("image_steps", "audio_steps")}
        return self.model_copy(update={**fewer, "sampler": COARSE_SAMPLER})

    @model_validator(mode="after")
    def _file_or_prompt(self) -> Self:
        for prompt, path, name in (
            (self.image_prompt, self.picture, "--picture"),
            (self.audio_prompt, self.sound, "--sound"),
        ):
            if prompt and path:
                raise ValueError(f"{name} {path} replaces the prompt {prompt!r}; give only one of them.")
            if path and self.loop:
                raise ValueError(
                    f"--loop: {name} keeps your file as it is, with its two ends; use prompts, or no --loop."
                )
        return self


class ImprintSettings(ImprintOptions):
    """Options of imprint with everything decided."""

    threads: int
    height: int
    width: int
    window_width: int
    image_guidance: float
    audio_guidance: float
