"""The models of paint: image model, captioner and embedders, loaded once for any number of sounds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from eidophone.core.errors import BadInput, EidophoneError, WeightsAbsent
from eidophone.diffusion.sampler import make_scheduler
from eidophone.media.mel import MelSpec
from eidophone.media.vocoder import Vocoder
from eidophone.models.captioners.contract import Captioner
from eidophone.models.captioners.load import captioner_of
from eidophone.models.captioners.nouns import FlairNouns, Nouns, WordNetNouns
from eidophone.models.cards import PIXEL, Role, cards, quoted
from eidophone.models.checkpoint import NetworkFiles, find_network
from eidophone.models.device import within_memory
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import embedder_of
from eidophone.models.latent import LatentModel
from eidophone.models.load import mel_spec_of
from eidophone.models.networks.config import sample_size_of
from eidophone.models.separators.contract import Separator
from eidophone.models.separators.load import separator_of
from eidophone.models.source import find
from eidophone.models.tagger import Tagger, load_tagger
from eidophone.models.weights import ModelFiles
from eidophone.verbs.paint.colors import Colors
from eidophone.verbs.paint.options import PaintOptions, PaintSettings
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import DEFAULT_GUIDANCE, open_loader

#: Height and width of the latents that Stable Diffusion 1.x was trained on.
_SD_SIDE = 64


@dataclass(frozen=True)
class PaintModels:
    """The loaded models of a run.

    Attributes:
        options: Completed with the models' defaults.
        model: The image model.
        captioner: None if the user gave the caption.
        nouns: Finds the nouns of the caption.
        listener, reader: Compare the picture with the sound, and with the caption.
        spec: Settings of the sound's spectrogram.
        sources: The files of all models, by role.
        separator: Takes sources apart; None: they stay together.
        colors: Colours grey paintings; None: they stay grey.
        vocoder, tagger: Play the canvas and say what is heard; None without --plays.
    """

    options: PaintSettings
    model: LatentModel
    captioner: Captioner | None
    nouns: Nouns
    listener: Embedder
    reader: Embedder
    spec: MelSpec
    sources: dict[str, ModelFiles]
    separator: Separator | None = None
    colors: Colors | None = None
    vocoder: Vocoder | None = None
    tagger: Tagger | None = None


def load_paint_models(options: PaintOptions, context: Context) -> PaintModels:
    """Loads a run's models and completes its options.

    Raises:
        WeightsAbsent: models are missing; the message names each of them and how to get it.
        EidophoneError: unknown models, a missing device, a size that the model cannot draw.
    """
    loader, decided = open_loader(options, context)
    device, threads = loader.device, decided["threads"]
    nouns = _check_all_there(options)
    with within_memory(1):
        model = loader.model(options.image_model, "image")
        sources: dict[str, ModelFiles] = {"image": model.source}
        audio = find(options.audio_model, "audio", offline=options.offline)
        sources["audio"] = audio
        vocoder = loader.vocoder(audio) if options.plays else None
        networks = _networks(options)
        found: dict[str, NetworkFiles] = {
            key: find_network(name, role, offline=options.offline) for key, (name, role) in networks.items()
        }
        sources |= found
        listener = reader = embedder_of(found["embedder"], device)
        captioner = captioner_of(found["captioner"], device) if "captioner" in found else None
        separator = separator_of(found["separator"], device) if "separator" in found else None
        if "text_embedder" in found:
            reader = embedder_of(found["text_embedder"], device)
    for embedder, senses in ((listener, {"picture", "sound"}), (reader, {"picture", "text"})):
        if missing := senses - embedder.senses:
            raise BadInput(
                f"The embedder {embedder.name!r} cannot embed a {missing.pop()}; use tiny or audioclip."
            )
    make_scheduler(options.sampler, model.schedule, options.steps)  # refuses too many steps
    context.report("loading models", 1, 1)
    settings = _completed(options, model, threads)
    spec, tagger = mel_spec_of(audio), load_tagger() if options.plays else None
    colors = Colors(loader, options.color_model, options.preset) if options.colors else None
    return PaintModels(
        settings, model, captioner, nouns, listener, reader, spec, sources, separator, colors, vocoder, tagger
    )


def _networks(options: PaintOptions) -> dict[str, tuple[str, Role]]:
    """Name and role of each network beside the diffusion models, by its key in the recipe."""
    found: dict[str, tuple[str, Role]] = {"embedder": (options.embedder, "embedder")}
    if not options.caption.split():
        found["captioner"] = (options.captioner, "captioner")
    if options.sources and options.separator not in ("", "none"):
        found["separator"] = (options.separator, "separator")
    if options.text_embedder:
        found["text_embedder"] = (options.text_embedder, "embedder")
    return found


def _check_all_there(options: PaintOptions) -> Nouns:
    """The part-of-speech tagger, once no model is missing that cannot be fetched now.

    Raises:
        EidophoneError: what is missing, all at once, before anything large is fetched or loaded.
    """
    nouns: list[Nouns] = []
    looks: list[Callable[[], object]] = [lambda: nouns.append(_tagger(options))]
    for name, role in _networks(options).values():
        if options.offline or ((name, role) in cards() and cards()[name, role].file):
            looks.append(partial(find_network, name, role, offline=True))
    if options.colors:
        looks += [partial(find, options.color_model, role, offline=options.offline) for role in PIXEL]
    if options.offline:
        looks += [partial(find, options.image_model, "image", offline=True)]
    missing: list[EidophoneError] = []
    for look in looks:
        try:
            look()
        except EidophoneError as error:
            missing.append(error)
    if len(missing) == 1:
        raise missing[0]
    if missing:
        raise WeightsAbsent(" ".join(dict.fromkeys(map(str, missing))))
    return nouns[0]


def _tagger(options: PaintOptions) -> Nouns:
    return FlairNouns(offline=options.offline) if options.nouns == "flair" else WordNetNouns()


def _completed(options: PaintOptions, model: LatentModel, threads: int) -> PaintSettings:
    """The options with the model's defaults for what was left open."""
    defaults = model.source.defaults
    height, width = _size_of(options, model)
    guidance = options.image_guidance
    return options.completed(
        PaintSettings,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        threads=threads,
        size=f"{width}x{height}",
        style=(defaults.style or "") if options.style is None else options.style,
        image_guidance=defaults.image_guidance or DEFAULT_GUIDANCE if guidance is None else guidance,
    )


def trained_size(model: LatentModel) -> tuple[int, int]:
    """(height, width) in pixels that the U-Net was trained on."""
    rows, columns = sample_size_of(model.network.config, quoted(model.source.name), _SD_SIDE)
    return rows * model.vae_scale_factor, columns * model.vae_scale_factor


def _size_of(options: PaintOptions, model: LatentModel) -> tuple[int, int]:
    """(height, width) in pixels: as requested, else the size that the U-Net was trained on.

    Raises:
        BadInput: they are not multiples of the VAE's scale factor.
    """
    factor = model.vae_scale_factor
    if options.size is None:
        return trained_size(model)
    width, height = map(int, options.size.split("x"))
    if width % factor or height % factor:
        near = (f"{max(1, round(length / factor)) * factor}" for length in (width, height))
        raise BadInput(
            f"--size {options.size}: width and height must be multiples of {factor}; "
            f"the nearest size is {'x'.join(near)}."
        )
    return height, width
