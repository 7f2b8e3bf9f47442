"""Imprint (Images that Sound, section 4.1): a picture pressed into a spectrogram that was made apart."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.events import Reporter
from eidophone.core.recipe import Recipe
from eidophone.core.values import Floats, Picture, Result
from eidophone.diffusion.sampler import make_scheduler
from eidophone.diffusion.windows import Stretch, Windowed
from eidophone.media.audio import cancelled_channels, peak_normalize, read_sound, resample
from eidophone.media.picture import read_picture, resize
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.latent import LatentModel
from eidophone.models.preview import preview
from eidophone.verbs.imprint.options import ImprintOptions, ImprintSettings
from eidophone.verbs.shared.batches import in_batches
from eidophone.verbs.shared.best_of_n import best_of_n, open_judge
from eidophone.verbs.shared.canvas import (
    at_once,
    check_canvas,
    clip_of,
    decode_wide,
    denoise,
    kept_columns,
    play,
    previewer,
)
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.models import LoadedModels, load_models, warn_of_substitutes
from eidophone.verbs.shared.recipes import sample_recipe
from eidophone.verbs.shared.results import Meter
from eidophone.verbs.shared.sizes import CROP_PIXELS

#: Makes the grey canvases of a batch, (batch, height, width), from the generators and indices of its samples.
Maker = Callable[[list[torch.Generator], Sequence[int]], Tensor]
#: The narrowest and the widest canvas that a sound asks for by itself.
MIN_COLUMNS, WIDEST = 8, 65_536
#: Shares of a picture or a sound that may be lost without a warning.
_NEGLIGIBLE = 0.02


def imprint(options: ImprintOptions, context: Context) -> Iterator[Result]:
    """Makes samples one batch after another: spectrogram x (1 - ratio x picture).

    Picture and sound are generated apart, from one generator for each sample (the picture draws first), or
    read from the user's files.

    Raises:
        EidophoneError: before the first step, if the settings, files, models or judges cannot work.
    """
    inputs = checksums(options)
    files = (("image", options.picture), ("audio", options.sound))
    roles = tuple(role for role, file in files if file is None)
    loaded, decided = load_models(options, context, roles=roles, shared=False)
    if options.sound is not None and options.width is None and options.seconds is None:
        decided["width"] = _width_for(options.sound, loaded, CROP_PIXELS if options.crop else 0)
    settings = options.completed(ImprintSettings, **decided)
    check_canvas(settings, loaded, cut=CROP_PIXELS if settings.crop else 0)
    for model, steps in ((loaded.image, settings.image_steps), (loaded.audio, settings.audio_steps)):
        if model is not None:
            make_scheduler(settings.sampler, model.schedule, steps)  # refuses too many steps
    judge = open_judge(settings, context)

    def _make(some: ImprintSettings, inner: Context) -> Iterator[Result]:
        return _samples(some, loaded, inputs, inner)

    if settings.from_:
        yield from best_of_n(_make, settings, judge, context)
    else:
        for result in _make(settings, context):
            yield replace(result, score=judge(result))


def _samples(
    settings: ImprintSettings, loaded: LoadedModels, inputs: dict[str, str], context: Context
) -> Iterator[Result]:
    counter = _Counter(context.report, settings.count * settings.steps_per_sample)
    substitutes = warn_of_substitutes(
        context.report, (loaded.image, settings.image_prompt), (loaded.audio, settings.audio_prompt)
    )
    draw = _picture_maker(settings, loaded, counter)
    sing = _sound_maker(settings, loaded, counter)
    meter = Meter(loaded.evaluations)

    def _make(batch: Sequence[int]) -> list[Result]:
        nonlocal meter
        meter = Meter(loaded.evaluations)
        counter.base = settings.numbers.index(batch[0]) * settings.steps_per_sample
        generators = [torch.Generator().manual_seed(settings.seed_of(index)) for index in batch]
        drawn, sung = draw(generators, batch), sing(generators, batch)
        recipes = [sample_recipe("imprint", settings, loaded, batch, index) for index in batch]
        recipes = [with_inputs(recipe, settings, inputs) if inputs else recipe for recipe in recipes]
        return _press(drawn, sung, settings, loaded, recipes)

    size = at_once(settings, loaded, settings.count)
    for batch, results in in_batches(settings.numbers, size, _make, context.report.warn):
        facts = meter.facts(len(batch)) | substitutes
        for result in results:
            yield replace(result, facts=facts)


class _Counter:
    """Counts steps over both samplers of a run."""

    def __init__(self, report: Reporter, total: int) -> None:
        self.report, self.total, self.base = report, total, 0

    def watch(self, size: int) -> Callable[[int], None]:
        """For one sampler over a batch of `size`."""
        base = self.base

        def _step(done: int) -> None:
            self.base = base + done * size
            self.report("denoising", self.base, self.total)

        return _step


def _picture_maker(settings: ImprintSettings, loaded: LoadedModels, counter: _Counter) -> Maker:
    if settings.picture is None:
        prompts = (settings.image_prompt, settings.image_negative, "image")
        return _generated(
            loaded.image, prompts, settings.image_steps, settings.image_guidance, settings, counter
        )
    picture = read_picture(settings.picture, warn=counter.report.warn)
    fitted, lost = covering(picture, settings.height, settings.width)
    if lost > _NEGLIGIBLE:
        counter.report.warn(
            f"{settings.picture.name}: its middle fills the canvas, and {lost:.0%} of the picture is cropped; "
            "set --width to the picture's proportions to keep more."
        )
    gray = torch.from_numpy(fitted.gray())
    return lambda generators, _: gray.expand(len(generators), -1, -1)


def _sound_maker(settings: ImprintSettings, loaded: LoadedModels, counter: _Counter) -> Maker:
    if settings.sound is None:
        prompts = (settings.audio_prompt, settings.audio_negative, "audio")
        return _generated(
            loaded.audio, prompts, settings.audio_steps, settings.audio_guidance, settings, counter
        )
    gray = torch.from_numpy(_mel_picture(settings.sound, loaded, settings.width, counter.report))
    return lambda generators, _: gray.expand(len(generators), -1, -1)


def _generated(
    model: LatentModel | None,
    prompts: tuple[str, str, str],
    steps: int,
    guidance: float,
    settings: ImprintSettings,
    counter: _Counter,
) -> Maker:
    """Samples one model alone; prompts are (wanted, unwanted, role)."""
    assert model is not None, "a model without a file in its place is loaded"
    used: LatentModel = model
    wanted, unwanted, role = prompts
    guided = used.guided(
        used.text.encode(wanted, f"{role} prompt"),
        used.text.encode(unwanted, f"negative {role} prompt"),
        guidance,
    )
    window, loop = settings.window_width, settings.loop
    denoiser = Windowed((Stretch(guided),), max(1, window // used.vae_scale_factor), loop)
    shape = (1, *used.latent_shape(settings.height, settings.width))

    def _make(generators: list[torch.Generator], indices: Sequence[int]) -> Tensor:
        scheduler: Any = make_scheduler(settings.sampler, used.schedule, steps)
        noise = torch.cat([torch.randn(shape, generator=g) for g in generators]).to(used.device)
        look = previewer(counter.report, lambda latents: preview(used, latents), indices)
        latents = denoise(denoiser, noise, scheduler, counter.watch(len(generators)), look)
        with torch.inference_mode():
            return decode_wide(used, latents, window, loop).mean(1)

    return _make


def covering(picture: Picture, height: int, width: int) -> tuple[Picture, float]:
    """The middle of a picture, as much as has the canvas's proportions, scaled to the canvas.

    Returns:
        The picture, and the share of the original that was cropped.
    """
    tall, wide = picture.pixels.shape[:2]
    inner_tall = min(tall, max(1, round(wide * height / width)))
    inner_wide = min(wide, max(1, round(tall * width / height)))
    top, left = (tall - inner_tall) // 2, (wide - inner_wide) // 2
    middle = picture.pixels[top : top + inner_tall, left : left + inner_wide]
    return resize(Picture(middle.copy()), height, width), 1 - inner_tall * inner_wide / (tall * wide)


def _width_for(path: Path, loaded: LoadedModels, cut: int) -> int:
    """The width of a canvas that holds a sound file whole, or as much of it as the widest canvas can."""
    spec, factor = loaded.mel_spec, loaded.vae_scale_factor
    clip = read_sound(path, duration_s=spec.seconds(WIDEST))
    columns = math.ceil(clip.duration_s * spec.rate_hz / spec.hop_length) + cut
    return min(WIDEST // factor, math.ceil(max(columns, MIN_COLUMNS) / factor)) * factor


def _mel_picture(path: Path, loaded: LoadedModels, width: int, report: Reporter) -> Floats:
    """The first `width` columns of a sound file's mel picture, silence after its end."""
    spec = loaded.mel_spec
    fits_s = spec.seconds(width)
    clip = read_sound(path, duration_s=fits_s + 0.5)
    if clip.duration_s > fits_s * (1 + _NEGLIGIBLE):
        report.warn(
            f"{path.name}: the canvas holds its first {fits_s:.2f} seconds, and the rest is cut; "
            "raise --width to keep more."
        )
    if (warning := cancelled_channels(clip, path.name)) is not None:
        report.warn(warning)
    if len(clip.samples) > 1 or clip.rate_hz > spec.rate_hz:
        report.warn(
            f"{path.name}: has {clip.rate_hz} Hz and {len(clip.samples)} channels; the result is made anew from the "
            f"mel picture, at {spec.rate_hz} Hz in one channel."
        )
    gray = gray_from_clip(peak_normalize(resample(clip, spec.rate_hz)), spec)[:, :width]
    padded: Floats = F.pad(torch.from_numpy(gray.copy()), (0, width - gray.shape[1])).numpy()
    return padded


