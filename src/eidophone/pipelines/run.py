"""What the pipelines share: models, completed settings, batches, sound, the recipe."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Denoiser
from eidophone.diffusion.walk import walk
from eidophone.errors import BadInput
from eidophone.media.mel import MelSpec
from eidophone.media.spectrogram import log_mel_from_picture
from eidophone.media.vocoder import Vocoder
from eidophone.models.latent import LatentModel
from eidophone.models.load import Loader, load_vocoder, mel_spec_of
from eidophone.models.place import batch_size, choose_device, choose_dtype, within_memory
from eidophone.models.source import Source, find
from eidophone.models.weights import Origin
from eidophone.options import BlendMode, ComposeOptions, DrawOptions, ImprintOptions, Options, SampleOptions
from eidophone.progress import Progress, silent
from eidophone.recipe import FORMAT
from eidophone.values import Clip, Floats
from eidophone.version import VERSION

CROP_PIXELS = 32
DEFAULT_CANVAS = (256, 1024)
DEFAULT_GUIDANCE = 7.5
DEFAULT_AUDIO_WEIGHT = 0.5
DEFAULT_BLEND: BlendMode = "average"
#: Mel pictures that a vocoder plays at once, so that memory does not grow with the batch.
PLAYED_AT_ONCE = 4
#: Options that decide nothing about the bytes of a sample.
NOT_IN_RECIPE = (
    "offline", "judges", "rank_by", "looks_weight", "from_", "early_rejection", "audio_weights",
    "checkpoint_every", "resume",
)  # fmt: skip

AnyOptions = TypeVar("AnyOptions", bound=SampleOptions)
T = TypeVar("T")


def filled(value: T | None) -> T:
    """An option that `open_studio` has filled in."""
    assert value is not None, "options are completed before they are used"
    return value


@dataclass(frozen=True)
class Studio:
    """What one run works with.

    Attributes:
        image, audio: The loaded models; one that is not needed is None.
        sources: Where the image and the audio model come from, by role.
        vocoder: Who plays the mel picture.
        mel_spec: Of the audio model.
    """

    image: LatentModel | None
    audio: LatentModel | None
    sources: dict[str, Source]
    vocoder: Vocoder
    mel_spec: MelSpec

    @property
    def models(self) -> list[LatentModel]:
        """The loaded models."""
        return [model for model in (self.image, self.audio) if model is not None]

    @property
    def factor(self) -> int:
        """Pixels a latent cell; 1 if no model is loaded."""
        return max((model.factor for model in self.models), default=1)

    def evaluations(self) -> int:
        """U-Net evaluations so far, counted a sample."""
        return sum(model.evaluations for model in self.models)


def open_studio(
    options: AnyOptions,
    progress: Progress = silent,
    *,
    roles: tuple[str, ...] = ("image", "audio"),
    shared: bool = True,
    rows: int = 1,
) -> tuple[Studio, AnyOptions]:
    """Loads a run's models and completes its options from their advice.

    Args:
        roles: The models that are needed.
        shared: They work on one latent, so they must fit together.
        rows: Rows of the mel picture's height that the canvas has (see `diffusion.views`).

    Raises:
        EidophoneError: unknown or absent models, models that do not fit, a device that is not there.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    threads = use_threads(options.threads)
    progress("loading models", 0, 1)
    with within_memory(1):
        loader = Loader(device, dtype, options.offline)
        if shared:
            image, audio = loader.pair(options.image_model, options.audio_model)
            models: dict[str, LatentModel] = {"image": image, "audio": audio}
        else:
            names = {"image": options.image_model, "audio": options.audio_model}
            models = {role: loader.model(names[role], role) for role in ("image", "audio") if role in roles}
    sources = {role: model.source for role, model in models.items()}
    if "audio" not in sources:  # it still says how the picture is played
        sources["audio"] = find(options.audio_model, "audio", offline=options.offline)
    vocoder = load_vocoder(sources["audio"], options.vocoder, device)
    studio = Studio(models.get("image"), models.get("audio"), sources, vocoder, mel_spec_of(sources["audio"]))
    progress("loading models", 1, 1)
    found = {"device": str(device), "dtype": str(dtype).removeprefix("torch."), "threads": threads}
    return studio, options.model_copy(update=found | _advised(options, studio, rows))


