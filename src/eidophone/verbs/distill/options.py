"""Settings of distill."""

from typing import Any, ClassVar, Self

from pydantic import model_validator

from eidophone.options.groups import SampleOptions
from eidophone.options.kinds import Rate, Representation, Scale, Share, Weighting, flag_of, setting


class DistillOptions(SampleOptions):
    """Score distillation (Images that Sound, section 4.1): a picture is optimised, nothing is sampled."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "batch_size", "samples"})
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset({"offline", "resume", "checkpoint_every"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "representation": "implicit", "iterations": 40_000, "rate": 1e-4, "weight_decay": 1e-3,
            "image_guidance": 80.0, "audio_guidance": 10.0, "image_weight": 0.4, "audio_weight": 1.0,
            "image_start_step": 5000, "annealed": False, "weighting": "variance", "noise_share": 1.0,
            "highest": 0.98, "lowest": 0.02, "crops": 8, "preview_every": 1000, "checkpoint_every": 500,
        },
        "fast": {},
        "draft": {"iterations": 40, "preview_every": 20},
    }  # fmt: skip

    image_prompt: str = setting("what it looks like", default="")
    audio_prompt: str = setting("what it sounds like", default="")
    count: int = setting("samples to make, one after another", default=1, ge=1, le=1_000_000)
    representation: Representation = setting(
        "what is optimised: implicit (a small network that draws), pixels, latent", default="latent"
    )
    iterations: int = setting("steps of the optimiser (AdamW)", default=70, ge=1, le=10_000_000)
    rate: Rate | None = setting("learning rate (default: as suits the representation)", default=None)
    weight_decay: Rate = setting("weight decay", default=0.0)
    image_guidance: Scale = setting("pull of the image prompt", default=20.0)
    audio_guidance: Scale = setting("pull of the audio prompt", default=15.0)
    image_weight: Scale = setting("weight of the image model's loss", default=1.0)
    audio_weight: Scale = setting("weight of the audio model's loss", default=1.0)
    image_start_step: int = setting("iterations before the image model is on", default=0, ge=0)
    audio_start_step: int = setting("iterations before the audio model is on", default=0, ge=0)
    annealed: bool = setting(
        "timesteps fall from the highest to the lowest; else they are drawn at random", default=True
    )
    highest: Share = setting("share of the noise schedule that timesteps lie below", default=0.98)
    lowest: Share = setting("share of the noise schedule that timesteps lie above", default=0.1)
    weighting: Weighting = setting(
        "what a timestep weighs: variance of its noise, or clean: as far as the clean picture is away",
        default="variance",
    )
    noise_share: Share = setting(
        "how much counts what the models say without a prompt: 1 score distillation, 0 classifier score",
        default=1.0,
    )
    crops: int = setting("windows that an image model over pixels sees at once", default=1, ge=1, le=256)
    preview_every: int = setting(
        "iterations between previews, which the strip of the course shows", default=20, ge=1
    )
    checkpoint_every: int = setting("iterations between checkpoints", default=20, ge=1)

    @model_validator(mode="after")
    def _something_is_heard_at_the_beginning(self) -> Self:
        heard = [
            start
            for weight, start in (
                (self.image_weight, self.image_start_step),
                (self.audio_weight, self.audio_start_step),
            )
            if weight > 0
        ]
        if not heard or min(heard) > 0:
            raise ValueError(
                "No model is on at the first iteration: let --image-start-step be 0 and --image-weight above "
                "0, or the same for audio."
            )
        return self

    @model_validator(mode="after")
    def _timesteps_lie_between(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(
                f"--lowest {self.lowest}: lies above --highest {self.highest}; exchange the two."
            )
        return self

    @model_validator(mode="after")
    def _starts_lie_within(self) -> Self:
        for name in ("image_start_step", "audio_start_step"):
            if (start := getattr(self, name)) > self.iterations:
                raise ValueError(
                    f"{flag_of(name)} {start}: there are only {self.iterations} iterations; lower it."
                )
        return self


class DistillSettings(DistillOptions):
    """Options of distill with everything decided."""

    threads: int
    height: int
    width: int
    rate: float