def _press(
    drawn: Tensor, sung: Tensor, settings: ImprintSettings, loaded: LoadedModels, recipes: Sequence[Recipe]
) -> list[Result]:
    """Presses pictures into spectrograms, both (batch, height, width) in [0, 1]; what plays is what is shown."""
    drawn = 1 - drawn if settings.invert else drawn
    pressed = sung * (1 - settings.magnitude_ratio * drawn)
    sounds = play(pressed, loaded.vocoder, loaded.mel_spec, settings.loop)
    width, kept = kept_columns(settings.crop, pressed.shape[-1])
    drawn, sung, pressed = (x[..., :width].contiguous() for x in (drawn, sung, pressed))
    captions = (
        settings.image_prompt if settings.picture is None else settings.picture.name,
        settings.audio_prompt if settings.sound is None else settings.sound.name,
    )
    return [
        Result(
            verb="imprint",
            index=recipe.index,
            picture=Picture.from_gray(pressed[i].numpy()),
            spectrogram=pressed[i].numpy(),
            clip=(clip := clip_of(sounds[i], loaded.mel_spec, kept)),
            recipe=recipe,
            captions=captions,
            arrays={
                "picture": drawn[i].numpy(),
                "original_spectrogram": sung[i].numpy(),
                "spectrogram": pressed[i].numpy(),
                "sound": clip.samples[0],
            },
            extras={
                "drawing": Picture.from_gray(drawn[i].numpy()),
                "original-spectrogram": Picture.from_gray(sung[i].numpy()),
            },
        )
        for i, recipe in enumerate(recipes)
    ]
