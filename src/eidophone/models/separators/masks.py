"""Sources taken apart without a network that was trained for it: the tagger says when each sounds.

The magnitude spectrogram is factorised into a few spectra for each source and their course in time (non-negative
matrix factorisation with the Kullback-Leibler divergence; Lee and Seung 2001). The course of a source starts from the
probability of its classes in time. What sounds together with a source, and falls silent with it, becomes its own;
what never changes cannot be told apart. Each source gets its share of every cell of the spectrogram.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eidophone.core.values import Floats
from eidophone.models.captioners.sentence import Heard
from eidophone.models.captioners.tagged import TaggedCaptioner, load_tagged, sources
from eidophone.models.tagger import FFT, HOP, PATCH, PATCH_HOP, RATE_HZ, WINDOW

#: Spectra of each source, and rounds of updates.
SPECTRA, ROUNDS = 6, 60
_TINY = 1e-9
#: The least probability of a source in time, so that no part of the sound belongs to nobody.
_LEAST = 1e-3


@dataclass(frozen=True)
class TaggedSeparator:
    """See `contract.Separator`.

    Attributes:
        ear: Hears how probable each source is in each window.
    """

    ear: TaggedCaptioner
    name: str = "tiny"
    rate_hz: int = RATE_HZ

    @torch.inference_mode()
    def separate(self, samples: Floats, heard: Sequence[Heard]) -> Floats:
        """See `contract.Separator`; the stems add up to the sound."""
        padded = np.pad(samples, (0, max(0, FFT - len(samples))))
        sound, window = torch.from_numpy(padded), torch.hann_window(WINDOW)
        cells = torch.stft(sound, FFT, HOP, WINDOW, window, return_complex=True)
        courses = torch.from_numpy(self.courses(padded, heard, cells.shape[1]))
        masks = masks_of(cells.abs(), courses)
        stems = torch.istft(cells * masks, FFT, HOP, WINDOW, window, length=len(padded))
        found: Floats = stems[:, : len(samples)].numpy()
        return found

    def courses(self, samples: Floats, heard: Sequence[Heard], frames: int) -> Floats:
        """How probable each source is in time, its largest value 1; (sources, frames)."""
        table, probable = sources(), self.ear.probabilities(samples)
        middle = np.arange(len(probable)) * PATCH_HOP + PATCH / 2
        times = np.arange(frames)
        found = np.full((len(heard), frames), _LEAST, np.float32)
        for course, one in zip(found, heard, strict=True):
            known = next((i for i, source in enumerate(table) if source.phrase == one.phrase), None)
            if known is not None:
                course[:] = np.maximum(np.interp(times, middle, probable[:, known]), _LEAST)
            elif one.end_s <= one.start_s:  # nobody says when
                course[:] = 1
            else:  # the caption's own times
                course[int(one.start_s * RATE_HZ / HOP) : int(one.end_s * RATE_HZ / HOP) + 1] = 1
            course /= course.max()
        return found


def masks_of(magnitudes: Tensor, courses: Tensor) -> Tensor:
    """Each source's share of every cell of a spectrogram; the shares of a cell add up to 1.

    Args:
        magnitudes: (frequencies, frames), at least 0.
        courses: When each source sounds, (sources, frames), 0 to 1.

    Returns:
        (sources, frequencies, frames).
    """
    count, (rows, frames) = len(courses), magnitudes.shape
    random = torch.Generator().manual_seed(0)
    spectra = torch.rand(rows, count * SPECTRA, generator=random) + 0.1
    course = courses.repeat_interleave(SPECTRA, 0) * (
        torch.rand(count * SPECTRA, frames, generator=random) + 0.1
    )
    wanted = magnitudes + _TINY
    for _ in range(ROUNDS):
        course = (
            course * (spectra.T @ (wanted / (spectra @ course + _TINY))) / (spectra.sum(0)[:, None] + _TINY)
        )
        spectra = spectra * ((wanted / (spectra @ course + _TINY)) @ course.T) / (course.sum(1) + _TINY)
    parts = torch.einsum(
        "fkc,kct->kft", spectra.unflatten(1, (count, SPECTRA)), course.unflatten(0, (count, -1))
    )
    return (parts + _TINY) / (parts + _TINY).sum(0)


def load_masks(folder: Path | None = None) -> TaggedSeparator:
    """The separator, on the processor.

    Args:
        folder: Of the embedded captioner; by default in this package.

    Raises:
        WeightsAbsent, BadInput: see `load_tagged`.
    """
    return TaggedSeparator(load_tagged(folder))
