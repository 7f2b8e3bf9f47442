"""Loads the models of a run and completes its options with what the models advise."""

from dataclasses import dataclass
from typing import Any

import torch

from eidophone.core.events import Reporter
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import Vocoder
from eidophone.media.vocoder_files import read_json
from eidophone.models.device import (
    choose_device,
    choose_dtype,
    computes_bfloat16,
    use_threads,
    within_memory,
)
from eidophone.models.identity import file_ids
from eidophone.models.latent import LatentModel
from eidophone.models.load import Loader, mel_spec_of
from eidophone.models.networks.lora import Lora
from eidophone.models.parked import park
from eidophone.models.source import DiffusionFiles, find
from eidophone.options.groups import SampleOptions
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.sizes import CROP_PIXELS, CUTOFF_COLUMNS, check_size, width_of

DEFAULT_CANVAS = (256, 1024)
DEFAULT_GUIDANCE = 7.5
#: Bytes of a model beyond which a step takes seconds on a processor.
LARGE = 500_000_000


@dataclass(frozen=True)
class LoadedModels:
    """The models of one run.

    Attributes:
        image, audio: The loaded models; None where the run does not need one.
        sources: Their files, by role.
        vocoder: Turns the mel picture into sound.
        mel_spec: Of the audio model.
    """

    image: LatentModel | None
    audio: LatentModel | None
    sources: dict[str, DiffusionFiles]
    vocoder: Vocoder
    mel_spec: MelSpec

    @property
    def models(self) -> list[LatentModel]:
        """The loaded models."""
        return [model for model in (self.image, self.audio) if model is not None]

    @property
    def vae_scale_factor(self) -> int:
        """Pixels per latent cell; 1 if no model is loaded."""
        return max((model.vae_scale_factor for model in self.models), default=1)

    def evaluations(self) -> int:
        """Denoiser evaluations so far, counted per sample."""
        return sum(model.evaluations for model in self.models)


def load_models(
    options: SampleOptions,
    context: Context,
    *,
    roles: tuple[str, ...] = ("image", "audio"),
    shared: bool = True,
    rows: int = 1,
) -> tuple[LoadedModels, dict[str, Any]]:
    """Loads the models of a run; what the session already holds is not loaded again.

    Args:
        options: Which models, on which device.
        context: Holds the loaded models.
        roles: The models that the run needs.
        shared: They denoise the same latent, so they must fit together.
        rows: How many mel pictures the canvas holds, one above the other (see `diffusion.canvas`).

    Returns:
        The models, and values for the options that were left open.

    Raises:
        EidophoneError: unknown or absent models, models that do not fit, a device that is not there.
    """
    loader, decided = open_loader(options, context)
    if options.dtype == "auto" and _faster_in_bfloat16(options, loader, roles):
        decided["dtype"] = "bfloat16"
        loader = context.registry.loader(loader.device, torch.bfloat16, options.offline)
    device, parked = loader.device, bool(getattr(options, "low_memory", False))
    where = torch.device("cpu") if parked else device
    quantize = getattr(options, "quantize", "none") == "int8"
    loader = context.registry.loader(where, loader.dtype, options.offline, quantize)
    _check_size_first(options, loader, roles, rows)
    with within_memory(1):
        models: dict[str, LatentModel]
        if shared:
            image, audio = loader.pair(options.image_model, options.audio_model, loras_of(options))
            models = {"image": image, "audio": audio}
        else:
            names = {"image": options.image_model, "audio": options.audio_model}
            models = {role: loader.model(names[role], role) for role in ("image", "audio") if role in roles}
    for model in models.values():
        if parked:
            park(model, device)
    sources = {role: model.source for role, model in models.items()}
    if "audio" not in sources:  # its card still says how the picture is played
        sources["audio"] = find(options.audio_model, "audio", offline=options.offline)
    vocoder = loader.vocoder(sources["audio"], options.vocoder)
    loaded = LoadedModels(
        models.get("image"), models.get("audio"), sources, vocoder, mel_spec_of(sources["audio"])
    )
    context.report("loading models", 1, 1)
    return loaded, decided | _advised(options, loaded, rows) | _length(options, loaded, rows, context.report)


def _faster_in_bfloat16(options: SampleOptions, loader: Loader, roles: tuple[str, ...]) -> bool:
    """Whether large models should run in bfloat16: the processor can, and no published numbers are asked for."""
    if loader.device.type != "cpu" or options.preset == "paper" or not computes_bfloat16():
        return False
    names = {"image": options.image_model, "audio": options.audio_model}
    found = [loader.source(names[role], role) for role in ("image", "audio") if role in roles]
    return any(sum(id_.size for id_ in file_ids(path for _, path in one.files())) > LARGE for one in found)


