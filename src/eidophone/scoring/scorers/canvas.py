"""Judges a canvas as one thing: is the drawing seen, is the sound heard, and do they share the canvas?

Sees with an embedder, hears with the tagger. A cosine alone says how typical a picture is of its prompt, not
whether it could be something else, so the prompt competes with a list of other things.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from eidophone.core.values import Clip, Floats
from eidophone.models.embedders.contract import Embedder
from eidophone.models.embedders.load import load_embedder
from eidophone.models.tagger import Tagger, load_tagger
from eidophone.scoring.contract import Subject
from eidophone.scoring.measures import Measure
from eidophone.scoring.one_canvas import Eye, coverage, look, same_place
from eidophone.scoring.scorers import ScorerSpec
from eidophone.scoring.scorers.tagger import Tagging, classes_of
from eidophone.scoring.similarity import Similarity

#: What a drawing might be taken for instead.
OTHERS = (
    "dog", "cat", "tiger", "cow", "horse", "elephant", "rabbit", "monkey", "frog", "bird", "owl", "duck",
    "rooster", "butterfly", "bee", "whale", "fish", "car", "train", "airplane", "helicopter", "ship",
    "bicycle", "clock", "bell", "telephone", "piano", "guitar", "violin", "trumpet", "drum", "castle",
    "house", "tree", "flower", "star", "moon", "heart", "skull", "fire",
)  # fmt: skip
#: Divides cosines before they become probabilities.
TEMPERATURE = 0.1
#: The thing whose phrase is nearest to the prompt is the prompt's own if their cosine is this large.
SAME = 0.7
#: Pictures that are embedded at once.
AT_ONCE = 8


@dataclass(frozen=True)
class OneCanvas:
    """What makes a canvas one thing, more is better; all in [0, 1].

    - looks: probability of the image prompt among 40 other things, for the whole canvas.
    - sounds: probability of the likeliest class that the audio prompt names, by the tagger; where it knows
      none, `sounds_clear` of the embedder (see `Similarity`).
    - coverage: share of the columns that the drawing spans.
    - same_place: 1 if the part in which the drawing is seen best, played alone, still has such a class among
      the tagger's five likeliest; 0 if not. Left out where the tagger knows no class that the prompt names.
    """

    embedder: Embedder
    tagger: Tagger
    name: ClassVar[str] = "canvas"
    _phrases: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def __call__(self, subject: Subject) -> dict[str, float]:
        """See `Scorer`."""
        said: dict[str, float] = {}
        wanted = classes_of(subject.audio_prompt, self.tagger.classes)
        ear = Tagging(self.tagger)
        if wanted:
            said["sounds"] = ear.heard(subject.clip, wanted)["sounds"]
        elif subject.audio_prompt:
            found = Similarity(self.embedder)(subject)
            said["sounds"] = found.get("sounds_clear", found["sounds"])
        if subject.image_prompt:
            likely = self.likely(subject.image_prompt)
            said["looks"] = float(likely(subject.gray[None])[0, 0])
            said |= self._shared(subject, likely, wanted)
        return said

    def _shared(
        self, subject: Subject, likely: Callable[[Floats], Floats], wanted: list[int]
    ) -> dict[str, float]:
        columns, ear = subject.gray.shape[1], Tagging(self.tagger)

        def _ear(clip: Clip) -> float:
            return ear.heard(clip, wanted)["top5"]

        seen = look(subject.gray, _eye(likely))
        said = {"coverage": coverage(seen, columns)}
        if wanted:
            place = same_place(seen, subject.clip, columns, _ear)
            said["same_place"] = place.heard if place else 0.0
        return said

    def likely(self, prompt: str) -> Callable[[Floats], Floats]:
        """How likely pictures, (count, height, width), show a prompt (first column) and each other thing."""
        phrases = self._against(prompt)

        def _likely(pictures: Floats) -> Floats:
            light = torch.from_numpy(np.ascontiguousarray(pictures))[:, None].expand(-1, 3, -1, -1)
            with torch.inference_mode():
                firsts = range(0, len(light), AT_ONCE)
                parts = [self.embedder.picture(light[n : n + AT_ONCE]).float().cpu() for n in firsts]
                likely: Floats = (torch.cat(parts) @ phrases.T / TEMPERATURE).softmax(-1).numpy()
            return likely

        return _likely

    def _against(self, prompt: str) -> Tensor:
        """The prompt's embedding, then those of the other things, (1 + others, dimensions)."""
        own, others = self._text(prompt), torch.cat([self._text(f"a painting of {o}") for o in OTHERS])
        cosines = (others @ own.T)[:, 0]
        nearest = int(cosines.argmax())
        kept = [n for n in range(len(OTHERS)) if n != nearest or cosines[n] < SAME]
        return torch.cat([own, others[kept]])

    def _text(self, phrase: str) -> Tensor:
        if phrase not in self._phrases:
            with torch.inference_mode():
                self._phrases[phrase] = self.embedder.text([phrase]).float().cpu()
        return self._phrases[phrase]


def _eye(likely: Callable[[Floats], Floats]) -> Eye:
    """Sees the prompt where nothing else is likelier."""

    def _sure(pictures: Floats) -> Floats:
        found = likely(pictures)
        sure: Floats = np.where(found.argmax(1) == 0, found[:, 0], 0).astype(np.float32)
        return sure

    return _sure


def _made() -> OneCanvas:
    return OneCanvas(load_embedder("tiny", torch.device("cpu"), offline=True), load_tagger())


SCORER = ScorerSpec(
    _made,
    "whether drawing and sound are one thing: seen, heard, over the whole width, in the same place",
    {
        "looks": Measure("probability of the image prompt among 40 other things", "higher", range="0 to 1"),
        "sounds": Measure(
            "probability of the likeliest class that the audio prompt names", "higher", range="0 to 1"
        ),
        "coverage": Measure("share of the columns that the drawing spans", "higher", range="0 to 1"),
        "same_place": Measure(
            "1 if the part that shows the drawing also sounds right", "higher", range="0 or 1"
        ),
    },
)
