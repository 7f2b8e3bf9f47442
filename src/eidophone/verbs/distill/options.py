"""Settings of distill."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from eidophone.options.groups import SampleOptions
from eidophone.options.kinds import Pixels, Rate, Representation, Scale, Share, Weighting, flag_of, setting

Gray = Literal["mean", "ntsc", "luminance"]


class DistillOptions(SampleOptions):
    """Score distillation (Images that Sound, section 4.1): a picture is optimised instead of sampled."""

    EXAMPLES_OF: ClassVar[str] = "distill"
    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "batch_size", "samples"})
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset(
        {"offline", "resume", "example", "seconds", "checkpoint_every"}
    )
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
        "what is optimised: implicit (a small network that draws the picture), pixels or latent",
        default="latent",
    )
    color: bool = setting(
        "optimise an implicit or pixels canvas in colour, which plays through its grey part", default=False
    )
    gray: Gray = setting(
        "grey part of a colour canvas: mean of the channels, NTSC weights or relative luminance",
        default="mean",
    )
    frequencies: int = setting("implicit: number of random Fourier frequencies", default=128, ge=1, le=4096)
    frequency_scale: float = setting(
        "implicit: standard deviation of the frequencies, in periods per side; higher gives finer detail",
        default=10.0,
        gt=0,
        le=1000,
        allow_inf_nan=False,
    )
    features: int = setting("implicit: width of the hidden layers", default=256, ge=1, le=4096)
    iterations: int = setting("steps of the optimiser (AdamW)", default=70, ge=1, le=10_000_000)
    rate: Rate | None = setting("learning rate (default: depends on --representation)", default=None)
    weight_decay: Rate = setting("weight decay", default=0.0)
    image_guidance: Scale = setting("classifier-free guidance scale for the image prompt", default=20.0)
    audio_guidance: Scale = setting("classifier-free guidance scale for the audio prompt", default=15.0)
    image_weight: Scale = setting("weight of the image model's loss", default=1.0)
    audio_weight: Scale = setting("weight of the audio model's loss", default=1.0)
    image_start_step: int = setting("first iteration with the image model", default=0, ge=0)
    audio_start_step: int = setting("first iteration with the audio model", default=0, ge=0)
    annealed: bool = setting(
        "let timesteps fall evenly from the highest to the lowest, instead of drawing them at random",
        default=True,
    )
    highest: Share = setting("highest timestep, as a share of the noise schedule", default=0.98)
    lowest: Share = setting("lowest timestep, as a share of the noise schedule", default=0.1)
    image_highest: Share | None = setting(
        "highest timestep of the image model (default: --highest)", default=None
    )
    image_lowest: Share | None = setting(
        "lowest timestep of the image model (default: --lowest)", default=None
    )
    audio_highest: Share | None = setting(
        "highest timestep of the audio model (default: --highest)", default=None
    )
    audio_lowest: Share | None = setting(
        "lowest timestep of the audio model (default: --lowest)", default=None
    )
    weighting: Weighting = setting(
        "weight w(t) of a timestep: variance (1 - alphas_cumprod) or clean (distance to the estimate of the "
        "clean picture)",
        default="variance",
    )
    noise_share: Share = setting(
        "weight of the unconditional part: 1 is score distillation, 0 classifier score distillation",
        default=1.0,
    )
    crops: int = setting(
        "random windows per iteration for an image model over pixels", default=1, ge=1, le=256
    )
    window: Pixels | None = setting(
        "height of these windows in pixels (default: the largest that fit; 256 on the published canvas)",
        default=None,
    )
    window_timesteps: Literal["shared", "separate"] = setting(
        "whether the windows share one timestep, or each draws its own", default="shared"
    )
    preview_every: int = setting("iterations between previews, shown in course.png", default=20, ge=1)
    checkpoint_every: int = setting("iterations between checkpoints", default=20, ge=1)

    @model_validator(mode="after")
    def _a_model_is_on_from_the_first_iteration(self) -> Self:
        starts = [
            start
            for weight, start in (
                (self.image_weight, self.image_start_step),
                (self.audio_weight, self.audio_start_step),
            )
            if weight > 0
        ]
        if not starts or min(starts) > 0:
            raise ValueError(
                "No model is on at the first iteration: set --image-start-step to 0 and --image-weight above "
                "0, or the same for audio."
            )
        return self

    @model_validator(mode="after")
    def _timestep_ranges_are_not_empty(self) -> Self:
        for side in ("", "image_", "audio_"):
            lowest, highest = (
                (f"{side}{name}" if side and getattr(self, f"{side}{name}") is not None else name)
                for name in ("lowest", "highest")
            )
            if getattr(self, lowest) > getattr(self, highest):
                raise ValueError(
                    f"{flag_of(lowest)} {getattr(self, lowest)}: is above {flag_of(highest)} "
                    f"{getattr(self, highest)}; swap the two."
                )
        return self

    @model_validator(mode="after")
    def _random_timesteps_for_each_window(self) -> Self:
        if self.annealed and self.window_timesteps == "separate":
            raise ValueError(
                "--window-timesteps separate: needs random timesteps; add --no-annealed as well."
            )
        return self

    @model_validator(mode="after")
    def _starts_are_within_the_run(self) -> Self:
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
