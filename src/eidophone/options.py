"""The settings of every verb: their names, rules, help and presets, written once.

Flags, the Python API and the record are made from these classes. This module imports no torch, so
that `--help` is quick. `None` in a preset means: what the models themselves advise (their card).
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from eidophone.errors import BadInput

Preset = Literal["paper", "fast", "draft"]
Solver = Literal["ddim", "plms", "dpm++2m", "unipc"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
RankBy = Literal["weaker", "both", "weights"]
VocoderChoice = Literal["auto", "hifi-gan", "griffin-lim"]

Steps = Annotated[int, Field(ge=1, le=1000)]
Scale = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=8, le=65_536)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d{1,2})?)$")]
Threads = Annotated[int, Field(ge=1, le=1024)]
Decibels = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


def _text_of(given: Any) -> Any:
    return str(given) if isinstance(given, Path) else given


#: A card, a folder, a file or a hub id; a `Path` will do.
ModelName = Annotated[str, BeforeValidator(_text_of), Field(min_length=1)]


def _choose(help_text: str, **more: Any) -> Any:
    return Field(description=help_text, **more)


class Options(BaseModel):
    """What every verb's options share: frozen, no unknown names, presets as named values.

    Class attributes:
        PRESETS: what each preset sets; a value given by the user wins.
        HIDDEN: names that are no flags (they come as positional arguments).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def make(cls, **given: Any) -> Self:
        """Builds options from a preset and given values; the given ones win.

        Raises:
            BadInput: an unknown name, a value out of its range, or settings that contradict each other.
        """
        preset = given.get("preset", "fast")
        known = cls.PRESETS.get(preset, {}) if isinstance(preset, str) else {}
        try:
            return cls(**{**known, **given})
        except ValidationError as error:
            raise BadInput(_sentence(cls, error)) from None

    @model_validator(mode="after")
    def _can_be_written(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            try:
                str(value).encode()
            except UnicodeEncodeError:
                raise ValueError(
                    f"{flag_of(name)}: {str(value)!a} is not valid UTF-8 text; write it again."
                ) from None
        return self

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; `make(**plain)` gives equal options."""
        return self.model_dump(mode="json")


def flag_of(name: str) -> str:
    """`image_model` -> `--image-model`, `from_` -> `--from`."""
    return "--" + name.removesuffix("_").replace("_", "-")


def _sentence(options: type[Options], error: ValidationError) -> str:
    """One sentence for the first thing that pydantic refused."""
    first = error.errors()[0]
    if not first["loc"]:
        return str(first["ctx"]["error"]) if "ctx" in first else str(first["msg"])
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        known = ", ".join(sorted(options.model_fields))
        return f"There is no setting {name!r}; known are {known}."
    rule = str(first["msg"]).removeprefix("Input ")
    return f"{flag_of(name)}: {rule}; got {first['input']!r}."


class JudgeOptions(Options):
    """Who judges, and how results are ranked."""

    judges: str = _choose(
        "who judges: embedders (cards, folders, files), tagger, rehearing, clean; commas between them. The "
        "first that sees and the first that hears decide the order",
        default="tiny,tagger,rehearing,clean",
    )
    rank_by: RankBy = _choose(
        "weaker: of the two sides; both: as published, the top share of both; weights: --looks-weight",
        default="weaker",
    )
    looks_weight: Share = _choose("share of the looks where weights rank", default=0.5)


class PlaceOptions(Options):
    """Where networks run, and whether they may be fetched."""

    device: Device = _choose("auto, cpu, cuda, cuda:1, mps", default="auto")
    threads: Threads | None = _choose("processor threads (default: as many as there are cores)", default=None)
    offline: bool = _choose("never ask a hub for weights", default=False)


class DrawOptions(PlaceOptions):
    """How many pictures, from which seeds, where and how they are computed."""

    preset: Preset = _choose(
        "named settings: paper (the publication, to the letter), fast, draft", default="fast"
    )
    count: int = _choose("samples to make", default=4, ge=1, le=1_000_000)
    seed: int = _choose("sample i is drawn from seed + i", default=1234, ge=0, le=2**62)
    index: int = _choose("index of the first sample", default=0, ge=0, le=2**62)
    image_model: ModelName = _choose("card, folder, hub id or .safetensors that draws", default="tiny")
    audio_model: ModelName = _choose("card, folder, hub id or .safetensors that plays", default="tiny")
    image_negative: str = _choose("what the picture should not be", default="")
    dtype: Dtype = _choose(
        "number format of the networks (auto: float32 on a CPU, else float16)", default="auto"
    )


class SampleOptions(DrawOptions):
    """What verbs share whose canvas is a picture and a mel picture."""

    audio_negative: str = _choose("what the sound should not be", default="")
    height: Pixels | None = _choose("picture height in pixels (default: the models' own)", default=None)
    width: Pixels | None = _choose("picture width in pixels (default: the models' own)", default=None)
    crop: bool = _choose("drop the right 32 pixels, which often stay black", default=False)
    vocoder: VocoderChoice = _choose("auto takes hifi-gan where the model has one", default="auto")
    batch_size: int | None = _choose("samples at once (default: as memory allows)", default=None, ge=1)


class ChoiceOptions(SampleOptions, JudgeOptions):
    """Samples that are judged, and may be the best of many."""

    judges: str = _choose(
        "who judges each sample, as in `eidophone score`, or none (default: tiny with --from, else none)",
        default="",
    )
    from_: int | None = _choose(
        "candidates to choose the samples from (default: no choice)", default=None, ge=1, le=4096
    )

    @property
    def panel(self) -> str:
        """Who judges, with the default filled in."""
        return self.judges or ("none" if self.from_ is None else "tiny")

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.from_ is not None and self.from_ < self.count:
            raise ValueError(f"--from {self.from_}: too few to choose {self.count} from; lower --count.")
        if self.from_ is not None and self.panel == "none":
            raise ValueError(f"--from {self.from_}: nobody judges; name --judges.")
        return self


class ComposeOptions(ChoiceOptions):
    """Joint denoising (Images that Sound, section 3.2): one latent, two models."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "lineage"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "ddim", "steps": 100, "image_guidance": 10.0, "audio_guidance": 10.0,
            "image_start_step": 10, "audio_start_step": 0, "audio_weight": 0.5, "crop": True,
        },
        "fast": {"solver": "dpm++2m", "steps": 25},
        "draft": {"solver": "unipc", "steps": 12},
    }  # fmt: skip

    image_prompt: str = _choose("what it looks like", default="")
    audio_prompt: str = _choose("what it sounds like", default="")
    solver: Solver = _choose("how the noise ladder is walked", default="dpm++2m")
    steps: Steps = _choose("denoising steps", default=25)
    image_guidance: Scale | None = _choose(
        "pull of the image prompt (default: the model's own)", default=None
    )
    audio_guidance: Scale | None = _choose(
        "pull of the audio prompt (default: the model's own)", default=None
    )
    image_start_step: int = _choose("first step at which the image model is on", default=0, ge=0)
    audio_start_step: int = _choose("first step at which the audio model is on", default=0, ge=0)
    guidance_start_step: int = _choose(
        "first step that is guided; before it the prompts alone speak", default=0, ge=0
    )
    guidance_stop_step: int | None = _choose(
        "first step that is guided no more (default: none)", default=None, ge=1
    )
    audio_weight: Share | None = _choose(
        "share of the audio model where both are on (default: the models' own)", default=None
    )
    cutoff: bool = _choose(
        "drop the right 4 latent columns before decoding (instead of --crop)", default=False
    )
    view: Literal["identity", "rows"] = _choose(
        "how the audio model sees the canvas: as it is, or its upper and lower half side by side",
        default="identity",
    )

    early_rejection: bool = _choose(
        "with --from: drop poor candidates on the way, by what they are going to be", default=True
    )
    lineage: tuple[tuple[int, int, int], ...] = _choose(
        "how a chosen sample came through: (steps, samples in its batch, its place there) one after another, "
        "the last for decoding; for remake",
        default=(),
    )

    @model_validator(mode="after")
    def _lineage_leads_to_the_end(self) -> Self:
        sound = all(0 <= row < size <= 4096 and steps >= 0 for steps, size, row in self.lineage)
        whole = sum(steps for steps, _, _ in self.lineage) == self.steps
        if self.lineage and not (sound and whole and self.lineage[-1][0] == 0 and self.count == 1):
            raise ValueError(f"lineage {self.lineage}: leads nowhere; leave it out.")
        return self

    @model_validator(mode="after")
    def _some_model_is_on(self) -> Self:
        first = min(self.image_start_step, self.audio_start_step)
        if first > 0:
            raise ValueError(
                f"No model is on at steps 0 to {first - 1}: "
                "let --image-start-step or --audio-start-step be 0."
            )
        for name in ("image_start_step", "audio_start_step"):
            if (start := getattr(self, name)) > self.steps:
                raise ValueError(
                    f"{flag_of(name)} {start}: there are only {self.steps} steps; give at most {self.steps}."
                )
        if self.view == "rows" and (self.crop or self.cutoff):
            raise ValueError("--view rows: --crop and --cutoff need the identity view; leave them out.")
        if self.crop and self.cutoff:
            raise ValueError("--crop and --cutoff both drop the right edge; choose one of them.")
        return self


