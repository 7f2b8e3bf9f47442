"""What further prompts see and hear on a finished canvas, and whether their views fit it."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from eidophone.core.errors import BadInput
from eidophone.core.values import Picture, Result, Turn
from eidophone.diffusion.chains import places, seeded, view_of
from eidophone.diffusion.frequencies import band_of
from eidophone.diffusion.views import VIEWS, View
from eidophone.verbs.compose.options import ComposeSettings
from eidophone.verbs.compose.prompts import FurtherPrompt
from eidophone.verbs.compose.run import ComposeRun
from eidophone.verbs.shared.canvas import clip_of, play


def check_views(settings: ComposeSettings, shape: tuple[int, int, int], factor: int) -> None:
    """Refuses views that do not fit the canvas or the blend.

    Args:
        settings: Completed.
        shape: Of the canvas in latents, (channels, rows, columns).
        factor: Pixels per latent cell.

    Raises:
        BadInput: the message names the option and what would do.
    """
    _, rows, columns = shape
    first = seeded(VIEWS[settings.view], settings.view_seed)
    first.check(rows, columns, factor)
    heard = _height(first, rows, columns)
    for flag, text, view in _further(settings):
        view.check(rows, columns, factor, f"{flag} {text!r}")
        if flag == "--also-audio" and (high := _height(view, rows, columns)) != heard:
            raise BadInput(
                f"{flag} {text!r}: shows the audio model {high * factor} rows of pixels, but it plays "
                f"{heard * factor}; {'put rows+ before the view' if high > heard else 'choose another view'}."
            )
    if settings.blend == "lighten" and not first.collage:
        raise BadInput(f"--view {first.name} does not go with --blend lighten; use --blend average.")
    if settings.blend == "lighten" and settings.several:
        raise BadInput(
            "--blend lighten moves the drawing, so it shows no further views; use --blend average."
        )
    if settings.blend != "average" and settings.banded:
        raise BadInput(f"--blend {settings.blend} has no low-pass and high-pass parts; use --blend average.")


def _further(settings: ComposeSettings) -> Iterator[tuple[str, str, View]]:
    typed = (("--also-image", settings.also_image), ("--also-audio", settings.also_audio))
    parsed = (settings.more_images, settings.more_sounds)
    for (flag, texts), prompts in zip(typed, parsed, strict=True):
        for text, one in zip(texts, prompts, strict=True):
            yield flag, text, view_of(one.views, settings.view_seed)


def _height(view: View, rows: int, columns: int) -> int:
    return int(view.apply(torch.empty(1, rows, columns)).shape[-2])


def with_views(run: ComposeRun, result: Result) -> Result:
    """The result with a picture for each further image prompt and a sound for each further audio prompt.

    Both are made from the finished picture: whoever turns the picture sees and hears the same.
    """
    settings = run.settings
    if not settings.several:
        return result
    canvas = torch.from_numpy(result.picture.pixels).permute(2, 0, 1)
    extras, sounds, turns = dict(result.extras), dict(result.sounds), []
    for number, one in enumerate(settings.more_images, 1):
        turn = Turn(one.prompt, settings.also_image[number - 1], f"view-{number}")
        turns.append(_moving(turn, one, canvas, settings))
        extras[turn.picture] = _picture(_shown(one, canvas, settings))
    for number, one in enumerate(settings.more_sounds, 1):
        names = f"spectrogram-{number}", f"sound-{number}"
        turn = Turn(one.prompt, settings.also_audio[number - 1], *names)
        turns.append(_moving(turn, one, canvas, settings))
        gray = _shown(one, canvas, settings).mean(0)
        samples = play(gray[None], run.loaded.vocoder, run.loaded.mel_spec, settings.loop)[0]
        extras[turn.picture] = Picture.from_gray(gray.numpy())
        sounds[turn.sound] = clip_of(samples, run.loaded.mel_spec)
    captions = (*result.captions, *(turn.caption for turn in turns))
    return replace(result, extras=extras, sounds=sounds, turns=tuple(turns), captions=captions)


def _shown(one: FurtherPrompt, canvas: Tensor, settings: ComposeSettings) -> Tensor:
    """The picture (3, height, width) in [0, 1] as a prompt sees it."""
    view = view_of(one.views, settings.view_seed)
    return view.seen(band_of(canvas, one.band).clamp(0, 1)).contiguous()


def _moving(turn: Turn, one: FurtherPrompt, canvas: Tensor, settings: ComposeSettings) -> Turn:
    """The turn with the places of its pixels, if a film is wanted."""
    if not settings.morph:
        return turn
    height, width = canvas.shape[-2:]
    return replace(turn, places=places(view_of(one.views, settings.view_seed), height, width).numpy())


def _picture(pixels: Tensor) -> Picture:
    return Picture(pixels.permute(1, 2, 0).contiguous().numpy())
