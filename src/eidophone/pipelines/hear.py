"""A spectrogram picture, played."""

from collections.abc import Iterator
from typing import Any

import torch

from eidophone.errors import BadInput
from eidophone.media.files import sha256
from eidophone.media.mel import MelSpec
from eidophone.media.picture import fit_height, read_picture
from eidophone.media.vocoder import GriffinLim, Vocoder
from eidophone.models.load import load_vocoder, mel_spec_of
from eidophone.models.source import find
from eidophone.options import HearOptions
from eidophone.pipelines.run import Progress, file_recipe, play, silent
from eidophone.recipe import recipe_in_png
from eidophone.values import Clip, Picture, Result

DEFAULT_MODEL = "tiny"
#: Ten minutes and more in every mel picture; a wider one would not fit in a laptop's memory.
WIDEST = 65_536


def hear(options: HearOptions, progress: Progress = silent) -> Iterator[Result]:
    """Plays a picture: with the MelSpec that it carries, else scaled to the height of a model's.

    Raises:
        EidophoneError: the picture or the model cannot be used.
    """
    picture = read_picture(options.picture)
    found = recipe_in_png(options.picture)
    spec, vocoder = _player(options, found)
    scaled = picture if picture.pixels.shape[0] == spec.bands else fit_height(picture, spec.bands)
    gray = 1 - scaled.gray() if options.invert else scaled.gray()
    if gray.shape[1] > WIDEST:
        raise BadInput(
            f"{options.picture}: {gray.shape[1]} columns are too many to play at once; cut it to {WIDEST}."
        )
    progress("playing", 0, 1)
    samples = play(torch.from_numpy(gray)[None], vocoder, spec)[0]
    progress("playing", 1, 1)
    yield Result(
        verb="hear",
        index=0,
        picture=scaled if not options.invert else Picture.from_gray(gray),
        spectrogram=gray,
        clip=Clip(samples[None].copy(), spec.rate_hz),
        recipe=file_recipe("hear", options, {"picture": sha256(options.picture)}, spec, vocoder.name),
        captions=(options.picture.name,),
        arrays={"spectrogram": gray, "sound": samples},
    )


def _player(options: HearOptions, recipe: dict[str, Any] | None) -> tuple[MelSpec, Vocoder]:
    """The mel picture's settings and who plays it: those of the recipe, or of the model that is named."""
    spec = None
    name = options.audio_model
    if recipe is not None and not name:
        spec = MelSpec.from_dict(recipe["mel_spec"], str(options.picture))
        name = recipe.get("models", {}).get("audio", {}).get("name", DEFAULT_MODEL)
        if options.vocoder == "griffin-lim" or recipe.get("vocoder", "").startswith("griffin-lim"):
            return spec, GriffinLim(spec)
    source = find(name or DEFAULT_MODEL, "audio", offline=options.offline)
    if spec not in (None, mel_spec_of(source)):
        raise BadInput(
            f"{options.picture}: was drawn with other mel settings than {source.name!r} has; "
            "name its model with --audio-model, or use --vocoder griffin-lim."
        )
    return mel_spec_of(source), load_vocoder(source, options.vocoder)
