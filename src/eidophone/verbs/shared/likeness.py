"""How much a sound is still like the recording it was made from."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eidophone.core.values import Clip
from eidophone.media.audio import peak_normalize, resample
from eidophone.models.embedders.contract import Embedder
from eidophone.models.tagger import RATE_HZ, STEP, Tagger

#: The tagger's likeliest classes that are compared.
TOP = 5
SILENCE = "Silence"
#: Windows of the tagger per batch, so that memory does not grow with the sound.
PART = 64


@dataclass(frozen=True)
class Likeness:
    """Compares sounds with an embedder, and with a tagger, which nothing is optimised for.

    Attributes:
        embedder: Embeds sounds.
        tagger: Names what sounds.
    """

    embedder: Embedder
    tagger: Tagger

    def facts(self, given: Clip, made: Clip) -> dict[str, Any]:
        """For a record.

        - sound_similarity: Cosine of both sounds in the embedder's space.
        - heard: The tagger's likeliest class of the given and of the made sound.
        - same_class: Whether these are equal.
        - class_kept: Whether the given sound's class is among the five likeliest of the made one.
        """
        vectors = [self._embedded(clip) for clip in (given, made)]
        before, after = self.classes(given), self.classes(made)
        return {
            "sound_similarity": round(float((vectors[0] * vectors[1]).sum()), 4),
            "heard": [before[0], after[0]],
            "same_class": before[0] == after[0],
            "class_kept": before[0] in after,
        }

    def classes(self, clip: Clip) -> list[str]:
        """The tagger's five likeliest classes, likeliest first; silence, which most recordings end in, is none."""
        samples = torch.from_numpy(resample(clip, RATE_HZ).mono())
        scores = torch.cat([self.tagger.scores(part) for part in torch.split(samples, PART * STEP)]).mean(0)
        scores[self.tagger.classes.index(SILENCE)] = 0
        return self.tagger.top(scores[None], TOP)[0]

    @torch.inference_mode()
    def _embedded(self, clip: Clip) -> Tensor:
        mono = torch.from_numpy(peak_normalize(clip, 1.0).mono())
        return self.embedder.sound(mono[None], clip.rate_hz)
