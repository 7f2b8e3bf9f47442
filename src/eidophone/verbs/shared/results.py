"""From pictures and grey canvases to results; what samples cost."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from eidophone.core.recipe import Recipe, RecordedOptions
from eidophone.core.values import Picture, Result
from eidophone.verbs.shared.canvas import clip_of, kept_columns, play
from eidophone.verbs.shared.models import LoadedModels
from eidophone.verbs.shared.sizes import SampleSettings


def make_results(
    pictures: Tensor,
    gray: Tensor,
    settings: SampleSettings,
    loaded: LoadedModels,
    recipes: Sequence[Recipe],
    arrays: dict[str, Tensor],
    cyclic: bool = False,
) -> list[Result]:
    """Plays grey canvases and puts each beside its picture and its recipe.

    Args:
        pictures: (batch, 3, height, width) in [0, 1].
        gray: What is played, (batch, n_mels, columns) in [0, 1].
        settings: A crop takes the same share of picture, spectrogram and sound.
        loaded: Holds the vocoder.
        recipes: One for each sample.
        arrays: Further numbers to keep, each (batch, *).
        cyclic: The canvases' end meets their beginning, and so does that of the sounds.
    """
    sounds = play(gray, loaded.vocoder, loaded.mel_spec, cyclic)
    width, kept = kept_columns(settings.crop, pictures.shape[-1])
    pictures, gray = pictures[..., :width], gray[..., : round(gray.shape[-1] * kept)]
    return [
        Result(
            verb=recipe.verb,
            index=recipe.index,
            picture=Picture(pictures[i].permute(1, 2, 0).contiguous().numpy()),
            spectrogram=gray[i].contiguous().numpy(),
            clip=(clip := clip_of(sounds[i], loaded.mel_spec, kept)),
            recipe=recipe,
            captions=captions_of(recipe.options),
            arrays={
                **{name: numbers[i].float().cpu().numpy() for name, numbers in arrays.items()},
                "picture": pictures[i].numpy(),
                "spectrogram": gray[i].numpy(),
                "sound": clip.samples[0],
            },
        )
        for i, recipe in enumerate(recipes)
    ]


def captions_of(options: RecordedOptions) -> tuple[str, str]:
    """What a result shows and plays: its prompts, and the names of the files in their place."""
    looks = ", ".join(part for part in (options.picture, options.image_prompt) if part)
    sounds = ", ".join(part for part in (options.sound, options.audio_prompt) if part)
    return looks, sounds


def above(picture: Picture, spectrogram: Picture) -> Picture:
    """A picture above an equally wide spectrogram, as a film shows them."""
    return Picture(np.concatenate([picture.pixels, spectrogram.pixels]))


class Meter:
    """Measures what samples cost, from the moment it is made.

    Args:
        evaluations: Returns the denoiser evaluations so far, counted per sample.
    """

    def __init__(self, evaluations: Callable[[], int]) -> None:
        self._evaluations, self._spent, self._began = evaluations, evaluations(), time.monotonic()

    def each(self, samples: int) -> tuple[int, float]:
        """Denoiser evaluations and seconds per sample."""
        evaluations = self._evaluations() - self._spent
        return evaluations // samples, (time.monotonic() - self._began) / samples

    def facts(self, samples: int) -> dict[str, float]:
        """The same, for the record."""
        evaluations, seconds = self.each(samples)
        return {"unet_evaluations": evaluations, "seconds": round(seconds, 3)}
