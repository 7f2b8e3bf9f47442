"""Imprint (Images that Sound, section 4.1): a picture pressed into a spectrogram that was made apart."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from eidophone.core.events import Progress, silent
from eidophone.core.values import Picture, Result
from eidophone.diffusion.sampler import make_scheduler
from eidophone.media.audio import peak_normalize, read_sound, resample
from eidophone.media.picture import read_picture, resize
from eidophone.media.spectrogram import gray_from_clip
from eidophone.models.device import within_memory
from eidophone.models.latent import LatentModel
from eidophone.options.kinds import Sampler
from eidophone.verbs.imprint.options import ImprintOptions
from eidophone.verbs.shared.best_of_n import choose, open_judge
from eidophone.verbs.shared.inputs import checksums, whereabouts, with_inputs
from eidophone.verbs.shared.results import Meter
from eidophone.verbs.shared.run import (
    CROP_PIXELS,
    LoadedModels,
    batches,
    check_canvas,
    clip_of,
    denoise,
    filled,
    kept_columns,
    load_models,
    play,
    read_as,
    sample_recipe,
)

#: Makes the grey canvases of a batch, (batch, height, width), given the generators of its samples.
Maker = Callable[[list[torch.Generator]], Tensor]


def imprint(options: ImprintOptions, progress: Progress = silent) -> Iterator[Result]:
    """Makes samples one batch after another: spectrogram x (1 - ratio x picture).

    Picture and sound are generated apart, from one generator a sample (the picture draws first), or
    read from the user's files.

    Raises:
        EidophoneError: before the first step, if the settings, files, models or judges cannot work.
    """
    inputs = checksums(options)
    roles = tuple(
        role for role, file in (("image", options.picture), ("audio", options.sound)) if file is None
    )
    studio, options = load_models(options, progress, roles=roles, shared=False)
    check_canvas(options, studio, cut=CROP_PIXELS if options.crop else 0)
    for model, steps in ((studio.image, options.image_steps), (studio.audio, options.audio_steps)):
        if model is not None:
            make_scheduler(options.sampler, model.schedule, steps)  # refuses too many steps
    judge = open_judge(options)

    def _make(told: ImprintOptions, watch: Progress) -> Iterator[Result]:
        return _samples(told, studio, inputs, watch)

    if options.from_:
        yield from choose(_make, options, judge, progress)
    else:
        for result in _make(options, progress):
            yield replace(result, score=judge(result))


def _samples(
    options: ImprintOptions, studio: LoadedModels, inputs: dict[str, str], progress: Progress
) -> Iterator[Result]:
    size = (filled(options.height), filled(options.width))
    counter = _Counter(progress, options.count * options.steps_per_sample)
    told = read_as((studio.image, options.image_prompt), (studio.audio, options.audio_prompt))
    draw = _picture_maker(options, studio, size, counter)
    sing = _sound_maker(options, studio, size, counter)
    for batch in batches(options, studio):
        meter = Meter(studio.evaluations)
        generators = [torch.Generator().manual_seed(options.seed + i) for i in batch]
        with within_memory(len(batch)):
            drawn, sung = draw(generators), sing(generators)
            results = _press(drawn, sung, options, studio, batch)
        facts = meter.facts(len(batch)) | told
        for result in results:
            recipe = with_inputs(result.recipe, options, inputs) if inputs else result.recipe
            yield replace(result, recipe=recipe, facts=facts | {"inputs": whereabouts(options)})


class _Counter:
    """Counts steps over all walks of a run."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.base = progress, total, 0

    def watch(self, size: int) -> Callable[[int], None]:
        """For one sampling_steps over a batch of `size`."""
        base = self.base

        def _step(done: int) -> None:
            self.base = base + done * size
            self.progress("denoising", self.base, self.total)

        return _step


def _picture_maker(
    options: ImprintOptions, studio: LoadedModels, size: tuple[int, int], counter: _Counter
) -> Maker:
    if options.picture is None:
        prompts = (options.image_prompt, options.image_negative, "image")
        settings = (options.image_steps, filled(options.image_guidance))
        return _generated(filled(studio.image), prompts, settings, options.sampler, size, counter)
    gray = torch.from_numpy(covering(read_picture(options.picture), *size).gray())
    return lambda generators: gray.expand(len(generators), -1, -1)


