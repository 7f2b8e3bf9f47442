"""Several prompts on one canvas: each with its weight, its view and its part of the spatial frequencies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eidophone.diffusion.frequencies import BANDS, band_of
from eidophone.diffusion.guidance import ALWAYS, Blend, Denoiser, Part, Window
from eidophone.options.kinds import Band


@dataclass(frozen=True)
class Prompted:
    """One prompt of a model.

    Attributes:
        denoiser: The model with this prompt bound, which looks at the canvas through the prompt's view.
        weight: Beside the other prompts of the model; above 0.
        band: Where it counts.
    """

    denoiser: Denoiser
    weight: float = 1.0
    band: Band = "all"


@dataclass(frozen=True)
class Speaker:
    """A model with all its prompts, its share of the canvas, and when it is active."""

    prompts: tuple[Prompted, ...]
    share: float
    window: Window = ALWAYS


def mean_of(prompts: Sequence[Prompted]) -> Denoiser:
    """The weighted mean of the noise estimates of one model's prompts (Visual Anagrams, section 3.2).

    The weights are scaled to sum to 1.
    """
    if len(prompts) == 1:
        return prompts[0].denoiser
    return Blend(tuple(Part(prompt.denoiser, prompt.weight) for prompt in prompts))


@dataclass(frozen=True)
class BandBlend:
    """Models on one canvas, some of whose prompts count in one band of spatial frequencies only.

    In each band, the prompts of a model that count there are averaged by their weights, and the models that have
    any are averaged by their shares, as `Blend` does. The bands of these means are summed (Factorized Diffusion,
    section 3.1).
    """

    speakers: tuple[Speaker, ...]

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`.

        Raises:
            ValueError: no prompt counts in a band at this timestep.
        """
        speakers = [
            (tuple(replace(p, denoiser=_Once(p.denoiser)) for p in speaker.prompts), speaker)
            for speaker in self.speakers
        ]
        bands = [band_of(Blend(tuple(_parts(speakers, band)))(latents, timestep), band) for band in BANDS]
        return torch.stack(bands).sum(0)


def _parts(speakers: Sequence[tuple[tuple[Prompted, ...], Speaker]], band: Band) -> Iterator[Part]:
    """The models that have prompts in a band."""
    for prompts, speaker in speakers:
        counting = [prompt for prompt in prompts if prompt.band in ("all", band)]
        if counting:
            yield Part(mean_of(counting), speaker.share, speaker.window)


class _Once:
    """A denoiser that is asked once and then repeats its answer, because both bands need it."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self._answer: Tensor | None = None

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """See `Denoiser`."""
        if self._answer is None:
            self._answer = self._denoiser(latents, timestep)
        return self._answer
