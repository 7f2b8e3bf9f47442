"""A picture of a recorded sound (Images from In-the-wild Sounds, ICCV 2023)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from eidophone.core.events import Reporter
from eidophone.core.values import Caption, Clip, Floats, Picture, Result
from eidophone.diffusion.draws import Draws
from eidophone.diffusion.sampler import make_scheduler, step_count
from eidophone.media.audio import peak_normalize, resample
from eidophone.media.files import check_readable
from eidophone.media.picture import resize
from eidophone.media.sheets import strip, word_bars
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.captioners.weights import WordWeights, weigh
from eidophone.models.device import within_memory
from eidophone.models.preview import preview
from eidophone.models.weights import ModelFiles
from eidophone.verbs.paint.colors import Drawing, is_gray
from eidophone.verbs.paint.layout import Layout, at_the_loudest, layout_of, usual_width
from eidophone.verbs.paint.models import PaintModels, load_paint_models, trained_size
from eidophone.verbs.paint.optimise import Aim, Plan, Scene, Trial, best_of, optimise
from eidophone.verbs.paint.options import PaintOptions, PaintSettings
from eidophone.verbs.paint.plays import WALKED, Plays, playing, set_into
from eidophone.verbs.paint.prompts import Prompt, make_prompt, side_by_side
from eidophone.verbs.paint.sources import Source, separated, sources_of
from eidophone.verbs.see.pipeline import read_for_one_picture
from eidophone.verbs.shared.canvas import previewer
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.likeness import Likeness
from eidophone.verbs.shared.models import warn_of_substitutes
from eidophone.verbs.shared.recipes import single_recipe
from eidophone.verbs.shared.results import Meter, above


@dataclass(frozen=True)
class Heard:
    """A sound with its caption.

    Attributes:
        clip: As it was read.
        spectrogram: Its mel picture, (n_mels, columns) in [0, 1].
        caption, prompt: The caption, and the prompt of the image model.
        words: Weights of the caption's words.
        sentence: The caption as it was heard; `caption` leaves out what joins several sources.
        sources: Where several things sound: these, from left to right.
        stems: The sound of each, where they were taken apart.
    """

    clip: Clip
    spectrogram: Floats
    caption: Caption
    prompt: Prompt
    words: WordWeights
    sentence: str
    sources: tuple[Source, ...] = ()
    stems: tuple[Clip, ...] = ()


def paint(options: PaintOptions, context: Context) -> Iterator[Result]:
    """Paints a sound; yields one picture after another.

    Args:
        options: Of this sound.
        context: Models and report; steps are counted over all trials of all pictures.

    Raises:
        EidophoneError: before the first step, if sound, caption or models cannot be used.
    """
    check_readable(options.sound, "a sound")
    easel = load_paint_models(options, context)
    settings = easel.options
    sums = checksums(settings)
    heard = hear_out(settings, easel)
    plays = _plays(settings, easel, heard)
    size = _sized(settings, options.size, heard, plays, easel)
    if options.size not in (None, size):
        context.report.warn(f"--size {options.size}: with --plays the recording decides the size, {size}.")
    settings = settings.model_copy(update={"size": size})
    layout = _layout(easel, heard, size)
    steps = step_count(make_scheduler(settings.sampler, easel.model.schedule, settings.steps))
    total = settings.count * _plan(settings).trials * steps
    for number, index in enumerate(settings.numbers):

        def _watch(done: int, base: int = total // settings.count * number) -> None:
            context.report("painting", base + done, total)

        meter = Meter(lambda: easel.model.evaluations)
        with within_memory(1):
            trials = _painted(settings, easel, heard, layout, index, _watch, context.report, plays)
        facts = _facts(settings, heard, trials, layout)
        facts |= meter.facts(1) | warn_of_substitutes(context.report, (easel.model, heard.prompt.text))
        painted = _picture(trials[_kept(settings, trials)])
        painting, sources = _colored(easel, heard, layout, painted, index, context.report)
        result = _result(settings, easel, heard, trials, painting, sources, index, facts, sums)
        if plays is not None:
            assert easel.tagger is not None, "loaded for --plays"
            result = playing(result, plays, Likeness(easel.listener, easel.tagger), settings.strength)
        yield result


def hear_out(options: PaintSettings, easel: PaintModels) -> Heard:
    """Reads a sound and captions it.

    Raises:
        BadInput: it cannot be read, or sound or caption are too long.
    """
    clip = read_for_one_picture(options.sound, easel.spec, options.start_s, options.duration_s)
    if easel.captioner is None:
        caption = Caption.from_text(options.caption)
    else:
        caption = easel.captioner.caption([resample(clip, easel.captioner.rate_hz).mono()])
    drawn = gray_from_clip(peak_normalize(resample(clip, easel.spec.rate_hz)), easel.spec)
    words, sentence = weigh(caption, easel.nouns, options.attention), caption.text
    sources = sources_of(caption, clip) if options.sources else ()
    stems: tuple[Clip, ...] = ()
    if sources and easel.separator is not None:
        sources, stems = separated(sources, clip, easel.separator)
    if sources:
        captions = [Caption(source.words) for source in sources]
        words = words.only([place for source in sources for place in source.places])
        caption = Caption(tuple(word for one in captions for word in one.words))
        prompt = side_by_side(captions, options.style, easel.model.text)
    else:
        prompt = make_prompt(caption, options.style, easel.model.text)
    return Heard(clip, drawn, caption, prompt, words, sentence, sources, stems)


def _sized(
    options: PaintSettings, given: str | None, heard: Heard, plays: Plays | None, easel: PaintModels
) -> str:
    """The size of the picture: as long as the recording if it plays, else with room for each drawing."""
    if plays is not None:
        height, width = plays.sound.shape[-2:]
        return f"{width}x{height}"
    if given or not heard.sources:
        return options.size
    width, height = map(int, options.size.split("x"))
    return f"{usual_width(heard.sources, width, easel.model.vae_scale_factor)}x{height}"


def _plays(options: PaintSettings, easel: PaintModels, heard: Heard) -> Plays | None:
    if not options.plays:
        return None
    assert easel.vocoder is not None, "loaded for --plays"
    strength = WALKED if options.strength is None else options.strength
    factor = easel.model.vae_scale_factor
    return set_into(heard.spectrogram, easel.listener, easel.vocoder, easel.spec, strength, factor)


def _plan(options: PaintSettings) -> Plan:
    return Plan(
        trials=max(1, options.optimise),
        noun_rate=options.noun_rate,
        other_rate=options.other_rate,
        condition_share=options.condition_share,
        gradient_steps=options.gradient_steps,
        checkpointed=options.checkpointing,
        patience=options.patience,
    )


def _painted(
    options: PaintSettings,
    easel: PaintModels,
    heard: Heard,
    layout: Layout | None,
    index: int,
    watch: Callable[[int], None],
    report: Reporter,
    plays: Plays | None,
) -> list[Trial]:
    """All trials of one picture."""
    model = easel.model
    width, height = map(int, options.size.split("x"))
    shape = model.latent_shape(height, sum(layout.drawn) if layout else width)
    draws = Draws.seeded(options.seed + index)
    noise = draws.normal("start noise", (1, *shape)).to(model.device)
    texts = heard.prompt.parts or (heard.prompt.text,)
    scene = Scene(
        model,
        torch.cat([model.text.encode(text, "caption") for text in texts], 1),
        model.text.encode(options.image_negative, "negative prompt"),
        options.image_guidance,
        noise,
        options.sampler,
        options.steps,
        options.eta,
        draws,
        layout,
    )
    with torch.no_grad():
        samples = torch.from_numpy(heard.clip.mono())[None]
        sound = easel.listener.sound(samples, heard.clip.rate_hz)
        text = easel.reader.text([heard.sentence])
    aim = Aim(easel.listener, sound, easel.reader, text, plays)
    weights = heard.prompt.spread(heard.words.weights)
    if options.weights_per == "channel":
        weights = weights[:, None].repeat(1, scene.condition.shape[-1])
    nouns = heard.prompt.spread(heard.words.nouns, rest=False) > 0
    look = previewer(report, lambda latents: preview(model, latents), [index])
    trials: list[Trial] = []
    for trial in optimise(scene, aim, _plan(options), weights, nouns, watch, look):
        report.iteration(index, len(trials), _picture(trial), _measured(trial))
        trials.append(trial)
    return trials


def _layout(easel: PaintModels, heard: Heard, size: str) -> Layout | None:
    width, usual = int(size.split("x")[0]), trained_size(easel.model)[1]
    if heard.sources:
        return layout_of(heard.sources, width, usual, easel.model.vae_scale_factor)
    return at_the_loudest(heard.spectrogram, width, usual) if easel.options.plays else None


def _colored(
    easel: PaintModels, heard: Heard, layout: Layout | None, painted: Picture, index: int, report: Reporter
) -> tuple[Picture, dict[str, ModelFiles]]:
    """The painting in colour where it is grey, and the files of all models that made it."""
    if easel.colors is None or not is_gray(painted):
        return painted, easel.sources
    words = [Caption(source.words).text for source in heard.sources] or [heard.caption.text]
    columns = layout.shown if layout and heard.sources else (painted.pixels.shape[1],)
    drawings = [Drawing(text, wide) for text, wide in zip(words, columns, strict=True)]

    def _watch(done: int, of: int) -> None:
        report("colouring", done, of)

    found = easel.colors.put_on(painted, drawings, index, easel.options.seed, _watch)
    return found, easel.sources | easel.colors.sources()


def _measured(trial: Trial) -> dict[str, float]:
    return {"loss": trial.loss, "to_sound": trial.to_sound, "to_caption": trial.to_text}


def _kept(options: PaintSettings, trials: list[Trial]) -> int:
    return best_of(trials) if options.keep == "best" else len(trials) - 1


def _facts(
    options: PaintSettings, heard: Heard, trials: list[Trial], layout: Layout | None
) -> dict[str, Any]:
    """The facts of the record."""
    kept = _kept(options, trials)
    before, after = trials[0], trials[kept]
    words = []
    for word, noun, (first, end) in zip(
        heard.caption.words, heard.words.noun, heard.prompt.spans, strict=True
    ):
        weights = [round(float(t.weights[first:end].mean()), 4) for t in (before, after)]
        words.append({**vars(word), "noun": noun, "weight": weights[0], "weight_after": weights[1]})
    rise = f"{before.to_sound:.3f} -> {after.to_sound:.3f}" if len(trials) > 1 else f"{before.to_sound:.3f}"
    found: dict[str, Any] = {}
    if before.to_recording is not None and after.to_recording is not None:
        found["similarity_to_recording"] = [before.to_recording, after.to_recording]
    if layout is not None and heard.sources:
        found["sources"] = [
            {
                "words": " ".join(word.text for word in one.words),
                "start_s": one.start_s,
                "size": round(one.size, 3),
                "columns": wide,
            }
            for one, wide in zip(heard.sources, layout.shown, strict=True)
        ]
    return found | {
        "summary": f"{heard.sentence} (similarity to the sound {rise})",
        "caption": heard.sentence,
        "prompt": heard.prompt.text,
        "words": words,
        "similarity_to_sound": [before.to_sound, after.to_sound],
        "similarity_to_caption": [before.to_text, after.to_text],
        "losses": [trial.loss for trial in trials],
        "kept": kept,
    }


def _result(
    options: PaintSettings,
    easel: PaintModels,
    heard: Heard,
    trials: list[Trial],
    picture: Picture,
    sources: dict[str, ModelFiles],
    index: int,
    facts: dict[str, Any],
    sums: dict[str, str],
) -> Result:
    vocoder = "" if easel.vocoder is None else easel.vocoder.name
    recipe = single_recipe("paint", options, index, sources, easel.spec, vocoder)
    words = heard.words
    extras = {"weights": word_bars(words.words, words.weights, words.nouns)}
    if len(trials) > 1:
        labels = [f"{i + 1}: loss {t.loss:.3f}, sound {t.to_sound:.3f}" for i, t in enumerate(trials)]
        extras["iterations"], boxes = strip([_picture(t) for t in trials], labels)
        measured = zip(trials, boxes, strict=True)
        facts["iterations"] = [{**_measured(t), "box": list(box)} for t, box in measured]
    return Result(
        verb="paint",
        index=index,
        picture=picture,
        spectrogram=heard.spectrogram,
        clip=heard.clip,
        recipe=with_inputs(recipe, options, sums),
        facts=facts,
        captions=(heard.prompt.text, options.sound.name),
        arrays={
            "pictures": np.stack([t.picture.numpy() for t in trials]),
            "weights": np.stack([t.weights.cpu().numpy() for t in trials]),
            "spectrogram": heard.spectrogram,
        },
        extras=extras,
        sounds={f"source-{n}": stem for n, stem in enumerate(heard.stems, 1)},
        film=above(picture, _narrow(heard.spectrogram, picture)),
    )


def _picture(trial: Trial) -> Picture:
    return Picture(trial.picture.permute(1, 2, 0).contiguous().numpy())


def _narrow(spectrogram: Floats, picture: Picture) -> Picture:
    """The sound's spectrogram as wide as a picture, and a third as high."""
    height, width = picture.pixels.shape[:2]
    return resize(Picture.from_gray(spectrogram), max(1, height // 3), width)
