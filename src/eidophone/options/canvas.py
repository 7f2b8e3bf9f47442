"""Settings of the verbs whose canvas is a picture and a mel picture: compose and imprint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from eidophone.options.base import (
    BlendMode,
    Scale,
    Share,
    Solver,
    Steps,
    choose,
    flag_of,
)
from eidophone.options.shared import ChoiceOptions

#: Height and width of a drawing as shares of the canvas's; what it gives up is room for the sound.
DRAWING_SIZE = 0.85
#: Walks a ladder of few steps best.
COARSE_SOLVER: Solver = "dpm++2m"


class ComposeOptions(ChoiceOptions):
    """Joint denoising (Images that Sound, section 3.2): two models, on one latent or on one each."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "ddim", "steps": 100, "image_guidance": 10.0, "audio_guidance": 10.0,
            "image_start_step": 10, "audio_start_step": 0, "audio_weight": 0.5, "blend": "average",
            "crop": True,
        },
        "fast": {"solver": "dpm++2m", "steps": 25},
        "draft": {"solver": "unipc", "steps": 12},
    }  # fmt: skip

    image_prompt: str = choose("what it looks like", default="")
    audio_prompt: str = choose("what it sounds like", default="")
    solver: Solver = choose("how the noise ladder is walked", default="dpm++2m")
    steps: Steps = choose("denoising steps", default=25)
    image_guidance: Scale | None = choose("pull of the image prompt (default: the model's own)", default=None)
    audio_guidance: Scale | None = choose("pull of the audio prompt (default: the model's own)", default=None)
    image_start_step: int = choose("first step at which the image model is on", default=0, ge=0)
    audio_start_step: int = choose("first step at which the audio model is on", default=0, ge=0)
    guidance_start_step: int = choose(
        "first step that is guided; before it the prompts alone speak", default=0, ge=0
    )
    guidance_stop_step: int | None = choose(
        "first step that is guided no more (default: none)", default=None, ge=1
    )
    audio_weight: Share | None = choose(
        "share of the audio model where both are on (default: the models' own)", default=None
    )
    blend: BlendMode | None = choose(
        "how the models meet: average, both denoise one canvas, as published; inlay, the drawing set into "
        "the sound over the whole width; lighten, the drawing beside the sound (default: the models' own)",
        default=None,
    )
    drawing_size: float = choose(
        "size of the drawing as a share of the canvas (with --blend lighten)",
        default=DRAWING_SIZE, ge=0.25, le=1,
    )  # fmt: skip
    audio_weights: str = choose(
        "with --from: shares that candidates take in turn, commas between them, to find the best for a pair",
        default="",
    )
    cutoff: bool = choose(
        "drop the right 4 latent columns before decoding (instead of --crop)", default=False
    )
    view: Literal["identity", "rows"] = choose(
        "how the audio model sees the canvas: as it is, or its upper and lower half side by side",
        default="identity",
    )

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

    @model_validator(mode="after")
    def _weights_are_shares(self) -> Self:
        if not self.audio_weights:
            return self
        try:
            sound = all(0 <= share <= 1 for share in self.turns)
        except ValueError:
            sound = False
        if not sound:
            raise ValueError(
                f"--audio-weights {self.audio_weights}: give shares from 0 to 1, such as 0.3,0.5."
            )
        if self.from_ is None or self.audio_weight is not None:
            raise ValueError("--audio-weights needs --from, and no --audio-weight beside it.")
        return self

    @property
    def turns(self) -> tuple[float, ...]:
        """The shares of the audio model that candidates take in turn."""
        return tuple(float(share) for share in self.audio_weights.split(","))

    def told(self, numbers: Sequence[int]) -> list[Self]:
        """The settings of these candidates, one for each share of the audio model."""
        if not self.audio_weights:
            return super().told(numbers)
        found: list[Self] = []
        for turn, share in enumerate(turns := self.turns):
            group = [number for number in numbers if (number - self.index) % len(turns) == turn]
            if group:
                found += [told.model_copy(update={"audio_weight": share}) for told in super().told(group)]
        return found

    @property
    def walked(self) -> int:
        """Denoising steps of a sample."""
        return self.steps

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in so many steps; what begins on the way begins at the same share."""
        share = steps / self.steps
        starts = ("image_start_step", "audio_start_step", "guidance_start_step")
        changed: dict[str, Any] = {name: round(getattr(self, name) * share) for name in starts}
        if self.guidance_stop_step is not None:
            changed["guidance_stop_step"] = max(1, round(self.guidance_stop_step * share))
        return self.model_copy(update=changed | {"steps": steps, "solver": COARSE_SOLVER})


class ImprintOptions(ChoiceOptions):
    """A picture pressed into a spectrogram that was made apart (Images that Sound, section 4.1)."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"image_prompt", "audio_prompt", "samples"})
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {
            "solver": "ddim", "image_steps": 50, "audio_steps": 100,
            "image_guidance": 7.5, "audio_guidance": 7.5, "magnitude_ratio": 0.5, "crop": True,
        },
        "fast": {"solver": "dpm++2m", "image_steps": 20, "audio_steps": 25},
        "draft": {"solver": "unipc", "image_steps": 10, "audio_steps": 12},
    }  # fmt: skip

    image_prompt: str = choose("what it looks like", default="")
    audio_prompt: str = choose("what it sounds like", default="")
    picture: Path | None = choose("a picture of your own instead of the image prompt", default=None)
    sound: Path | None = choose("a sound of your own instead of the audio prompt", default=None)
    solver: Solver = choose("how the noise ladder is walked", default="dpm++2m")
    image_steps: Steps = choose("denoising steps of the picture", default=20)
    audio_steps: Steps = choose("denoising steps of the sound", default=25)
    image_guidance: Scale | None = choose("pull of the image prompt (default: the model's own)", default=None)
    audio_guidance: Scale | None = choose("pull of the audio prompt (default: the model's own)", default=None)
    magnitude_ratio: Share = choose("how deep the picture is pressed in", default=0.5)
    invert: bool = choose("press in the dark parts instead of the light ones", default=True)

    @classmethod
    def make(cls, **given: Any) -> Self:
        """See `Options.make`; with both files given nothing is drawn by lot: one sample is all there is."""
        if given.get("picture") and given.get("sound"):
            given = {"count": 1, **given}
        return super().make(**given)

    @property
    def walked(self) -> int:
        """Denoising steps of a sample: of its picture and of its sound, where they are not files."""
        return (0 if self.picture else self.image_steps) + (0 if self.sound else self.audio_steps)

    def coarse(self, steps: int) -> Self:
        """The same samples, roughly, in at most so many steps each."""
        fewer = {name: min(steps, getattr(self, name)) for name in ("image_steps", "audio_steps")}
        return self.model_copy(update={**fewer, "solver": COARSE_SOLVER})

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
