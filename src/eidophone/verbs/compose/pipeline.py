"""Joint denoising (Images that Sound, section 3.2): one latent, denoised by an image and an audio model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.core.values import Result
from eidophone.diffusion.sampler import make_scheduler
from eidophone.diffusion.views import VIEWS
from eidophone.media.audio import read_sound
from eidophone.models.cards import ModelDefaults
from eidophone.models.latent import LatentModel
from eidophone.models.preview import preview
from eidophone.verbs.compose.blends import DEFAULT_BLEND
from eidophone.verbs.compose.engine import chosen_engine
from eidophone.verbs.compose.options import ComposeOptions, ComposeSettings
from eidophone.verbs.compose.own import OWN_BLEND, check_view, own_weight, read_own
from eidophone.verbs.compose.run import ComposeRun, Job
from eidophone.verbs.compose.views import check_views, with_views
from eidophone.verbs.shared.batches import in_batches
from eidophone.verbs.shared.best_of_n import best_of_n, open_judge
from eidophone.verbs.shared.canvas import at_once, check_canvas, denoise, previewer
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.likeness import Likeness
from eidophone.verbs.shared.models import LoadedModels, load_models, release_text, warn_of_substitutes
from eidophone.verbs.shared.own import width_for
from eidophone.verbs.shared.recipes import sample_recipe
from eidophone.verbs.shared.results import Meter, make_results
from eidophone.verbs.shared.sizes import CROP_PIXELS, CUTOFF_COLUMNS

DEFAULT_AUDIO_WEIGHT = 0.5


def compose(options: ComposeOptions, context: Context) -> Iterator[Result]:
    """Makes samples one batch after another; each is a picture that plays.

    Raises:
        EidophoneError: before the first step, if the settings, prompts, models or judges cannot work.
    """
    return compose_pairs([options], context)


def compose_pairs(pairs: Sequence[ComposeOptions], context: Context) -> Iterator[Result]:
    """Makes the samples of several pairs of prompts in turn; they share models and, on a GPU, batches.

    Args:
        pairs: Options that differ in their prompts, seeds and samples only.
        context: Models and report.

    Raises:
        EidophoneError: as `compose`.
    """
    run = open_run(pairs, context)
    judge = open_judge(run.settings, context)
    if run.settings.from_:
        for one, conditions in zip(run.pairs, run.conditions, strict=True):
            alone = replace(run, pairs=(one,), conditions=(conditions,))

            def _make(
                settings: ComposeSettings, inner: Context, alone: ComposeRun = alone
            ) -> Iterator[Result]:
                return samples(replace(alone, pairs=(settings,)), inner)

            yield from best_of_n(_make, one, judge, context)
    else:
        for result in samples(run, context):
            yield replace(result, score=judge(result))


def open_run(pairs: Sequence[ComposeOptions], context: Context) -> ComposeRun:
    """Loads the models of a run and encodes its prompts.

    Raises:
        EidophoneError: the settings, prompts or models cannot work.
    """
    for pair in pairs:
        both = pair.picture is not None and pair.sound is not None
        if not (both or pair.image_prompt.strip() or pair.audio_prompt.strip()):
            raise BadInput("Both prompts are empty; say what it looks like, what it sounds like, or both.")
    options = pairs[0]
    view = VIEWS[options.view]
    loaded, decided = load_models(options, context, rows=view.rows)
    assert loaded.image is not None and loaded.audio is not None
    image, audio = loaded.image, loaded.audio
    defaults = audio.source.defaults.over(image.source.defaults)
    decided["engine"] = chosen_engine(options, loaded)
    if options.guidance_stop_step is None:
        decided["guidance_stop_step"] = options.steps
    decided |= _shares(options, defaults)
    if options.sound is not None and options.width is None and options.seconds is None:
        columns = CROP_PIXELS if options.crop else CUTOFF_COLUMNS * image.vae_scale_factor * options.cutoff
        decided["width"] = width_for(
            options.sound, loaded.mel_spec, image.vae_scale_factor, columns, view.rows
        )
    completed = tuple(one.completed(ComposeSettings, **decided) for one in pairs)
    settings = completed[0]
    cut = CROP_PIXELS if settings.crop else CUTOFF_COLUMNS * image.vae_scale_factor if settings.cutoff else 0
    check_canvas(settings, loaded, view.rows, cut)
    check_views(settings, image.latent_shape(settings.height, settings.width), image.vae_scale_factor)
    check_length(settings, loaded, cut)
    check_view(settings, view)
    make_scheduler(settings.sampler, image.schedule, settings.steps)  # refuses too many steps
    conditions = tuple(encode_prompts(one, image, audio) for one in completed)
    if settings.low_memory:
        release_text(loaded, context)
    own = read_own(settings, loaded, image, view, context.report)
    return ComposeRun(completed, loaded, image, audio, conditions, own, checksums(settings))


def _shares(options: ComposeOptions, defaults: ModelDefaults) -> dict[str, Any]:
    """How the models share the canvas, where the user does not say."""
    own = options.picture is not None or options.sound is not None
    blend = options.blend or (OWN_BLEND if own else defaults.blend or DEFAULT_BLEND)
    weight = options.audio_weight
    if weight is None and own:
        weight = own_weight(options, blend)
    if weight is None:
        weight = DEFAULT_AUDIO_WEIGHT if defaults.audio_weight is None else defaults.audio_weight
    return {"blend": blend, "audio_weight": weight}


def check_length(settings: ComposeSettings, loaded: LoadedModels, cut: int) -> None:
    """Refuses windows that the VAE cannot divide, and scenes or loops that a view, a blend or the length rules out.

    Args:
        settings: Completed.
        loaded: The models.
        cut: Pixels that will be dropped on the right.

    Raises:
        BadInput: the message says what to change.
    """
    factor, view = loaded.vae_scale_factor, VIEWS[settings.view]
    if settings.window_width % factor:
        raise BadInput(f"--window-width {settings.window_width}: use a multiple of {factor} pixels.")
    for flag in ("--loop",) * settings.loop + ("--scene",) * bool(settings.scenes):
        if settings.blend == "lighten":
            raise BadInput(f"{flag} does not go with --blend lighten, which moves drawing and sound in time.")
    if not settings.scenes:
        return
    if view.rows > 1 or view.grid[1] > 1:
        raise BadInput(f"--scene does not go with --view {view.name}, which cuts the canvas in time.")
    seconds = loaded.mel_spec.seconds(settings.width - cut)
    if abs(seconds - settings.scenes[-1].end_s) > loaded.mel_spec.seconds(factor):
        raise BadInput(
            f"--scene: the last scene ends at {settings.scenes[-1].end_s:g} s and the sound at {seconds:.3f} s; "
            "let both end together."
        )


def encode_prompts(settings: ComposeOptions, image: LatentModel, audio: LatentModel) -> dict[str, Tensor]:
    """The conditions of a pair: image and audio prompt, their negatives, those of each scene, and further ones."""
    found = {
        "image": image.text.encode("" if settings.scene else settings.image_prompt, "image prompt"),
        "audio": audio.text.encode("" if settings.scene else settings.audio_prompt, "audio prompt"),
        "not image": image.text.encode(settings.image_negative, "negative image prompt"),
        "not audio": audio.text.encode(settings.audio_negative, "negative audio prompt"),
    }
    for number, scene in enumerate(settings.scenes):
        found[f"image {number}"] = image.text.encode(scene.image_prompt, "image prompt of a scene")
        found[f"audio {number}"] = audio.text.encode(scene.audio_prompt, "audio prompt of a scene")
    for number, one in enumerate(settings.more_images, 1):
        found[f"also image {number}"] = image.text.encode(one.prompt, "further image prompt")
    for number, one in enumerate(settings.more_sounds, 1):
        found[f"also audio {number}"] = audio.text.encode(one.prompt, "further audio prompt")
    return found


def samples(run: ComposeRun, context: Context) -> Iterator[Result]:
    """The samples of a run, not judged, one batch after another."""
    settings, jobs, report = run.settings, run.jobs, context.report
    substitutes = [
        warn_of_substitutes(
            report,
            (run.image, one.image_prompt),
            (run.audio, one.audio_prompt),
            *((run.image, more.prompt) for more in one.more_images),
            *((run.audio, more.prompt) for more in one.more_sounds),
        )
        for one in run.pairs
    ]
    done, total, meter = 0, len(jobs) * settings.steps, Meter(run.loaded.evaluations)

    def _make(batch: Sequence[Job]) -> list[Result]:
        nonlocal meter
        meter = Meter(run.loaded.evaluations)
        return _batch(run, batch, context, lambda step: report("denoising", done + step * len(batch), total))

    for batch, results in in_batches(jobs, at_once(settings, run.loaded, len(jobs)), _make, report.warn):
        done += len(batch) * settings.steps
        facts = meter.facts(len(batch))
        for job, result in zip(batch, results, strict=True):
            result.facts.update(facts | substitutes[job.pair])
            if run.own is not None:
                result.facts.update(run.own.facts(result, report))
            if run.settings.sound is not None:
                result.facts.update(_likeness(run, result, context))
            yield result


def _likeness(run: ComposeRun, result: Result, context: Context) -> dict[str, Any]:
    """How much a sample still sounds like the user's own sound."""
    assert run.settings.sound is not None
    given = read_sound(run.settings.sound, duration_s=result.clip.duration_s)
    loader = context.registry.loader(run.image.device, torch.float32, True)
    facts = Likeness(loader.embedder("tiny"), loader.tagger()).facts(given, result.clip)
    more = f"similarity to your sound {facts['sound_similarity']:.2f}"
    return {**facts, "summary": ", ".join(filter(None, (result.facts.get("summary"), more)))}


