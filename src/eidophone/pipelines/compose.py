"""Joint denoising (Images that Sound, section 3.2): one latent, drawn by one model, played by another."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from eidophone.diffusion.guidance import Blend, Part, Seen
from eidophone.diffusion.noise import batch_noise
from eidophone.diffusion.views import VIEWS, View
from eidophone.diffusion.walk import make_scheduler, window_from_steps
from eidophone.errors import BadInput
from eidophone.models.place import within_memory
from eidophone.options import ComposeOptions
from eidophone.pipelines.run import (
    CROP_PIXELS,
    Progress,
    Studio,
    batches,
    check_canvas,
    clip_of,
    denoise,
    open_studio,
    play,
    recipe,
    silent,
)
from eidophone.values import Picture, Result

CUTOFF_COLUMNS = 4


def compose(options: ComposeOptions, progress: Progress = silent) -> Iterator[Result]:
    """Makes samples one batch after another; each is a picture that plays.

    Raises:
        EidophoneError: before anything is computed, if the settings, prompts or models cannot work.
    """
    studio, options = open_studio(options, progress)
    view = VIEWS[options.view]
    height, width = check_canvas(options, studio, view.rows)
    check_steps(options)
    if view.rows > 1 and (options.crop or options.cutoff):
        raise BadInput("--view rows: --crop and --cutoff need the identity view; leave them out.")
    conditions = encode_prompts(options, studio)
    shape = studio.image.latent_shape(height, width)
    done, total = 0, options.count * options.steps
    for batch in batches(options, studio):
        began, spent = time.monotonic(), studio.evaluations()
        scheduler = make_scheduler(options.solver, studio.image.schedule, options.steps)
        noise = batch_noise(shape, [options.seed + i for i in batch]).to(studio.image.device)

        def _watch(step: int, base: int = done, size: int = len(batch)) -> None:
            progress("denoising", base + step * size, total)

        with within_memory(len(batch)):
            latents = denoise(blend(options, studio, conditions, scheduler), noise, scheduler, _watch)
            results = read_latents(latents, options, studio, view, batch)
        done += len(batch) * options.steps
        facts: dict[str, float] = {"unet_evaluations": (studio.evaluations() - spent) // len(batch)}
        facts["seconds"] = round((time.monotonic() - began) / len(batch), 3)
        for result in results:
            result.facts.update(facts)
            yield result


def check_steps(options: ComposeOptions) -> None:
    """Refuses start steps beyond the walk that leave no model at all.

    Raises:
        BadInput: a model that would start after the last step.
    """
    for flag, start in (
        ("--image-start-step", options.image_start_step or 0),
        ("--audio-start-step", options.audio_start_step),
    ):
        if start > options.steps:
            raise BadInput(
                f"{flag} {start}: there are only {options.steps} steps; give at most {options.steps}."
            )


def encode_prompts(options: ComposeOptions, studio: Studio) -> dict[str, Tensor]:
    """The four conditions of a run, encoded once: image and audio prompt, and their negatives."""
    image, audio = studio.image.text, studio.audio.text
    return {
        "image": image.encode(options.image_prompt, "image prompt"),
        "audio": audio.encode(options.audio_prompt, "audio prompt"),
        "not image": image.encode(options.image_negative, "negative image prompt"),
        "not audio": audio.encode(options.audio_negative, "negative audio prompt"),
    }


def blend(options: ComposeOptions, studio: Studio, conditions: dict[str, Tensor], scheduler: Any) -> Blend:
    """The canvas's denoiser: both models guided, each from its first step on."""
    share = 0.5 if options.audio_weight is None else options.audio_weight
    draws = studio.image.guided(conditions["image"], conditions["not image"], options.image_guidance or 0.0)
    plays = studio.audio.guided(conditions["audio"], conditions["not audio"], options.audio_guidance or 0.0)
    return Blend(
        (
            Part(draws, 1 - share, window_from_steps(scheduler, options.image_start_step or 0)),
            Part(
                Seen(plays, VIEWS[options.view]),
                share,
                window_from_steps(scheduler, options.audio_start_step),
            ),
        )
    )


def read_latents(
    latents: Tensor, options: ComposeOptions, studio: Studio, view: View, batch: range
) -> list[Result]:
    """Finished latents as pictures, and as sounds of what the audio model sees."""
    if options.cutoff:
        latents = latents[..., :-CUTOFF_COLUMNS]
    with torch.inference_mode():
        pictures = studio.image.decode(latents)
        heard = pictures if view.rows == 1 else studio.image.decode(view.apply(latents))
    gray = heard.mean(1)
    sounds = play(gray, studio.vocoder, studio.mel_spec)
    width = pictures.shape[-1] - (CROP_PIXELS if options.crop else 0)
    kept = width / pictures.shape[-1]
    pictures, gray = pictures[..., :width], gray[..., : round(gray.shape[-1] * kept)]
    return [
        Result(
            verb="compose",
            index=index,
            picture=Picture(pictures[i].permute(1, 2, 0).contiguous().numpy()),
            spectrogram=gray[i].contiguous().numpy(),
            clip=(clip := clip_of(sounds[i], studio, kept)),
            recipe=recipe("compose", options, studio, batch, index),
            captions=(options.image_prompt, options.audio_prompt),
            arrays={
                "latents": latents[i].float().cpu().numpy(),
                "picture": pictures[i].numpy(),
                "spectrogram": gray[i].numpy(),
                "sound": clip.samples[0],
            },
        )
        for i, index in enumerate(batch)
    ]
