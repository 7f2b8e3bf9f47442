"""Options of the commands that make no result: caption, score, evaluate, data mix."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from eidophone.options.evaluation import QuestionnaireOptions, ReferenceOptions, WildOptions
from eidophone.options.groups import JudgeOptions, PlaceOptions
from eidophone.options.kinds import Decibels, ModelName, Options, Preset, setting

Bar = Annotated[float, Field(allow_inf_nan=False)]


class CaptionOptions(PlaceOptions):
    """Captions of sounds."""

    captioner: ModelName = setting(
        "captioner: card, folder, checkpoint file or hub id", default="tiny", group="models", common=True
    )


class MixOptions(Options):
    """Mixtures of two recordings of different classes (Images from In-the-wild Sounds, section 4)."""

    count: int = setting("mixtures to make", default=100, ge=1, le=1_000_000, group="samples", common=True)
    seed: int = setting(
        "random seed; mixture i uses seed + i", default=1000, ge=0, le=2**62, group="samples", common=True
    )
    fold: int | None = setting(
        "use recordings of this fold only (default: all)", default=None, ge=1, group="samples"
    )
    lowest_db: Decibels = setting(
        "lowest level of the first recording over the second, in dB", default=0.0, group="sound"
    )
    highest_db: Decibels = setting(
        "highest level of the first recording over the second, in dB; the level is drawn evenly between both",
        default=0.0, group="sound",
    )  # fmt: skip

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.lowest_db > self.highest_db:
            raise ValueError(
                f"--lowest-db {self.lowest_db:g} is above --highest-db {self.highest_db:g}; swap them."
            )
        return self


class ScoreOptions(JudgeOptions, PlaceOptions):
    """Scores of results, or of a picture and a sound."""

    image_prompt: str = setting(
        "what it should look like (default: the prompt in its recipe)",
        default="",
        group="prompts",
        common=True,
    )
    audio_prompt: str = setting(
        "what it should sound like (default: the prompt in its recipe)",
        default="",
        group="prompts",
        common=True,
    )


class EvaluateOptions(QuestionnaireOptions, ReferenceOptions, WildOptions, JudgeOptions, PlaceOptions):
    """Scores and statistics of many results."""

    looks_bar: Bar | None = setting(
        "a picture with at least this similarity counts as a success (default: its own prompt must be the "
        "nearest of all prompts)", default=None, group="judges",
    )  # fmt: skip
    sounds_bar: Bar | None = setting(
        "the same for the sound (default: its own prompt must be the nearest)", default=None, group="judges"
    )
    select: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = setting(
        "copy the samples that are in this top share by looks and by sound to selected/ (0.1: the top tenth; "
        "default: no selection)", default=None, group="judges",
    )  # fmt: skip
    consistency: bool = setting(
        "write consistency/ for the shown samples: the spectrogram with stretched contrast, that of the stored "
        "sound, and replays by inverse STFT and Griffin-Lim", default=False, group="judges",
    )  # fmt: skip
    shown: int = setting("samples to show and play in the report", default=24, ge=0, le=1000, group="samples")
    protocol: str = setting(
        "first make the missing samples of a protocol: published (Images that Sound), or in-the-wild (Images from "
        "In-the-wild Sounds; see --data)", default="", group="samples",
    )  # fmt: skip
    methods: str = setting(
        "methods of the protocol, separated by commas (default: compose,imprint,picture-alone,sound-alone; distill "
        "is one too, but takes minutes for each sample; in-the-wild: none, audio, sentence and both, each also "
        "as in both-optimised)", default="", group="samples",
    )  # fmt: skip
    prompts: int | None = setting(
        "use only the first prompts of each list of the protocol (default: all)",
        default=None,
        ge=1,
        group="samples",
    )
    samples: int | None = setting(
        "samples of each pair of prompts (default: as in the protocol)", default=None, ge=1, le=10_000,
        group="samples",
    )  # fmt: skip
    preset: Preset = setting("settings of the protocol's samples", default="fast", group="samples")
    image_model: ModelName = setting(
        "image model of the protocol's samples: card, folder, hub id or .safetensors file", default="tiny",
        group="models",
    )  # fmt: skip
    audio_model: ModelName = setting(
        "audio model of the protocol's samples: card, folder, hub id or .safetensors file", default="tiny",
        group="models",
    )  # fmt: skip
