"""What the samples of a distillation share: models with their prompts bound, and how they see a canvas."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from eidophone.diffusion.canvas import random_crops
from eidophone.diffusion.distillation import DistillationConfig, LossTerm, Projection
from eidophone.diffusion.guidance import Guided
from eidophone.diffusion.representation import ImplicitPicture, LatentGrid, PixelGrid
from eidophone.models.device import within_memory
from eidophone.models.latent import LatentModel
from eidophone.models.pixel import PixelModel
from eidophone.models.source import drawing_role
from eidophone.models.predictor import DiffusionModel
from eidophone.options.kinds import Representation
from eidophone.verbs.distill.options import DistillOptions, DistillSettings
from eidophone.verbs.shared.canvas import CROP_PIXELS, check_canvas
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import LoadedModels, filled, load_models, open_loader

#: Learning rates that get far in hundreds of iterations.
RATES: dict[Representation, float] = {"implicit": 3e-3, "pixels": 0.12, "latent": 0.12}


@dataclass(frozen=True)
class DistillModels:
    """Models of a run, and what they have to say.

    Attributes:
        options: Completed.
        studio: The audio model and who plays it; the image model too, if it works on latents.
        painter: The image model.
        size: Of the canvas in pixels, (height, width).
        voices: What both models have to say.
        rule: How a canvas follows them.
    """

    options: DistillSettings
    studio: LoadedModels
    painter: DiffusionModel
    size: tuple[int, int]
    voices: tuple[LossTerm, ...]
    rule: DistillationConfig

    def evaluations(self) -> int:
        """U-Net evaluations so far, counted a sample."""
        return filled(self.studio.audio).evaluations + self.painter.evaluations

    def new_canvas(self, seed: int) -> nn.Module:
        """What is optimised, before the first iteration."""
        audio = filled(self.studio.audio)
        canvas: nn.Module
        if self.options.representation == "implicit":
            canvas = ImplicitPicture(1, *self.size, seed)
        elif self.options.representation == "pixels":
            canvas = PixelGrid(1, *self.size, seed)
        else:
            canvas = LatentGrid(*audio.latent_shape(*self.size))
        return canvas.to(audio.device)

    def pictures(self, canvas: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
        """What a canvas shows, (1, 3, height, width) in [0, 1] on the CPU, and its numbers to keep."""
        with torch.no_grad():
            shown = canvas().detach()
            latent = self.options.representation == "latent"
            pictures = _pictured(shown, filled(self.studio.audio) if latent else None)
            return pictures.cpu(), {"latents": shown} if latent else {}


def load_distill_models(given: DistillOptions, context: Context) -> DistillModels:
    """Loads the models of a run and encodes its prompts.

    Raises:
        EidophoneError: the settings, prompts or models cannot work.
    """
    over_pixels = drawing_role(given.image_model) == "pixel"
    roles = ("audio",) if over_pixels else ("image", "audio")
    studio, decided = load_models(given, context, roles=roles, shared=False)
    rate = RATES[given.representation] if given.rate is None else given.rate
    options = given.completed(DistillSettings, **decided, rate=rate)
    size = check_canvas(options, studio, cut=CROP_PIXELS if options.crop else 0)
    audio = filled(studio.audio)
    holder = audio if options.representation == "latent" else None
    painter: DiffusionModel
    if over_pixels:
        painter, draws = _pixel_painter(options, context)
        studio = replace(studio, sources={"pixel": painter.source, **studio.sources})
        seen = _crops_for(painter, options.crops, holder)
    else:
        painter = filled(studio.image)
        draws, seen = _bound(painter, options, "image"), _latents_for(painter, holder)
    plays, heard = _bound(audio, options, "audio"), _latents_for(audio, holder)
    voices = (
        LossTerm(plays, heard, audio.alphas_cumprod, options.audio_weight, options.audio_start_step),
        LossTerm(draws, seen, painter.alphas_cumprod, options.image_weight, options.image_start_step),
    )
    said = tuple(voice for voice in voices if voice.weight > 0)
    return DistillModels(options, studio, painter, size, said, _rule(options))


def _rule(options: DistillOptions) -> DistillationConfig:
    return DistillationConfig(
        iterations=options.iterations,
        highest=options.highest,
        lowest=options.lowest,
        annealed=options.annealed,
        weighting=options.weighting,
        noise_share=options.noise_share,
    )


def _prompts(options: DistillOptions, side: str) -> dict[str, str]:
    """The wanted prompt of a side and the unwanted one, as messages call them."""
    settings: dict[str, Any] = options.model_dump(include={f"{side}_prompt", f"{side}_negative"})
    return {
        f"{side} prompt": settings[f"{side}_prompt"],
        f"negative {side} prompt": settings[f"{side}_negative"],
    }


def _bound(model: LatentModel, options: DistillOptions, side: str) -> Guided:
    """A latent model with the prompts of its side."""
    wanted, unwanted = (model.text.encode(prompt, what) for what, prompt in _prompts(options, side).items())
    return model.guided(
        wanted, unwanted, options.image_guidance if side == "image" else options.audio_guidance
    )


def _pixel_painter(options: DistillOptions, context: Context) -> tuple[PixelModel, Guided]:
    """A model over pixels with its prompts."""
    loader, _ = open_loader(options, context)
    with within_memory(1):
        model, told = loader.pixel(options.image_model, _prompts(options, "image"))
    wanted, unwanted = told.values()
    return model, model.guided(wanted, unwanted, options.image_guidance)


# --- how a canvas is seen: a picture, or the latents of a holder -----------------------------------


def _pictured(shown: Tensor, holder: LatentModel | None) -> Tensor:
    """What a canvas shows as pictures in [0, 1], (batch, 3, height, width)."""
    return shown.expand(-1, 3, -1, -1) if holder is None else holder.decode(shown)


def _latents_for(model: LatentModel, holder: LatentModel | None) -> Projection:
    if holder is not None and holder.vae is model.vae:
        return lambda latents, _: latents

    def _see(shown: Tensor, generator: torch.Generator) -> Tensor:
        pictures = _pictured(shown, holder)
        shape = (len(pictures), *model.latent_shape(*pictures.shape[-2:]))
        return model.encode(pictures, torch.randn(shape, generator=generator))

    return _see


def _crops_for(model: PixelModel, count: int, holder: LatentModel | None) -> Projection:
    def _see(shown: Tensor, generator: torch.Generator) -> Tensor:
        return random_crops(2 * _pictured(shown, holder) - 1, count, model.canvas, generator)

    return _see
