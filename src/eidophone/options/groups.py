"""Options that several verbs share: the machine, the models, the samples, the judges."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from eidophone.core.errors import BadInput
from eidophone.options.examples import example
from eidophone.options.kinds import (
    Device,
    Dtype,
    ModelName,
    Options,
    Pixels,
    Preset,
    RankBy,
    Seconds,
    Share,
    Threads,
    VocoderChoice,
    setting,
)


class JudgeOptions(Options):
    """Who judges results, and how they are ranked."""

    judges: str = setting(
        "judges, separated by commas: embedders (cards, folders, files), canvas, tagger, roundtrip, signal; the first "
        "one that looks and the first one that listens decide the ranking",
        default="tiny,tagger,roundtrip,signal", group="judges",
    )  # fmt: skip
    rank_by: RankBy = setting(
        "ranking: weaker (the weaker of looks and sound), both (top share of both, as published), "
        "weights (see --looks-weight)",
        default="weaker", group="judges",
    )  # fmt: skip
    looks_weight: Share = setting(
        "weight of the looks with --rank-by weights; the sound has the rest", default=0.5, group="judges"
    )


class PlaceOptions(Options):
    """Where networks run, and whether they may be downloaded."""

    device: Device = setting("auto, cpu, cuda, cuda:1 or mps", default="auto", group="machine")
    threads: Threads | None = setting(
        "processor threads (default: one for each core)", default=None, group="machine"
    )
    offline: bool = setting("never download weights", default=False, group="machine")


class DrawOptions(PlaceOptions):
    """How many samples, from which seeds, with which models."""

    preset: Preset = setting(
        "named settings: paper (as published), fast or draft", default="fast", group="samples", common=True
    )
    count: int = setting("samples to make", default=4, ge=1, le=1_000_000, group="samples", common=True)
    seed: int = setting(
        "random seed; sample i uses seed + i", default=1234, ge=0, le=2**62, group="samples", common=True
    )
    index: int = setting("index of the first sample", default=0, ge=0, le=2**62, group="samples")
    image_model: ModelName = setting(
        "image model: card, folder, hub id or .safetensors file", default="tiny", group="models", common=True
    )
    audio_model: ModelName = setting(
        "audio model: card, folder, hub id or .safetensors file", default="tiny", group="models", common=True
    )
    image_negative: str = setting("negative prompt of the image model", default="", group="prompts")
    dtype: Dtype = setting(
        "number format of the networks; auto is float16 on a GPU, float32 on a CPU, but bfloat16 for large models "
        "where the CPU computes in it",
        default="auto",
        group="machine",
    )

    samples: tuple[Annotated[int, Field(ge=0, le=2**62)], ...] = setting(
        "indices of the samples, where they do not follow each other", default=(), group="samples"
    )
    resume: bool = setting(
        "keep the samples that --out already holds and make the others", default=False, group="samples"
    )
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset({"offline", "resume"})

    @property
    def numbers(self) -> Sequence[int]:
        """Indices of the samples."""
        return self.samples or range(self.index, self.index + self.count)

    @model_validator(mode="after")
    def _samples_are_counted(self) -> Self:
        if self.samples and len(set(self.samples)) != self.count:
            count = len(set(self.samples))
            listed = "one sample" if count == 1 else f"{count:,} different samples"
            raise ValueError(
                f"--samples lists {listed}, but --count is {self.count:,}; leave one of the two out."
            )
        return self

    def seed_of(self, index: int) -> int:
        """The seed of a sample."""
        return self.seed + index


class SampleOptions(DrawOptions):
    """What the verbs share whose canvas is a picture and a mel picture.

    Class attributes:
        EXAMPLES_OF: The verb whose published examples `--example` names.
    """

    EXAMPLES_OF: ClassVar[str] = ""
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset({"offline", "resume", "example", "seconds"})

    example: str = setting(
        "prompts and seed of a published example; see `eidophone examples`",
        default="", group="prompts", common=True,
    )  # fmt: skip
    audio_negative: str = setting("negative prompt of the audio model", default="", group="prompts")
    height: Pixels | None = setting(
        "canvas height in pixels (default: the models' own)", default=None, group="canvas"
    )
    width: Pixels | None = setting(
        "canvas width in pixels (default: the models' own)", default=None, group="canvas"
    )
    seconds: Seconds | None = setting(
        "length of the sound; it sets the width, rounded to whole VAE blocks",
        default=None, group="canvas", common=True,
    )  # fmt: skip
    crop: bool = setting("drop the right 32 pixels, which often stay black", default=False, group="canvas")
    vocoder: VocoderChoice = setting(
        "auto takes HiFi-GAN where the model has one, else Griffin-Lim", default="auto", group="sound"
    )
    batch_size: int | None = setting(
        "samples at once (default: 1 on a CPU, else as memory allows)", default=None, ge=1, group="machine"
    )

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`. An example is replaced by what it stands for; whatever else is given wins.

        Raises:
            BadInput: also an unknown example, or a length in both seconds and pixels.
        """
        if given.get("seconds") is not None and given.get("width") is not None:
            raise BadInput("--seconds and --width both set the length; use one of them.")
        name = given.pop("example", "")
        if name:
            known = example(cls.EXAMPLES_OF, str(name)).settings()
            for file, prompt in (("picture", "image_prompt"), ("sound", "audio_prompt")):
                if given.get(file) is not None or not given.get(prompt):
                    given.pop(prompt, None)  # an empty prompt is one that was not given
                if given.get(file) is not None:
                    known.pop(prompt)
            given = known | given
        return super().make(**given)


