"""Joint denoising (Images that Sound, section 3.2): drawn by one model, played by another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Apart, Blend, Denoiser, Part, Seen
from eidophone.diffusion.noise import batch_noise
from eidophone.diffusion.views import VIEWS
from eidophone.diffusion.walk import make_scheduler, window_from_steps
from eidophone.models.latent import LatentModel
from eidophone.models.place import within_memory
from eidophone.options import ComposeOptions
from eidophone.pipelines.choose import choose, open_judge
from eidophone.pipelines.inlay import inlaid
from eidophone.pipelines.lighten import lighter
from eidophone.pipelines.meter import Meter
from eidophone.pipelines.played import played
from eidophone.pipelines.run import (
    CROP_PIXELS,
    Studio,
    are_apart,
    batches,
    check_canvas,
    denoise,
    filled,
    open_studio,
    read_as,
    sample_recipe,
)
from eidophone.progress import Progress, silent
from eidophone.values import Result

CUTOFF_COLUMNS = 4


@dataclass(frozen=True)
class Canvas:
    """What all samples of a run share.

    Attributes:
        options: Completed.
        studio: Models and player.
        shapes: Of one sample's latent; where either model has its own, of the drawing's and of the sound's.
        conditions: From `encode_prompts`.
    """

    options: ComposeOptions
    studio: Studio
    shapes: tuple[tuple[int, ...], ...]
    conditions: dict[str, Tensor]

    @property
    def columns(self) -> tuple[int, ...]:
        """How wide each latent is."""
        return tuple(shape[-1] for shape in self.shapes)

    def scheduler(self) -> Any:
        """A fresh one."""
        return make_scheduler(self.options.solver, filled(self.studio.image).schedule, self.options.steps)

    def noise(self, indices: Sequence[int]) -> Tensor:
        """The start noise of samples; that of two latents side by side, each as it would be alone."""
        seeds = [self.options.seed + i for i in indices]
        noise = torch.cat([batch_noise(shape, seeds) for shape in self.shapes], -1)
        return noise.to(filled(self.studio.image).device)

    def denoiser(self, scheduler: Any) -> Denoiser:
        """See `blend`."""
        image, audio = filled(self.studio.image), filled(self.studio.audio)
        return blend(self.options, image, audio, self.conditions, scheduler, self.columns)


def open_canvas(options: ComposeOptions, progress: Progress = silent) -> Canvas:
    """Loads the models of a run and encodes its prompts.

    Raises:
        EidophoneError: the settings, prompts or models cannot work.
    """
    view = VIEWS[options.view]
    studio, options = open_studio(options, progress, rows=view.rows)
    image, audio = filled(studio.image), filled(studio.audio)
    cut = CROP_PIXELS if options.crop else CUTOFF_COLUMNS * image.factor if options.cutoff else 0
    height, width = check_canvas(options, studio, view.rows, cut)
    make_scheduler(options.solver, image.schedule, options.steps)  # refuses too many steps
    widths = (drawn_width(options, studio, width), width) if are_apart(options) else (width,)
    shapes = tuple(image.latent_shape(height, wide) for wide in widths)
    return Canvas(options, studio, shapes, encode_prompts(options, image, audio))


def drawn_width(options: ComposeOptions, studio: Studio, width: int) -> int:
    """Width of a drawing's own canvas: beside a sound what its model is used to, if that is less."""
    own = studio.sources["image"].advice.canvas
    beside = options.blend == "lighten" and options.view == "identity"
    return min(width, own[1]) if own and beside else width


def compose(options: ComposeOptions, progress: Progress = silent) -> Iterator[Result]:
    """Makes samples one batch after another; each is a picture that plays.

    Raises:
        EidophoneError: before the first step, if the settings, prompts, models or judges cannot work.
    """
    canvas = open_canvas(options, progress)
    judge = open_judge(canvas.options)
    if canvas.options.from_:

        def _make(told: ComposeOptions, watch: Progress) -> Iterator[Result]:
            return samples(replace(canvas, options=told), watch)

        yield from choose(_make, canvas.options, judge, progress)
    else:
        for result in samples(canvas, progress):
            yield replace(result, score=judge(result))


