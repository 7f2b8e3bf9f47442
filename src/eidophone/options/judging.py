"""Settings of the verbs that judge: score and evaluate."""

from eidophone.options.base import ModelName, Preset, choose
from eidophone.options.shared import JudgeOptions, PlaceOptions


class ScoreOptions(JudgeOptions, PlaceOptions):
    """What judges say of results, or of a picture and a sound."""

    image_prompt: str = choose("what it should look like (default: as its recipe says)", default="")
    audio_prompt: str = choose("what it should sound like (default: as its recipe says)", default="")


class EvaluateOptions(JudgeOptions, PlaceOptions):
    """Many results, judged and compared."""

    looks_bar: float | None = choose(
        "looks that count as a success (default: nearer to its own prompt than to the others)", default=None
    )
    sounds_bar: float | None = choose("sounds that count as a success (default: likewise)", default=None)
    shown: int = choose("samples to show and play in the report", default=24, ge=0, le=1000)
    protocol: str = choose("published: first make its samples, as far as they are missing", default="")
    methods: str = choose(
        "what the protocol makes, with commas between; distill too, which takes minutes a sample",
        default="compose,imprint,picture-alone,sound-alone",
    )
    prompts: int | None = choose(
        "only the first prompts of each list of the protocol (default: all)", default=None, ge=1
    )
    samples: int | None = choose(
        "samples of each pair (default: as the protocol says)", default=None, ge=1, le=10_000
    )
    preset: Preset = choose("settings that the protocol's samples are made with", default="fast")
    image_model: ModelName = choose("card, folder, hub id or .safetensors that draws them", default="tiny")
    audio_model: ModelName = choose("card, folder, hub id or .safetensors that plays them", default="tiny")