def use_threads(wanted: int | None) -> int:
    """Sets torch's threads, because sums round by how they are split; returns the number in use."""
    if wanted is not None and wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)
    return torch.get_num_threads()


def _advised(options: SampleOptions, studio: Studio, rows: int) -> dict[str, Any]:
    """Sizes, guidance and shares that were left open."""
    advice = studio.sources["audio"].advice
    if "image" in studio.sources:
        advice = advice.over(studio.sources["image"].advice)
    weight = advice.audio_weight
    open_settings: dict[str, Any] = {
        "height": studio.mel_spec.bands * rows,
        "width": (advice.canvas or DEFAULT_CANVAS)[1],
        "image_guidance": advice.image_guidance or DEFAULT_GUIDANCE,
        "audio_guidance": advice.audio_guidance or DEFAULT_GUIDANCE,
        "audio_weight": DEFAULT_AUDIO_WEIGHT if weight is None else weight,
        "blend": advice.blend or DEFAULT_BLEND,
    }
    found = {k: v for k, v in open_settings.items() if getattr(options, k, 0) is None}
    if "width" in found and rows == 1 and meet(options.model_copy(update=found)):
        found["width"] = advice.shared_width or found["width"]
    return found


def meet(options: SampleOptions) -> bool:
    """Whether both models have a say in each canvas; alone, each keeps to the width that it is used to."""
    if isinstance(options, ComposeOptions):
        return 0 < filled(options.audio_weight) < 1
    return isinstance(options, ImprintOptions)


def are_apart(options: SampleOptions) -> bool:
    """Whether each model has a canvas of its own: not if one of them has no share anyway."""
    return isinstance(options, ComposeOptions) and options.blend in ("inlay", "lighten") and meet(options)


def read_as(*said: tuple[LatentModel | None, str]) -> dict[str, dict[str, str]]:
    """For the record: what models read in place of words of their prompts that they never met.

    Args:
        said: Each model and its prompt; one that is not loaded reads nothing.
    """
    found: dict[str, str] = {}
    for model, prompt in said:
        if model is not None:
            found |= model.text.wordbook.replaced(prompt)
    return {"read_as": found} if found else {}


