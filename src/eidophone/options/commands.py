"""Options of the commands that make no result: caption, score, evaluate, data mix."""

from typing import Self

from pydantic import model_validator

from eidophone.options.groups import JudgeOptions, PlaceOptions
from eidophone.options.kinds import Decibels, ModelName, Options, Preset, setting


class CaptionOptions(PlaceOptions):
    """What can be heard in a sound."""

    captioner: ModelName = setting("card, folder, checkpoint file or hub id that listens", default="tiny")


class MixOptions(Options):
    """Mixtures of two recordings of different classes (Images from In-the-wild Sounds, section 4)."""

    count: int = setting("mixtures to make", default=100, ge=1, le=1_000_000)
    seed: int = setting("mixture i is drawn from seed + i", default=1000, ge=0, le=2**62)
    fold: int | None = setting("only recordings of this fold (default: all)", default=None, ge=1)
    lowest_db: Decibels = setting("how much louder the first one is, at least", default=0.0)
    highest_db: Decibels = setting("and at most; drawn evenly between", default=0.0)

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.lowest_db > self.highest_db:
            raise ValueError(
                f"--lowest-db {self.lowest_db:g}: is above --highest-db {self.highest_db:g}; exchange them."
            )
        return self


class ScoreOptions(JudgeOptions, PlaceOptions):
    """What judges say of results, or of a picture and a sound."""

    image_prompt: str = setting("what it should look like (default: as its recipe says)", default="")
    audio_prompt: str = setting("what it should sound like (default: as its recipe says)", default="")


class EvaluateOptions(JudgeOptions, PlaceOptions):
    """Many results, judged and compared."""

    looks_bar: float | None = setting(
        "looks that count as a success (default: nearer to its own prompt than to the others)", default=None
    )
    sounds_bar: float | None = setting("sounds that count as a success (default: likewise)", default=None)
    shown: int = setting("samples to show and play in the report", default=24, ge=0, le=1000)
    protocol: str = setting("published: first make its samples, as far as they are missing", default="")
    methods: str = setting(
        "what the protocol makes, with commas between; distill too, which takes minutes a sample",
        default="compose,imprint,picture-alone,sound-alone",
    )
    prompts: int | None = setting(
        "only the first prompts of each list of the protocol (default: all)", default=None, ge=1
    )
    samples: int | None = setting(
        "samples of each pair (default: as the protocol says)", default=None, ge=1, le=10_000
    )
    preset: Preset = setting("settings that the protocol's samples are made with", default="fast")
    image_model: ModelName = setting("card, folder, hub id or .safetensors that draws them", default="tiny")
    audio_model: ModelName = setting("card, folder, hub id or .safetensors that plays them", default="tiny")