class ImprintOptions(ChoiceOptions):
    """A picture pressed into a spectrogram that was made apart (Images that Sound, section 4.1)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "ddim", "image_steps": 50, "audio_steps": 100,
            "image_guidance": 7.5, "audio_guidance": 7.5, "magnitude_ratio": 0.5, "crop": True,
        },
        "fast": {"solver": "dpm++2m", "image_steps": 20, "audio_steps": 25},
        "draft": {"solver": "unipc", "image_steps": 10, "audio_steps": 12},
    }  # fmt: skip

    image_prompt: str = _choose("what it looks like", default="")
    audio_prompt: str = _choose("what it sounds like", default="")
    picture: Path | None = _choose("a picture of your own instead of the image prompt", default=None)
    sound: Path | None = _choose("a sound of your own instead of the audio prompt", default=None)
    solver: Solver = _choose("how the noise ladder is walked", default="dpm++2m")
    image_steps: Steps = _choose("denoising steps of the picture", default=20)
    audio_steps: Steps = _choose("denoising steps of the sound", default=25)
    image_guidance: Scale | None = _choose(
        "pull of the image prompt (default: the model's own)", default=None
    )
    audio_guidance: Scale | None = _choose(
        "pull of the audio prompt (default: the model's own)", default=None
    )
    magnitude_ratio: Share = _choose("how deep the picture is pressed in", default=0.5)
    invert: bool = _choose("press in the dark parts instead of the light ones", default=True)

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`; with both files given nothing is drawn by lot: one sample is all there is."""
        if given.get("picture") and given.get("sound"):
            given = {"count": 1, **given}
        return super().make(**given)

    @model_validator(mode="after")
    def _file_or_prompt(self) -> Self:
        for prompt, path, name in (
            (self.image_prompt, self.picture, "--picture"),
            (self.audio_prompt, self.sound, "--sound"),
        ):
            if prompt and path:
                raise ValueError(
                    f"{name} {path} takes the place of the prompt {prompt!r}; give only one of them."
                )
        return self


