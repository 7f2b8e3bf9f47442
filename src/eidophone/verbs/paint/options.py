"""Settings of paint."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from eidophone.options.groups import DrawOptions
from eidophone.options.kinds import ModelName, Rate, Scale, Steps, setting
from eidophone.options.samplers import Sampler


class PaintOptions(DrawOptions):
    """A picture of a recorded sound (Images from In-the-wild Sounds, ICCV 2023)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "sampler": "plms", "steps": 40, "image_guidance": 7.5, "optimise": 10, "keep": "last",
            "noun_rate": 0.01, "other_rate": 0.01, "condition_share": 0.01, "gradient_steps": None,
            "patience": None,
        },
        "fast": {
            "sampler": "dpm++2m", "steps": 10, "optimise": 6, "keep": "best",
            "noun_rate": 0.1, "other_rate": 0.1, "condition_share": 0.0, "gradient_steps": 3,
            "patience": 2,
        },
        "draft": {"sampler": "unipc", "steps": 8, "optimise": 0},
    }  # fmt: skip

    sound: Path = setting("the sound to paint")
    count: int = setting("pictures to paint of each sound", default=1, ge=1, le=1_000_000)
    captioner: ModelName = setting("card, folder, file or hub id that finds the words", default="tiny")
    caption: str = setting("your own words instead of the captioner's", default="")
    style: str | None = setting(
        "how it is painted: words behind the caption, or a frame with {} for it (default: the model's own)",
        default=None,
    )
    size: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")] | None = setting(
        "WIDTHxHEIGHT in pixels (default: the model's own)", default=None
    )
    embedder: ModelName = setting(
        "card, folder, file or hub id that compares sound and picture", default="tiny"
    )
    text_embedder: str = setting("who compares caption and picture (default: the same)", default="")
    audio_model: ModelName = setting("whose mel picture shows the sound", default="tiny")
    sampler: Sampler = setting("how the noise ladder is walked", default="dpm++2m")
    steps: Steps = setting("denoising steps", default=10)
    image_guidance: Scale | None = setting("pull of the caption (default: the model's own)", default=None)
    optimise: int = setting(
        "pictures to try while the words' weights are fitted to the sound; 0 is off", default=6, ge=0, le=1000
    )
    keep: Literal["best", "last"] = setting(
        "which of the tried pictures counts: the last, or the best that the sound does not lose by",
        default="best",
    )
    noun_rate: Rate = setting("learning rate of the nouns' weights", default=0.1)
    other_rate: Rate = setting("learning rate of all other weights", default=0.1)
    condition_share: Rate = setting(
        "how much of the loss holds the condition where the plain caption has it", default=0.0
    )
    gradient_steps: int | None = setting(
        "gradients flow through this many last steps; paper: all", default=3, ge=1
    )
    checkpointing: bool = setting("compute steps twice instead of keeping them in memory", default=False)
    patience: int | None = setting(
        "stop after so many tries in a row that are no better; paper: never", default=2, ge=1
    )
    start_s: float = setting("where the sound begins, in seconds", default=0.0, ge=0, allow_inf_nan=False)
    duration_s: float | None = setting("how much of the sound, in seconds (default: all)", default=None, gt=0)

    @model_validator(mode="after")
    def _style_has_one_place(self) -> Self:
        if self.style is not None and self.style.count("{}") > 1:
            raise ValueError(f"--style {self.style!r}: has more than one {{}} for the caption; keep one.")
        return self