def _sound_maker(
    options: ImprintOptions, studio: LoadedModels, size: tuple[int, int], counter: _Counter
) -> Maker:
    if options.sound is None:
        prompts = (options.audio_prompt, options.audio_negative, "audio")
        settings = (options.audio_steps, filled(options.audio_guidance))
        return _generated(filled(studio.audio), prompts, settings, options.sampler, size, counter)
    gray = torch.from_numpy(_mel_picture(options.sound, studio, size[1]))
    return lambda generators: gray.expand(len(generators), -1, -1)


def _generated(
    model: LatentModel,
    prompts: tuple[str, str, str],
    settings: tuple[int, float],
    sampler: Sampler,
    size: tuple[int, int],
    counter: _Counter,
) -> Maker:
    """Samples one model alone; prompts are (wanted, unwanted, role), settings (steps, guidance)."""
    wanted, unwanted, role = prompts
    steps, guidance = settings
    denoiser = model.guided(
        model.text.encode(wanted, f"{role} prompt"),
        model.text.encode(unwanted, f"negative {role} prompt"),
        guidance,
    )
    shape = (1, *model.latent_shape(*size))

    def _make(generators: list[torch.Generator]) -> Tensor:
        scheduler: Any = make_scheduler(sampler, model.schedule, steps)
        noise = torch.cat([torch.randn(shape, generator=g) for g in generators]).to(model.device)
        latents = denoise(denoiser, noise, scheduler, counter.watch(len(generators)))
        with torch.inference_mode():
            return model.decode(latents).mean(1)

    return _make


def covering(picture: Picture, height: int, width: int) -> Picture:
    """The middle of the picture, as much of it as has the canvas's proportions, scaled to the canvas."""
    tall, wide = picture.pixels.shape[:2]
    inner_tall = min(tall, max(1, round(wide * height / width)))
    inner_wide = min(wide, max(1, round(tall * width / height)))
    top, left = (tall - inner_tall) // 2, (wide - inner_wide) // 2
    middle = picture.pixels[top : top + inner_tall, left : left + inner_wide]
    return resize(Picture(middle.copy()), height, width)


def _mel_picture(path: Path, studio: LoadedModels, width: int) -> Any:
    """The first `width` columns of a sound file's mel picture, silence after its end."""
    spec = studio.mel_spec
    clip = read_sound(path, duration_s=spec.seconds(width) + 0.5)
    gray = gray_from_clip(peak_normalize(resample(clip, spec.rate_hz)), spec)[:, :width]
    return F.pad(torch.from_numpy(gray.copy()), (0, width - gray.shape[1])).numpy()


def _press(
    drawn: Tensor, sung: Tensor, options: ImprintOptions, studio: LoadedModels, batch: Sequence[int]
) -> list[Result]:
    """Presses pictures into spectrograms, both (batch, height, width) in [0, 1]."""
    drawn = 1 - drawn if options.invert else drawn
    pressed = sung * (1 - options.magnitude_ratio * drawn)
    sounds = play(pressed, studio.vocoder, studio.mel_spec)
    width, kept = kept_columns(options, pressed.shape[-1])
    drawn, sung, pressed = (x[..., :width].contiguous() for x in (drawn, sung, pressed))
    captions = (
        options.image_prompt if options.picture is None else options.picture.name,
        options.audio_prompt if options.sound is None else options.sound.name,
    )
    return [
        Result(
            verb="imprint",
            index=index,
            picture=Picture.from_gray(drawn[i].numpy()),
            spectrogram=pressed[i].numpy(),
            clip=(clip := clip_of(sounds[i], studio.mel_spec, kept)),
            recipe=sample_recipe("imprint", options, studio, batch, index),
            captions=captions,
            arrays={
                "picture": drawn[i].numpy(),
                "original_spectrogram": sung[i].numpy(),
                "spectrogram": pressed[i].numpy(),
                "sound": clip.samples[0],
            },
            extras={"original-spectrogram": Picture.from_gray(sung[i].numpy())},
        )
        for i, index in enumerate(batch)
    ]
