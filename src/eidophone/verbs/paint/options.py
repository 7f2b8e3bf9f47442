"""Settings of paint."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from eidophone.options.groups import DrawOptions
from eidophone.options.kinds import Attention, ModelName, Rate, Scale, Share, Steps, setting
from eidophone.options.samplers import Sampler


class PaintOptions(DrawOptions):
    """A picture of a recorded sound (Images from In-the-wild Sounds, ICCV 2023)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "image_model": "sd14", "captioner": "act", "embedder": "audioclip", "text_embedder": "clip-b32",
            "nouns": "flair", "sampler": "plms", "steps": 40, "image_guidance": 7.5, "optimise": 10,
            "keep": "last", "weights_per": "channel", "noun_rate": 0.01, "other_rate": 0.01,
            "condition_share": 0.01, "gradient_steps": None, "patience": None, "sources": False,
            "colors": False,
        },
        "fast": {
            "sampler": "dpm++2m", "steps": 10, "optimise": 6, "keep": "best", "weights_per": "token",
            "noun_rate": 0.1, "other_rate": 0.1, "condition_share": 0.0, "gradient_steps": 3,
            "patience": 2,
        },
        "draft": {"sampler": "unipc", "steps": 8, "optimise": 0},
    }  # fmt: skip

    sound: Path = setting("sound file")
    count: int = setting("pictures of each sound", default=1, ge=1, le=1_000_000)
    image_model: ModelName = setting(
        "image model: card, folder, hub id or .safetensors file (paper: sd14)", default="tiny"
    )
    captioner: ModelName = setting("captioner: card, folder, file or hub id (paper: act)", default="tiny")
    caption: str = setting("your own caption; no captioner runs", default="")
    nouns: Literal["wordnet", "flair"] = setting(
        "part-of-speech tagger that finds the nouns; flair needs the package flair (paper: flair)",
        default="wordnet",
    )
    attention: Attention = setting(
        "what weighs the words of the caption: audio (how surely they were heard), sentence (how surely they are "
        "nouns), both (paper), or none",
        default="both",
    )
    style: str | None = setting(
        "words appended to the caption, or a sentence with {} in place of the caption (default: the model's)",
        default=None,
    )
    size: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")] | None = setting(
        "picture size, WIDTHxHEIGHT in pixels (default: the model's)", default=None
    )
    embedder: ModelName = setting(
        "embedder that compares picture and sound: card, folder, file or hub id (paper: audioclip)",
        default="tiny",
    )
    text_embedder: str = setting(
        "embedder that compares picture and caption (default: same as --embedder; paper: clip-b32)",
        default="",
    )
    audio_model: ModelName = setting(
        "audio model whose mel settings are used for the sound's spectrogram", default="tiny"
    )
    sampler: Sampler = setting("sampler", default="dpm++2m")
    steps: Steps = setting("denoising steps", default=10)
    eta: Share = setting(
        "with --sampler ddim: noise added at each step, from 0 (deterministic) to 1 (as DDPM)", default=0.0
    )
    image_guidance: Scale | None = setting(
        "classifier-free guidance scale for the caption (default: the model's)", default=None
    )
    optimise: int = setting(
        "pictures sampled while the word weights are fitted to the sound; 0 turns this off",
        default=6, ge=0, le=1000,
    )  # fmt: skip
    keep: Literal["best", "last"] = setting(
        "which of these pictures is kept: the last, or the one with the lowest loss among those at least as "
        "similar to the sound as the first",
        default="best",
    )
    weights_per: Literal["token", "channel"] = setting(
        "number of weights: one per token, or one per token and channel of the text condition (77 x 768)",
        default="token",
    )
    noun_rate: Rate = setting("learning rate for the weights of nouns", default=0.1)
    other_rate: Rate = setting("learning rate for all other weights", default=0.1)
    condition_share: Rate = setting(
        "factor of the loss term that keeps the weighted text condition close to the original", default=0.0
    )
    gradient_steps: int | None = setting(
        "gradients flow through this many last sampling steps (paper: all)", default=3, ge=1
    )
    checkpointing: bool = setting("gradient checkpointing: less memory, more time", default=False)
    patience: int | None = setting(
        "stop after this many pictures in a row without a lower loss (paper: never)", default=2, ge=1
    )
    sources: bool = setting(
        "draw each source of the recording where and when it sounds, from left to right, loud ones large; off: one "
        "drawing of the whole caption",
        default=True, common=True,
    )  # fmt: skip
    separator: str = setting(
        "takes sources apart, so that each is drawn as large as it is loud: card, folder or hub id; none: sizes follow "
        "how surely each was heard",
        default="tiny", group="models",
    )  # fmt: skip
    colors: bool = setting(
        "colour what a grey image model painted; the grey values stay, and what plays stays the same",
        default=True, common=True,
    )  # fmt: skip
    color_model: ModelName = setting(
        "models that colour a grey painting: card, folder or hub id of both stages",
        default="tiny-pixel",
        group="models",
    )
    plays: bool = setting(
        "make a picture that plays like the recording: its sound runs through the painting",
        default=False, group="own", common=True,
    )  # fmt: skip
    strength: Share | None = setting(
        "with --plays: how much of the painting is heard and seen, 0 to 1 (default: as much as the sound can take)",
        default=None, group="own", common=True,
    )  # fmt: skip
    start_s: float = setting(
        "start within the sound file, in seconds", default=0.0, ge=0, allow_inf_nan=False
    )
    duration_s: float | None = setting(
        "length of the part to use, in seconds (default: to the end)", default=None, gt=0
    )

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """See `Options.upgraded`. Earlier versions made one grey drawing of the whole caption."""
        return {"sources": False, "colors": False} | super().upgraded(recorded)

    @model_validator(mode="after")
    def _only_ddim_has_an_eta(self) -> Self:
        if self.eta > 0 and self.sampler != "ddim":
            raise ValueError(f"--eta {self.eta}: only the sampler ddim has it; add --sampler ddim.")
        return self

    @model_validator(mode="after")
    def _strength_is_of_what_plays(self) -> Self:
        if self.strength is not None and not self.plays:
            raise ValueError(f"--strength {self.strength:g}: needs --plays.")
        return self

    @model_validator(mode="after")
    def _style_has_one_place(self) -> Self:
        if self.style is not None and self.style.count("{}") > 1:
            raise ValueError(f"--style {self.style!r}: has more than one {{}} for the caption; keep one.")
        return self


class PaintSettings(PaintOptions):
    """Options of paint with everything decided."""

    threads: int
    size: str
    style: str
    image_guidance: float