class ChoiceOptions(SampleOptions, JudgeOptions):
    """Samples that are judged, and may be the best of many."""

    judges: str = setting(
        "judges of each sample, as in `eidophone score`, or none (default: canvas with --from, else none)",
        default="", group="judges",
    )  # fmt: skip
    from_: int | None = setting(
        "make this many candidates and keep the best",
        default=None,
        ge=1,
        le=4096,
        group="samples",
        common=True,
    )
    early_rejection: bool = setting(
        "with --from: sample all candidates roughly first, then only the promising ones as asked",
        default=True, group="samples",
    )  # fmt: skip
    NOT_IN_RECIPE: ClassVar[frozenset[str]] = frozenset(
        {
            "offline",
            "resume",
            "example",
            "seconds",
            "judges",
            "rank_by",
            "looks_weight",
            "from_",
            "early_rejection",
            "audio_weights",
        }
    )

    @property
    def steps_per_sample(self) -> int:
        """Denoising steps of a sample."""
        raise NotImplementedError

    @property
    def cost_per_sample(self) -> float:
        """What a sample costs; the unit is the verb's own."""
        return self.steps_per_sample

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in this many steps instead of `steps_per_sample`."""
        raise NotImplementedError

    def with_samples(self, numbers: Sequence[int]) -> list[Self]:
        """The options of these candidates; more than one where not all have the same."""
        return [self.model_copy(update={"samples": tuple(numbers), "count": len(numbers)})]

    @property
    def judge_names(self) -> str:
        """The judges, with the default filled in."""
        return self.judges or ("none" if self.from_ is None else "canvas")

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.from_ is not None and self.from_ < self.count:
            raise ValueError(f"--from {self.from_}: too few to choose {self.count} from; lower --count.")
        if self.from_ is not None and self.judge_names == "none":
            raise ValueError(f"--from {self.from_}: needs a judge; name one with --judges.")
        return self


class LongOptions(ChoiceOptions):
    """What the verbs share that denoise canvases of any length."""

    window_width: Pixels | None = setting(
        "a wider canvas is denoised in overlapping windows of this width in pixels (default: the models' own canvas)",
        default=None, group="canvas",
    )  # fmt: skip
    loop: bool = setting(
        "let the end meet the beginning, in picture and sound", default=False, group="canvas"
    )

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`. A loop has no right edge, so it switches a preset's crop off."""
        if given.get("loop") and not given.get("crop"):
            given = {**given, "crop": False}
        return super().make(**given)

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """See `Options.upgraded`. Earlier versions denoised every canvas as a whole."""
        return {"window_width": recorded.get("width")} | super().upgraded(recorded)

    @model_validator(mode="after")
    def _a_loop_is_whole(self) -> Self:
        if self.loop and self.crop:
            raise ValueError(
                "--loop: --crop would cut the place where the end meets the beginning; leave it out."
            )
        return self
