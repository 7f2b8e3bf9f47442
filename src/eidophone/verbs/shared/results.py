"""From pictures and grey canvases to results; what samples cost."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from eidophone.core.values import Picture, Result
from eidophone.verbs.compose.options import ComposeOptions
from eidophone.verbs.distill.options import DistillOptions
from eidophone.verbs.shared.run import LoadedModels, clip_of, kept_columns, play


def played(
    pictures: Tensor,
    gray: Tensor,
    options: ComposeOptions | DistillOptions,
    studio: LoadedModels,
    recipes: Sequence[dict[str, Any]],
    arrays: dict[str, Tensor],
) -> list[Result]:
    """What pictures show and what their grey canvas sounds like, each with its recipe.

    Args:
        pictures: (batch, 3, height, width) in [0, 1].
        gray: What is played, (batch, bands, columns) in [0, 1].
        options: A crop takes the same share of all.
        studio: Plays.
        recipes: One each.
        arrays: Further numbers to keep, each (batch, *).
    """
    sounds = play(gray, studio.vocoder, studio.mel_spec)
    width, kept = kept_columns(options, pictures.shape[-1])
    pictures, gray = pictures[..., :width], gray[..., : round(gray.shape[-1] * kept)]
    return [
        Result(
            verb=recipe["verb"],
            index=recipe["index"],
            picture=Picture(pictures[i].permute(1, 2, 0).contiguous().numpy()),
            spectrogram=gray[i].contiguous().numpy(),
            clip=(clip := clip_of(sounds[i], studio.mel_spec, kept)),
            recipe=recipe,
            captions=(options.image_prompt, options.audio_prompt),
            arrays={
                **{name: numbers[i].float().cpu().numpy() for name, numbers in arrays.items()},
                "picture": pictures[i].numpy(),
                "spectrogram": gray[i].numpy(),
                "sound": clip.samples[0],
            },
        )
        for i, recipe in enumerate(recipes)
    ]


class Meter:
    """Counts from the moment that it is made.

    Args:
        evaluations: Tells the U-Net evaluations so far, counted a sample.
    """

    def __init__(self, evaluations: Callable[[], int]) -> None:
        self._evaluations, self._spent, self._began = evaluations, evaluations(), time.monotonic()

    def each(self, samples: int) -> tuple[int, float]:
        """U-Net evaluations and seconds of each of so many samples."""
        evaluations = self._evaluations() - self._spent
        return evaluations // samples, (time.monotonic() - self._began) / samples

    def facts(self, samples: int) -> dict[str, float]:
        """The same, for the record."""
        evaluations, seconds = self.each(samples)
        return {"unet_evaluations": evaluations, "seconds": round(seconds, 3)}