class PaintOptions(DrawOptions):
    """A picture of a recorded sound (Images from In-the-wild Sounds, ICCV 2023)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "plms", "steps": 40, "image_guidance": 7.5, "optimise": 10, "keep": "last",
            "noun_rate": 0.01, "other_rate": 0.01, "condition_share": 0.01, "gradient_steps": None,
            "patience": None,
        },
        "fast": {
            "solver": "dpm++2m", "steps": 10, "optimise": 6, "keep": "best",
            "noun_rate": 0.1, "other_rate": 0.1, "condition_share": 0.0, "gradient_steps": 3,
            "patience": 2,
        },
        "draft": {"solver": "unipc", "steps": 8, "optimise": 0},
    }  # fmt: skip

    sound: Path = _choose("the sound to paint")
    count: int = _choose("pictures to paint of each sound", default=1, ge=1, le=1_000_000)
    captioner: ModelName = _choose("card, folder, file or hub id that finds the words", default="tiny")
    caption: str = _choose("your own words instead of the captioner's", default="")
    style: str | None = _choose(
        "how it is painted: words behind the caption, or a frame with {} for it (default: the model's own)",
        default=None,
    )
    size: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}x[1-9]\d{0,4}$")] | None = _choose(
        "WIDTHxHEIGHT in pixels (default: the model's own)", default=None
    )
    embedder: ModelName = _choose(
        "card, folder, file or hub id that compares sound and picture", default="tiny"
    )
    text_embedder: str = _choose("who compares caption and picture (default: the same)", default="")
    audio_model: ModelName = _choose("whose mel picture shows the sound", default="tiny")
    solver: Solver = _choose("how the noise ladder is walked", default="dpm++2m")
    steps: Steps = _choose("denoising steps", default=10)
    image_guidance: Scale | None = _choose("pull of the caption (default: the model's own)", default=None)
    optimise: int = _choose(
        "pictures to try while the words' weights are fitted to the sound; 0 is off", default=6, ge=0, le=1000
    )
    keep: Literal["best", "last"] = _choose(
        "which of the tried pictures counts: the last, or the best that the sound does not lose by",
        default="best",
    )
    noun_rate: Rate = _choose("learning rate of the nouns' weights", default=0.1)
    other_rate: Rate = _choose("learning rate of all other weights", default=0.1)
    condition_share: Rate = _choose(
        "how much of the loss holds the condition where the plain caption has it", default=0.0
    )
    gradient_steps: int | None = _choose(
        "gradients flow through this many last steps; paper: all", default=3, ge=1
    )
    checkpointing: bool = _choose("compute steps twice instead of keeping them in memory", default=False)
    patience: int | None = _choose(
        "stop after so many tries in a row that are no better; paper: never", default=2, ge=1
    )
    start_s: float = _choose("where the sound begins, in seconds", default=0.0, ge=0, allow_inf_nan=False)
    duration_s: float | None = _choose("how much of the sound, in seconds (default: all)", default=None, gt=0)

    @model_validator(mode="after")
    def _style_has_one_place(self) -> Self:
        if self.style is not None and self.style.count("{}") > 1:
            raise ValueError(f"--style {self.style!r}: has more than one {{}} for the caption; keep one.")
        return self


class HearOptions(Options):
    """A spectrogram picture, played."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"picture"})

    picture: Path = _choose("the picture to play")
    audio_model: Annotated[str, BeforeValidator(_text_of)] = _choose(
        "whose mel picture it is and who plays it (default: as its recipe says, else tiny)", default=""
    )
    threads: Threads | None = _choose("processor threads (default: as many as there are cores)", default=None)
    vocoder: VocoderChoice = _choose("auto takes hifi-gan where the model has one", default="auto")
    invert: bool = _choose("dark is loud", default=False)
    offline: bool = _choose("never ask a hub for weights", default=False)


