"""Score distillation (Images that Sound, section 4.1): a picture is optimised for both models at once."""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from eidophone.core.values import Picture, Result
from eidophone.diffusion.distillation import distil
from eidophone.diffusion.draws import Draws
from eidophone.media.picture import from_bytes, to_bytes
from eidophone.media.sheets import strip
from eidophone.models.device import within_memory
from eidophone.verbs.distill.checkpoints import Checkpoints
from eidophone.verbs.distill.models import DistillModels, load_distill_models
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.distill.sample import Sample
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.models import warn_of_substitutes
from eidophone.verbs.shared.recipes import sample_recipe
from eidophone.verbs.shared.results import Meter, make_results


def distill(options: DistillOptions, context: Context) -> Iterator[Result]:
    """Makes samples one after another; each is a picture that plays.

    Args:
        options: What and how.
        context: Models and report. With a folder, unfinished samples are kept in it beside the finished ones.

    Raises:
        EidophoneError: before the first iteration, if the settings, prompts or models cannot work.
    """
    checkpoints = Checkpoints(context.folder, options.resume) if context.folder else None
    atelier = load_distill_models(options, context)
    options = atelier.options
    for number, index in enumerate(options.numbers):
        if not (checkpoints and checkpoints.finished(index)):

            def _watch(done: int, base: int = number * options.iterations) -> None:
                context.report("distilling", base + done, options.count * options.iterations)

            yield _sample(atelier, index, checkpoints, _watch, context)
        if checkpoints:
            checkpoints.drop(index)


def _begun(atelier: DistillModels, index: int) -> Sample:
    options, seed = atelier.options, atelier.options.seed + index
    canvas = atelier.new_canvas(seed)
    optimiser = torch.optim.AdamW(canvas.parameters(), options.rate, weight_decay=options.weight_decay)
    return Sample(canvas, optimiser, Draws.seeded(seed))


def _sample(
    atelier: DistillModels,
    index: int,
    checkpoints: Checkpoints | None,
    watch: Callable[[int], None],
    context: Context,
) -> Result:
    options, studio = atelier.options, atelier.studio
    recipe = sample_recipe("distill", options, studio, range(index, index + 1), index)
    sample = _begun(atelier, index)
    meter = Meter(atelier.evaluations)
    if checkpoints:
        checkpoints.take_up(index, recipe, partial(sample.take_up, iterations=options.iterations))
    with within_memory(1):
        steps = distil(
            sample.canvas, sample.optimiser, atelier.terms, atelier.config, sample.draws, sample.done
        )
        for sample.done in steps:
            watch(sample.done)
            _look(atelier, sample, index, checkpoints)
            if context.report.wants_preview():
                context.report.preview(index, _picture(atelier, sample))
            if checkpoints and sample.done % options.checkpoint_every == 0:
                checkpoints.write(index, recipe, sample.state(meter.each(1)))
        pictures, numbers = atelier.pictures(sample.canvas)
    (result,) = make_results(pictures, atelier.gray(pictures), options, studio, [recipe], numbers)
    evaluations, seconds = meter.each(1)
    result.facts.update(
        unet_evaluations=sample.evaluations + evaluations,
        seconds=round(sample.seconds + seconds, 3),
        **warn_of_substitutes(
            context.report, (studio.image, options.image_prompt), (studio.audio, options.audio_prompt)
        ),
    )
    labels = [f"{done} iterations" for done, _ in sample.frames]
    frames = [from_bytes(frame.numpy()) for _, frame in sample.frames]
    result.extras["course"], _ = strip(frames, labels)
    return result


def _look(atelier: DistillModels, sample: Sample, index: int, checkpoints: Checkpoints | None) -> None:
    """Adds a preview, every `preview_every` iterations and after the last."""
    if sample.done % atelier.options.preview_every and sample.done < atelier.options.iterations:
        return
    picture = _picture(atelier, sample)
    sample.frames.append((sample.done, torch.from_numpy(to_bytes(picture))))
    if checkpoints:
        checkpoints.preview(index, picture)


def _picture(atelier: DistillModels, sample: Sample) -> Picture:
    """How a sample looks now."""
    pictures, _ = atelier.pictures(sample.canvas)
    return Picture(pictures[0].permute(1, 2, 0).contiguous().numpy())
