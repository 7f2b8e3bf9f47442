"""What the samples of a distillation share: models with their prompts bound, and their projections."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.core.errors import BadInput, EidophoneError
from eidophone.diffusion.canvas import random_crops, window_within
from eidophone.diffusion.distillation import DistillationConfig, LossTerm, Projection
from eidophone.diffusion.draws import Draws
from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.representation import ImplicitPicture, LatentGrid, PixelGrid
from eidophone.models.device import within_memory
from eidophone.models.latent import LatentModel
from eidophone.models.pixel import PixelModel
from eidophone.models.predictor import DiffusionModel
from eidophone.models.source import drawing_role
from eidophone.options.kinds import Representation
from eidophone.verbs.distill.options import DistillOptions, DistillSettings, Gray
from eidophone.verbs.shared.canvas import check_canvas
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import LoadedModels, load_models, open_loader
from eidophone.verbs.shared.sizes import CROP_PIXELS

#: Learning rates that converge within hundreds of iterations.
RATES: dict[Representation, float] = {"implicit": 3e-3, "pixels": 0.12, "latent": 0.12}
#: Shares of red, green and blue in the grey picture that plays.
GRAYS: dict[Gray, tuple[float, float, float]] = {
    "mean": (1 / 3, 1 / 3, 1 / 3),
    "ntsc": (0.299, 0.587, 0.114),
    "luminance": (0.2126, 0.7152, 0.0722),
}


@dataclass(frozen=True)
class DistillModels:
    """The models of a run and the terms of its loss.

    Attributes:
        options: Completed.
        studio: The loaded models and the vocoder.
        audio: The audio model.
        painter: The image model.
        size: Of the canvas in pixels, (height, width).
        terms: One of each model whose weight is above 0.
        config: Timesteps and weighting.
    """

    options: DistillSettings
    studio: LoadedModels
    audio: LatentModel
    painter: DiffusionModel
    size: tuple[int, int]
    terms: tuple[LossTerm, ...]
    config: DistillationConfig

    def evaluations(self) -> int:
        """U-Net evaluations so far, per sample."""
        return self.audio.evaluations + self.painter.evaluations

    def new_canvas(self, seed: int) -> nn.Module:
        """What is optimised, before the first iteration."""
        audio, options = self.audio, self.options
        canvas: nn.Module
        channels = 3 if options.color else 1
        if options.representation == "implicit":
            canvas = ImplicitPicture(
                channels,
                *self.size,
                seed,
                options.frequencies,
                options.frequency_scale,
                options.features,
            )
        elif options.representation == "pixels":
            canvas = PixelGrid(channels, *self.size, seed)
        else:
            canvas = LatentGrid(*audio.latent_shape(*self.size))
        return canvas.to(audio.device)

    def gray(self, pictures: Tensor) -> Tensor:
        """The spectrograms of pictures: (batch, 3, height, width) -> (batch, height, width)."""
        return gray_of(pictures, self.options.gray)[:, 0]

    def pictures(self, canvas: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """What a canvas shows, (1, 3, height, width) in [0, 1] on the CPU, and its numbers to keep.

        Raises:
            EidophoneError: it shows values that are not numbers.
        """
        with torch.no_grad():
            shown = canvas().detach()
            latent = self.options.representation == "latent"
            pictures = _pictured(shown, self.audio if latent else None)
        if not torch.isfinite(pictures).all():
            raise EidophoneError(
                "The picture has NaN or infinite pixels; lower --rate, or use --dtype float32."
            )
        return pictures.cpu(), {"latents": shown} if latent else {}


def load_distill_models(given: DistillOptions, context: Context) -> DistillModels:
    """Loads the models of a run and encodes its prompts.

    Raises:
        EidophoneError: the settings, prompts or models cannot work.
    """
    if not (given.image_prompt.strip() or given.audio_prompt.strip()):
        raise BadInput("Both prompts are empty; say what it looks like, what it sounds like, or both.")
    over_pixels = drawing_role(given.image_model) == "pixel"
    roles = ("audio",) if over_pixels else ("image", "audio")
    studio, decided = load_models(given, context, roles=roles, shared=False)
    rate = RATES[given.representation] if given.rate is None else given.rate
    options = given.completed(DistillSettings, **decided, rate=rate)
    size = check_canvas(options, studio, cut=CROP_PIXELS if options.crop else 0)
    assert studio.audio is not None, "distillation always loads the audio model"
    audio = studio.audio
    holder = audio if options.representation == "latent" else None
    painter: DiffusionModel
    if over_pixels:
        painter, draws = _pixel_painter(options, context)
        studio = replace(studio, sources={"pixel": painter.source, **studio.sources})
        seen = _crops_for(painter, options, _window(painter, options.window, size), holder)
    else:
        assert studio.image is not None, "a model over latents is loaded"
        painter = studio.image
        draws, seen = _bound(painter, options, "image"), _latents_for(painter, holder)
    plays, heard = _bound(audio, options, "audio"), _latents_for(audio, holder, options.gray)
    terms = (
        _term(options, "audio", plays, heard, audio),
        _term(options, "image", draws, seen, painter),
    )
    on = tuple(term for term in terms if term.weight > 0)
    return DistillModels(options, studio, audio, painter, size, on, _config(options))


def _term(
    options: DistillOptions, side: str, denoiser: Guided, projection: Projection, model: DiffusionModel
) -> LossTerm:
    settings = ("weight", "start_step", "lowest", "highest")
    weight, first, lowest, highest = (getattr(options, f"{side}_{name}") for name in settings)
    return LossTerm(
        denoiser,
        projection,
        model.alphas_cumprod,
        weight,
        first,
        side,
        lowest,
        highest,
        separate_timesteps=side == "image" and options.window_timesteps == "separate",
    )


def _config(options: DistillOptions) -> DistillationConfig:
    return DistillationConfig(
        iterations=options.iterations,
        highest=options.highest,
        lowest=options.lowest,
        annealed=options.annealed,
        weighting=options.weighting,
        noise_share=options.noise_share,
    )


def _prompts(options: DistillOptions, side: str) -> dict[str, str]:
    """The prompt and the negative prompt of a side, by their names in messages."""
    settings: dict[str, Any] = options.model_dump(include={f"{side}_prompt", f"{side}_negative"})
    return {
        f"{side} prompt": settings[f"{side}_prompt"],
        f"negative {side} prompt": settings[f"{side}_negative"],
    }


def _bound(model: LatentModel, options: DistillOptions, side: str) -> Guided:
    """A latent model with the prompts of its side bound."""
    wanted, unwanted = (model.text.encode(prompt, what) for what, prompt in _prompts(options, side).items())
    return model.guided(
        wanted, unwanted, options.image_guidance if side == "image" else options.audio_guidance
    )


def _pixel_painter(options: DistillOptions, context: Context) -> tuple[PixelModel, Guided]:
    """A model over pixels with its prompts bound; T5 attends to the padding, as in the published code."""
    loader, _ = open_loader(options, context)
    with within_memory(1):
        model, conditions = loader.pixel(options.image_model, _prompts(options, "image"), mask_padding=False)
    wanted, unwanted = conditions.values()
    return model, model.guided(wanted, unwanted, options.image_guidance)


# --- how a model sees a canvas: a picture, or the latents of the audio model (the holder) ------------


def gray_of(pictures: Tensor, gray: Gray = "mean") -> Tensor:
    """Grey in three equal channels: (batch, 1 or 3, height, width) -> (batch, 3, height, width)."""
    if pictures.shape[1] == 1:
        return pictures.expand(-1, 3, -1, -1)
    shares = torch.tensor(GRAYS[gray], device=pictures.device, dtype=pictures.dtype)
    return (pictures * shares[:, None, None]).sum(1, keepdim=True).expand_as(pictures)


def _pictured(shown: Tensor, holder: LatentModel | None) -> Tensor:
    """What a canvas shows as pictures in [0, 1], (batch, 3, height, width)."""
    return shown.expand(-1, 3, -1, -1) if holder is None else holder.decode(shown)


def _latents_for(model: LatentModel, holder: LatentModel | None, gray: Gray | None = None) -> Projection:
    """The latents that a model's VAE encodes; of the grey picture if `gray` is given."""
    if holder is not None and holder.vae is model.vae:
        return lambda latents, _: latents

    def _see(shown: Tensor, draws: Draws) -> Tensor:
        pictures = _pictured(shown, holder)
        pictures = pictures if gray is None else gray_of(pictures, gray)
        shape = (len(pictures), *model.latent_shape(*pictures.shape[-2:]))
        return model.encode(pictures, draws.normal("encoder noise", shape))

    return _see


def _window(model: PixelModel, wanted: int | None, size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the windows that a model over pixels sees, in pixels of the canvas.

    Raises:
        BadInput: they are larger than the canvas.
    """
    (height, width), (tall, wide) = size, model.trained_size
    if wanted is None:
        return window_within(height, width, (tall, wide))
    across = round(wanted * wide / tall)
    if wanted > height or across > width:
        raise BadInput(
            f"--window {wanted}: the windows ({across} x {wanted} pixels) are larger than the canvas "
            f"({width} x {height}); give at most {min(height, width * tall // wide)}."
        )
    return wanted, across


def _crops_for(
    model: PixelModel, options: DistillOptions, window: tuple[int, int], holder: LatentModel | None
) -> Projection:
    def _see(shown: Tensor, draws: Draws) -> Tensor:
        pixels = 2 * _pictured(shown, holder) - 1
        return random_crops(pixels, options.crops, window, model.trained_size, draws)

    return _see
