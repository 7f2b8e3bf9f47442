"""Colours for a picture that plays (Factorized Diffusion, ECCV 2024).

The published command reads the colour decode of a sample. Here the input is its spectrogram, and after the
last step the grey part is put back exactly, so the coloured picture plays the same sound.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from eidophone.core.errors import BadInput
from eidophone.core.events import Reporter
from eidophone.core.recipe import Recipe
from eidophone.core.values import Clip, Floats, Picture, Result
from eidophone.diffusion.sampler import make_scheduler
from eidophone.media.audio import read_sound
from eidophone.media.color import with_gray
from eidophone.media.mel import MelSpec
from eidophone.models.device import use_threads, within_memory
from eidophone.models.load import Loader
from eidophone.models.predictor import check_condition
from eidophone.models.source import DiffusionFiles, find
from eidophone.results.recipe import RECORD_FILE, recipe_in_png
from eidophone.results.store import file_in
from eidophone.verbs.colorize.options import ColorizeOptions, ColorizeSettings
from eidophone.verbs.colorize.stages import BLOCK, ColorizeStages, Frame, Small
from eidophone.verbs.hear.pipeline import mel_picture, player
from eidophone.verbs.shared.canvas import clip_of, play
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.models import DEFAULT_GUIDANCE, open_loader
from eidophone.verbs.shared.recipes import single_recipe
from eidophone.verbs.shared.results import Meter, above

#: The widest picture in columns, because attention spans all of them.
WIDEST = 4096
_PICTURES = ("picture.png", "spectrogram.png")


@dataclass(frozen=True)
class Given:
    """The input of a run.

    Attributes:
        gray: The mel picture, float32, shape (height, width), in [0, 1].
        clip: Its sound.
        audio: The audio model that the mel picture comes from.
        mel_spec: Settings of the mel picture.
        vocoder: Name of the vocoder.
        audio_prompt: From its recipe; empty if there is none.
    """

    gray: Floats
    clip: Clip
    audio: DiffusionFiles
    mel_spec: MelSpec
    vocoder: str
    audio_prompt: str


@dataclass(frozen=True)
class Sketch:
    """The result of stage I for one sample, and its cost: U-Net evaluations and seconds."""

    index: int
    small: Small
    cost: tuple[int, float]


def colorize(options: ColorizeOptions, context: Context) -> Iterator[Result]:
    """Colours a picture. Stage I of all samples comes first, so only one stage's network is in memory.

    Raises:
        EidophoneError: before the first step, if the settings, files, prompts or models cannot work.
    """
    options = _with_files(options)
    sums, given = checksums(options), _read(options)
    loader, _ = open_loader(options, context)
    second = find(options.upscaler or options.image_model, "upscaler", offline=options.offline)
    stages, first, sketches = _sketched(options, given, loader, context.report)
    with within_memory(1):
        model = loader.upscaler(second.name)
        check_condition(model, stages.conditions["prompt"].shape[-1])
    sources = {"pixel": first, "upscaler": second, "audio": given.audio}
    settings = stages.options
    for sketch in sketches:
        meter = Meter(lambda: model.evaluations)
        with within_memory(1):
            colored = stages.large(model, sketch.small)
        recipe = single_recipe("colorize", settings, sketch.index, sources, given.mel_spec, given.vocoder)
        facts = _facts(sketch.cost, meter.each(1))
        picture = with_gray(colored, _seen(given, settings))
        yield _result(picture, given, settings, with_inputs(recipe, settings, sums), facts)


def _sketched(
    options: ColorizeOptions, given: Given, loader: Loader, progress: Reporter
) -> tuple[ColorizeStages, DiffusionFiles, list[Sketch]]:
    """Completes the options and runs stage I; its network is freed on return."""
    prompts = {"prompt": options.image_prompt, "negative prompt": options.image_negative}
    with within_memory(1):
        model, conditions = loader.pixel(options.image_model, prompts)
    settings = _completed(options, given, model.source, loader)
    for steps in (settings.steps, settings.upscale_steps):
        make_scheduler(settings.sampler, model.schedule, steps)  # refuses too many steps
    height, width = given.gray.shape
    block = max(BLOCK, model.block_size)
    frame = Frame.of(height, width, model.canvas[0], block, antialias=settings.antialias)
    stages = ColorizeStages(
        settings,
        _seen(given, settings),
        frame,
        conditions,
        _counter(settings, progress),
        _previewer(progress),
    )
    sketches = []
    for index in settings.numbers:
        meter = Meter(lambda: model.evaluations)
        with within_memory(1):
            small = stages.small(model, index)
        sketches.append(Sketch(index, small, meter.each(1)))
    return stages, model.source, sketches


def _completed(
    options: ColorizeOptions, given: Given, first: DiffusionFiles, loader: Loader
) -> ColorizeSettings:
    """The options with open settings filled in."""
    guidance = options.image_guidance
    if guidance is None:
        guidance = first.defaults.image_guidance or DEFAULT_GUIDANCE
    found = {
        "device": str(loader.device),
        "dtype": str(loader.dtype).removeprefix("torch."),
        "threads": use_threads(options.threads),
        "image_guidance": guidance,
        "audio_prompt": options.audio_prompt or given.audio_prompt,
    }
    return options.completed(ColorizeSettings, **found)


def _counter(options: ColorizeSettings, progress: Reporter) -> Callable[[], None]:
    """A function that counts and reports the steps of both stages over all samples."""
    total = options.count * (options.steps - options.start_step + options.upscale_steps)
    steps = itertools.count(1)
    return lambda: progress("colouring", next(steps), total)


def _previewer(report: Reporter) -> Callable[[int, Callable[[], Picture]], None]:
    def _look(index: int, draw: Callable[[], Picture]) -> None:
        if report.wants_preview():
            report.preview(index, draw())

    return _look


def _seen(given: Given, options: ColorizeOptions) -> Floats:
    """The grey part of the coloured picture, (height, width) in [0, 1]."""
    seen: Floats = 1 - given.gray if options.invert else given.gray
    return seen


def _facts(*costs: tuple[int, float]) -> dict[str, Any]:
    evaluations, seconds = (sum(each) for each in zip(*costs, strict=True))
    return {"unet_evaluations": int(evaluations), "seconds": round(seconds, 3)}


def _result(
    picture: Picture, given: Given, options: ColorizeSettings, recipe: Recipe, facts: dict[str, Any]
) -> Result:
    return Result(
        verb="colorize",
        index=recipe.index,
        picture=picture,
        spectrogram=given.gray,
        clip=given.clip,
        recipe=recipe,
        facts=facts,
        captions=(options.image_prompt, options.audio_prompt),
        arrays={
            "picture": picture.pixels.transpose(2, 0, 1),
            "spectrogram": given.gray,
            "sound": given.clip.samples[0],
        },
        film=above(picture, Picture.from_gray(given.gray)),
    )


# --- input ---------------------------------------------------------------------------------------


def _with_files(options: ColorizeOptions) -> ColorizeOptions:
    """Replaces a result's folder, or a picture in it, by the result's spectrogram and sound.

    Raises:
        BadInput: the folder holds no result, or links instead of its files.
    """
    given = options.picture
    folder = given if given.is_dir() else given.parent
    if not (folder / RECORD_FILE).is_file():
        if given.is_dir():
            raise BadInput(
                f"{given}: no finished sample is in this folder; give a folder with a {RECORD_FILE}, or a "
                "picture."
            )
        return options
    if folder is given.parent and given.name not in _PICTURES:
        return options
    sound = options.sound or file_in(folder, "sound.wav")
    return options.model_copy(update={"picture": file_in(folder, "spectrogram.png"), "sound": sound})


def _read(options: ColorizeOptions) -> Given:
    """The mel picture and its sound; without a sound file, the vocoder plays the picture.

    Raises:
        EidophoneError: a file or the audio model cannot be used.
    """
    recipe = recipe_in_png(options.picture)
    audio, spec, vocoder = player(options, recipe)
    gray = mel_picture(options.picture, spec, WIDEST).gray()
    if options.sound is None:
        use_threads(options.threads)
        clip = clip_of(play(torch.from_numpy(gray)[None], vocoder, spec)[0], spec)
    else:
        clip = read_sound(options.sound)
    prompt = recipe.options.audio_prompt if recipe else ""
    return Given(gray, clip, audio, spec, vocoder.name, prompt)