def loras_of(options: SampleOptions) -> tuple[Lora | None, Lora | None]:
    """The LoRAs of the image and the audio model, where the options name them."""
    paths = [getattr(options, name, None) for name in ("lora", "audio_lora")]
    scale = getattr(options, "lora_scale", 1.0)
    image, audio = (None if path is None else Lora(path, scale) for path in paths)
    return image, audio


def release_text(loaded: LoadedModels, context: Context) -> None:
    """Frees the text encoders of a run, whose prompts are encoded by now."""
    for model in loaded.models:
        context.registry.forget(model.text.network)
        model.text = model.text.released()


def _check_size_first(options: SampleOptions, loader: Loader, roles: tuple[str, ...], rows: int) -> None:
    """Refuses a size before gigabytes are read for it, as far as the files of the models say enough.

    Raises:
        BadInput: a size that cannot be decoded or played.
    """
    if options.height is None and options.width is None:
        return
    audio = loader.source(options.audio_model, "audio")
    drawn = loader.source(options.image_model, "image") if "image" in roles else audio
    config = drawn.part("vae") / "config.json"
    facts = read_json(config) if config.is_file() else None
    channels = facts.get("block_out_channels") if isinstance(facts, dict) else None
    if isinstance(channels, list) and channels:
        playable, factor = mel_spec_of(audio).n_mels * rows, 2 ** (len(channels) - 1)
        player = f"the audio model {audio.name!r}"
        check_size(options.height or playable, options.width or 8 * factor, factor, playable, player)


def open_loader(options: Any, context: Context) -> tuple[Loader, dict[str, Any]]:
    """The loader for a run's device and number format, and the values it decides.

    Raises:
        BadInput: a device that this machine does not have.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    threads = use_threads(options.threads, context.report.warn)
    context.report("loading models", 0, 1)
    decided = {"device": str(device), "dtype": str(dtype).removeprefix("torch."), "threads": threads}
    return context.registry.loader(device, dtype, options.offline), decided


def _advised(options: SampleOptions, loaded: LoadedModels, rows: int) -> dict[str, Any]:
    """Sizes and guidance scales that were left open."""
    defaults = loaded.sources["audio"].defaults
    if "image" in loaded.sources:
        defaults = defaults.over(loaded.sources["image"].defaults)
    own = (defaults.canvas or DEFAULT_CANVAS)[1]
    advised: dict[str, Any] = {
        "height": loaded.mel_spec.n_mels * rows,
        "width": own,
        "window_width": own,
        "image_guidance": defaults.image_guidance or DEFAULT_GUIDANCE,
        "audio_guidance": defaults.audio_guidance or DEFAULT_GUIDANCE,
    }
    return {name: value for name, value in advised.items() if getattr(options, name, 0) is None}


def _length(options: SampleOptions, loaded: LoadedModels, rows: int, report: Reporter) -> dict[str, Any]:
    """The width for `--seconds`; says how long the sound will be where that is not what was asked for."""
    if options.seconds is None:
        return {}
    factor = loaded.vae_scale_factor
    cutoff = CUTOFF_COLUMNS * factor if getattr(options, "cutoff", False) else 0
    cut = CROP_PIXELS if options.crop else cutoff
    width = width_of(options.seconds, loaded.mel_spec, factor, rows, cut)
    exact = loaded.mel_spec.seconds((width - cut) * rows)
    if round(exact, 3) != round(options.seconds, 3):
        report.warn(
            f"--seconds {options.seconds:g}: the sound will last {exact:.3f} seconds, because the VAE works in "
            f"blocks of {factor} pixels."
        )
    return {"seconds": None, "width": width}


def warn_of_substitutes(
    report: Reporter, *prompts: tuple[LatentModel | None, str]
) -> dict[str, dict[str, str]]:
    """Reports words that a model does not know; returns those that it replaces, for the record.

    Args:
        report: Receives one warning for each word.
        prompts: Each model and its prompt; None reads nothing.
    """
    found: dict[str, str] = {}
    for model, prompt in prompts:
        if model is not None:
            found |= model.text.synonyms.replaced(prompt)
            if prompt.strip() and not model.text.knows_a_word(prompt):
                name = model.source.name
                report.warn(f"The model {name!r} knows no word of {prompt!r}; the result will not follow it.")
    for word, instead in found.items():
        report.warn(f"The model does not know {word!r}; it uses {instead!r} instead.")
    return {"read_as": found} if found else {}
