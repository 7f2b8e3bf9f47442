"""What every pipeline over latents shares: models, completed settings, batches, sound, the recipe."""

import platform
from collections.abc import Callable, Iterator
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
from eidophone.models.place import batch_size, choose_device, choose_dtype
from eidophone.options import Options, SampleOptions
from eidophone.recipe import FORMAT
from eidophone.values import Clip, Floats
from eidophone.version import VERSION

#: Called as (what is being done, steps done, steps in all).
Progress = Callable[[str, int, int], None]

CROP_PIXELS = 32
DEFAULT_CANVAS = (256, 1024)
DEFAULT_GUIDANCE = 7.5

O = TypeVar("O", bound=SampleOptions)  # noqa: E741


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Studio:
    """The models of one run, loaded, with the settings that are left open filled in.

    Attributes:
        image, audio: Two models that share one latent.
        vocoder: Who plays the mel picture.
        mel_spec: Of the audio model.
    """

    image: LatentModel
    audio: LatentModel
    vocoder: Vocoder
    mel_spec: MelSpec

    def evaluations(self) -> int:
        """U-Net evaluations so far, counted a sample."""
        models = {id(model): model for model in (self.image, self.audio)}
        return sum(model.evaluations for model in models.values())


def open_studio(options: O, progress: Progress = silent) -> tuple[Studio, O]:
    """Loads a run's models and completes its options from their advice.

    Raises:
        EidophoneError: unknown or absent models, models that do not fit, a device that is not there.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    loader = Loader(device, dtype, options.offline)
    progress("loading models", 0, 1)
    image, audio = loader.pair(options.image_model, options.audio_model)
    progress("loading models", 1, 1)
    studio = Studio(image, audio, load_vocoder(audio.source, options.vocoder), mel_spec_of(audio.source))
    height, width = image.source.advice.canvas or DEFAULT_CANVAS
    if audio.source.advice.canvas:
        height, width = audio.source.advice.canvas
    filled = {
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "height": options.height or height,
        "width": options.width or width,
    }
    return studio, options.model_copy(update=filled | _advised(options, studio))


def _advised(options: SampleOptions, studio: Studio) -> dict[str, Any]:
    """Guidance and shares that were left open."""
    image, audio = studio.image.source.advice, studio.audio.source.advice
    open_settings = {
        "image_guidance": image.image_guidance or DEFAULT_GUIDANCE,
        "audio_guidance": audio.audio_guidance or DEFAULT_GUIDANCE,
        "audio_weight": 0.5 if audio.audio_weight is None else audio.audio_weight,
        # the sound lays the ground first, as in the paper; unless it starts later itself
        "image_start_step": 0
        if getattr(options, "audio_start_step", 0)
        else getattr(options, "steps", 0) // 10,
    }
    return {k: v for k, v in open_settings.items() if getattr(options, k, 0) is None}


def check_canvas(options: SampleOptions, studio: Studio, rows: int = 1) -> tuple[int, int]:
    """The canvas in pixels, if the models can draw and play it.

    Args:
        rows: How many rows of the mel picture's height the canvas has (see `diffusion.views`).

    Raises:
        BadInput: a size that the VAE cannot divide, or that is no mel picture; the message names the nearest.
    """
    height, width = options.height or 0, options.width or 0
    for name, size in (("--height", height), ("--width", width)):
        factor = studio.image.factor
        if size % factor:
            near = sorted({max(factor, size // factor * factor), (size // factor + 1) * factor})
            raise BadInput(
                f"{name} {size}: the VAE works in blocks of {factor} pixels; "
                f"the nearest are {' and '.join(map(str, near))}."
            )
    playable = studio.mel_spec.bands * rows
    if height != playable:
        raise BadInput(
            f"--height {height}: the audio model {studio.audio.source.name!r} plays pictures that are "
            f"{playable} pixels high; leave --height out or give {playable}."
        )
    if options.crop and width <= CROP_PIXELS:
        raise BadInput(
            f"--width {width}: --crop drops {CROP_PIXELS} pixels and nothing would be left; widen it."
        )
    return height, width


def batches(options: SampleOptions, studio: Studio) -> Iterator[range]:
    """The sample indices of a run, in batches whose size follows memory (or `options.batch_size`)."""
    config = studio.image.vae.config
    size = options.batch_size or batch_size(
        options.count,
        options.height or 0,
        options.width or 0,
        int(config.block_out_channels[0]) * 2,
        studio.image.dtype.itemsize,
        studio.image.device,
    )
    end = options.index + options.count
    for first in range(options.index, end, size):
        yield range(first, min(first + size, end))


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
        sound = vocoder(log_mel_from_picture(gray, spec))
    loudest = sound.abs().amax(1, keepdim=True)
    found: Floats = (sound / loudest.clamp(min=1)).numpy()
    return found


def clip_of(samples: Floats, studio: Studio, kept: float = 1.0) -> Clip:
    """A mono clip of the first `kept` share of the frames."""
    frames = round(len(samples) * kept)
    return Clip(samples[None, :frames].copy(), studio.mel_spec.rate_hz)


def recipe(verb: str, options: SampleOptions, studio: Studio, batch: range, index: int) -> dict[str, Any]:
    """Everything that decides the bytes of one sample.

    The options name exactly the batch that the sample was made in, because sums over a batch round
    differently from sums over one; so the recipe is the same whatever else the run made.
    """
    ran = options.model_copy(update={"index": batch[0], "count": len(batch), "batch_size": len(batch)})
    return {
        "format": FORMAT,
        "eidophone": VERSION,
        "verb": verb,
        "index": index,
        "seed": options.seed + index,
        "options": ran.plain(),
        "models": {"image": studio.image.source.describe(), "audio": studio.audio.source.describe()},
        "vocoder": studio.vocoder.name,
        "mel_spec": studio.mel_spec.to_dict(),
        "versions": versions(),
    }


def file_recipe(
    verb: str, options: Options, inputs: dict[str, str], spec: MelSpec, vocoder: str = ""
) -> dict[str, Any]:
    """The recipe of a verb that reads a file and draws no lots; `inputs` are checksums by option."""
    return {
        "format": FORMAT,
        "eidophone": VERSION,
        "verb": verb,
        "index": 0,
        "options": options.plain(),
        "inputs": inputs,
        "vocoder": vocoder,
        "mel_spec": spec.to_dict(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of what computes."""
    names = ("torch", "diffusers", "transformers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
