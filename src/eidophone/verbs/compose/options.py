"""Options of compose."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from eidophone.core.errors import BadInput
from eidophone.diffusion.views import ViewName
from eidophone.options.groups import LongOptions
from eidophone.options.kinds import Band, Engine, Quantize, Scale, Share, Steps, flag_of, setting, texts_of
from eidophone.options.own import OwnOptions
from eidophone.options.samplers import Sampler
from eidophone.verbs.compose.blends import BlendName
from eidophone.verbs.compose.prompts import BANDS, FurtherPrompt, FurtherPrompts, further_prompt
from eidophone.verbs.compose.scenes import Scene, joined, scenes_of

#: Height and width of a drawing as shares of the canvas, with `--blend lighten`.
DRAWING_SIZE = 0.85
#: How long scenes fade into each other, in seconds.
FADE_S = 1.0
#: The best sampler at few steps.
COARSE_SAMPLER = "dpm++2m"
#: What an evaluation costs that reuses inner features, as a share of a whole one.
REUSED_COST = 0.1
#: Steps of `fast` and `draft` where they do not run what they were searched for: the embedded models, their sampler.
UNSEARCHED = {"fast": 24, "draft": 12}


class ComposeOptions(LongOptions, OwnOptions):
    """Joint denoising (Images that Sound, section 3.2): two models denoise one latent."""

    EXAMPLES_OF: ClassVar[str] = "compose"
    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "samples"})
    SCALED: ClassVar[dict[str, str]] = dict.fromkeys(
        ("image_start_step", "audio_start_step", "guidance_stop_step"), "steps"
    )
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "sampler": "ddim", "steps": 100, "image_guidance": 10.0, "audio_guidance": 10.0,
            "image_start_step": 10, "audio_start_step": 0, "audio_weight": 0.5, "blend": "average",
            "crop": True, "engine": "torch",
        },
        "fast": {
            "sampler": "dpm++2m", "steps": 12, "guidance_stop_step": 8, "reuse_steps": 2,
        },
        "draft": {
            "sampler": "dpm++2m", "steps": 8, "guidance_stop_step": 5, "reuse_steps": 2,
        },
    }  # fmt: skip

    image_prompt: str = setting("what it looks like", default="", group="prompts")
    audio_prompt: str = setting("what it sounds like", default="", group="prompts")
    scene: Annotated[tuple[str, ...], BeforeValidator(texts_of)] = setting(
        "a stretch of time with its prompts, such as '0-8: a castle / bells'",
        default=(), group="prompts", common=True,
    )  # fmt: skip
    fade: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = setting(
        "over how many seconds scenes fade into each other", default=FADE_S, group="prompts"
    )
    sampler: Sampler = setting("sampler", default="dpm++2m")
    steps: Steps = setting("denoising steps", default=25, common=True)
    image_guidance: Scale | None = setting(
        "guidance scale of the image model (default: the model's own)",
        default=None,
    )  # fmt: skip
    audio_guidance: Scale | None = setting(
        "guidance scale of the audio model (default: the model's own)",
        default=None,
    )  # fmt: skip
    image_start_step: int = setting("first step at which the image model is active", default=0, ge=0)
    audio_start_step: int = setting("first step at which the audio model is active", default=0, ge=0)
    guidance_start_step: int = setting(
        "first step with classifier-free guidance; earlier steps are conditional only", default=0, ge=0
    )
    guidance_stop_step: int | None = setting(
        "first step without classifier-free guidance again (default: none)", default=None, ge=1
    )
    lora: Path | None = setting(
        "LoRA file of the image model, in the layout of kohya or diffusers, fused into its weights",
        default=None, group="models",
    )  # fmt: skip
    audio_lora: Path | None = setting(
        "the same for the audio model, if that is a Stable Diffusion 1.x fine-tune",
        default=None,
        group="models",
    )
    lora_scale: float = setting(
        "how strongly LoRAs count: 0 not at all, 1 as they were trained",
        default=1.0, ge=-4, le=4, allow_inf_nan=False, group="models",
    )  # fmt: skip
    engine: Engine = setting(
        "what computes the U-Nets: torch, or openvino, which compiles them for this CPU; auto takes openvino where it "
        "is installed and the run is long enough to pay for the compiling",
        default="auto", group="machine",
    )  # fmt: skip
    low_memory: bool = setting(
        "keep the networks in main memory and put one at a time on the GPU, one sample at once; free the text encoders "
        "once prompts are encoded; decode in narrow tiles; slower",
        default=False, group="machine",
    )  # fmt: skip
    quantize: Quantize = setting(
        "keep the weights of U-Nets and text encoders in int8: half the memory of bfloat16, slightly other pictures",
        default="none", group="machine",
    )  # fmt: skip
    reuse_steps: int = setting(
        "compute the inner features of U-Nets at one step of this many only, and reuse them at the others (DeepCache); "
        "1 computes them at every step",
        default=1, ge=1, le=10,
    )  # fmt: skip
    audio_weight: Share | None = setting(
        "weight of the audio model: 0 makes a picture alone, 1 a sound alone",
        default=None, common=True,
    )  # fmt: skip
    blend: BlendName | None = setting(
        "how the models share the canvas: average (one latent, as published), inlay (a drawing set into a sound "
        "over the whole width), lighten (a drawing beside a sound) or relief (a sound that shows a picture; for your "
        "own picture or sound) (default: the models' own, else average; with your own material relief)",
        default=None,
    )  # fmt: skip
    drawing_size: float = setting(
        "with --blend lighten: size of the drawing as a share of the canvas",
        default=DRAWING_SIZE, ge=0.25, le=1, group="canvas",
    )  # fmt: skip
    audio_weights: str = setting(
        "with --from: audio weights that the candidates use in turn, separated by commas",
        default="", group="samples",
    )  # fmt: skip
    cutoff: bool = setting(
        "drop the right 4 latent columns before decoding, instead of --crop", default=False, group="canvas"
    )
    view: ViewName = setting(
        "how the audio model sees the canvas: identity; rows (upper and lower half side by side); flip (upside down); "
        "mirror (the sound runs backwards); rotate (half a turn); negate (dark and light exchanged); jigsaw (8 pieces "
        "exchanged); bands (8 strips exchanged); patches (64 exchanged); slices (8 stretches of time); circle "
        "(a disc turned); skew (columns pushed down); rotate90, rotate270 (quarter turns, square canvas)",
        default="identity", group="canvas",
    )  # fmt: skip
    also_image: FurtherPrompts = setting(
        "another image prompt in a view: 'flip: a ship'; repeatable",
        default=(), group="prompts", common=True,
    )  # fmt: skip
    also_audio: FurtherPrompts = setting(
        "another audio prompt in a view: 'mirror: a dog barking'; repeatable",
        default=(), group="prompts", common=True,
    )  # fmt: skip
    image_band: Band = setting(
        "spatial frequencies that the first image prompt decides: all, low-pass (coarse structure) or high-pass "
        "(fine structure)", default="all", group="canvas",
    )  # fmt: skip
    audio_band: Band = setting("the same for the first audio prompt", default="all", group="canvas")
    view_seed: int = setting(
        "random order of jigsaw, bands, patches and slices", default=0, ge=0, le=2**62, group="canvas"
    )
    morph: bool = setting(
        "also write morph.mp4: the picture turns into each of its other views, and each sound plays",
        default=False, group="canvas",
    )  # fmt: skip

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`. A view has no right edge to crop, so it switches a preset's crop off."""
        if given.get("view", "identity") != "identity" and not given.get("crop"):
            given = {**given, "crop": False}
        if (given.get("also_image") or given.get("also_audio")) and not given.get("crop"):
            given = {**given, "crop": False}
        if given.get("audio_weights") and given.get("audio_weight") is not None:
            raise BadInput("--audio-weights does not go with --audio-weight; use one of them.")
        own = given.get("picture") is not None and given.get("sound") is not None
        if own and not given.get("image_prompt") and not given.get("audio_prompt"):
            given = {"count": 1, **given}  # nothing is drawn at random
        return super().make(**_with_scenes(given))

    @classmethod
    def preset_for(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """See `Options.preset_for`. Other models and other samplers are guided to the end of more steps."""
        known = dict(super().preset_for(given))
        usual = {name: cls.model_fields[name].default for name in ("image_model", "audio_model")}
        usual["sampler"] = known.get("sampler")
        changed = {name for name, value in usual.items() if given.get(name, value) != value}
        if changed and (preset := given.get("preset", "fast")) in UNSEARCHED:
            known["steps"] = UNSEARCHED[preset]
            known.pop("guidance_stop_step", None)
        if "sampler" in changed:
            known.pop("reuse_steps", None)
        return known

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """See `Options.upgraded`. Earlier versions reused nothing, and guided to the end where nothing is recorded."""
        found = {"reuse_steps": 1, "guidance_stop_step": None} | super().upgraded(recorded)
        if found["guidance_stop_step"] is None and cls.preset_for(found).get("guidance_stop_step"):
            found["guidance_stop_step"] = found.get("steps")  # in numbers, as the preset says something else
        return found

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The scenes, in the order of time; none: the prompts hold from beginning to end."""
        return scenes_of(self.scene, self.fade)

    @model_validator(mode="after")
    def _scenes_follow_one_another(self) -> Self:
        try:
            scenes = self.scenes
        except ValueError as error:
            raise ValueError(f"--scene: {error}") from None
        if scenes and self.seconds is not None and abs(self.seconds - scenes[-1].end_s) > 1e-6:
            ends, end = f"{scenes[-1].end_s:g} s", f"{self.seconds:g} s"
            if scenes[-1].end_s < self.seconds:
                raise ValueError(f"--scene: there is a gap from {ends} to {end}, the end of the sound.")
            raise ValueError(f"--scene: the last scene ends at {ends}, beyond the end of the sound at {end}.")
        return self

    @model_validator(mode="after")
    def _some_model_is_on(self) -> Self:
        first = min(self.image_start_step, self.audio_start_step)
        if first > 0:
            raise ValueError(
                f"No model is active at steps 0 to {first - 1}: "
                "set --image-start-step or --audio-start-step to 0."
            )
        for name in ("image_start_step", "audio_start_step"):
            if (start := getattr(self, name)) > self.steps:
                raise ValueError(
                    f"{flag_of(name)} {start}: there are only {self.steps} steps; use at most {self.steps}."
                )
        if self.view != "identity" and (self.crop or self.cutoff):
            raise ValueError(f"--view {self.view}: has no right edge for --crop or --cutoff; leave them out.")
        if self.loop and self.cutoff:
            raise ValueError(
                "--loop: --cutoff would cut the place where the end meets the beginning; leave it out."
            )
        if self.several and (self.crop or self.cutoff):
            raise ValueError(
                "--also-image and --also-audio do not go with --crop or --cutoff; leave them out."
            )
        if self.morph and not self.several:
            raise ValueError("--morph needs another view; add one with --also-image or --also-audio.")
        if self.crop and self.cutoff:
            raise ValueError("--crop and --cutoff both drop the right edge; choose one of them.")
        return self

    @model_validator(mode="after")
    def _own_material_is_whole(self) -> Self:
        if self.mask is not None and self.picture is None:
            raise ValueError(f"--mask {self.mask}: says where a picture may change; add --picture.")
        for file, other, words, flag in (
            (self.picture, self.sound, self.audio_prompt, "--picture"),
            (self.sound, self.picture, self.image_prompt, "--sound"),
        ):
            if file is not None and other is None and not words.strip():
                what = "sound like" if flag == "--picture" else "look like"
                raise ValueError(f"{flag} {file}: say in a prompt what the result should {what}.")
        return self

    @model_validator(mode="after")
    def _each_band_is_decided(self) -> Self:
        voices = (
            (self.image_start_step, {self.image_band, *(one.band for one in self.more_images)}),
            (self.audio_start_step, {self.audio_band, *(one.band for one in self.more_sounds)}),
        )
        for band in BANDS:
            if not any(start == 0 and bands & {"all", band} for start, bands in voices):
                raise ValueError(
                    f"No prompt decides the {band} part of the canvas from step 0 on; add one, such as "
                    f"--also-image '{band}: a ship'."
                )
        return self

    @property
    def more_images(self) -> tuple[FurtherPrompt, ...]:
        """The further image prompts."""
        return tuple(map(further_prompt, self.also_image))

    @property
    def more_sounds(self) -> tuple[FurtherPrompt, ...]:
        """The further audio prompts."""
        return tuple(map(further_prompt, self.also_audio))

    @property
    def several(self) -> bool:
        """Whether there are further prompts."""
        return bool(self.also_image or self.also_audio)

    @property
    def banded(self) -> bool:
        """Whether a prompt decides one band only."""
        more = (*self.more_images, *self.more_sounds)
        return {self.image_band, self.audio_band, *(one.band for one in more)} != {"all"}

    @model_validator(mode="after")
    def _weights_are_shares(self) -> Self:
        if not self.audio_weights:
            return self
        try:
            sound = all(0 <= share <= 1 for share in self.audio_weight_cycle)
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(
                f"--audio-weights {self.audio_weights}: use weights from 0 to 1, such as 0.3,0.5."
            )
        if self.from_ is None:
            raise ValueError("--audio-weights needs --from.")
        return self

    @property
    def audio_weight_cycle(self) -> tuple[float, ...]:
        """The audio weights that the candidates use in turn."""
        return tuple(float(share) for share in self.audio_weights.split(","))

    def with_samples(self, numbers: Sequence[int]) -> list[Self]:
        """The options of these candidates, one for each audio weight."""
        if not self.audio_weights:
            return super().with_samples(numbers)
        found: list[Self] = []
        for turn, share in enumerate(turns := self.audio_weight_cycle):
            group = [number for number in numbers if (number - self.index) % len(turns) == turn]
            if group:
                found += [
                    each.model_copy(update={"audio_weight": share}) for each in super().with_samples(group)
                ]
        return found

    @property
    def steps_per_sample(self) -> int:
        """Denoising steps of a sample."""
        return self.steps

    @property
    def cost_per_sample(self) -> float:
        """In evaluations of one model's U-Net; one that reuses inner features counts a tenth."""
        stop = self.steps if self.guidance_stop_step is None else min(self.steps, self.guidance_stop_step)
        asks = (self.steps, max(0, stop - self.guidance_start_step))  # for the prompt, and for its negative
        whole = sum(math.ceil(count / self.reuse_steps) for count in asks)
        return whole + REUSED_COST * (sum(asks) - whole)

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in this many steps; start steps keep their share."""
        share = steps / self.steps
        starts = ("image_start_step", "audio_start_step", "guidance_start_step")
        changed: dict[str, Any] = {name: round(getattr(self, name) * share) for name in starts}
        if self.guidance_stop_step is not None:
            changed["guidance_stop_step"] = max(1, round(self.guidance_stop_step * share))
        return self.model_copy(update=changed | {"steps": steps, "sampler": COARSE_SAMPLER, "reuse_steps": 1})


class ComposeSettings(ComposeOptions):
    """Options of compose with everything decided."""

    threads: int
    guidance_stop_step: int
    height: int
    width: int
    window_width: int
    image_guidance: float
    audio_guidance: float
    audio_weight: float
    blend: BlendName


def _with_scenes(given: dict[str, Any]) -> dict[str, Any]:
    """With what scenes decide: the prompts as a whole, and the length, where the width is not given."""
    said = given.get("scene")
    if not said or not isinstance(said, str | list | tuple):
        return given  # nothing, or a value of the wrong kind, which the fields refuse
    texts = texts_of(said)
    if not all(isinstance(text, str) for text in texts):
        return given
    fade = given.get("fade")
    try:
        scenes = scenes_of(texts, fade if isinstance(fade, int | float) else 0.0)
    except ValueError as error:
        raise BadInput(f"--scene: {error}") from None
    prompts = joined(scenes)
    if any(given.get(name) not in (None, "", prompt) for name, prompt in prompts.items()):
        raise BadInput("--scene: each scene has its own prompts; leave out the other prompts.")
    sized = given.get("width") is not None or given.get("seconds") is not None
    return given | prompts | ({} if sized else {"seconds": scenes[-1].end_s})
