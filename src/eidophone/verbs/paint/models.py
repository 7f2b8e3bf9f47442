"""What paints: image model, captioner and embedders, loaded once for any number of sounds."""

from dataclasses import dataclass

from eidophone.core.errors import BadInput
from eidophone.diffusion.sampler import make_scheduler
from eidophone.media.mel import MelSpec
from eidophone.models.captioners.contract import Captioner
from eidophone.models.captioners.load import captioner_of
from eidophone.models.checkpoint import find_network
from eidophone.models.device import within_memory
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import embedder_of
from eidophone.models.latent import LatentModel
from eidophone.models.load import mel_spec_of
from eidophone.models.source import find
from eidophone.models.weights import ModelFiles
from eidophone.verbs.paint.options import PaintOptions
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import DEFAULT_GUIDANCE, open_loader


@dataclass(frozen=True)
class PaintModels:
    """The loaded models of a run.

    Attributes:
        options: Completed by what the models advise.
        model: Draws.
        captioner: Finds the words; None where the user gave them.
        listener, reader: Compare the picture with sound and caption.
        spec: Of the mel picture that shows the sound.
        sources: Where all of them come from, by role.
    """

    options: PaintOptions
    model: LatentModel
    captioner: Captioner | None
    listener: Embedder
    reader: Embedder
    spec: MelSpec
    sources: dict[str, ModelFiles]


def load_paint_models(options: PaintOptions, context: Context) -> PaintModels:
    """Loads a run's models and completes its options.

    Raises:
        EidophoneError: unknown or absent models, a device that is not there, a size that cannot be drawn.
    """
    loader, decided = open_loader(options, context)
    device, threads = loader.device, decided["threads"]
    with within_memory(1):
        model = loader.model(options.image_model, "image")
        sources: dict[str, ModelFiles] = {"image": model.source}
        sources["audio"] = audio = find(options.audio_model, "audio", offline=options.offline)
        sources["embedder"] = found = find_network(options.embedder, "embedder", offline=options.offline)
        listener = reader = embedder_of(found, device)
        captioner = None
        if not options.caption.split():
            sources["captioner"] = found = find_network(
                options.captioner, "captioner", offline=options.offline
            )
            captioner = captioner_of(found, device)
        if options.text_embedder:
            sources["text_embedder"] = found = find_network(
                options.text_embedder, "embedder", offline=options.offline
            )
            reader = embedder_of(found, device)
    for embedder, senses in ((listener, {"picture", "sound"}), (reader, {"picture", "text"})):
        if missing := senses - embedder.senses:
            raise BadInput(
                f"The embedder {embedder.name!r} knows no {missing.pop()}; choose tiny or audioclip."
            )
    make_scheduler(options.sampler, model.schedule, options.steps)  # refuses too many steps
    context.report("loading models", 1, 1)
    options = _completed(options, model, threads)
    return PaintModels(options, model, captioner, listener, reader, mel_spec_of(audio), sources)


def _completed(options: PaintOptions, model: LatentModel, threads: int) -> PaintOptions:
    """The options with what runs filled in for what was left open."""
    advice = model.source.defaults
    height, width = _size_of(options, model)
    return options.model_copy(
        update={
            "device": str(model.device),
            "dtype": str(model.dtype).removeprefix("torch."),
            "threads": threads,
            "size": f"{width}x{height}",
            "style": (advice.style or "") if options.style is None else options.style,
            "image_guidance": options.image_guidance
            if options.image_guidance is not None
            else advice.image_guidance or DEFAULT_GUIDANCE,
        }
    )


def _size_of(options: PaintOptions, model: LatentModel) -> tuple[int, int]:
    """Height and width: as asked for, else those that the U-Net was trained for.

    Raises:
        BadInput: the VAE cannot divide them.
    """
    factor = model.vae_scale_factor
    if options.size is None:
        trained = model.network.config.sample_size or 64
        rows, columns = (trained, trained) if isinstance(trained, int) else trained
        return int(rows) * factor, int(columns) * factor
    width, height = map(int, options.size.split("x"))
    if width % factor or height % factor:
        near = (f"{max(1, round(length / factor)) * factor}" for length in (width, height))
        raise BadInput(
            f"--size {options.size}: the VAE works in blocks of {factor} pixels; "
            f"the nearest is {'x'.join(near)}."
        )
    return height, width
