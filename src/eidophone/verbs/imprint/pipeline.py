"""Imprint (Images that Sound, section 4.1): a picture pressed into a spectrogram that was made apart."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from eidophone.core.events import Reporter
from eidophone.core.recipe import Recipe
from eidophone.core.values import Picture, Result
from eidophone.diffusion.sampler import make_scheduler
from eidophone.diffusion.windows import Stretch, Windowed
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
from eidophone.verbs.shared.own import mel_picture_of, toned_file, width_for
from eidophone.verbs.shared.recipes import sample_recipe
from eidophone.verbs.shared.results import Meter
from eidophone.verbs.shared.sizes import CROP_PIXELS

#: A step of the grey range that can be seen, and the share of a picture below which the user is warned.
SHOWS, HIDDEN = 0.05, 0.25
#: Makes the grey canvases of a batch, (batch, height, width), from the generators and indices of its samples.
Maker = Callable[[list[torch.Generator], Sequence[int]], Tensor]


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
        cut = CROP_PIXELS if options.crop else 0
        decided["width"] = width_for(options.sound, loaded.mel_spec, loaded.vae_scale_factor, cut)
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
        return _press(drawn, sung, settings, loaded, recipes, context.report)

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
    tones, found = toned_file(settings.picture, settings, settings.height, settings.width, counter.report)
    beside = 0.0 if not settings.invert else 1.0  # where the picture does not reach, the sound stays as it is
    gray = torch.where(torch.from_numpy(found.inside), torch.from_numpy(tones), beside)
    return lambda generators, _: gray.expand(len(generators), -1, -1)


def _sound_maker(settings: ImprintSettings, loaded: LoadedModels, counter: _Counter) -> Maker:
    if settings.sound is None:
        prompts = (settings.audio_prompt, settings.audio_negative, "audio")
        return _generated(
            loaded.audio, prompts, settings.audio_steps, settings.audio_guidance, settings, counter
        )
    gray = torch.from_numpy(mel_picture_of(settings.sound, loaded.mel_spec, settings.width, counter.report))
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
        latents = denoise(denoiser, noise, scheduler, counter.watch(len(generators)), look, generators)
        with torch.inference_mode():
            return decode_wide(used, latents, window, loop).mean(1)

    return _make


def visible(wanted: Tensor, sung: Tensor) -> Tensor:
    """The share of each picture's places that show in its sound, (batch,); 1 where there is nothing to show.

    Args:
        wanted: Share of the sound that the picture takes away at each place, (batch, height, width).
        sung: The sound's mel picture, likewise, in [0, 1].
    """
    meant = wanted > SHOWS
    shown = meant & (wanted * sung > SHOWS)
    counts = meant.flatten(1).sum(1)
    return torch.where(counts > 0, shown.flatten(1).sum(1) / counts.clamp(min=1), 1.0)


def _press(
    drawn: Tensor,
    sung: Tensor,
    settings: ImprintSettings,
    loaded: LoadedModels,
    recipes: Sequence[Recipe],
    report: Reporter,
) -> list[Result]:
    """Presses pictures into spectrograms, both (batch, height, width) in [0, 1]; what plays is what is shown."""
    drawn = 1 - drawn if settings.invert else drawn
    wanted = settings.magnitude_ratio * drawn
    pressed = sung * (1 - wanted)
    for recipe, seen in zip(recipes, visible(wanted, sung).tolist(), strict=True):
        if seen < HIDDEN:
            report.warn(
                f"Sample {recipe.index}: the sound is almost silent where the picture is, so only {seen:.0%} of the "
                "picture can be seen; use a fuller sound, or compose, which adds light of the picture's own."
            )
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