def samples(canvas: Canvas, progress: Progress) -> Iterator[Result]:
    """The samples of a canvas, unjudged, one batch after another."""
    options, studio = canvas.options, canvas.studio
    done, total = 0, options.count * options.steps
    told = read_as((studio.image, options.image_prompt), (studio.audio, options.audio_prompt))
    for batch in batches(options, studio):
        meter = Meter(studio.evaluations)
        scheduler, noise = canvas.scheduler(), canvas.noise(batch)

        def _watch(step: int, base: int = done, size: int = len(batch)) -> None:
            progress("denoising", base + step * size, total)

        with within_memory(len(batch)):
            latents = denoise(canvas.denoiser(scheduler), noise, scheduler, _watch)
            recipes = [sample_recipe("compose", options, studio, batch, index) for index in batch]
            results = read_latents(torch.split(latents, list(canvas.columns), -1), options, studio, recipes)
        done += len(batch) * options.steps
        facts = meter.facts(len(batch)) | told
        for result in results:
            result.facts.update(facts)
            yield result


def encode_prompts(options: ComposeOptions, image: LatentModel, audio: LatentModel) -> dict[str, Tensor]:
    """The four conditions of a run, encoded once: image and audio prompt, and their negatives."""
    return {
        "image": image.text.encode(options.image_prompt, "image prompt"),
        "audio": audio.text.encode(options.audio_prompt, "audio prompt"),
        "not image": image.text.encode(options.image_negative, "negative image prompt"),
        "not audio": audio.text.encode(options.audio_negative, "negative audio prompt"),
    }


def blend(
    options: ComposeOptions,
    image: LatentModel,
    audio: LatentModel,
    conditions: dict[str, Tensor],
    scheduler: Any,
    columns: tuple[int, ...],
) -> Denoiser:
    """The canvas's denoiser: both models guided, each from its first step on.

    Where there are two canvases, so many `columns` wide, either is its own model's alone, as soon as that
    model is on.
    """
    share = filled(options.audio_weight)
    guided_at = window_from_steps(scheduler, options.guidance_start_step, options.guidance_stop_step)
    draws = image.guided(
        conditions["image"], conditions["not image"], filled(options.image_guidance), guided_at
    )
    plays = audio.guided(
        conditions["audio"], conditions["not audio"], filled(options.audio_guidance), guided_at
    )
    draws_at = window_from_steps(scheduler, options.image_start_step)
    plays_at = window_from_steps(scheduler, options.audio_start_step)
    seen = Seen(plays, VIEWS[options.view])

    def _shared(share: float) -> Blend:
        return Blend((Part(draws, 1 - share, draws_at), Part(seen, share, plays_at)))

    return Apart((_shared(0.0), _shared(1.0)), columns) if len(columns) == 2 else _shared(share)


def read_latents(
    latents: Sequence[Tensor], options: ComposeOptions, studio: Studio, recipes: Sequence[dict[str, Any]]
) -> list[Result]:
    """Finished latents as pictures, and as sounds of what the audio model sees; each with its recipe.

    Args:
        latents: One, or the drawing's and the sound's.
        options: Completed.
        studio: Models and player.
        recipes: One a sample.
    """
    image, view, own = filled(studio.image), VIEWS[options.view], latents[-1]
    if options.cutoff:
        own = own[..., :-CUTOFF_COLUMNS]
    with torch.inference_mode():
        if len(latents) == 2:
            drawn = latents[0][..., : own.shape[-1]]
            kept = {"latents": drawn, "audio_latents": own}
            sound = image.decode(view.apply(own)).mean(1, keepdim=True)
            share, drawing = filled(options.audio_weight), view.apply(image.decode(drawn))
            if options.blend == "inlay":
                heard = inlaid(drawing, sound, share, image.factor)
            else:
                heard = lighter(drawing, sound, share, image.factor, options.drawing_size)
            pictures = view.undo(heard)
        else:
            kept = {"latents": own}
            pictures = image.decode(own)
            heard = pictures if view.rows == 1 else image.decode(view.apply(own))
    return played(pictures, heard.mean(1), options, studio, recipes, kept)