def _batch(
    run: ComposeRun, batch: Sequence[Job], context: Context, watch: Callable[[int], None]
) -> list[Result]:
    indices = [job.index for job in batch]
    scheduler, noise = run.scheduler(), run.noise(batch)

    def _decode(latents: Tensor) -> Tensor:
        return preview(run.image, run.split(latents)[0], run.decode)

    look = previewer(context.report, _decode, indices)
    latents = denoise(run.denoiser(scheduler, batch), noise, scheduler, watch, look, run.generators(batch))
    with torch.inference_mode():
        finished = run.blend.read(run, run.split(latents))
    recipes = [_recipe(run, batch, job) for job in batch]
    results = make_results(
        finished.pictures,
        finished.played,
        run.settings,
        run.loaded,
        recipes,
        finished.arrays,
        run.settings.loop,
    )
    return [with_views(run, result) for result in results]


def _recipe(run: ComposeRun, batch: Sequence[Job], job: Job) -> Recipe:
    """Names the batch where it is of one pair; a sample of a mixed batch is remade alone."""
    alone = len({other.pair for other in batch}) > 1
    indices = [job.index] if alone else [other.index for other in batch]
    recipe = sample_recipe("compose", run.pairs[job.pair], run.loaded, indices, job.index)
    return with_inputs(recipe, run.settings, run.inputs) if run.inputs else recipe