def check_canvas(options: SampleOptions, studio: Studio, rows: int = 1, cut: int = 0) -> tuple[int, int]:
    """The canvas in pixels, if the models can draw and play it.

    Args:
        rows: Rows of the mel picture's height that the canvas has.
        cut: Pixels that will be dropped on the right.

    Raises:
        BadInput: a size that the VAE cannot divide, or that is no mel picture; the message names the nearest.
    """
    height, width = filled(options.height), filled(options.width)
    factor, playable = studio.factor, studio.mel_spec.bands * rows
    player = f"the audio model {studio.sources['audio'].name!r} plays pictures {playable} pixels high"
    for name, size, hint in (("--height", height, f", and {player}"), ("--width", width, "")):
        if size % factor:
            near = sorted({max(factor, size // factor * factor), (size // factor + 1) * factor})
            raise BadInput(
                f"{name} {size}: the VAE works in blocks of {factor} pixels; "
                f"the nearest are {' and '.join(map(str, near))}{hint}."
            )
    if height != playable:
        raise BadInput(f"--height {height}: {player}; leave --height out or give {playable}.")
    if width <= cut:
        flag = "--crop" if getattr(options, "crop", False) else "--cutoff"
        raise BadInput(f"--width {width}: {flag} drops {cut} pixels and nothing would be left; widen it.")
    return height, width


def batches(options: SampleOptions, studio: Studio) -> Iterator[Sequence[int]]:
    """The sample indices of a run, in batches whose size follows memory (or `options.batch_size`)."""
    size, numbers = _at_once(options, studio), options.numbers
    for first in range(0, len(numbers), size):
        yield numbers[first : first + size]


def _at_once(options: SampleOptions, studio: Studio) -> int:
    """Samples in a batch: as many as memory allows, or `options.batch_size`."""
    if options.batch_size is not None or not studio.models:
        return options.batch_size or options.count
    model = studio.models[0]
    return batch_size(
        options.count,
        filled(options.height),
        filled(options.width),
        int(model.vae.config.block_out_channels[0]) * 2,
        model.dtype.itemsize,
        model.device,
    )


def denoise(denoiser: Denoiser, noise: Tensor, scheduler: Any, watch: Callable[[int], None]) -> Tensor:
    """Walks to the end without gradients; tells `watch` the number of finished steps."""
    latents = noise
    with torch.inference_mode():
        for state in walk(denoiser, noise, scheduler):
            latents = state.latents
            watch(state.step)
    return latents


def play(gray: Tensor, vocoder: Vocoder, spec: MelSpec) -> Floats:
    """The sound of mel pictures: (batch, bands, columns) in [0, 1] -> float32 (batch, frames).

    Sound over full scale is made quieter as a whole, so that nothing clips.
    """
    with torch.inference_mode():
        logs = log_mel_from_picture(gray, spec)
        sound = torch.cat([vocoder(part) for part in torch.split(logs, PLAYED_AT_ONCE)])
    loudest = sound.abs().amax(1, keepdim=True)
    found: Floats = (sound / loudest.clamp(min=1)).cpu().numpy()
    return found


def clip_of(samples: Floats, spec: MelSpec, kept: float = 1.0) -> Clip:
    """A mono clip of the first `kept` share of the frames."""
    frames = round(len(samples) * kept)
    return Clip(samples[None, :frames].copy(), spec.rate_hz)


def kept_columns(options: SampleOptions, columns: int) -> tuple[int, float]:
    """How many columns a crop leaves of so many, and which share of the sound goes with them."""
    width = columns - (CROP_PIXELS if options.crop else 0)
    return width, width / columns


def sample_recipe(
    verb: str, options: SampleOptions, studio: Studio, batch: Sequence[int], index: int
) -> dict[str, Any]:
    """Everything that decides the bytes of one sample.

    The options name exactly the batch that the sample was made in, because sums over a batch round
    differently from sums over one; so the recipe is the same whatever else the run made.
    """
    ran = options.model_copy(update={"count": len(batch), "batch_size": len(batch)} | _named(batch))
    recipe = recipe_of(verb, ran, studio.sources, studio.mel_spec, studio.vocoder.name)
    return recipe | {"index": index, "seed": options.seed + index}


def _named(batch: Sequence[int]) -> dict[str, Any]:
    """The samples of a batch, by the first and their count where they follow one another."""
    inline = list(batch) == list(range(batch[0], batch[0] + len(batch)))
    return {"index": batch[0], "samples": () if inline else tuple(batch)}


def recipe_of(
    verb: str, options: Options, sources: Mapping[str, Origin], spec: MelSpec, vocoder: str = ""
) -> dict[str, Any]:
    """The recipe of a verb, without what only samples have."""
    decide = {name: value for name, value in options.plain().items() if name not in NOT_IN_RECIPE}
    return {
        "format": FORMAT,
        "eidophone": VERSION,
        "verb": verb,
        "index": 0,
        "options": decide,
        "models": {role: source.describe() for role, source in sources.items()},
        "vocoder": vocoder,
        "mel_spec": spec.to_dict(),
        "versions": versions(),
    }


def single_recipe(
    verb: str,
    options: DrawOptions,
    index: int,
    sources: Mapping[str, Origin],
    spec: MelSpec,
    vocoder: str = "",
) -> dict[str, Any]:
    """The recipe of a sample that is made alone."""
    ran = options.model_copy(update={"index": index, "count": 1})
    recipe = recipe_of(verb, ran, sources, spec, vocoder)
    return recipe | {"index": index, "seed": options.seed + index}


def versions() -> dict[str, str]:
    """Versions of what computes."""
    names = ("torch", "diffusers", "transformers", "numpy", "soxr", "pillow", "av")
    return {
        "eidophone": VERSION,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