class SeeOptions(Options):
    """A sound, drawn as a mel picture."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"sound"})

    sound: Path = _choose("the sound to draw")
    audio_model: ModelName = _choose("whose mel picture to draw", default="tiny")
    start_s: float = _choose("where to begin, in seconds", default=0.0, ge=0, allow_inf_nan=False)
    duration_s: float | None = _choose("how much to draw, in seconds (default: all)", default=None, gt=0)
    normalize: bool = _choose("raise the peak to 0.95 first", default=True)
    offline: bool = _choose("never ask a hub for weights", default=False)


class ScoreOptions(JudgeOptions, PlaceOptions):
    """What judges say of results, or of a picture and a sound."""

    image_prompt: str = _choose("what it should look like (default: as its recipe says)", default="")
    audio_prompt: str = _choose("what it should sound like (default: as its recipe says)", default="")


class CaptionOptions(PlaceOptions):
    """What can be heard in a sound."""

    captioner: ModelName = _choose("card, folder, checkpoint file or hub id that listens", default="tiny")


class MixOptions(Options):
    """Mixtures of two recordings of different classes (Images from In-the-wild Sounds, section 4)."""

    count: int = _choose("mixtures to make", default=100, ge=1, le=1_000_000)
    seed: int = _choose("mixture i is drawn from seed + i", default=1000, ge=0, le=2**62)
    fold: int | None = _choose("only recordings of this fold (default: all)", default=None, ge=1)
    lowest_db: Decibels = _choose("how much louder the first one is, at least", default=0.0)
    highest_db: Decibels = _choose("and at most; drawn evenly between", default=0.0)

    @model_validator(mode="after")
    def _levels_in_order(self) -> Self:
        if self.lowest_db > self.highest_db:
            raise ValueError(
                f"--lowest-db {self.lowest_db:g}: is above --highest-db {self.highest_db:g}; exchange them."
            )
        return self


class EvaluateOptions(JudgeOptions, PlaceOptions):
    """Many results, judged and compared."""

    looks_bar: float | None = _choose(
        "looks that count as a success (default: nearer to its own prompt than to the others)", default=None
    )
    sounds_bar: float | None = _choose("sounds that count as a success (default: likewise)", default=None)
    shown: int = _choose("samples to show and play in the report", default=24, ge=0, le=1000)
    protocol: str = _choose("published: first make its samples, as far as they are missing", default="")
    methods: str = _choose(
        "what the protocol makes, with commas between", default="compose,imprint,picture-alone,sound-alone"
    )
    prompts: int | None = _choose(
        "only the first prompts of each list of the protocol (default: all)", default=None, ge=1
    )
    samples: int | None = _choose(
        "samples of each pair (default: as the protocol says)", default=None, ge=1, le=10_000
    )
    preset: Preset = _choose("settings that the protocol's samples are made with", default="fast")
    image_model: ModelName = _choose("card, folder, hub id or .safetensors that draws them", default="tiny")
    audio_model: ModelName = _choose("card, folder, hub id or .safetensors that plays them", default="tiny")


VERBS: dict[str, type[Options]] = {
    "compose": ComposeOptions,
    "imprint": ImprintOptions,
    "paint": PaintOptions,
    "hear": HearOptions,
    "see": SeeOptions,
}
