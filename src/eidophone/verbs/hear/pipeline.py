"""A spectrogram picture, played."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from eidophone.core.errors import BadInput
from eidophone.core.recipe import Recipe
from eidophone.core.values import Picture, Result
from eidophone.media.mel import MelSpec
from eidophone.media.notes import midi_file, notes_of
from eidophone.media.picture import fit_height, read_picture
from eidophone.media.vocoder import GriffinLim, Vocoder
from eidophone.models.cards import cards, quoted
from eidophone.models.device import use_threads
from eidophone.models.load import load_vocoder, mel_spec_of
from eidophone.models.source import DiffusionFiles, find
from eidophone.options.kinds import VocoderChoice
from eidophone.results.recipe import recipe_in_png
from eidophone.verbs.hear.options import HearOptions
from eidophone.verbs.shared.canvas import clip_of, play
from eidophone.verbs.shared.context import Context
from eidophone.verbs.shared.inputs import checksums, with_inputs
from eidophone.verbs.shared.recipes import recipe_of

DEFAULT_MODEL = "tiny"
NOTES_FILE = "notes.mid"
#: Ten minutes and more in every mel picture; a wider one would not fit in a laptop's memory.
WIDEST = 65_536


def hear(options: HearOptions, context: Context) -> Iterator[Result]:
    """Plays a picture: with the MelSpec that it carries, else scaled to the height of a model's.

    Raises:
        EidophoneError: the picture or the model cannot be used.
    """
    source, spec, vocoder = player(options, recipe_in_png(options.picture))
    options = options.model_copy(update={"threads": use_threads(options.threads, context.report.warn)})
    scaled = mel_picture(options.picture, spec, warn=context.report.warn)
    gray = 1 - scaled.gray() if options.invert else scaled.gray()
    notes = notes_of(gray, spec) if options.midi else []
    files = {NOTES_FILE: midi_file(notes)} if options.midi else {}
    context.report("playing", 0, 1)
    samples = play(torch.from_numpy(gray)[None], vocoder, spec, options.loop)[0]
    context.report("playing", 1, 1)
    recipe = recipe_of("hear", options, {"audio": source}, spec, vocoder.name)
    yield Result(
        verb="hear",
        index=0,
        picture=scaled if not options.invert else Picture.from_gray(gray),
        spectrogram=gray,
        clip=clip_of(samples, spec),
        recipe=with_inputs(recipe, options, checksums(options)),
        captions=(options.picture.name,),
        facts={"notes": len(notes)} if options.midi else {},
        files=files,
        arrays={"spectrogram": gray, "sound": samples},
    )


def mel_picture(
    path: Path, spec: MelSpec, widest: int = WIDEST, warn: Callable[[str], None] | None = None
) -> Picture:
    """A picture file at the height of a mel picture.

    Raises:
        BadInput: it cannot be read, or it would be wider than so many columns.
    """
    picture = read_picture(path) if warn is None else read_picture(path, warn=warn)
    height, width = picture.pixels.shape[:2]
    if (columns := width * spec.n_mels // height) > widest:
        raise BadInput(
            f"{path}: would be {columns} columns wide, and {widest} is the most; cut it into parts."
        )
    return picture if height == spec.n_mels else fit_height(picture, spec.n_mels)


class PlayerOptions(Protocol):
    """The options that decide who plays a picture."""

    @property
    def picture(self) -> Path:
        """The picture that is played."""

    @property
    def audio_model(self) -> str:
        """The model that the user names; empty: as the picture's recipe says."""

    @property
    def vocoder(self) -> VocoderChoice:
        """Which vocoder."""

    @property
    def offline(self) -> bool:
        """Whether to download nothing."""


def player(options: PlayerOptions, recipe: Recipe | None) -> tuple[DiffusionFiles, MelSpec, Vocoder]:
    """The model, its mel settings and its vocoder: as the recipe says, unless the user names a model.

    A recipe may come from anywhere, so a model that only a recipe names is never downloaded.

    Raises:
        EidophoneError: the model cannot be used.
    """
    if recipe is None or options.audio_model:
        source = find(options.audio_model or DEFAULT_MODEL, "audio", offline=options.offline)
        return source, mel_spec_of(source), load_vocoder(source, options.vocoder)
    spec = MelSpec.from_dict(recipe.mel_spec, str(options.picture))
    if "audio" not in recipe.models:
        raise BadInput(f"{options.picture}: its recipe names no audio model; name one with --audio-model.")
    name = recipe.models["audio"].name
    if (name, "audio") not in cards():  # a folder that only a recipe names is never opened
        raise BadInput(
            f"{options.picture}: its recipe uses the audio model {quoted(name)}, which is not one of the cards; say "
            "with --audio-model where it is."
        )
    source = find(name, "audio", offline=True)
    choice = options.vocoder
    if choice == "auto" and recipe.vocoder.startswith("griffin-lim"):
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
