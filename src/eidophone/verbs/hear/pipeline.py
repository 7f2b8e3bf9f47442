"""A spectrogram picture, played."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from eidophone.core.errors import BadInput
from eidophone.core.events import Progress, silent
from eidophone.core.values import Picture, Result
from eidophone.media.mel import MelSpec
from eidophone.media.picture import fit_height, read_picture
from eidophone.media.vocoder import GriffinLim, Vocoder
from eidophone.models.cards import known
from eidophone.models.load import load_vocoder, mel_spec_of
from eidophone.models.source import DiffusionFiles, find
from eidophone.results.recipe import recipe_in_png
from eidophone.verbs.colorize.options import ColorizeOptions
from eidophone.verbs.hear.options import HearOptions
from eidophone.verbs.shared.inputs import checksums, whereabouts, with_inputs
from eidophone.verbs.shared.run import clip_of, play, recipe_of, use_threads

DEFAULT_MODEL = "tiny"
#: Ten minutes and more in every mel picture; a wider one would not fit in a laptop's memory.
WIDEST = 65_536


def hear(options: HearOptions, progress: Progress = silent) -> Iterator[Result]:
    """Plays a picture: with the MelSpec that it carries, else scaled to the height of a model's.

    Raises:
        EidophoneError: the picture or the model cannot be used.
    """
    source, spec, vocoder = player(options, recipe_in_png(options.picture))
    options = options.model_copy(update={"threads": use_threads(options.threads)})
    scaled = mel_picture(options.picture, spec)
    gray = 1 - scaled.gray() if options.invert else scaled.gray()
    progress("playing", 0, 1)
    samples = play(torch.from_numpy(gray)[None], vocoder, spec)[0]
    progress("playing", 1, 1)
    recipe = recipe_of("hear", options, {"audio": source}, spec, vocoder.name)
    yield Result(
        verb="hear",
        index=0,
        picture=scaled if not options.invert else Picture.from_gray(gray),
        spectrogram=gray,
        clip=clip_of(samples, spec),
        recipe=with_inputs(recipe, options, checksums(options)),
        facts={"inputs": whereabouts(options)},
        captions=(options.picture.name,),
        arrays={"spectrogram": gray, "sound": samples},
    )


def mel_picture(path: Path, spec: MelSpec, widest: int = WIDEST) -> Picture:
    """A picture file at the height of a mel picture.

    Raises:
        BadInput: it cannot be read, or it would be wider than so many columns.
    """
    picture = read_picture(path)
    height, width = picture.pixels.shape[:2]
    if (columns := width * spec.n_mels // height) > widest:
        raise BadInput(f"{path}: {columns} columns are too many to take at once; cut it to {widest} at most.")
    return picture if height == spec.n_mels else fit_height(picture, spec.n_mels)


def player(
    options: HearOptions | ColorizeOptions, recipe: dict[str, Any] | None
) -> tuple[DiffusionFiles, MelSpec, Vocoder]:
    """The model, its mel picture and who plays it: as the recipe says, unless the user names another.

    A recipe may come from anywhere, so a model that it names is looked for here and never fetched,
    unless it is one of the cards.

    Raises:
        EidophoneError: the model cannot be used.
    """
    if recipe is None or options.audio_model:
        source = find(options.audio_model or DEFAULT_MODEL, "audio", offline=options.offline)
        return source, mel_spec_of(source), load_vocoder(source, options.vocoder)
    spec = MelSpec.from_dict(recipe["mel_spec"], str(options.picture))
    name = recipe["models"]["audio"]["name"]
    source = find(name, "audio", offline=options.offline or name not in known("audio"))
    choice = options.vocoder
    if choice == "auto" and recipe["vocoder"].startswith("griffin-lim"):
        choice = "griffin-lim"
    vocoder = load_vocoder(source, choice)
    if isinstance(vocoder, GriffinLim):
        return source, spec, replace(vocoder, spec=spec)
    if spec != mel_spec_of(source):
        raise BadInput(
            f"{options.picture}: was drawn with other mel settings than {source.name!r} has now; "
            "use --vocoder griffin-lim, or name another --audio-model."
        )
    return source, spec, vocoder
